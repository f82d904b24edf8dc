//! A handshake that is accepted has everything that RFC 6455 §4 asks for, and what the server answers
//! is what a client that offered it understands.
#![no_main]

#[path = "../../proto/tests/support/handshake_check.rs"]
mod handshake_check;

use libfuzzer_sys::fuzz_target;

// `q`: a request; `a`: the response to one that offers everything.
fuzz_target!(|bytes: &[u8]| match bytes {
    [b'q', request @ ..] => {
        handshake_check::request(request);
    }
    [b'a', response @ ..] => {
        handshake_check::response(response);
    }
    _ => {}
});
