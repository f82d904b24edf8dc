//! Compression on both sides of a WebSocket: what one says the other one hears, and what is seen of any
//! compressed bytes does not depend on frames and pieces.
#![no_main]

#[path = "../../proto/tests/support/websocket/compressed.rs"]
mod compressed;
#[path = "../../proto/tests/support/websocket/driver.rs"]
mod driver;
#[path = "../../proto/tests/support/websocket/frames.rs"]
#[allow(dead_code, reason = "the final bit is set by hand")]
mod frames;
#[path = "../../proto/tests/support/pieces.rs"]
mod pieces;

use compressed::{Say, Talk, agreed, any_payload};
use driver::{Role, Seen, Setup, run};
use libfuzzer_sys::fuzz_target;
use sinew_proto::websocket::{DeflateConfig, WindowBits};

/// A byte for the windows, one for the level and who forgets, one for the threshold.
fn config(windows: u8, how: u8, threshold: u8) -> DeflateConfig {
    let bits = |number: u8| WindowBits::new(9 + number % 7).unwrap();
    DeflateConfig {
        server_max_window_bits: bits(windows),
        client_max_window_bits: bits(windows / 7),
        server_no_context_takeover: how & 1 != 0,
        client_no_context_takeover: how & 2 != 0,
        level: how / 4 % 11,
        threshold: usize::from(threshold),
    }
}

/// A line: a letter, large for the client, and what is said; `*` before it for 200 times.
fn say(line: &[u8]) -> Option<(Role, Say)> {
    let (letter, rest) = line.split_first()?;
    let role = if letter.is_ascii_uppercase() { Role::Client } else { Role::Server };
    let bytes = match rest {
        [b'*', rest @ ..] => rest.repeat(200),
        rest => rest.to_vec(),
    };
    let short = || rest[..rest.len().min(125)].to_vec();
    let say = match letter.to_ascii_lowercase() {
        b't' => Say::Text(String::from_utf8_lossy(&bytes).into_owned()),
        b'b' => Say::Binary(bytes),
        b'f' => Say::Fragments(bytes.split(|&b| b == b'\t').take(300).map(<[u8]>::to_vec).collect()),
        b'i' => Say::Ping(short()),
        b'o' => Say::Pong(short()),
        _ => return None,
    };
    Some((role, say))
}

fn setup(how: u8, limit: u8) -> Setup {
    let terms = config(0, how, 0);
    let role = if how & 16 == 0 { Role::Server } else { Role::Client };
    let mut setup = Setup { deflate: Some(agreed(&terms, &terms)[0]), ..Setup::new(role) };
    setup.config.stream = how & 4 != 0;
    if limit != 0 {
        setup.config.max_message_bytes = u64::from(limit) * 16;
    }
    setup
}

// `=`, three bytes for the server and three for the client (see `config`), a byte of which the lowest
// bit is 1 for messages in pieces and the others are how long a piece is, a seed, and lines to say. `-`, a
// byte of bits (1 and 2 for who forgets, 4 for messages in pieces, 8 for text, 16 for a client), the
// limit of a message by 16, a seed, and a compressed message. `+`, the same three, and frames.
fuzz_target!(|bytes: &[u8]| match bytes {
    [b'=', a, b, c, d, e, f, pieces, seed, rest @ ..] => {
        let (server, client) = (config(*a, *b, *c), config(*d, *e, *f));
        let (stream, longest) = (pieces & 1 != 0, 1 + usize::from(pieces / 2) * 10);
        let says: Vec<(Role, Say)> = rest.split(|&b| b == b'\n').filter_map(say).collect();
        Talk { server, client, stream, longest, seed: u64::from(*seed) }.run(&says);
    }
    [b'-', how, limit, seed, payload @ ..] => {
        let payload = &payload[..payload.len().min(300)];
        let opcode = if how & 8 == 0 { 2 } else { 1 };
        any_payload(&setup(*how, *limit), opcode, payload, u64::from(*seed));
    }
    [b'+', how, limit, seed, wire @ ..] => {
        let setup = setup(*how, *limit);
        let whole = compressed::messages(run(&setup, [wire]).seen);
        for longest in [1, 40] {
            let seen = run(&setup, pieces::at_random(wire, longest, u64::from(*seed))).seen;
            assert_eq!(compressed::messages(seen), whole);
        }
        let streams = setup.config.stream;
        let handed_out = |seen: &Seen| matches!(seen, Seen::Piece(..));
        assert!(streams || !whole.iter().any(handed_out), "whole messages alone");
    }
    _ => {}
});
