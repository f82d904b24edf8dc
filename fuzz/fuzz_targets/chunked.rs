//! A chunked body decodes to the bytes it was made of, and any bytes decode the same in any pieces.
#![no_main]

#[path = "../../proto/tests/support/chunks.rs"]
mod chunks;

use chunks::{decode, encode};
use libfuzzer_sys::fuzz_target;

// `=` and a style, then pieces with a byte of length before each; anything else is a body as it is.
fuzz_target!(|bytes: &[u8]| {
    if let [b'=', style, rest @ ..] = bytes {
        let mut pieces = Vec::new();
        let mut left = rest;
        while let Some((&len, tail)) = left.split_first() {
            let (piece, tail) = tail.split_at(usize::from(len).min(tail.len()));
            pieces.push(piece);
            left = tail;
        }
        let mut wire = encode(&pieces, *style);
        let len = wire.len();
        wire.extend_from_slice(b"GET ");
        for step in [1, 7, usize::MAX] {
            assert_eq!(decode(&wire, step), Ok(Some((pieces.concat(), len))));
        }
    } else {
        let whole = decode(bytes, usize::MAX);
        assert_eq!(whole, decode(bytes, 1));
        assert_eq!(whole, decode(bytes, 5));
    }
});
