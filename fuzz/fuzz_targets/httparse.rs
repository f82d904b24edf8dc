//! What we accept, `httparse` accepts with the same parts in the same places; what only it accepts
//! breaks a rule of the documented list.
#![no_main]

#[path = "../../proto/tests/support/differential.rs"]
#[allow(dead_code, reason = "the list is compared with its table in proto/tests/differential.rs")]
mod differential;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    differential::same_request(bytes);
});
