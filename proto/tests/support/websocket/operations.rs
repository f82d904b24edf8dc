//! Any operation at any time on one connection: a script of one byte each, and the bytes to receive.
//!
//! `0` to `9` receive more and more bytes; the letters are in `Machine::operation`. Misuse is part of
//! the game. What must hold: a refusal changes nothing and writes nothing, what is written are valid
//! frames in a valid order, closing is final, and no deadline stays when it has passed.

use std::time::Duration;

use sinew_proto::Instant;
use sinew_proto::http1::CloseAction;
use sinew_proto::websocket::{
    CloseCode, CloseFrame, Config, Connection, Event, Message, MessageKind, ProtocolError, SendError,
};

use super::driver::{NOW, Role};
use super::naive;

/// The letters that mean something.
pub(crate) const LETTERS: &[u8] = b"0123456789ritbTkuUvVeEzpPoOcCLnxXa!mMdwWyHh";

/// Runs `script` as that role, with `wire` as what the peer sends.
pub(crate) fn run(role: Role, script: &[u8], wire: &[u8]) {
    let config = Config {
        max_message_bytes: 64,
        max_frame_bytes: 48,
        max_fragments: 4,
        stream: script.first() == Some(&b'i'),
        ..Config::default()
    };
    let mut key = 0_u32;
    let connection = match role {
        Role::Server => Connection::server(&config, NOW),
        Role::Client => {
            let next = move || {
                key = key.wrapping_mul(0x9e37_79b9).wrapping_add(0x1234_5677);
                key.to_be_bytes()
            };
            Connection::client(&config, Box::new(next), NOW)
        }
    };
    let mut machine = Machine {
        connection,
        received: Vec::new(),
        wire,
        out: Vec::new(),
        now: NOW,
        over: false,
        failed: None,
        sends: true,
        worst: 0,
    };
    for &letter in script.iter().take(200) {
        machine.operation(letter);
        machine.check();
    }
    check_output(role, &machine.out);
}

struct Machine<'w> {
    connection: Connection,
    received: Vec<u8>,
    wire: &'w [u8],
    out: Vec<u8>,
    now: Instant,
    /// `Closed` is all that can be seen.
    over: bool,
    failed: Option<ProtocolError>,
    sends: bool,
    /// How final the close action has become.
    worst: u8,
}

