//! A client driven over a script: requests go out, bytes in pieces come in, what was seen comes out.
//!
//! Between any two calls the shared `FieldTable` is overwritten by other connections. Each step is
//! checked for what must hold for any bytes at all: nothing is consumed that was not given, every call
//! makes progress, what has to be kept is within the limits, `httparse` reads the same heads, and after
//! an error nothing is an event.

use sinew_proto::http1::client::{Event, Request, Response, Reuse};
use sinew_proto::http1::{BodyMode, BodyPlan, Client, CloseAction, ResponseLength, Server, Version};
use sinew_proto::{Config, FieldLines, FieldTable, Fields, Instant, RecvError, StatusCode};

/// When the body of a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// At once.
    Now,
    /// Never.
    Never,
    /// After `100 Continue`.
    AfterContinue,
    /// After the end of the response.
    AfterEnd,
    /// It is abandoned at the head of the response.
    Abandon,
}

/// A request to be sent before anything is received.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: FieldLines,
    pub(crate) body: BodyPlan,
    pub(crate) sending: Sending,
}

/// A name and a value.
pub(crate) type Line = (String, Vec<u8>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) reason: Vec<u8>,
    pub(crate) body: ResponseLength,
    pub(crate) fields: Vec<Line>,
}

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

/// All that can be observed. Equal for every way to cut the input in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) seen: Vec<Seen>,
    pub(crate) out: Vec<u8>,
    pub(crate) reuse: Reuse,
    /// How many requests have no complete response.
    pub(crate) unanswered: usize,
    pub(crate) sends_body: bool,
}

struct Driver {
    client: Client,
    table: FieldTable,
    config: Config,
    sending: Sending,
    input: Vec<u8>,
    seen: Vec<Seen>,
    out: Vec<u8>,
    budget: usize,
    failed: bool,
}

const NOW: Instant = Instant::from_nanos(0);

/// Sends `asks`, gives `pieces` one after the other, then the end of the input if `end`.
pub(crate) fn run<'p>(
    config: &Config,
    asks: &[Ask],
    pieces: impl IntoIterator<Item = &'p [u8]>,
    end: bool,
) -> Transcript {
    let mut driver = Driver {
        client: Client::new(config),
        table: FieldTable::new(config),
        config: config.clone(),
        sending: Sending::Now,
        input: Vec::new(),
        seen: Vec::new(),
        out: Vec::new(),
        budget: 8,
        failed: false,
    };
    for ask in asks {
        driver.ask(ask);
    }
    driver.settle();
    for piece in pieces {
        driver.give(piece);
    }
    if end {
        driver.client.end_of_input(NOW);
        driver.budget += 8;
        driver.settle();
    }
    driver.into_transcript()
}

impl Driver {
    fn ask(&mut self, ask: &Ask) {
        let request = Request::new(&ask.method, &ask.target, &ask.fields);
        let mode = self.client.request(&request, ask.body, &mut self.out).expect("a request");
        self.sending = ask.sending;
        if mode != BodyMode::None && ask.sending == Sending::Now {
            self.send_body();
        }
    }

    /// Completes the body with zeros, if it is still wanted.
    fn send_body(&mut self) {
        if !self.client.sends_body() {
            return;
        }
        while self.client.finish(None, &mut self.out).is_err() {
            let framing = self.client.frame_data(1, false).expect("room for a byte");
            self.out.extend_from_slice(framing.prefix());
            self.out.push(b'0');
            self.out.extend_from_slice(framing.suffix());
        }
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
            Seen::Upgraded(_) => return false,
            Seen::NeedInput => {
                let most = self.config.max_head_bytes.max(self.config.max_trailer_bytes) as usize;
                assert!(self.input.len() <= most, "{} bytes to be kept", self.input.len());
                return false;
            }
            Seen::Idle | Seen::Closed(_) => {
                assert!(self.input.is_empty(), "nothing is left to lie about");
                return false;
            }
            Seen::Interim(_) if self.sending == Sending::AfterContinue => {
                self.push(seen);
                if !self.client.awaits_continue() {
                    self.send_body();
                }
                return true;
            }
            Seen::Response(_) if self.sending == Sending::Abandon => self.client.abandon_body(),
            Seen::Error(error) => {
                self.failed = true;
                self.push(Seen::Error(error));
                assert_eq!(self.client.close_action(), CloseAction::Abort);
                assert_eq!((self.client.reuse(), self.client.poll_timeout()), (Reuse::Never, None));
                // What follows an error must be taken for nothing but noise.
                self.give(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                return false;
            }
            Seen::End if self.sending == Sending::AfterEnd => {
                self.push(Seen::End);
                self.send_body();
                return true;
            }
            _ => {}
        }
        self.push(seen);
        true
    }

    fn push(&mut self, seen: Seen) {
        if let (Some(Seen::Data(before)), Seen::Data(more)) = (self.seen.last_mut(), &seen) {
            before.extend_from_slice(more);
            return;
        }
        self.seen.push(seen);
    }

    /// Other connections of the same event loop use the table.
    fn scribble(&mut self) {
        let mut server = Server::new(&self.config);
        let noise: &[u8] = b"POST /noise HTTP/1.1\r\nHost: noise\r\nNoise: 1\r\nnoisy: yes\r\n\
            Transfer-Encoding: chunked\r\n\r\n0\r\nAnother: trailer\r\nand: another\r\n\r\n";
        let mut rest = noise;
        // The limits of this connection may refuse it; that writes to the table as well.
        while let Ok(step) = server.poll(rest, &mut self.table, NOW) {
            rest = &rest[step.consumed..];
            if step.consumed == 0 {
                break;
            }
        }
        let mut other = Client::new(&self.config);
        let mut fields = FieldLines::new();
        fields.append("host", "noise").expect("a valid field");
        let get = Request::new("GET", "/", &fields);
        other.request(&get, BodyPlan::Empty, &mut Vec::new()).expect("a request");
        let _ = other.poll(b"HTTP/1.0 404 Noise\r\nn: 1\r\nm: 2\r\n\r\n", &mut self.table, NOW);
    }

    fn into_transcript(mut self) -> Transcript {
        self.scribble();
        let last =
            self.client.poll(&self.input, &mut self.table, NOW).map(|step| own(&self.input, &step.event));
        let last = match last.expect("an error is not reported twice") {
            Seen::Closed(_) => Seen::Closed(self.client.close_action()),
            last => last,
        };
        self.push(last);
        Transcript {
            seen: self.seen,
            out: self.out,
            reuse: self.client.reuse(),
            unanswered: self.client.unanswered(),
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
        version: head.version().as_str(),
        status: head.status(),
        reason: head.reason().to_vec(),
        body: head.body(),
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
