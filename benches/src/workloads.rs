//! What is counted. Each workload checks its result, so that it cannot be optimised away or fail
//! quietly.

use std::hint::black_box;
use std::time::Duration;

use crate::heads::{BROWSER, TWO_LINES, hundred_fields, mixed};
use crate::{driver, websocket};

use sinew_proto::http1::client::{self, Request};
use sinew_proto::http1::server::{Event, Kind};
use sinew_proto::http1::{BodyPlan, Client, RequestHead, ResponseHead, Server};
use sinew_proto::{Config, DateCache, FieldLines, FieldTable, HttpDate, Instant, StatusCode, sse};

/// Runs something so many times.
pub(crate) type Workload = fn(u32);

pub(crate) const WORKLOADS: &[(&str, Workload)] = &[
    ("head/browser", |n| head(BROWSER, n)),
    ("head/browser (httparse)", |n| httparse(BROWSER, n)),
    ("head/two lines", |n| head(TWO_LINES, n)),
    ("head/two lines (httparse)", |n| httparse(TWO_LINES, n)),
    ("head/mixed", |n| head_mixed(&mixed(), n)),
    ("head/mixed (httparse)", |n| httparse_mixed(&mixed(), n)),
    ("head/100 fields", |n| head(&hundred_fields(), n)),
    ("head/100 fields (httparse)", |n| httparse(&hundred_fields(), n)),
    ("exchange/browser", |n| exchange(BROWSER, n)),
    ("exchange/two lines", |n| exchange(TWO_LINES, n)),
    ("response head/five fields", response_head),
    ("field lines/two appended", field_lines),
    ("client/eight fields", |n| client(RESPONSE, n)),
    ("client/eight fields (httparse)", |n| httparse_response(RESPONSE, n)),
    ("chunked/64 of 1 KiB", |n| chunked(64, 1024, n)),
    ("chunked/64 of 16 B", |n| chunked(64, 16, n)),
    ("sse/32 events written", sse_encode),
    ("driver/two lines", |n| driver::requests(TWO_LINES, 1, 145, n)),
    ("driver/two lines x16", |n| driver::requests(TWO_LINES, 16, 145, n)),
    ("driver/browser", |n| driver::requests(BROWSER, 1, 136, n)),
    ("websocket core/32 of 64 B", |n| websocket::core(64, n)),
    ("websocket core/32 of 1 KiB", |n| websocket::core(1024, n)),
    ("websocket echo/32 of 64 B", |n| websocket::driver(64, n)),
    ("websocket echo/32 of 1 KiB", |n| websocket::driver(1024, n)),
    ("websocket echo/64 KiB of text", websocket::long_text),
];

const NOW: Instant = Instant::from_nanos(0);

fn head(input: &[u8], times: u32) {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let fresh = Server::new(&config);
    for _ in 0..times {
        let mut server = fresh.clone();
        let step = server.advance(black_box(input), &mut fields, NOW).expect("a valid head");
        assert!(step.event == Kind::Request && step.consumed == input.len());
        black_box(RequestHead::new(input, &fields));
    }
}

fn httparse(input: &[u8], times: u32) {
    for _ in 0..times {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut fields);
        let status = request.parse(black_box(input)).expect("a valid head");
        assert!(status.is_complete());
        black_box(request);
    }
}

/// One head of many, each time another: what a branch predictor cannot learn by heart.
fn head_mixed(heads: &[Vec<u8>], times: u32) {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let fresh = Server::new(&config);
    for (input, _) in heads.iter().cycle().zip(0..times) {
        let mut server = fresh.clone();
        let step = server.advance(black_box(input), &mut fields, NOW).expect("a valid head");
        assert!(step.event == Kind::Request && step.consumed == input.len());
        black_box(RequestHead::new(input, &fields));
    }
}

fn httparse_mixed(heads: &[Vec<u8>], times: u32) {
    for (input, _) in heads.iter().cycle().zip(0..times) {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut fields);
        assert!(request.parse(black_box(input)).expect("a valid head").is_complete());
        black_box(request);
    }
}

/// How long a head of mixed traffic takes: the best of many rounds, the two in turns. Only the quotient
/// says something on a machine that others use.
pub(crate) fn time_mixed() {
    let heads = mixed();
    let times = u32::try_from(heads.len()).expect("a few");
    let mut best = [Duration::MAX; 2];
    for _ in 0..500 {
        for (best, run) in best.iter_mut().zip([head_mixed, httparse_mixed]) {
            let start = std::time::Instant::now();
            run(&heads, times);
            *best = start.elapsed().min(*best);
        }
    }
    let [sinew, httparse] = best.map(|best| best.as_secs_f64() * 1e9 / f64::from(times));
    println!("{sinew:.0} ns, httparse {httparse:.0} ns: {:.2}", sinew / httparse);
}