impl Machine<'_> {
    fn operation(&mut self, letter: u8) {
        let long = [b'x'; 126];
        match letter {
            b'0'..=b'9' => {
                let sizes = [0, 1, 2, 3, 5, 8, 13, 34, 144, usize::MAX];
                self.arrive(sizes[usize::from(letter - b'0')]);
                while self.poll() {}
            }
            b'r' => {
                self.arrive(4);
                self.poll();
            }
            b't' => self.send(|c, out, _| c.send(Message::Text("text"), out)),
            b'b' => self.send(|c, out, _| c.send(Message::Binary(b""), out)),
            b'T' => self.send(|c, out, _| c.send(Message::Binary(&[b'x'; 300]), out)),
            b'k' => self.fragment(MessageKind::Text, b"", false),
            b'u' => self.fragment(MessageKind::Text, b"begin", false),
            b'U' => self.fragment(MessageKind::Text, b"end", true),
            b'v' => self.fragment(MessageKind::Binary, &long, false),
            b'V' => self.fragment(MessageKind::Binary, b"", true),
            b'e' => self.send(|c, _, _| c.fragment(MessageKind::Text, 1 << 63, true).map(drop)),
            b'E' => self.send(|c, _, _| c.fragment(MessageKind::Binary, u64::MAX, false).map(drop)),
            b'z' => self.send(|c, out, _| c.ping(b"", out)),
            b'p' => self.send(|c, out, _| c.ping(b"ping", out)),
            b'P' => self.send(|c, out, _| c.ping(&long, out)),
            b'o' => self.send(|c, out, _| c.pong(&long[..125], out)),
            b'O' => self.send(|c, out, _| c.pong(&long, out)),
            b'c' => self.close(Some((1000, "bye"))),
            b'C' => self.close(Some((1005, ""))),
            b'L' => self.close(Some((1000, &"x".repeat(124)))),
            b'n' => self.close(None),
            b'x' => self.fail(self.failed.unwrap_or(ProtocolError::UnexpectedEnd)),
            b'X' => self.fail(ProtocolError::ReservedBits),
            b'a' => {
                self.connection.abort();
                self.over = true;
            }
            b'!' => self.connection.end_of_input(),
            b'm' => self.time_passes(Duration::ZERO),
            b'M' => {
                if let Some(due) = self.connection.poll_timeout() {
                    self.time_passes(due.saturating_since(self.now));
                }
            }
            b'd' => self.time_passes(Duration::from_secs(1)),
            b'w' => {
                let before = self.out.len();
                let wrote = self.connection.write_control(self.now, &mut self.out);
                assert_eq!(wrote, self.out.len() > before);
            }
            b'W' => self.connection.written(false, true, self.now),
            b'y' => self.connection.written(true, false, self.now),
            b'H' => self.connection.hold_input(true, self.now),
            b'h' => self.connection.hold_input(false, self.now),
            _ => {}
        }
    }

    fn arrive(&mut self, size: usize) {
        let (piece, rest) = self.wire.split_at(size.min(self.wire.len()));
        self.received.extend_from_slice(piece);
        self.wire = rest;
    }

    /// Looks once; whether there may be more.
    fn poll(&mut self) -> bool {
        let given = self.received.clone();
        match self.connection.poll(&mut self.received, self.now) {
            Ok(step) => {
                let consumed = step.consumed;
                let (more, closed) = match step.event {
                    Event::NeedInput => (false, false),
                    Event::Closed => {
                        assert_eq!(consumed, given.len(), "everything is thrown away");
                        assert!(self.over);
                        (false, true)
                    }
                    Event::Close(_) => (true, true),
                    _ => (true, false),
                };
                assert!(!self.over || closed, "an event after the end");
                assert!(!more || consumed > 0, "an event from nothing");
                self.over = closed;
                assert_eq!(self.received[consumed..], given[consumed..], "what is left is not altered");
                self.received.drain(..consumed);
                more
            }
            Err(error) => {
                assert!(!self.over, "an error after the end");
                self.over = true;
                self.failed = Some(error);
                false
            }
        }
    }

    /// What can be told of a connection from outside.
    fn state(&self) -> String {
        let c = &self.connection;
        format!("{c:?} {:?} {} {:?}", c.poll_timeout(), c.can_send(), c.close_action())
    }

    fn send(&mut self, verb: impl FnOnce(&mut Connection, &mut Vec<u8>, Instant) -> Result<(), SendError>) {
        let (state, before) = (self.state(), self.out.len());
        let could = self.connection.can_send();
        match verb(&mut self.connection, &mut self.out, self.now) {
            Ok(()) => assert!(self.out.len() > before, "something was written"),
            Err(error) => {
                assert_eq!(self.out.len(), before, "{error:?} wrote something");
                assert_eq!(self.state(), state, "{error:?} changed something");
                let of_close = matches!(error, SendError::InvalidCloseCode | SendError::ControlTooLong);
                assert!(could || of_close || error == SendError::Closed, "{error:?}");
            }
        }
    }

    fn fragment(&mut self, kind: MessageKind, payload: &[u8], last: bool) {
        self.send(|connection, out, _| {
            let mut fragment = connection.fragment(kind, payload.len() as u64, last)?;
            assert!(fragment.prefix().len() <= 14);
            out.extend_from_slice(fragment.prefix());
            for piece in payload.chunks(3) {
                let at = out.len();
                out.extend_from_slice(piece);
                fragment.mask(&mut out[at..]);
            }
            Ok(())
        });
    }

    fn close(&mut self, frame: Option<(u16, &str)>) {
        let frame = frame.map(|(code, reason)| CloseFrame { code: CloseCode::new(code), reason });
        self.send(|connection, out, now| connection.close(frame, now, out));
    }

    fn fail(&mut self, error: ProtocolError) {
        let before = self.out.len();
        let told = self.connection.fail(error, self.now, &mut self.out);
        assert_eq!(told, self.out.len() > before);
        assert!(!self.connection.can_send());
        assert_ne!(self.connection.close_action(), CloseAction::None);
        self.over = true;
    }

    fn time_passes(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        // A ping that is due, and then its answer if a deadline is that short, or a write deadline.
        for _ in 0..3 {
            if self.connection.poll_timeout().is_none_or(|due| due > self.now) {
                assert_eq!(self.connection.handle_timeout(self.now), Ok(()));
                break;
            }
            if let Err(error) = self.connection.handle_timeout(self.now) {
                self.failed = Some(error);
                self.over = true;
            }
        }
        assert!(self.connection.poll_timeout().is_none_or(|due| due > self.now), "it has passed");
        self.over |= self.connection.close_action() == CloseAction::Abort;
        self.over |= self.connection.close_action() == CloseAction::AfterFlush;
    }

    fn check(&mut self) {
        assert!(self.sends || !self.connection.can_send(), "closing is final");
        self.sends = self.connection.can_send();
        let action = self.connection.close_action();
        let rank = match action {
            CloseAction::None => 0,
            CloseAction::Linger => 1,
            CloseAction::AfterFlush => 2,
            CloseAction::Abort => 3,
        };
        assert!(rank >= self.worst, "{action:?} after {}", self.worst);
        self.worst = rank;
        let open = matches!(action, CloseAction::None | CloseAction::Linger);
        assert!(open || !self.connection.wants_read(), "{action:?}");
        if action == CloseAction::Abort {
            assert_eq!(self.connection.poll_timeout(), None);
        }
    }
}

/// Frames in an order that RFC 6455 §5.4 and §5.5.1 allow.
pub(crate) fn check_output(sender: Role, out: &[u8]) {
    let (mut begun, mut closed) = (false, false);
    for frame in naive::frames(sender, out) {
        assert!(!closed, "{frame:?} after a close frame");
        match frame.opcode {
            0 => assert!(begun, "{frame:?} continues nothing"),
            1 | 2 => assert!(!begun, "{frame:?} inside of a message"),
            8 => closed = true,
            _ => {}
        }
        if frame.opcode < 8 {
            begun = !frame.fin;
        }
        if frame.opcode == 8 && !frame.payload.is_empty() {
            let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            assert!(CloseCode::new(code).is_sendable(), "{code}");
            assert_eq!(naive::utf8(&frame.payload[2..]), Some(true));
        }
    }
}
