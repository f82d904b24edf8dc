//! What a client and a server send each other is what they read, and they agree on the connection.
#![no_main]

#[path = "../../proto/tests/support/exchange.rs"]
mod exchange;
#[path = "../../proto/tests/support/exchange_script.rs"]
mod exchange_script;
#[path = "../../proto/tests/support/pair.rs"]
mod pair;
#[path = "../../proto/tests/support/pieces.rs"]
#[allow(dead_code, reason = "a pair cuts its bytes by itself")]
mod pieces;

use libfuzzer_sys::fuzz_target;
use pair::{Cut, Delivery, run, run_cut};
use sinew_proto::RecvError;

// The first byte says how bytes are delivered: `w` whole, `b` one by one, else in random pieces; a
// capital letter sends requests without waiting for responses. The second is the seed, and says where
// the connection breaks in a second run. The rest is a script of exchanges.
fuzz_target!(|bytes: &[u8]| {
    let [how, seed, script @ ..] = bytes else { return };
    let seed_number = usize::from(*seed);
    let delivery = match how.to_ascii_lowercase() {
        b'w' => Delivery::Whole,
        b'b' => Delivery::Bytes,
        _ => Delivery::Random { longest: 1 + seed_number % 60, seed: u64::from(*seed) },
    };
    let pipelined = how.is_ascii_uppercase();
    let exchanges = exchange_script::exchanges(script);
    let outcome = run(&exchanges, pipelined, delivery);
    assert!(outcome.answered.max(outcome.refusals.len()) <= exchanges.len());
    assert_eq!(outcome.errors, [None, None]);

    let to = seed_number % 2;
    let after = seed_number * 61 % (outcome.sent[to] + 1);
    let cut = run_cut(&exchanges, pipelined, delivery, Cut { to, after });
    let expected = [None, Some(RecvError::UnexpectedEnd), Some(RecvError::NoResponse)];
    assert!(expected.contains(&cut.errors[to]), "{:?}", cut.errors);
});
