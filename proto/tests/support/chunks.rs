//! Chunked bodies: built from pieces in every spelling the grammar has, and decoded.

use sinew_proto::http1::{Server, server::Event};
use sinew_proto::{Config, FieldTable, Instant, RecvError};

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A body with its spelling of sizes and its extensions chosen by `style`.
pub(crate) fn encode(pieces: &[&[u8]], style: u8) -> Vec<u8> {
    let extension =
        ["", ";a", ";a=b", ";a=\"b;\\\"c\"", "; a = b ;c", ";a=\"\u{e9}\t\""][usize::from(style) % 6];
    let mut wire = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        let size = match style / 6 % 4 {
            0 => format!("{:x}", piece.len()),
            1 => format!("{:X}", piece.len()),
            2 => format!("{:016x}", piece.len()),
            _ => format!("0{:x}", piece.len()),
        };
        wire.extend_from_slice(size.as_bytes());
        wire.extend_from_slice(extension.as_bytes());
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(piece);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(if style & 128 == 0 { b"0\r\n\r\n" } else { b"000;z\r\nT: 1\r\n\r\n" });
    wire
}

/// The data of `body`, given in pieces of `step` bytes, and how many of its bytes were used;
/// `None` if it does not end.
pub(crate) fn decode(body: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, RecvError> {
    let config = Config { max_chunk_extension_bytes: 1 << 20, ..Config::default() };
    let (mut server, mut table) = (Server::new(&config), FieldTable::new(&config));
    let now = Instant::from_nanos(0);
    let head = server.poll(HEAD, &mut table, now)?;
    assert_eq!(head.consumed, HEAD.len());
    let (mut data, mut from, mut until) = (Vec::new(), 0, 0);
    loop {
        let result = server.poll(&body[from..until], &mut table, now)?;
        from += result.consumed;
        match result.event {
            Event::Data(piece) => data.extend_from_slice(piece),
            Event::End => return Ok(Some((data, from))),
            Event::NeedInput if until == body.len() => return Ok(None),
            Event::NeedInput => until = body.len().min(until + step.max(1)),
            event => assert!(matches!(event, Event::Trailers(_)), "{event:?}"),
        }
    }
}
