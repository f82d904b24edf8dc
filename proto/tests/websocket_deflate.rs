//! What is compressed is decompressed, and any other bytes do no harm (RFC 7692 §7.2).

#[path = "support/deflate_check.rs"]
mod deflate_check;
#[path = "support/naive_inflate.rs"]
mod naive_inflate;

use deflate_check::{Setting, any_bytes, round_trip};
use proptest::prelude::*;
use sinew_proto::websocket::deflate_probe::Compress;

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

/// The size of a window is a promise: a peer may keep no more than that (RFC 7692 §7.1.2).
#[test]
fn no_distance_is_longer_than_the_window() {
    // Words that come again after 100 bytes to 40 KB.
    let mut text = Vec::new();
    for n in 0..9_000_u32 {
        text.extend_from_slice(format!("{:x} ", n * n % (1 << (n % 13))).as_bytes());
    }
    for (bits, level) in (9..=15).flat_map(|bits| (1..=9).map(move |level| (bits, level))) {
        let mut compress = Compress::new(bits, true, level);
        let mut wire = Vec::new();
        for message in text.chunks(7_001) {
            compress.message(message, &mut wire).expect("it compresses");
            wire.extend_from_slice(&[0, 0, 0xff, 0xff]);
        }
        let (seen, farthest) = naive_inflate::inflate(&wire).expect("DEFLATE");
        assert!(seen == text, "{bits} bits, level {level}");
        let window = 1 << bits;
        assert!((window / 8..=window).contains(&farthest), "{bits} bits, level {level}: {farthest}");
        assert!(
            wire.len() < text.len() * 3 / 4,
            "{bits} bits, level {level}: {} of {}",
            wire.len(),
            text.len()
        );
    }
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
        let mut compress = Compress::new(window_bits, takeover, level);
        compress.message(&payload, &mut wire).expect("it compresses");
        let at = at.index(wire.len());
        wire[at] ^= byte;
        if byte == 0 {
            wire.truncate(at);
        }
        any_bytes(&wire, usize::MAX, takeover, limit);
    }
}
