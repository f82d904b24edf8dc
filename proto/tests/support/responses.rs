//! A client driven over what a server sends: bytes in pieces go in, what was seen comes out.
//!
//! Between any two calls the shared `FieldTable` is overwritten by another connection, as it would
//! be on an event loop. Each step is checked for what must hold for any bytes at all: nothing is
//! consumed that was not given, every call makes progress, what has to be kept is within the limits,
//! `httparse` reads the same heads, and after an error no byte is a response.

use sinew_proto::http1::{
    BodyPlan, Client, CloseAction, ResponseLength, Version,
    client::{Event, Request, Response, Reuse},
};
use sinew_proto::{Config, FieldLines, FieldTable, Fields, Instant, RecvError};

/// What was asked before anything is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing.
    Nothing,
    /// `GET`.
    Get,
    /// `GET`, `HEAD`, `GET`, one behind the other.
    Pipelined,
    /// `PUT` whose body is sent when `100 Continue` comes, behind a `GET`.
    Expecting,
    /// `GET` that offers to switch to `x`.
    Upgrade,
    /// `CONNECT`.
    Connect,
}

impl Asked {
    pub(crate) const ALL: [Self; 6] =
        [Self::Nothing, Self::Get, Self::Pipelined, Self::Expecting, Self::Upgrade, Self::Connect];
}

/// A name and a value.
type Line = (String, Vec<u8>);

/// What was seen, adjacent pieces of data joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Interim(Head),
    Response(Head),
    Data(Vec<u8>),
    Trailers(Vec<Line>),
    End,
    Error(RecvError),
    NeedInput,
    Idle,
    /// With the bytes that belong to the other protocol.
    Upgraded(Vec<u8>),
    Closed(CloseAction),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    status: u16,
    reason: Vec<u8>,
    version: &'static str,
    body: ResponseLength,
    fields: Vec<Line>,
}

/// All that can be observed of a connection. Equal for every way to cut the input in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) seen: Vec<Seen>,
    pub(crate) unanswered: usize,
    pub(crate) reuse: Reuse,
    sends_body: bool,
}

struct Driver<'c> {
    client: Client,
    table: FieldTable,
    config: &'c Config,
    input: Vec<u8>,
    seen: Vec<Seen>,
    budget: usize,
    failed: bool,
}

const NOW: Instant = Instant::from_nanos(0);

/// Asks, and gives `pieces` one after the other, then the end of the input if `end`.
pub(crate) fn run<'p>(
    config: &Config,
    asked: Asked,
    pieces: impl IntoIterator<Item = &'p [u8]>,
    end: bool,
) -> Transcript {
    let mut driver = Driver {
        client: Client::new(config),
        table: FieldTable::new(config),
        config,
        input: Vec::new(),
        seen: Vec::new(),
        budget: 8,
        failed: false,
    };
    driver.ask(asked);
    driver.settle();
    for piece in pieces {
        driver.give(piece);
    }
    if end {
        driver.client.end_of_input(NOW);
        driver.give(b"");
    }
    driver.into_transcript()
}

