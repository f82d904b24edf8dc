//! Exchanges to begin with: every kind of frame, in an order that is right, and nearly at a limit.

use sinew_proto::websocket::Config;

use super::driver::Role;
use super::frames::{Draft, KEY};

/// Limits that the seeds are just within.
pub(crate) const LIMITS: Config =
    Config { max_message_bytes: 130, max_frame_bytes: 128, max_fragments: 4, ..Config::DEFAULT };

/// What `sender` says, well formed.
pub(crate) fn seeds(sender: Role) -> Vec<Vec<u8>> {
    let key = sender.masks().then_some(KEY);
    let frame = |opcode, payload: &[u8]| Draft::new(opcode, payload, key);
    let wire = |frames: &[Draft]| frames.iter().flat_map(Draft::bytes).collect::<Vec<u8>>();
    vec![
        wire(&[frame(1, "grüße".as_bytes()), frame(2, b"\x00\xff"), frame(1, b"")]),
        wire(&[
            frame(1, b"\xe2\x82").more(),
            frame(9, b"?"),
            frame(0, b"\xac\xf0").more(),
            frame(10, b""),
            frame(0, b"\x9f\xa6\x80"),
        ]),
        wire(&[frame(2, b"").more(), frame(0, b"").more(), frame(0, b"a").more(), frame(0, b"")]),
        wire(&[frame(1, b"a"), frame(8, b"\x03\xe8gr\xc3\xbc\xc3\x9fe"), frame(1, b"late")]),
        wire(&[frame(9, b"12"), frame(9, b""), frame(8, b"")]),
        wire(&[frame(2, &[b'x'; 126])]),
        wire(&[frame(2, &[b'x'; 125]).more(), frame(0, &[b'y'; 5])]),
    ]
}
