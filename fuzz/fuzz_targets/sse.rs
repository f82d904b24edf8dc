//! An event stream is the same however it arrives, and the same to a naive reader; what is written comes
//! back.
#![no_main]

#[path = "../../proto/tests/support/pieces.rs"]
mod pieces;
#[path = "../../proto/tests/support/sse.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod sse;

use libfuzzer_sys::fuzz_target;
use sinew_proto::sse::Limits;
use sse::{Values, decode, naive, round_trip};

// `=`, then values with a letter and a byte of length before each; or limits, a seed and a stream.
fuzz_target!(|bytes: &[u8]| match bytes {
    [b'=', rest @ ..] => round_trip(&mut values(rest), 7),
    [choice, seed, stream @ ..] => {
        let small = usize::from(choice - choice.min(&b'0'));
        let limits = match small {
            0 => Limits::default(),
            _ => Limits { max_line_bytes: small, max_event_bytes: 2 * small },
        };
        let whole = decode(&limits, [stream]);
        assert_eq!(decode(&limits, stream.chunks(1)), whole);
        assert_eq!(decode(&limits, pieces::at_random(stream, 9, u64::from(*seed))), whole);
        if small == 0 {
            assert_eq!(naive(stream), whole);
        }
    }
    _ => {}
});

/// `[` letter, length, text `]`*, with `;` between events.
fn values(mut rest: &[u8]) -> Vec<Values> {
    let mut events = vec![Values::default()];
    while let Some((&letter, tail)) = rest.split_first() {
        let values = events.last_mut().expect("at least one");
        if letter == b';' {
            events.push(Values::default());
            rest = tail;
            continue;
        }
        let Some((&len, tail)) = tail.split_first() else { break };
        let (text, tail) = tail.split_at(usize::from(len).min(tail.len()));
        let text = String::from_utf8_lossy(text).into_owned();
        match letter {
            b'c' => values.comment = Some(text),
            b'e' => values.event = Some(text),
            b'i' => values.id = Some(text),
            b'r' => values.retry = text.parse().ok(),
            _ => values.data = Some(text),
        }
        rest = tail;
    }
    events
}