impl Driver<'_> {
    fn ask(&mut self, asked: Asked) {
        /// Method, fields, and the length of the body.
        type Row<'r> = (&'r str, &'r [(&'r str, &'r str)], u64);
        let requests: &[Row<'_>] = match asked {
            Asked::Nothing => &[],
            Asked::Get => &[("GET", &[], 0)],
            Asked::Pipelined => &[("GET", &[], 0), ("HEAD", &[], 0), ("GET", &[], 0)],
            Asked::Expecting => &[("GET", &[], 0), ("PUT", &[("expect", "100-continue")], 1)],
            Asked::Upgrade => &[("GET", &[("upgrade", "x")], 0)],
            Asked::Connect => &[("CONNECT", &[], 0)],
        };
        for (method, fields, body) in requests {
            let mut lines = FieldLines::new();
            for (name, value) in [("host", "a:1")].iter().chain(*fields) {
                lines.append(name, value).expect("a valid field");
            }
            let target = if *method == "CONNECT" { "a:1" } else { "/" };
            let plan = if *body == 0 { BodyPlan::Empty } else { BodyPlan::Length(*body) };
            let request = Request::new(method, target, &lines);
            self.client.request(&request, plan, &mut Vec::new()).expect("a request");
        }
    }

    fn give(&mut self, piece: &[u8]) {
        self.input.extend_from_slice(piece);
        // A byte can end one thing and begin no more than a few others.
        self.budget += piece.len() * 4 + 8;
        self.settle();
    }

    /// Calls `poll` until it has nothing more to say about the input it has.
    fn settle(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        assert!(self.budget > 0, "no progress: {:?}", self.seen);
        self.budget -= 1;
        self.scribble();
        let unanswered = self.client.unanswered();
        let result = self.client.poll(&self.input, &mut self.table, NOW);
        let (consumed, seen) = match result {
            Ok(step) => {
                if let Event::Interim(head) | Event::Response(head) = &step.event {
                    same_head(&self.input[..step.consumed], head);
                    assert!(unanswered > 0, "a response without a request");
                }
                (step.consumed, own(&self.input, &step.event))
            }
            Err(error) => (0, Seen::Error(error)),
        };
        assert!(consumed <= self.input.len(), "consumed more than it was given");
        assert!(!self.failed || matches!(seen, Seen::Closed(_)), "{seen:?} after an error");
        self.input.drain(..consumed);
        match seen {
            Seen::NeedInput => {
                let most = self.config.max_head_bytes.max(self.config.max_trailer_bytes) as usize;
                assert!(self.input.len() <= most, "{} bytes to be kept", self.input.len());
                false
            }
            Seen::Idle | Seen::Closed(_) => {
                assert!(self.input.is_empty(), "nothing is left to lie about");
                false
            }
            Seen::Upgraded(_) => false,
            Seen::Error(_) => {
                self.failed = true;
                self.seen.push(seen);
                // What follows an error must be taken for nothing but noise.
                self.give(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                false
            }
            Seen::Data(more) => {
                match self.seen.last_mut() {
                    Some(Seen::Data(before)) => before.extend_from_slice(&more),
                    _ => self.seen.push(Seen::Data(more)),
                }
                true
            }
            _ => {
                let interim = matches!(seen, Seen::Interim(_));
                self.seen.push(seen);
                if interim && self.client.sends_body() && !self.client.awaits_continue() {
                    self.client.frame_data(1, true).expect("the body");
                }
                true
            }
        }
    }

    /// Another connection of the same event loop uses the table.
    fn scribble(&mut self) {
        let mut other = Client::new(self.config);
        let mut fields = FieldLines::new();
        fields.append("host", "noise").expect("a valid field");
        let request = Request::new("GET", "/noise", &fields);
        other.request(&request, BodyPlan::Empty, &mut Vec::new()).expect("a request");
        let mut rest: &[u8] = b"HTTP/1.0 404 Noise\r\nNoise: 1\r\nnoisy: yes\r\nContent-Length: 1\r\n\r\nn";
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
        let step = self.client.poll(&self.input, &mut self.table, NOW).expect("an error is told once");
        let last = match own(&self.input, &step.event) {
            Seen::Closed(_) => Seen::Closed(self.client.close_action()),
            last => last,
        };
        self.seen.push(last);
        Transcript {
            seen: self.seen,
            unanswered: self.client.unanswered(),
            reuse: self.client.reuse(),
            sends_body: self.client.sends_body(),
        }
    }
}

/// `httparse`, a parser by others, reads the same head.
fn same_head(bytes: &[u8], head: &Response<'_>) {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut other = httparse::Response::new(&mut headers);
    let status = other.parse(bytes);
    assert_eq!(status, Ok(httparse::Status::Complete(bytes.len())), "{}", bytes.escape_ascii());
    assert_eq!(other.code, Some(head.status().as_u16()));
    assert_eq!(other.version, Some(u8::from(head.version() == Version::Http11)));
    let fields = head.fields();
    let ours: Vec<(&str, &[u8])> = fields.iter().map(|field| (field.name, field.value)).collect();
    let theirs: Vec<(&str, &[u8])> = other.headers.iter().map(|header| (header.name, header.value)).collect();
    assert_eq!(ours, theirs);
}

fn own(input: &[u8], event: &Event<'_>) -> Seen {
    match event {
        Event::Interim(head) => Seen::Interim(own_head(head)),
        Event::Response(head) => Seen::Response(own_head(head)),
        Event::Data(data) => {
            assert!(!data.is_empty(), "data is never empty");
            assert!(input.as_ptr_range().contains(&data.as_ptr()), "data borrows the input");
            Seen::Data(data.to_vec())
        }
        Event::Trailers(fields) => {
            assert!(!fields.is_empty(), "no event for no trailers");
            Seen::Trailers(own_fields(fields))
        }
        Event::End => Seen::End,
        Event::NeedInput => Seen::NeedInput,
        Event::Idle => Seen::Idle,
        Event::Upgraded => Seen::Upgraded(input.to_vec()),
        Event::Closed => Seen::Closed(CloseAction::None),
    }
}

fn own_head(head: &Response<'_>) -> Head {
    Head {
        status: head.status().as_u16(),
        reason: head.reason().to_vec(),
        version: head.version().as_str(),
        body: head.body(),
        fields: own_fields(&head.fields()),
    }
}

fn own_fields(fields: &Fields<'_>) -> Vec<Line> {
    fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect()
}
