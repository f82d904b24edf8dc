//! A WebSocket reads frames as the naive reader does, in whatever pieces they arrive.
#![no_main]

#[path = "../../proto/tests/support/websocket/agree.rs"]
mod agree;
#[path = "../../proto/tests/support/websocket/driver.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod driver;
#[path = "../../proto/tests/support/websocket/frames.rs"]
#[allow(dead_code, reason = "the key alone")]
mod frames;
#[path = "../../proto/tests/support/websocket/naive.rs"]
mod naive;
#[path = "../../proto/tests/support/pieces.rs"]
mod pieces;

use driver::{Role, Setup, run};
use libfuzzer_sys::fuzz_target;
use sinew_proto::websocket::Config;

// The bits of the first byte: 1 a client, 2 small limits, 4 messages in pieces, 8 the end of the input,
// 16 a close frame of ours before; the second says how the bytes are cut, the rest is received.
fuzz_target!(|bytes: &[u8]| {
    let [how, seed, wire @ ..] = bytes else { return };
    let mut setup = Setup::new(if how & 1 == 0 { Role::Server } else { Role::Client });
    if how & 2 != 0 {
        let (message, frame) = (130, 128);
        setup.config = Config {
            max_message_bytes: message,
            max_frame_bytes: frame,
            max_fragments: 4,
            ..Config::default()
        };
    }
    setup.config.stream = how & 4 != 0;
    setup.end = how & 8 != 0;
    if how & 16 != 0 {
        setup.closes.push(Some((1001, "away".to_owned())));
    }
    let whole = agree::agree(&setup, wire);
    assert_eq!(run(&setup, wire.chunks(1)), whole);
    for longest in [3, 40] {
        assert_eq!(run(&setup, pieces::at_random(wire, longest, u64::from(*seed))), whole);
    }
});
