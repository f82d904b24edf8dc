//! What is counted. Each workload checks its result, so that it cannot be optimised away or fail
//! quietly.

use std::hint::black_box;

use crate::{driver, websocket};

use sinew_proto::http1::{
    BodyPlan, RequestHead, ResponseHead, Server,
    server::{Event, Kind},
};
use sinew_proto::{Config, DateCache, FieldLines, FieldTable, Instant, StatusCode};

/// Runs something so many times.
pub(crate) type Workload = fn(u32);

pub(crate) const WORKLOADS: &[(&str, Workload)] = &[
    ("head/browser", |n| head(BROWSER, n)),
    ("head/browser (httparse)", |n| httparse(BROWSER, n)),
    ("head/two lines", |n| head(TWO_LINES, n)),
    ("head/two lines (httparse)", |n| httparse(TWO_LINES, n)),
    ("exchange/browser", |n| exchange(BROWSER, n)),
    ("exchange/two lines", |n| exchange(TWO_LINES, n)),
    ("chunked/64 of 1 KiB", chunked),
    ("driver/two lines", |n| driver::requests(TWO_LINES, 1, 145, n)),
    ("driver/two lines x16", |n| driver::requests(TWO_LINES, 16, 145, n)),
    ("driver/browser", |n| driver::requests(BROWSER, 1, 136, n)),
    ("websocket core/32 of 64 B", |n| websocket::core(64, n)),
    ("websocket core/32 of 1 KiB", |n| websocket::core(1024, n)),
    ("websocket echo/32 of 64 B", |n| websocket::driver(64, n)),
    ("websocket echo/32 of 1 KiB", |n| websocket::driver(1024, n)),
    ("websocket echo/64 KiB of text", websocket::long_text),
];

const TWO_LINES: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";

/// Twelve fields, as a browser sends them.
const BROWSER: &[u8] = b"GET /users/12345?tab=profile HTTP/1.1\r\n\
Host: www.example.com\r\n\
Connection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"128\", \"Not;A=Brand\";v=\"24\"\r\n\
sec-ch-ua-mobile: ?0\r\n\
sec-ch-ua-platform: \"Linux\"\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Sec-Fetch-Site: none\r\n\
Sec-Fetch-Mode: navigate\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
\r\n";

const NOW: Instant = Instant::from_nanos(0);

fn head(input: &[u8], times: u32) {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    for _ in 0..times {
        let mut server = Server::new(&config);
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

/// A request on a connection that persists, answered with five fields and 13 bytes.
fn exchange(input: &[u8], times: u32) {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let mut server = Server::new(&config);
    let mut dates = DateCache::new(1);
    let mut lines = FieldLines::new();
    for (name, value) in [("server", "sinew"), ("content-type", "text/plain"), ("cache-control", "no-store")]
    {
        lines.append(name, value).expect("a valid field");
    }
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

fn chunked(times: u32) {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let mut input = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        input.extend_from_slice(b"400\r\n");
        input.extend_from_slice(&[b'x'; 1024]);
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
        assert_eq!(received, 64 * 1024);
    }
}
