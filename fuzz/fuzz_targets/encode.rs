//! What is written for a response is what other readers read, and nothing else.
#![no_main]

#[path = "../../proto/tests/support/encode.rs"]
mod encode;
#[path = "../../proto/tests/support/naive/mod.rs"]
#[allow(dead_code, reason = "the target naive uses the rest")]
mod naive;

use encode::{Exchange, check};
use libfuzzer_sys::fuzz_target;

// The first seven bytes choose method, options and status, the rest is fields, trailers and pieces:
// see `Exchange::from_bytes`.
fuzz_target!(|bytes: &[u8]| {
    if let Some(exchange) = Exchange::from_bytes(bytes) {
        check(&exchange);
    }
});
