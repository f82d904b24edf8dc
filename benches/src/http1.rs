//! HTTP/1.1 in the core alone.

use std::hint::black_box;

use sinew_proto::http1::client::{self, Request};
use sinew_proto::http1::server::{Event, Kind};
use sinew_proto::http1::{BodyPlan, Client, RequestHead, ResponseHead, Server};
use sinew_proto::{Config, DateCache, FieldLines, FieldTable, HttpDate, StatusCode};

use crate::buffer::NOW;
use crate::heads::{FIELDS, RESPONSE, TWO_LINES, answer_len, chunks};
use crate::workloads::Operation;

/// One head, again and again.
pub(crate) fn head(input: &'static [u8]) -> Operation {
    heads(vec![input.to_vec()])
}

/// One head of many, each time another: what a branch predictor cannot learn by heart.
pub(crate) fn heads(inputs: Vec<Vec<u8>>) -> Operation {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let fresh = Server::new(&config);
    let mut next = 0;
    Box::new(move || {
        let input = black_box(inputs[next].as_slice());
        next = if next + 1 == inputs.len() { 0 } else { next + 1 };
        let mut server = fresh.clone();
        let step = server.advance(input, &mut fields, NOW).expect("a valid head");
        assert!(step.event == Kind::Request && step.consumed == input.len());
        black_box(RequestHead::new(input, &fields));
    })
}

/// The fields of a response beside its length and its date.
fn response_fields() -> FieldLines {
    let mut lines = FieldLines::new();
    for (name, value) in FIELDS {
        lines.append(name, value).expect("a valid field");
    }
    lines
}

/// A server that answers each request with five fields and 13 bytes.
struct Answering {
    server: Server,
    fields: FieldTable,
    lines: FieldLines,
    dates: DateCache,
    out: Vec<u8>,
    /// How long an answer has to be.
    answer: usize,
}

impl Answering {
    fn new() -> Self {
        let config = Config::default();
        Self {
            server: Server::new(&config),
            fields: FieldTable::new(&config),
            lines: response_fields(),
            dates: DateCache::new(1),
            out: Vec::new(),
            answer: answer_len(),
        }
    }

    /// A request on a connection that persists.
    #[inline]
    fn exchange(&mut self, input: &[u8]) {
        let Self { server, fields, lines, dates, out, answer } = self;
        out.clear();
        let mut rest = input;
        loop {
            let step = server.poll(rest, fields, NOW).expect("a valid request");
            rest = &rest[step.consumed..];
            match step.event {
                Event::Request(request) => _ = black_box(request.target()),
                Event::End => break,
                other => panic!("{other:?}"),
            }
        }
        let head = ResponseHead { status: StatusCode::OK, fields: Some(lines), date: Some(dates.at(2)) };
        server.respond(&head, BodyPlan::Length(13), out).expect("a request waits");
        server.frame_data(13, true).expect("as announced");
        out.extend_from_slice(b"Hello, World!");
        assert!(rest.is_empty() && out.len() == *answer && out.ends_with(b"\r\n\r\nHello, World!"));
    }
}

/// A request that is where it has to be.
pub(crate) fn exchange(input: &'static [u8]) -> Operation {
    let mut answering = Answering::new();
    Box::new(move || answering.exchange(black_box(input)))
}

/// A request that is first copied into the buffer of the connection, as by a read.
pub(crate) fn read_and_exchange(input: &'static [u8]) -> Operation {
    let mut answering = Answering::new();
    let mut buffer = vec![0; 16 * 1024];
    Box::new(move || {
        let input = black_box(input);
        buffer[..input.len()].copy_from_slice(input);
        answering.exchange(&buffer[..input.len()]);
    })
}

/// The head of that response alone, for a connection on which a request waits.
pub(crate) fn response_head() -> Operation {
    let config = Config::default();
    let mut waiting = Server::new(&config);
    let _ = waiting.advance(TWO_LINES, &mut FieldTable::new(&config), NOW).expect("a valid request");
    let lines = response_fields();
    let date = HttpDate::from_unix(1);
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        let mut server = waiting.clone();
        let head = ResponseHead { status: StatusCode::OK, fields: Some(&lines), date: Some(&date) };
        server.respond(black_box(&head), BodyPlan::Length(13), &mut out).expect("a request waits");
        assert!(out.ends_with(b"content-length: 13\r\n\r\n"));
    })
}

/// The lines of a small response: what a handler sets itself.
pub(crate) fn field_lines() -> Operation {
    let lines: [(&str, &str); 2] = [("server", "sinew"), ("content-type", "text/plain; charset=utf-8")];
    Box::new(move || {
        let mut set = FieldLines::new();
        for (name, value) in black_box(lines) {
            set.append(name, value).expect("a valid field");
        }
        assert_eq!(black_box(&set).as_bytes().len(), 56);
    })
}

/// The head of a response, for a client that waits for it.
pub(crate) fn client() -> Operation {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let mut lines = FieldLines::new();
    lines.append("host", "a").expect("a valid field");
    let mut waiting = Client::new(&config);
    let request = Request::new("GET", "/", &lines);
    waiting.request(&request, BodyPlan::Empty, &mut Vec::new()).expect("a valid request");
    Box::new(move || {
        let mut client = waiting.clone();
        let step = client.advance(black_box(RESPONSE), &mut fields, NOW).expect("a valid head");
        assert!(step.event == client::Kind::Response && step.consumed == RESPONSE.len());
    })
}

/// A body in so many chunks of that size, with its head.
pub(crate) fn chunked(count: usize, size: usize) -> Operation {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let input = chunks(count, size);
    Box::new(move || {
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
        assert!(rest.is_empty() && received == count * size);
    })
}