/// The fields of a response beside its length and its date.
fn response_fields() -> FieldLines {
    let mut lines = FieldLines::new();
    for (name, value) in [("server", "sinew"), ("content-type", "text/plain"), ("cache-control", "no-store")]
    {
        lines.append(name, value).expect("a valid field");
    }
    lines
}

/// A request on a connection that persists, answered with five fields and 13 bytes.
fn exchange(input: &[u8], times: u32) {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let mut server = Server::new(&config);
    let mut dates = DateCache::new(1);
    let lines = response_fields();
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        let mut rest = black_box(input);
        loop {
            let step = server.poll(rest, &mut fields, NOW).expect("a valid request");
            rest = &rest[step.consumed..];
            match step.event {
                Event::Request(request) => _ = black_box(request.target()),
                Event::End => break,
                other => panic!("{other:?}"),
            }
        }
        let head = ResponseHead { status: StatusCode::OK, fields: Some(&lines), date: Some(dates.at(2)) };
        server.respond(&head, BodyPlan::Length(13), &mut out).expect("a request waits");
        server.frame_data(13, true).expect("as announced");
        out.extend_from_slice(b"Hello, World!");
        assert!(out.ends_with(b"\r\n\r\nHello, World!"));
    }
}

/// The head of that response alone, for a connection on which a request waits.
fn response_head(times: u32) {
    let config = Config::default();
    let mut waiting = Server::new(&config);
    let _ = waiting.advance(TWO_LINES, &mut FieldTable::new(&config), NOW).expect("a valid request");
    let lines = response_fields();
    let date = HttpDate::from_unix(1);
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        let mut server = waiting.clone();
        let head = ResponseHead { status: StatusCode::OK, fields: Some(&lines), date: Some(&date) };
        server.respond(black_box(&head), BodyPlan::Length(13), &mut out).expect("a request waits");
        assert!(out.ends_with(b"content-length: 13\r\n\r\n"));
    }
}

/// The lines of a small response: what a handler sets itself.
fn field_lines(times: u32) {
    let lines: [(&str, &str); 2] = [("server", "sinew"), ("content-type", "text/plain; charset=utf-8")];
    for _ in 0..times {
        let mut set = FieldLines::new();
        for (name, value) in black_box(lines) {
            set.append(name, value).expect("a valid field");
        }
        assert_eq!(black_box(&set).as_bytes().len(), 56);
    }
}

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
Server: Apache/2.4.62 (Unix)\r\n\
Content-Type: application/json; charset=utf-8\r\n\
Content-Length: 0\r\n\
Cache-Control: max-age=0, private, must-revalidate\r\n\
ETag: W/\"0123456789abcdef0123456789abcdef\"\r\n\
Vary: Accept-Encoding, Origin\r\n\
X-Request-Id: 0f8fad5b-d9cb-469f-a165-70867728950e\r\n\
\r\n";

/// The head of a response, for a client that waits for it.
fn client(input: &[u8], times: u32) {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let mut lines = FieldLines::new();
    lines.append("host", "a").expect("a valid field");
    let mut waiting = Client::new(&config);
    let request = Request::new("GET", "/", &lines);
    waiting.request(&request, BodyPlan::Empty, &mut Vec::new()).expect("a valid request");
    for _ in 0..times {
        let mut client = waiting.clone();
        let step = client.advance(black_box(input), &mut fields, NOW).expect("a valid head");
        assert!(step.event == client::Kind::Response && step.consumed == input.len());
    }
}

fn httparse_response(input: &[u8], times: u32) {
    for _ in 0..times {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut response = httparse::Response::new(&mut fields);
        assert!(response.parse(black_box(input)).expect("a valid head").is_complete());
        black_box(response);
    }
}

/// Events with an ID, a type and a line of 64 bytes.
fn sse_encode(times: u32) {
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        for _ in 0..32 {
            let event =
                sse::Event::new().id("4711").expect("a valid ID").event("price").expect("a valid type");
            event.data(black_box(TEXT)).write(&mut out);
        }
        assert_eq!(out.len(), 32 * (TEXT.len() + 30));
    }
}

const TEXT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A body in so many chunks of that size, with its head.
fn chunked(chunks: usize, size: usize, times: u32) {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let mut input = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..chunks {
        input.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        input.resize(input.len() + size, b'x');
        input.extend_from_slice(b"\r\n");
    }
    input.extend_from_slice(b"0\r\n\r\n");
    for _ in 0..times {
        let mut server = Server::new(&config);
        let (mut rest, mut received) = (black_box(&input[..]), 0);
        loop {
            let step = server.poll(rest, &mut fields, NOW).expect("a valid request");
            rest = &rest[step.consumed..];
            match step.event {
                Event::Request(_) => {}
                Event::Data(piece) => received += piece.len(),
                Event::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(received, chunks * size);
    }
}
