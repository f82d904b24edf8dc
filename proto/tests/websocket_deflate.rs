//! What is compressed is decompressed, and any other bytes do no harm (RFC 7692 §7.2).

#[path = "support/deflate_check.rs"]
mod deflate_check;

use deflate_check::{Setting, any_bytes, round_trip};
use proptest::prelude::*;

fn setting() -> impl Strategy<Value = Setting> {
    (9..=15_u8, any::<bool>(), 1..=9_u8).prop_map(|(window_bits, takeover, level)| Setting {
        window_bits,
        takeover,
        level,
    })
}

/// Text, noise and runs: what compresses well, not at all, and to almost nothing.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = proptest::collection::vec(prop_oneof!["[a-e]{1,6} ", "hello ", "world "], 0..400);
    prop_oneof![
        2 => words.prop_map(|words| words.concat().into_bytes()),
        2 => proptest::collection::vec(any::<u8>(), 0..5_000),
        1 => (any::<u8>(), 0..70_000_usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => Just(Vec::new()),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    proptest::collection::vec(proptest::collection::vec(piece(), 1..4), 1..5)
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(setting in setting(), messages in messages(), cut in 1..3_000_usize) {
        let messages: Vec<Vec<&[u8]>> =
            messages.iter().map(|pieces| pieces.iter().map(Vec::as_slice).collect()).collect();
        round_trip(setting, &messages, cut);
    }

    #[test]
    fn any_bytes_do_no_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        message in 1..200_usize,
        takeover: bool,
        limit in 0..5_000_usize,
    ) {
        any_bytes(&bytes, message, takeover, limit);
    }

    /// Closer to what a peer would send: a message with a byte changed, or cut off.
    #[test]
    fn nearly_deflate(
        setting in setting(),
        payload in piece(),
        at: proptest::sample::Index,
        byte: u8,
        limit in 0..100_000_usize,
    ) {
        let mut wire = Vec::new();
        let Setting { window_bits, takeover, level } = setting;
        let mut compress = sinew_proto::websocket::deflate_probe::Compress::new(window_bits, takeover, level);
        compress.message(&payload, &mut wire).expect("it compresses");
        let at = at.index(wire.len());
        wire[at] ^= byte;
        if byte == 0 {
            wire.truncate(at);
        }
        any_bytes(&wire, usize::MAX, takeover, limit);
    }
}
