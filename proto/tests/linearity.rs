//! Work and memory are bounded by what was received: no byte is read again and again, and an idle
//! connection is small.
//!
//! Work is measured without a clock. Bytes that a linear parser has no reason to look at again are
//! replaced by bytes that it would stumble over: whoever rescans answers wrongly.

use sinew_proto::http1::{Server, server::Kind};
use sinew_proto::{Config, FieldTable, Instant};

const NOW: Instant = Instant::from_nanos(0);
/// A method and a blank are looked at with each piece of a request line: a constant.
const METHOD: usize = 33;

/// Gives the section byte by byte after `before`. Except where a line ends, everything but the new
/// byte is LF; where one ends, every other line is. Only the last call gets the section as it is.
fn only_new_bytes_are_read(before: &[u8], section: &[u8]) {
    let config = Config {
        max_head_bytes: u32::MAX,
        max_target_bytes: u32::MAX,
        max_trailer_bytes: u32::MAX,
        max_fields: u16::MAX,
        ..Config::default()
    };
    let mut table = FieldTable::new(&config);
    let mut server = Server::new(&config);
    let mut rest = before;
    while !rest.is_empty() {
        rest = &rest[server.advance(rest, &mut table, NOW).expect("valid input").consumed..];
    }
    let mut line = 0;
    let mut given = Vec::with_capacity(section.len());
    for (at, &byte) in section.iter().enumerate().take(section.len() - 1) {
        // `given` is all LF here.
        given.push(byte);
        if byte == b'\n' {
            given[line..].copy_from_slice(&section[line..=at]);
        } else if line == 0 {
            let start = METHOD.min(at);
            given[..start].copy_from_slice(&section[..start]);
        }
        let step = server.advance(&given, &mut table, NOW).expect("old bytes are not read again");
        assert_eq!((step.consumed, step.event), (0, Kind::NeedInput), "at byte {at}");
        let dirty = if byte == b'\n' || line == 0 { line } else { at };
        given[dirty..].fill(b'\n');
        if byte == b'\n' {
            line = at + 1;
        }
    }
    let step = server.advance(section, &mut table, NOW).expect("a valid section");
    assert_eq!(step.consumed, section.len());
    let expected = if before.is_empty() { Kind::Request } else { Kind::Trailers };
    assert_eq!(step.event, expected);
}

const LINE: &str = "Name: value\r\n";

#[test]
fn a_head_is_read_once() {
    let long = "x".repeat(20_000);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nLong: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", LINE.repeat(1_000)),
    ] {
        only_new_bytes_are_read(b"", head.as_bytes());
    }
}

#[test]
fn trailers_are_read_once() {
    let before = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let long = "x".repeat(20_000);
    for trailers in [format!("Long: {long}\r\n\r\n"), format!("{}\r\n", LINE.repeat(1_000))] {
        only_new_bytes_are_read(before, trailers.as_bytes());
    }
}

/// Of a body nothing is kept: every byte is consumed by the call that gets it.
#[test]
fn a_body_is_read_once() {
    let config = Config::default();
    let mut table = FieldTable::new(&config);
    let mut server = Server::new(&config);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let step = server.advance(head, &mut table, NOW).expect("a head");
    assert_eq!(step.event, Kind::Request);
    for byte in b"5;a=\"b;c\"\r\nhello\r\n".repeat(100) {
        let step = server.advance(&[byte], &mut table, NOW).expect("a valid body");
        assert_eq!(step.consumed, 1);
    }
}

#[test]
fn a_connection_is_small() {
    assert!(size_of::<Server>() <= 256, "{} bytes", size_of::<Server>());
}
