//! Any operation at any time on one connection: a script of one byte each, and the bytes to receive.
//!
//! `0` to `9` receive more and more bytes, the rest of the letters are in `Machine::operation`.
//! Misuse is part of the game. What must hold: a refusal changes nothing, every head that is
//! written is a head, closing is final, no deadline fires twice, and a caller keeps no more than
//! the limits say.

use std::time::Duration;

use sinew_proto::http1::{BodyPlan, CloseAction, RequestHead, ResponseHead, Server, server::Kind};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, RecvError, SendError, StatusCode};

/// Runs `script` with `wire` as what the peer sends. Done again with a server that begins anew wherever
/// it is idle, nothing differs.
pub(crate) fn run(script: &[u8], wire: &[u8]) {
    assert_eq!(observe(script, wire, false), observe(script, wire, true));
}

/// What can be seen of the server after each operation.
fn observe(script: &[u8], wire: &[u8], renew: bool) -> Vec<String> {
    let config = Config {
        max_head_bytes: 256,
        max_target_bytes: 64,
        max_fields: 6,
        max_chunk_extension_bytes: 16,
        max_trailer_bytes: 32,
        max_drain_bytes: 8,
        ..Config::default()
    };
    let mut machine = Machine {
        server: Server::new(&config),
        config,
        received: Vec::new(),
        wire,
        out: Vec::new(),
        now: Instant::from_nanos(0),
        requests: 0,
        answers: 0,
        closed: false,
        ended: false,
        upgraded: false,
        failed: None,
        worst: 0,
        seen: Vec::new(),
    };
    for &letter in script.iter().take(200) {
        if renew {
            machine.renew();
        }
        machine.operation(letter);
        machine.check();
        machine.look();
    }
    machine.seen
}

struct Machine<'w> {
    server: Server,
    config: Config,
    received: Vec<u8>,
    wire: &'w [u8],
    out: Vec<u8>,
    now: Instant,
    requests: usize,
    answers: usize,
    /// `Closed` was seen, or an error.
    closed: bool,
    ended: bool,
    upgraded: bool,
    failed: Option<RecvError>,
    /// How final the close action has become.
    worst: u8,
    /// What callers can see.
    seen: Vec<String>,
}

