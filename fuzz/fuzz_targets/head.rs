//! A head is found in the same places however it arrives, within the limits, and can be rebuilt.
#![no_main]

#[path = "../../proto/tests/support/heads.rs"]
mod heads;

use libfuzzer_sys::fuzz_target;
use sinew_proto::Config;

fuzz_target!(|bytes: &[u8]| {
    let small = Config { max_head_bytes: 96, max_target_bytes: 8, max_fields: 4, ..Config::default() };
    for config in [Config::default(), small] {
        heads::check(bytes, &config, 1);
        heads::check(bytes, &config, 7);
    }
});
