//! Any operation at any time on a client: no panic, a refusal changes nothing, closing is final.
#![no_main]

#[path = "../../proto/tests/support/client_operations.rs"]
mod client_operations;

use libfuzzer_sys::fuzz_target;

// The first line is the script, one letter an operation; the rest is received.
fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|&b| b == b'\n').unwrap_or(bytes.len());
    let (script, wire) = bytes.split_at(end);
    client_operations::run(script, wire.strip_prefix(b"\n").unwrap_or(wire));
});
