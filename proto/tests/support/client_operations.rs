//! Any operation at any time on one client: a script of one byte each, and the bytes to receive.
//!
//! `0` to `9` receive more and more bytes, the rest of the letters are in `Machine::operation`.
//! Misuse is part of the game. What must hold: a refusal changes nothing, what is written are whole
//! requests and nothing else, every request has one response or none, closing is final, no deadline
//! fires twice, and the caller has to keep no more than the limits say.

use std::time::Duration;

use sinew_proto::http1::{
    BodyMode, BodyPlan, Client, CloseAction, Server,
    client::{Kind, Request, Response, Reuse},
    server,
};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, RecvError, SendError};

const CONFIG: Config = Config {
    max_head_bytes: 160,
    max_fields: 6,
    max_chunk_extension_bytes: 16,
    max_trailer_bytes: 32,
    max_interim_responses: 3,
    ..Config::DEFAULT
};

/// Runs `script` with `wire` as what the server sends.
pub(crate) fn run(script: &[u8], wire: &[u8]) {
    let mut machine = Machine {
        client: Client::new(&CONFIG),
        received: Vec::new(),
        wire,
        out: Vec::new(),
        body: None,
        now: Instant::from_nanos(0),
        sent: 0,
        answered: 0,
        closed: false,
        ended: false,
        upgraded: false,
        never: false,
        rank: 0,
    };
    for &letter in script.iter().take(200) {
        machine.operation(letter);
        machine.check();
    }
}

struct Machine<'w> {
    client: Client,
    received: Vec<u8>,
    wire: &'w [u8],
    /// The request that is being sent, as it is on the wire.
    out: Vec<u8>,
    /// How its body is framed; `None` if it has none or could not be made.
    body: Option<BodyMode>,
    now: Instant,
    sent: usize,
    answered: usize,
    /// `Closed` was seen, or an error.
    closed: bool,
    ended: bool,
    upgraded: bool,
    /// No request could be sent any more.
    never: bool,
    /// How final the close action has become.
    rank: u8,
}

