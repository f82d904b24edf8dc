//! What is seen of a client does not depend on how the bytes of the server were cut in pieces.
#![no_main]

#[path = "../../proto/tests/support/asked.rs"]
mod asked;
#[path = "../../proto/tests/support/client_driver.rs"]
#[allow(dead_code)]
mod client_driver;
#[path = "../../proto/tests/support/pieces.rs"]
mod pieces;

use asked::Asked;
use client_driver::run;
use libfuzzer_sys::fuzz_target;
use sinew_proto::Config;

// The first byte says what was asked (`0` to `5`, with small limits `@` to `E`, add 8 for the end of the
// input), the second how the bytes are cut, the rest is received.
fuzz_target!(|bytes: &[u8]| {
    let [how, seed, wire @ ..] = bytes else { return };
    let asks = Asked::ALL[usize::from(how & 7) % Asked::ALL.len()].requests();
    let end = how & 8 != 0;
    let config = if how & 64 == 0 { Config::default() } else { small() };
    let whole = run(&config, &asks, [wire], end);
    assert_eq!(whole, run(&config, &asks, wire.chunks(1), end));
    for longest in [3, 40] {
        let parts = pieces::at_random(wire, longest, u64::from(*seed));
        assert_eq!(whole, run(&config, &asks, parts, end));
    }
});

fn small() -> Config {
    Config {
        max_head_bytes: 80,
        max_fields: 3,
        max_chunk_extension_bytes: 8,
        max_trailer_bytes: 24,
        max_interim_responses: 1,
        ..Config::default()
    }
}