impl Machine<'_> {
    /// A server that is idle gives way to one that was never used. A used one that begins anew is the
    /// same, whatever it was in.
    fn renew(&mut self) {
        let since = self.server.idle_since();
        let mut other = Server::new(&self.config);
        other.restart(since.unwrap_or(self.now));
        let mut used = self.server.clone();
        used.restart(since.unwrap_or(self.now));
        assert_eq!(format!("{used:?}"), format!("{other:?}"));
        if since.is_some() {
            self.server = other;
        }
    }

    fn look(&mut self) {
        let server = &self.server;
        self.seen.push(format!(
            "{:?} {:?} {} {} {:?} {:?} {}",
            server.poll_timeout(),
            server.close_action(),
            server.wants_read(),
            server.is_busy(),
            server.idle_since(),
            self.failed,
            self.out.escape_ascii(),
        ));
    }

    fn operation(&mut self, letter: u8) {
        match letter {
            b'0'..=b'9' => {
                let sizes = [0, 1, 2, 3, 5, 8, 13, 34, 144, usize::MAX];
                self.receive(sizes[usize::from(letter - b'0')]);
            }
            b'r' => self.respond(StatusCode::OK, &[], BodyPlan::Empty),
            b'l' => self.respond(StatusCode::OK, &[], BodyPlan::Length(3)),
            b's' => self.respond(StatusCode::OK, &[], BodyPlan::Streamed),
            b'n' => self.respond(StatusCode::NOT_MODIFIED, &[("etag", "1")], BodyPlan::Length(3)),
            b'N' => self.respond(StatusCode::NO_CONTENT, &[], BodyPlan::Streamed),
            b'C' => self.respond(StatusCode::OK, &[("connection", "close")], BodyPlan::Length(3)),
            b'L' => self.respond(StatusCode::OK, &[("content-length", "4")], BodyPlan::Streamed),
            b'E' => self.respond(StatusCode::OK, &[("transfer-encoding", "x")], BodyPlan::Empty),
            b'u' => {
                self.respond(StatusCode::SWITCHING_PROTOCOLS, &[("upgrade", "x")], BodyPlan::Upgrade);
            }
            b'U' => self.respond(StatusCode::OK, &[], BodyPlan::Upgrade),
            b'i' => self.inform(StatusCode::EARLY_HINTS),
            b'I' => self.inform(StatusCode::SWITCHING_PROTOCOLS),
            b'c' => {
                self.server.send_continue(&mut self.out);
                assert!(!self.server.send_continue(&mut self.out), "100 is sent once");
            }
            b'd' => self.data(2, false),
            b'D' => self.data(1, true),
            b'z' => self.data(0, false),
            b'Z' => self.data(u64::MAX, true),
            b'f' => self.finish(&[]),
            b'F' => self.finish(&[("a", "b")]),
            b'X' => self.finish(&[("host", "b")]),
            b'!' => self.fail(),
            b'e' => {
                self.server.end_of_input(self.now);
                self.ended = true;
            }
            b't' => self.now = self.now.saturating_add(Duration::from_millis(700)),
            b'o' => self.expire(),
            b'O' => self.early(),
            b'h' => self.server.hold_body(true, self.now),
            b'H' => self.server.hold_body(false, self.now),
            b'w' => self.server.written(true, true, self.now),
            b'W' => self.server.written(false, true, self.now),
            b'v' => self.server.written(true, false, self.now),
            b'S' => self.server.shutdown(),
            b'a' => {
                self.server.abort();
                assert_eq!(self.server.close_action(), CloseAction::Abort);
            }
            _ => {}
        }
    }

    /// Takes up to `size` bytes from the wire, unless the peer has ended its side, and polls.
    fn receive(&mut self, size: usize) {
        let size = if self.ended { 0 } else { size.min(self.wire.len()) };
        let (now, later) = self.wire.split_at(size);
        self.received.extend_from_slice(now);
        self.wire = later;
        for _ in 0..self.received.len() + 4 {
            // A new table every time: nothing may be kept in it.
            let mut table = FieldTable::new(&self.config);
            let result = self.server.advance(&self.received, &mut table, self.now);
            let last = if self.upgraded { Some(Kind::Upgraded) } else { self.closed.then_some(Kind::Closed) };
            assert!(last.is_none_or(|last| matches!(result, Ok(step) if step.event == last)));
            self.seen.push(format!("{result:?}"));
            let Ok(step) = result else {
                self.failed = result.err();
                self.closed = true;
                return;
            };
            match step.event {
                Kind::Request => {
                    self.requests += 1;
                    let head = RequestHead::new(&self.received, &table);
                    assert!(!head.method().is_empty() && !head.path().is_empty());
                }
                Kind::Data { at, len } => {
                    assert!(len > 0 && at + len == step.consumed);
                }
                Kind::Closed => self.closed = true,
                Kind::Upgraded => assert!(self.upgraded),
                Kind::Trailers => assert!(!table.trailers(&self.received).is_empty()),
                Kind::NeedInput => {
                    // An empty line may come before a request line.
                    let kept = self.received.len() - step.consumed;
                    assert!(kept <= self.config.max_head_bytes as usize + 2, "{kept} bytes to be kept");
                }
                Kind::End | Kind::Paused => {}
            }
            self.received.drain(..step.consumed);
            if matches!(step.event, Kind::NeedInput | Kind::Paused | Kind::Closed | Kind::Upgraded) {
                return;
            }
        }
        panic!("no end of events");
    }

    /// Calls; an error must have left bytes and state alone.
    fn attempt<T>(
        &mut self,
        call: impl FnOnce(&mut Server, &mut Vec<u8>) -> Result<T, SendError>,
    ) -> Option<T> {
        let before = format!("{:?}", self.server);
        let len = self.out.len();
        let result = call(&mut self.server, &mut self.out);
        if result.is_err() {
            assert_eq!(self.out.len(), len, "a refusal writes nothing");
            assert_eq!(format!("{:?}", self.server), before, "a refusal changes nothing");
        }
        result.ok()
    }

    fn respond(&mut self, status: StatusCode, fields: &[(&str, &str)], plan: BodyPlan) {
        let lines = lines(fields);
        let head = ResponseHead { status, fields: Some(&lines), date: None };
        let start = self.out.len();
        if self.attempt(|server, out| server.respond(&head, plan, out)).is_some() {
            self.answers += 1;
            self.upgraded |= plan == BodyPlan::Upgrade;
            assert_eq!(self.head_at(start), status.as_u16());
        }
    }

    fn inform(&mut self, status: StatusCode) {
        let start = self.out.len();
        let fields = lines(&[("link", "</a>")]);
        if self.attempt(|server, out| server.inform(status, &fields, out)).is_some() {
            assert_eq!(self.head_at(start), status.as_u16());
        }
    }

    fn data(&mut self, len: u64, last: bool) {
        let busy = self.server.is_busy();
        if self.attempt(|server, _| server.frame_data(len, last)).is_some() {
            assert!(busy);
            assert_eq!(self.server.is_busy(), !last);
        }
    }

    fn finish(&mut self, trailers: &[(&str, &str)]) {
        let trailers = lines(trailers);
        if self.attempt(|server, out| server.finish(Some(&trailers), out)).is_some() {
            assert!(!self.server.is_busy());
        }
    }

    fn fail(&mut self) {
        let error = self.failed.unwrap_or(RecvError::InvalidMethod);
        let start = self.out.len();
        if self.server.fail(&error, None, &mut self.out) {
            self.answers += 1;
            assert_eq!(self.head_at(start), error.status().as_u16());
        } else {
            assert_eq!(self.out.len(), start);
        }
        assert!(!self.server.is_busy(), "nothing is owed after an error");
        assert!(self.upgraded || self.server.close_action() != CloseAction::None);
        self.closed |= !self.upgraded;
    }

    /// The next deadline passes.
    fn expire(&mut self) {
        let Some(due) = self.server.poll_timeout() else { return };
        self.now = self.now.max(due);
        for _ in 0..3 {
            if let Err(error) = self.server.handle_timeout(self.now) {
                self.failed = Some(error);
                self.closed = true;
            }
        }
        let next = self.server.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "a deadline that stays: {:?}", self.server);
    }

    /// Nothing has passed yet.
    fn early(&mut self) {
        let due = self.server.poll_timeout();
        if due.is_none_or(|due| due > self.now) {
            let before = format!("{:?}", self.server);
            assert_eq!(self.server.handle_timeout(self.now), Ok(()));
            assert_eq!(format!("{:?}", self.server), before);
        }
    }

    /// The status of the head that was written at `start`, which ends the output.
    fn head_at(&self, start: usize) -> u16 {
        let written = &self.out[start..];
        let mut headers = [httparse::EMPTY_HEADER; 8];
        let mut response = httparse::Response::new(&mut headers);
        let status = response.parse(written);
        assert!(matches!(status, Ok(httparse::Status::Complete(_))), "{}", written.escape_ascii());
        let lengths = response.headers.iter().filter(|header| {
            ["content-length", "transfer-encoding"].iter().any(|name| header.name.eq_ignore_ascii_case(name))
        });
        assert!(lengths.count() <= 1, "one framing: {}", written.escape_ascii());
        response.code.expect("a status")
    }

    fn check(&mut self) {
        let rank = match self.server.close_action() {
            CloseAction::None => 0,
            CloseAction::Linger => 1,
            CloseAction::AfterFlush => 2,
            CloseAction::Abort => 3,
        };
        assert!(rank >= self.worst, "closing is final: {:?}", self.server);
        self.worst = rank;
        assert!(self.answers <= self.requests + 1, "an answer to each request, and one to an error");
        if rank >= 2 {
            assert!(!self.server.wants_read(), "nothing is read any more: {:?}", self.server);
        }
    }
}

fn lines(fields: &[(&str, &str)]) -> FieldLines {
    let mut lines = FieldLines::new();
    for (name, value) in fields {
        lines.append(name, value).expect("a valid field");
    }
    lines
}
