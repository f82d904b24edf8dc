//! What http-net makes of the same bytes: it judges framing too. Where ours writes the same, the
//! fields of its response were checked beforehand as well.

use std::hint::black_box;

use ::http_net::{
    Asked, ChunkStep, ChunkedDecoder, DateCache, FieldSpan, Limits, Parsed, Response, ServerConn,
    ServerEvent, parse_request_head, parse_response_head,
};

use crate::heads::{FIELDS, RESPONSE, answer_len, chunks};
use crate::workloads::Operation;

pub(crate) fn head(input: &'static [u8]) -> Operation {
    heads(vec![input.to_vec()])
}

/// The limits that ours has by default.
fn limits() -> Limits {
    Limits::new().with_max_headers(100)
}

pub(crate) fn heads(inputs: Vec<Vec<u8>>) -> Operation {
    let limits = limits();
    let mut fields = [FieldSpan::default(); 100];
    let mut next = 0;
    Box::new(move || {
        let input = black_box(inputs[next].as_slice());
        next = if next + 1 == inputs.len() { 0 } else { next + 1 };
        match parse_request_head(input, &limits, &mut fields).expect("a valid head") {
            Parsed::Complete { head, len } => {
                assert_eq!(len, input.len());
                black_box(head);
            }
            other => panic!("{other:?}"),
        }
    })
}

pub(crate) fn response() -> Operation {
    let limits = limits();
    let mut fields = [FieldSpan::default(); 100];
    Box::new(move || {
        let asked = Asked { head: false, connect: false };
        match parse_response_head(black_box(RESPONSE), &limits, asked, &mut fields).expect("a valid head") {
            Parsed::Complete { head, len } => {
                assert_eq!(len, RESPONSE.len());
                black_box(head);
            }
            other => panic!("{other:?}"),
        }
    })
}

/// It reads into a buffer of its own.
pub(crate) fn read_and_exchange(input: &'static [u8]) -> Operation {
    let mut server = ServerConn::with_limits(limits());
    let mut dates = DateCache::new();
    let response = FIELDS
        .iter()
        .fold(Response::new(200), |response, (name, value)| response.header(name, value))
        .body(&b"Hello, World!"[..]);
    let mut out = Vec::new();
    let answer = answer_len();
    Box::new(move || {
        out.clear();
        assert_eq!(server.feed(black_box(input)), input.len());
        loop {
            match server.poll().expect("a valid request") {
                ServerEvent::Request(request) => _ = black_box(request.target()),
                ServerEvent::RequestEnd => break,
                other => panic!("{other:?}"),
            }
        }
        server.respond_with_date(&response, dates.update(2), &mut out).expect("a request waits");
        assert!(out.len() == answer && out.ends_with(b"\r\n\r\nHello, World!"));
    })
}

/// The head, and the chunks where they are.
pub(crate) fn chunked(count: usize, size: usize) -> Operation {
    let limits = limits();
    let mut fields = [FieldSpan::default(); 100];
    let input = chunks(count, size);
    Box::new(move || {
        let input = black_box(&input[..]);
        let Ok(Parsed::Complete { len, .. }) = parse_request_head(input, &limits, &mut fields) else {
            panic!("a valid head");
        };
        let mut decoder = ChunkedDecoder::new(&limits);
        let (mut rest, mut received) = (&input[len..], 0);
        loop {
            match decoder.decode(rest, false).expect("valid chunks") {
                ChunkStep::Data { skip, len } => {
                    let (piece, after) = rest[skip..].split_at(len);
                    received += black_box(piece).len();
                    rest = after;
                }
                ChunkStep::Done { consumed } => {
                    rest = &rest[consumed..];
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(rest.is_empty() && received == count * size);
    })
}
