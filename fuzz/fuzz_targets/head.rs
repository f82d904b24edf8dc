//! Every head that we accept, `httparse` accepts, and reads the same out of it.
#![no_main]

#[path = "../../proto/tests/support/differential.rs"]
mod differential;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    differential::same_head(bytes);
});
