//! Any operation on a WebSocket at any time: no panic, a refusal changes nothing, what is written are
//! frames in order, closing is final; and a closed pair comes to its end.
#![no_main]

#[path = "../../proto/tests/support/websocket/driver.rs"]
#[allow(dead_code, reason = "the roles alone")]
mod driver;
#[path = "../../proto/tests/support/websocket/frames.rs"]
#[allow(dead_code, reason = "the key alone")]
mod frames;
#[path = "../../proto/tests/support/websocket/naive.rs"]
#[allow(dead_code, reason = "the reader of frames alone")]
mod naive;
#[path = "../../proto/tests/support/websocket/operations.rs"]
mod operations;
#[path = "../../proto/tests/support/websocket/pair.rs"]
mod pair;
#[path = "../../proto/tests/support/pieces.rs"]
#[allow(dead_code, reason = "the generator alone")]
mod pieces;

use driver::Role;
use libfuzzer_sys::fuzz_target;

// The first line is `s` for a server, `c` for a client, `p` for a pair, and the script, one letter an
// operation; the rest is received. For a pair the letters are bits, and the first byte of the rest
// says who closes.
fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|&b| b == b'\n').unwrap_or(bytes.len());
    let (script, wire) = bytes.split_at(end);
    let wire = wire.strip_prefix(b"\n").unwrap_or(wire);
    match script {
        [b'p', script @ ..] => {
            let closes = wire.first().map_or(0, |byte| byte % 3);
            pair::run(&script[..script.len().min(60)], closes, script.len() as u64);
        }
        [b'c', script @ ..] => operations::run(Role::Client, script, wire),
        [b's', script @ ..] => operations::run(Role::Server, script, wire),
        _ => {}
    }
});