impl Machine<'_> {
    fn operation(&mut self, letter: u8) {
        use BodyPlan::{Empty, Length, Streamed, Upgrade};
        const EXPECT: (&str, &str) = ("expect", "100-continue");
        match letter {
            b'0'..=b'9' => {
                let sizes = [0, 1, 2, 3, 5, 8, 13, 34, 144, usize::MAX];
                self.receive(sizes[usize::from(letter - b'0')]);
            }
            b'g' => self.request("GET", "/", &[], Empty),
            b'G' => self.request("GET", "http://a/", &[("connection", "close")], Empty),
            b'h' => self.request("HEAD", "/", &[], Empty),
            b'o' => self.request("OPTIONS", "*", &[], Length(0)),
            b'u' => self.request("GET", "/", &[("upgrade", "x, h2c")], Empty),
            b'U' => self.request("PUT", "/", &[("upgrade", "x")], Length(3)),
            b'k' => self.request("GET", "/", &[("te", "trailers"), ("upgrade", "h2c")], Empty),
            b'p' => self.request("POST", "/", &[], Length(3)),
            b'P' => self.request("POST", "/", &[], Empty),
            b's' => self.request("PUT", "/", &[], Streamed),
            b'x' => self.request("PUT", "/", &[EXPECT], Length(3)),
            b'X' => self.request("POST", "/", &[EXPECT, ("content-length", "2")], Length(2)),
            b'c' => self.request("CONNECT", "a:1", &[], Empty),
            b'L' => self.request("PUT", "/", &[("content-length", "4")], Streamed),
            b'E' => self.request("PUT", "/", &[("transfer-encoding", "chunked")], Streamed),
            b'T' => self.request("TRACE", "/", &[], Length(3)),
            b'M' => self.request("GET", "*", &[], Upgrade),
            b'H' => self.request("GET", "/", &[("host", "a")], Empty),
            b'd' => self.data(2, false),
            b'D' => self.data(1, true),
            b'z' => self.data(0, false),
            b'Z' => self.data(u64::MAX, true),
            b'f' => self.finish(&[]),
            b'F' => self.finish(&[("a", "b")]),
            b'C' => self.finish(&[("cookie", "b")]),
            b'A' => self.abandon(),
            b'e' => {
                self.client.end_of_input(self.now);
                self.ended = true;
            }
            b't' => self.now = self.now.saturating_add(Duration::from_millis(700)),
            b'i' => self.expire(),
            b'I' => self.early(),
            b'b' => self.client.hold_body(true, self.now),
            b'B' => self.client.hold_body(false, self.now),
            b'w' => self.client.written(true, true, self.now),
            b'W' => self.client.written(false, true, self.now),
            b'v' => self.client.written(true, false, self.now),
            b'S' => self.client.shutdown(),
            b'a' => {
                self.client.abort();
                assert_eq!(self.client.close_action(), CloseAction::Abort);
            }
            _ => {}
        }
    }

    /// Takes up to `size` bytes from the wire, unless the server has ended its side, and polls.
    fn receive(&mut self, size: usize) {
        let size = if self.ended { 0 } else { size.min(self.wire.len()) };
        let (now, later) = self.wire.split_at(size);
        self.received.extend_from_slice(now);
        self.wire = later;
        for _ in 0..self.received.len() + 4 {
            // A new table every time: nothing may be kept in it.
            let mut table = FieldTable::new(&CONFIG);
            let result = self.client.advance(&self.received, &mut table, self.now);
            let last = if self.upgraded { Some(Kind::Upgraded) } else { self.closed.then_some(Kind::Closed) };
            assert!(last.is_none_or(|last| matches!(result, Ok(step) if step.event == last)));
            let Ok(step) = result else {
                self.closed = true;
                return;
            };
            match step.event {
                Kind::Interim | Kind::Response => {
                    assert!(self.answered < self.sent, "a response without a request");
                    let response = Response::new(&self.received, &table);
                    let switches = response.status().as_u16() == 101;
                    let interim = response.status().is_informational() && !switches;
                    assert_eq!(interim, step.event == Kind::Interim);
                }
                Kind::Data { at, len } => assert!(len > 0 && at + len == step.consumed),
                Kind::Trailers => assert!(!table.trailers(&self.received).is_empty()),
                Kind::End => self.answered += 1,
                Kind::NeedInput => {
                    let kept = self.received.len() - step.consumed;
                    assert!(kept <= CONFIG.max_head_bytes as usize, "{kept} bytes to be kept");
                }
                Kind::Idle => assert!(self.received.is_empty() && self.client.unanswered() == 0),
                Kind::Upgraded => {
                    self.answered += usize::from(!self.upgraded);
                    self.upgraded = true;
                }
                Kind::Closed => self.closed = true,
            }
            self.received.drain(..step.consumed);
            if matches!(step.event, Kind::NeedInput | Kind::Idle | Kind::Closed | Kind::Upgraded) {
                return;
            }
        }
        panic!("no end of events");
    }

    /// Calls; an error must have left bytes and state alone.
    fn attempt<T>(
        &mut self,
        call: impl FnOnce(&mut Client, &mut Vec<u8>) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let before = format!("{:?}", self.client);
        let len = self.out.len();
        let result = call(&mut self.client, &mut self.out);
        if result.is_err() {
            assert_eq!(self.out.len(), len, "a refusal writes nothing");
            assert_eq!(format!("{:?}", self.client), before, "a refusal changes nothing");
        }
        result
    }

    fn request(&mut self, method: &str, target: &str, fields: &[(&str, &str)], plan: BodyPlan) {
        let lines = lines(&[&[("host", if method == "CONNECT" { "a:1" } else { "a" })], fields].concat());
        let request = Request::new(method, target, &lines);
        let ready = self.client.check_ready();
        // Nobody looks at the request before: it is whole, or broken off for good.
        let before = if ready.is_ok() { std::mem::take(&mut self.out) } else { Vec::new() };
        match self.attempt(|client, out| client.request(&request, plan, out)) {
            Ok(mode) => {
                assert_eq!(ready, Ok(()));
                self.sent += 1;
                self.body = Some(mode);
                assert_eq!(self.client.sends_body(), mode != BodyMode::None);
                assert_eq!(self.read_back(), mode == BodyMode::None, "a head, and its body if it has none");
            }
            Err(error) => {
                assert!(ready.is_ok() || ready == Err(error));
                if ready.is_ok() {
                    self.out = before;
                }
            }
        }
    }

    fn data(&mut self, len: u64, last: bool) {
        let sending = self.client.sends_body();
        let Ok(framing) = self.attempt(|client, _| client.frame_data(len, last)) else { return };
        assert!(sending && self.client.sends_body() != last);
        self.out.extend_from_slice(framing.prefix());
        match usize::try_from(len) {
            Ok(len @ 0..=2) => self.out.resize(self.out.len() + len, b'x'),
            _ => self.body = None,
        }
        self.out.extend_from_slice(framing.suffix());
        let complete = self.read_back();
        // All bytes of a length may be out before the caller says that these were all.
        assert!(complete == last || self.body != Some(BodyMode::Chunked));
        assert!(complete || !last || self.body.is_none());
    }

    fn finish(&mut self, trailers: &[(&str, &str)]) {
        let trailers = lines(trailers);
        if self.attempt(|client, out| client.finish(Some(&trailers), out)).is_ok() {
            assert!(!self.client.sends_body());
            assert_eq!(self.read_back(), self.body.is_some());
        }
    }

    /// Our own server reads what was written of the request: one, and nothing after it. Returns
    /// whether it is complete.
    fn read_back(&self) -> bool {
        if self.body.is_none() {
            return false;
        }
        let config = Config::DEFAULT;
        let (mut server, mut table, mut requests) = (Server::new(&config), FieldTable::new(&config), 0);
        let mut rest = &self.out[..];
        loop {
            let step = server.advance(rest, &mut table, self.now);
            let step = step.unwrap_or_else(|error| panic!("{error}: {}", self.out.escape_ascii()));
            rest = &rest[step.consumed..];
            match step.event {
                server::Kind::Request => requests += 1,
                server::Kind::Data { .. } | server::Kind::Trailers => {}
                event => {
                    assert_eq!((requests, rest), (1, &b""[..]), "{event:?}: {}", self.out.escape_ascii());
                    return event == server::Kind::End;
                }
            }
        }
    }

    fn abandon(&mut self) {
        let before = format!("{:?}", self.client);
        let sending = self.client.sends_body();
        self.client.abandon_body();
        assert!(!self.client.sends_body());
        if sending {
            assert_eq!(self.client.reuse(), Reuse::Never);
        } else {
            assert_eq!(format!("{:?}", self.client), before, "nothing to abandon");
        }
    }

    /// The next deadline passes.
    fn expire(&mut self) {
        let Some(due) = self.client.poll_timeout() else { return };
        assert!(!self.closed || self.rank < 2, "an aborted connection has no deadlines");
        self.now = self.now.max(due);
        let mut errors = 0;
        for _ in 0..3 {
            if let Err(error) = self.client.handle_timeout(self.now) {
                errors += 1;
                assert!(matches!(
                    error,
                    RecvError::ResponseTimeout
                        | RecvError::HeadTimeout
                        | RecvError::BodyTimeout
                        | RecvError::WriteTimeout
                ));
                assert_eq!(self.client.close_action(), CloseAction::Abort);
                self.closed |= !self.upgraded;
            }
        }
        assert!(errors <= 1, "an error is told once");
        let next = self.client.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "a deadline that stays: {:?}", self.client);
    }

    /// Nothing has passed yet.
    fn early(&mut self) {
        let due = self.client.poll_timeout();
        if due.is_none_or(|due| due > self.now) {
            let before = format!("{:?}", self.client);
            assert_eq!(self.client.handle_timeout(self.now), Ok(()));
            assert_eq!(format!("{:?}", self.client), before);
        }
    }

    fn check(&mut self) {
        let client = &self.client;
        let rank = match client.close_action() {
            CloseAction::None => 0,
            CloseAction::AfterFlush => 1,
            CloseAction::Abort => 2,
            CloseAction::Linger => panic!("only a server lingers"),
        };
        assert!(rank >= self.rank, "closing is final: {client:?}");
        self.rank = rank;
        assert_eq!(client.unanswered(), self.sent - self.answered, "each has a response or has none");
        assert!(client.unanswered() <= Client::MAX_PIPELINED);
        assert!(!client.awaits_continue() || client.sends_body());
        if rank > 0 || self.upgraded {
            assert!(!client.wants_read() && !client.is_busy() && !client.sends_body(), "{client:?}");
        } else {
            assert_eq!(client.is_busy(), client.sends_body() || client.unanswered() > 0, "{client:?}");
        }
        let reuse = client.reuse();
        let closes = rank > 0 || self.upgraded || self.never;
        assert!(!closes || reuse == Reuse::Never, "never is final: {client:?}");
        self.never |= reuse == Reuse::Never;
        match (reuse, client.check_ready()) {
            (Reuse::Never, ready) => assert_eq!(ready, Err(SendError::Closed)),
            (Reuse::Now, ready) => assert_eq!((ready, client.is_busy()), (Ok(()), false)),
            (Reuse::Later, ready) => {
                assert!(client.is_busy());
                assert_ne!(ready, Err(SendError::Closed));
            }
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
