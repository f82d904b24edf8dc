//! A server and a client back to back: bytes in any pieces, and the transport as each of them asks.

use std::collections::VecDeque;

use sinew_proto::http1::CloseAction;
use sinew_proto::websocket::{CloseCode, CloseFrame, Config, Connection, Event, Message, MessageKind};

use super::driver::{NOW, Role};
use super::operations::check_output;
use super::pieces::Random;

struct End {
    role: Role,
    connection: Connection,
    /// On its way to the other one.
    sent: VecDeque<u8>,
    /// All that was written.
    written: Vec<u8>,
    /// Arrived, and not consumed.
    waiting: Vec<u8>,
    /// The other one was told that nothing more comes.
    finished: bool,
    closed: bool,
    said: Vec<Vec<u8>>,
    heard: Vec<Vec<u8>>,
}

impl End {
    fn new(role: Role) -> Self {
        let connection = role.connection(&Config::default(), [9, 8, 7, 6]);
        let (sent, written, waiting) = (VecDeque::new(), Vec::new(), Vec::new());
        let (said, heard) = (Vec::new(), Vec::new());
        Self { role, connection, sent, written, waiting, finished: false, closed: false, said, heard }
    }

    fn write(&mut self, verb: impl FnOnce(&mut Connection, &mut Vec<u8>)) {
        let mut out = Vec::new();
        verb(&mut self.connection, &mut out);
        self.sent.extend(&out);
        self.written.extend_from_slice(&out);
    }

    fn say(&mut self, text: &str) {
        let mut said = false;
        self.write(|connection, out| said = connection.send(Message::Text(text), out).is_ok());
        if said {
            self.said.push(text.as_bytes().to_vec());
        }
    }

    fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::NORMAL, reason: "enough" };
        self.write(|connection, out| {
            let _ = connection.close(Some(frame), NOW, out);
        });
    }

    fn write_control(&mut self) {
        self.write(|connection, out| {
            connection.write_control(NOW, out);
        });
    }

    fn receive(&mut self) {
        loop {
            let step = self.connection.poll(&mut self.waiting, NOW).expect("the other one keeps the rules");
            let consumed = step.consumed;
            let more = match step.event {
                Event::NeedInput | Event::Closed => false,
                Event::Close(frame) => {
                    assert!(frame.is_some_and(|frame| frame.code == CloseCode::NORMAL));
                    self.closed = true;
                    true
                }
                Event::Text(text) => {
                    self.heard.push(text.as_bytes().to_vec());
                    true
                }
                _ => true,
            };
            self.waiting.drain(..consumed);
            if !more {
                return;
            }
        }
    }
}

/// Both act as the script says; then `closes` says who closes: the server, the client, both at once.
pub(crate) fn run(script: &[u8], closes: u8, seed: u64) {
    let mut random = Random::new(seed);
    let mut ends = [End::new(Role::Server), End::new(Role::Client)];
    for &act in script {
        let end = &mut ends[usize::from(act & 1)];
        match act >> 1 & 7 {
            0 => end.say("hello"),
            1 => end.say(&"long ".repeat(60)),
            2 => end.write(|connection, out| {
                let _ = connection.ping(b"?", out);
            }),
            3 => end.write(|connection, out| {
                if let Ok(fragment) = connection.fragment(MessageKind::Binary, 0, act & 16 == 0) {
                    out.extend_from_slice(fragment.prefix());
                }
            }),
            4 => end.write_control(),
            _ => deliver(&mut ends, &mut random),
        }
    }
    for (i, end) in ends.iter_mut().enumerate() {
        if closes == 2 || usize::from(closes) == i {
            end.close();
            assert!(!end.connection.can_send());
        }
    }
    let total = ends.iter().map(|end| end.written.len()).sum::<usize>();
    for _ in 0..total * 2 + 100 {
        deliver(&mut ends, &mut random);
        for end in &mut ends {
            end.write_control();
        }
    }
    let [server, client] = &ends;
    for (end, other) in [(server, client), (client, server)] {
        assert!(end.closed, "{:?} has seen a close frame", end.role);
        assert_eq!(end.connection.close_action(), CloseAction::AfterFlush, "{:?}", end.role);
        assert_eq!(end.connection.poll_timeout(), None, "{:?}", end.role);
        assert!(!end.connection.wants_read() && !end.connection.can_send());
        assert_eq!(end.heard, other.said, "nothing that was said before is lost");
        check_output(end.role, &end.written);
    }
}

/// Some bytes in each direction, and the end where one has finished.
fn deliver(ends: &mut [End; 2], random: &mut Random) {
    for sender in 0..2 {
        let [server, client] = ends;
        let (from, to) = if sender == 0 { (server, client) } else { (client, server) };
        let some = random.below(40).min(from.sent.len());
        to.waiting.extend(from.sent.drain(..some));
        to.receive();
        let action = from.connection.close_action();
        if action != CloseAction::None && from.sent.is_empty() && !from.finished {
            from.finished = true;
            to.connection.end_of_input();
            to.receive();
        }
    }
}
