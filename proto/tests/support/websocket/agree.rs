//! The core and the naive reader agree on everything that can be seen.

use sinew_proto::http1::CloseAction;
use sinew_proto::websocket::ProtocolError;

use super::driver::{Role, Seen, Setup, Transcript, run};
use super::naive::{self, Frame};

/// Gives `bytes` to both, as a whole.
pub(crate) fn agree(setup: &Setup, bytes: &[u8]) -> Transcript {
    let transcript = run(setup, [bytes]);
    let expected = naive::read(setup.role, &setup.config, bytes, setup.end);
    assert_eq!(transcript.seen, expected, "{:?} {bytes:x?}", setup.role);
    if setup.closes.is_empty() && !setup.answers_late {
        let written = naive::frames(setup.role, &transcript.out);
        assert_eq!(written, answers(&expected), "{:?} {bytes:x?}", setup.role);
        let state = (transcript.action, transcript.reads);
        assert_eq!(state, end_state(setup, &expected), "{:?} {bytes:x?}", setup.role);
    }
    transcript
}

/// What the events are answered with.
fn answers(seen: &[Seen]) -> Vec<Frame> {
    let frame = |opcode, payload| Frame { fin: true, opcode, payload };
    let answer = |seen: &Seen| match seen {
        Seen::Ping(payload) => Some(frame(10, payload.clone())),
        Seen::Close(None) => Some(frame(8, Vec::new())),
        Seen::Close(Some((code, _))) => Some(frame(8, code.to_be_bytes().to_vec())),
        Seen::Error(ProtocolError::UnexpectedEnd) => None,
        Seen::Error(error) => {
            let mut payload = error.close_code().as_u16().to_be_bytes().to_vec();
            payload.extend_from_slice(error.to_string().as_bytes());
            Some(frame(8, payload))
        }
        _ => None,
    };
    seen.iter().filter_map(answer).collect()
}

fn end_state(setup: &Setup, seen: &[Seen]) -> (CloseAction, bool) {
    let ended = seen.last() == Some(&Seen::Closed);
    let by_client = setup.role == Role::Client && seen.iter().any(|seen| matches!(seen, Seen::Close(_)));
    let action = match () {
        () if !ended => CloseAction::None,
        () if setup.end => CloseAction::AfterFlush,
        // The server ends the connection (RFC 6455 §7.1.1).
        () if by_client => CloseAction::None,
        () => CloseAction::Linger,
    };
    (action, !setup.end)
}
