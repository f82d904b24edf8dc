//! What is seen of a connection does not depend on how its bytes were cut in pieces.
#![no_main]

#[path = "../../proto/tests/support/driver.rs"]
mod driver;
#[path = "../../proto/tests/support/pieces.rs"]
mod pieces;

use driver::{Answer, run};
use libfuzzer_sys::fuzz_target;
use sinew_proto::Config;

// The first byte says how the application answers (`0` to `4`, with small limits `@` to `D`, add 8
// for the end of the input), the second how the bytes are cut, the rest is received.
fuzz_target!(|bytes: &[u8]| {
    let [how, seed, wire @ ..] = bytes else { return };
    let answer = match (how & 7) % 5 {
        0 => Answer::AtEnd,
        1 => Answer::AtOnce,
        2 => Answer::Never,
        3 => Answer::Continue,
        _ => Answer::Switch,
    };
    let end = how & 8 != 0;
    let config = if how & 64 == 0 { Config::default() } else { small() };
    let whole = run(&config, answer, [wire], end);
    let single = run(&config, answer, wire.chunks(1), end);
    assert_eq!(whole, single);
    for longest in [3, 40] {
        let parts = pieces::at_random(wire, longest, u64::from(*seed));
        assert_eq!(whole, run(&config, answer, parts, end));
    }
});

fn small() -> Config {
    Config {
        max_head_bytes: 96,
        max_target_bytes: 8,
        max_fields: 4,
        max_chunk_extension_bytes: 8,
        max_trailer_bytes: 24,
        max_drain_bytes: 6,
        ..Config::default()
    }
}
