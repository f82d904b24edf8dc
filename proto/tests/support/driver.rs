//! A connection driven over a script: bytes in pieces go in, what was seen and written comes out.
//!
//! Between any two calls the shared `FieldTable` is overwritten by another connection, as it would
//! be on an event loop. Each step is checked for what must hold for any bytes at all: nothing is
//! consumed that was not given, every call makes progress, and after an error no byte is a request.

use sinew_proto::http1::{
    BodyLength, BodyPlan, CloseAction, RequestHead, ResponseHead, Server, server::Event,
};
use sinew_proto::{Config, FieldLines, FieldTable, Fields, Instant, RecvError, StatusCode};

/// What the application does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing.
    Never,
    /// `200` without content, as soon as the head was seen.
    AtOnce,
    /// `200` without content, when the request is complete.
    AtEnd,
    /// `100 Continue` if it is waited for, then as `AtEnd`.
    Continue,
    /// `101` to `x` or a tunnel, if it was asked for and is possible; else as `AtEnd`.
    Switch,
}

/// A name and a value.
pub(crate) type Line = (String, Vec<u8>);

/// What was seen, adjacent pieces of data joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Request(Box<Request>),
    Data(Vec<u8>),
    Trailers(Vec<Line>),
    End,
    Error(RecvError),
    NeedInput,
    Paused,
    /// With the bytes that belong to the other protocol.
    Upgraded(Vec<u8>),
    Closed(CloseAction),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) version: &'static str,
    pub(crate) body: BodyLength,
    pub(crate) expects_continue: bool,
    pub(crate) offers_upgrade: bool,
    pub(crate) fields: Vec<Line>,
}

/// All that can be observed of a connection. Equal for every way to cut the input in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) seen: Vec<Seen>,
    pub(crate) out: Vec<u8>,
}

/// A connection, its input buffer and the table it shares with a noisy neighbour.
pub(crate) struct Driver {
    server: Server,
    table: FieldTable,
    config: Config,
    answer: Answer,
    /// Whether there is another connection on the table.
    noise: bool,
    input: Vec<u8>,
    transcript: Transcript,
    budget: usize,
    failed: bool,
}

const NOW: Instant = Instant::from_nanos(0);

/// Gives `pieces` one after the other, then the end of the input if `end`.
pub(crate) fn run<'p>(
    config: &Config,
    answer: Answer,
    pieces: impl IntoIterator<Item = &'p [u8]>,
    end: bool,
) -> Transcript {
    Driver::new(config, answer, true).run(pieces, end)
}

/// All of `wire` at once, and no other connection: for tests of what is read, not of how it
/// arrives. Several times as fast.
#[allow(dead_code, reason = "not every test needs speed")]
pub(crate) fn run_alone(config: &Config, answer: Answer, wire: &[u8], end: bool) -> Transcript {
    Driver::new(config, answer, false).run([wire], end)
}

impl Driver {
    fn new(config: &Config, answer: Answer, noise: bool) -> Self {
        Self {
            server: Server::new(config),
            table: FieldTable::new(config),
            config: config.clone(),
            answer,
            noise,
            input: Vec::new(),
            transcript: Transcript::default(),
            budget: 8,
            failed: false,
        }
    }

