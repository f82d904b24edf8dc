//! What is compressed is decompressed; any bytes decompress to the same in any pieces, within the limit.
#![no_main]

#[path = "../../proto/tests/support/deflate_check.rs"]
mod deflate_check;

use deflate_check::{Setting, any_bytes, round_trip};
use libfuzzer_sys::fuzz_target;

// `=`, a setting and how it is cut, then messages: a line each, a tab between pieces. Or `-`, the
// length of a message and the limit in KiB, then compressed bytes.
fuzz_target!(|bytes: &[u8]| match bytes {
    [b'=', setting, cut, rest @ ..] => {
        let setting =
            Setting { window_bits: 9 + setting % 7, takeover: setting & 64 == 0, level: 1 + setting / 7 % 9 };
        let messages: Vec<Vec<&[u8]>> =
            rest.split(|&b| b == b'\n').map(|line| line.split(|&b| b == b'\t').collect()).collect();
        round_trip(setting, &messages, usize::from(*cut));
    }
    [b'-', message, limit, rest @ ..] => {
        any_bytes(rest, usize::from(*message), limit % 2 == 0, usize::from(*limit) * 1024);
    }
    _ => {}
});
