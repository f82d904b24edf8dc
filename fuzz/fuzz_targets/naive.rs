//! The core reads a connection as the naive parser does, which is written from the text of the RFCs.
#![no_main]

#[path = "../../proto/tests/support/agree.rs"]
mod agree;
#[path = "../../proto/tests/support/driver.rs"]
#[allow(dead_code, reason = "the pieces are the other targets'")]
mod driver;
#[path = "../../proto/tests/support/naive/mod.rs"]
#[allow(dead_code, reason = "the target encode uses the rest")]
mod naive;

use agree::{ANSWERS, agree};
use libfuzzer_sys::fuzz_target;
use sinew_proto::Config;

// The first byte says how the application answers (`0` to `4`, with small limits `@` to `D`, add 8
// for the end of the input); the rest is received.
fuzz_target!(|bytes: &[u8]| {
    let [how, wire @ ..] = bytes else { return };
    let small = Config {
        max_head_bytes: 96,
        max_target_bytes: 8,
        max_fields: 4,
        max_chunk_extension_bytes: 8,
        max_trailer_bytes: 24,
        max_drain_bytes: 6,
        ..Config::default()
    };
    let config = if how & 64 == 0 { Config::default() } else { small };
    agree(wire, &config, ANSWERS[usize::from(how & 7) % ANSWERS.len()], how & 8 != 0);
});