    fn run<'p>(mut self, pieces: impl IntoIterator<Item = &'p [u8]>, end: bool) -> Transcript {
        self.settle();
        for piece in pieces {
            self.give(piece);
        }
        if end {
            self.server.end_of_input(NOW);
            self.budget += 8;
            self.settle();
        }
        self.into_transcript()
    }

    fn give(&mut self, piece: &[u8]) {
        self.input.extend_from_slice(piece);
        // A byte can end one thing and begin no more than a few others.
        self.budget += piece.len() * 4 + 4;
        self.settle();
    }

    /// Calls `poll` until it has nothing more to say about the input it has.
    fn settle(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        assert!(self.budget > 0, "no progress: {:?}", self.transcript);
        self.budget -= 1;
        self.scribble();
        self.renew();
        let result = self.server.poll(&self.input, &mut self.table, NOW);
        let (consumed, seen) = match result {
            Ok(step) => (step.consumed, own(&self.input, &step.event)),
            Err(error) => (0, Seen::Error(error)),
        };
        assert!(consumed <= self.input.len(), "consumed more than it was given");
        assert!(!self.failed || matches!(seen, Seen::Closed(_)), "{seen:?} after an error");
        self.input.drain(..consumed);
        match seen {
            Seen::NeedInput | Seen::Paused | Seen::Upgraded(_) | Seen::Closed(_) => {
                if matches!(seen, Seen::Closed(_)) {
                    assert!(self.input.is_empty(), "a closed connection takes everything");
                }
                false
            }
            Seen::Request(request) => {
                self.push(Seen::Request(request.clone()));
                self.on_request(&request);
                true
            }
            Seen::End => {
                self.push(Seen::End);
                self.on_end();
                true
            }
            Seen::Error(error) => {
                self.failed = true;
                self.push(Seen::Error(error));
                self.on_error(error);
                // What follows an error must be taken for nothing but noise.
                self.give(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
                false
            }
            Seen::Data(_) | Seen::Trailers(_) => {
                self.push(seen);
                true
            }
        }
    }

    fn push(&mut self, seen: Seen) {
        if let (Some(Seen::Data(before)), Seen::Data(more)) = (self.transcript.seen.last_mut(), &seen) {
            before.extend_from_slice(more);
            return;
        }
        self.transcript.seen.push(seen);
    }

    fn on_request(&mut self, request: &Request) {
        match self.answer {
            Answer::AtOnce => self.respond_empty(),
            Answer::Continue => {
                let asked = self.server.send_continue(&mut self.transcript.out);
                assert_eq!(asked, request.expects_continue);
                assert!(!self.server.send_continue(&mut self.transcript.out));
            }
            Answer::Switch if request.offers_upgrade || request.method == "CONNECT" => {
                let mut fields = FieldLines::new();
                let status = if request.method == "CONNECT" {
                    StatusCode::OK
                } else {
                    fields.append("upgrade", offered(request)).expect("a valid field");
                    StatusCode::SWITCHING_PROTOCOLS
                };
                let head = ResponseHead { fields: Some(&fields), ..ResponseHead::new(status) };
                let before = self.transcript.out.len();
                let out = &mut self.transcript.out;
                let switched = self.server.respond(&head, BodyPlan::Upgrade, out).is_ok();
                assert_eq!(switched, request.body.is_empty());
                assert_eq!(switched, out.len() > before);
            }
            _ => {}
        }
    }

    fn on_end(&mut self) {
        match self.answer {
            Answer::AtEnd | Answer::Continue | Answer::Switch => self.respond_empty(),
            Answer::Never | Answer::AtOnce => {}
        }
    }

    fn respond_empty(&mut self) {
        let mut head = ResponseHead::new(StatusCode::OK);
        let body = BodyPlan::Empty;
        let out = &mut self.transcript.out;
        if self.server.respond(&head, body, out).is_err() {
            // A tunnel was asked for and is not given.
            head.status = StatusCode::NOT_IMPLEMENTED;
            let mode = self.server.respond(&head, body, out);
            assert!(mode.is_ok(), "{mode:?}");
        }
    }

    fn on_error(&mut self, error: RecvError) {
        let busy = self.server.is_busy();
        let before = self.transcript.out.len();
        let answered = self.server.fail(&error, None, &mut self.transcript.out);
        let written = &self.transcript.out[before..];
        let line = format!("HTTP/1.1 {} ", error.status());
        assert_eq!(answered, written.starts_with(line.as_bytes()));
        assert_eq!(answered, !written.is_empty());
        assert!(answered || !busy, "a request that waits gets the answer");
        let again = self.server.fail(&error, None, &mut self.transcript.out);
        assert!(!again, "an error is answered once");
    }

    /// Where a connection is idle, another server in its place must be as good.
    fn renew(&mut self) {
        if let Some(since) = self.server.idle_since() {
            let mut server = Server::new(&self.config);
            server.restart(since);
            self.server = server;
        }
    }

    /// Another connection of the same event loop uses the table.
    fn scribble(&mut self) {
        if !self.noise {
            return;
        }
        let mut other = Server::new(&self.config);
        let noise: &[u8] = b"\r\nPOST /noise HTTP/1.1\r\nHost: noise\r\nNoise: 1\r\nnoisy: yes\r\n\
            Transfer-Encoding: chunked\r\n\r\n0\r\nAnother: trailer\r\nand: another\r\n\r\n";
        let mut rest = noise;
        // The limits of this connection may refuse it; that writes to the table as well.
        while let Ok(step) = other.poll(rest, &mut self.table, NOW) {
            rest = &rest[step.consumed..];
            if step.consumed == 0 {
                break;
            }
        }
    }

    fn into_transcript(mut self) -> Transcript {
        self.scribble();
        let last =
            self.server.poll(&self.input, &mut self.table, NOW).map(|step| own(&self.input, &step.event));
        let last = match last.expect("an error is not reported twice") {
            Seen::Closed(_) => Seen::Closed(self.server.close_action()),
            last => last,
        };
        self.push(last);
        self.transcript
    }
}

fn own(input: &[u8], event: &Event<'_>) -> Seen {
    match event {
        Event::Request(head) => Seen::Request(Box::new(own_request(head))),
        Event::Data(data) => {
            assert!(!data.is_empty(), "data is never empty");
            let range = input.as_ptr_range();
            assert!(range.contains(&data.as_ptr()), "data borrows the input");
            Seen::Data(data.to_vec())
        }
        Event::Trailers(fields) => {
            assert!(!fields.is_empty(), "no event for no trailers");
            Seen::Trailers(own_fields(fields))
        }
        Event::End => Seen::End,
        Event::NeedInput => Seen::NeedInput,
        Event::Paused => Seen::Paused,
        Event::Upgraded => Seen::Upgraded(input.to_vec()),
        Event::Closed => Seen::Closed(CloseAction::None),
    }
}

/// The first protocol that may be switched to.
fn offered(request: &Request) -> &[u8] {
    let values = request.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
    let mut protocols = values.flat_map(|(_, value)| value.split(|&b| b == b',')).map(<[u8]>::trim_ascii);
    protocols.find(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"h2c")).expect("an offer")
}

fn own_request(head: &RequestHead<'_>) -> Request {
    Request {
        method: head.method().to_owned(),
        target: head.target().to_owned(),
        path: head.path().to_owned(),
        query: head.query().map(ToOwned::to_owned),
        version: head.version().as_str(),
        body: head.body(),
        expects_continue: head.expects_continue(),
        offers_upgrade: head.offers_upgrade(),
        fields: own_fields(&head.fields()),
    }
}

fn own_fields(fields: &Fields<'_>) -> Vec<Line> {
    // What may be received may be sent.
    let copy = FieldLines::from(*fields);
    let mut set = FieldLines::new();
    fields.iter().for_each(|field| set.append(field.name, field.value).expect("a valid field"));
    let found = fields.iter().all(|field| copy.get(field.name) == set.get(field.name));
    assert!(copy == set && found && copy.iter().eq(fields.iter()), "{fields:?}");
    fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect()
}
