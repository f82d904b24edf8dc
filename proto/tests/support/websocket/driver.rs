//! A small program around a connection, and what it has seen of it.

use sinew_proto::Instant;
use sinew_proto::http1::CloseAction;
use sinew_proto::websocket::{
    CloseCode, CloseFrame, Config, Connection, DeflateParams, Event, MessageKind, ProtocolError,
};

pub(crate) const NOW: Instant = Instant::from_nanos(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

impl Role {
    pub(crate) const BOTH: [Self; 2] = [Self::Server, Self::Client];

    pub(crate) fn other(self) -> Self {
        if self == Self::Server { Self::Client } else { Self::Server }
    }

    /// Whether the frames that it sends are masked.
    pub(crate) fn masks(self) -> bool {
        self == Self::Client
    }

    pub(crate) fn connection(self, config: &Config, key: [u8; 4]) -> Connection {
        match self {
            Self::Server => Connection::server(config, NOW),
            Self::Client => Connection::client(config, Box::new(move || key), NOW),
        }
    }
}

/// One side, and what it does by itself.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) config: Config,
    /// What was agreed on compression.
    pub(crate) deflate: Option<DeflateParams>,
    /// The close frames that are written before anything is received: one, or none.
    pub(crate) closes: Vec<Option<(u16, String)>>,
    /// Calls `write_control` only when everything was received.
    pub(crate) answers_late: bool,
    /// The input ends.
    pub(crate) end: bool,
}

impl Setup {
    pub(crate) fn new(role: Role) -> Self {
        let (config, closes) = (Config::default(), Vec::new());
        Self { role, config, deflate: None, closes, answers_late: false, end: false }
    }
}

/// An event, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    /// Adjacent pieces of a message are one.
    Piece(MessageKind, Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Error(ProtocolError),
    NeedInput,
    Closed,
}

impl Seen {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.as_bytes().to_vec()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Piece { kind, data, last } => Self::Piece(*kind, data.to_vec(), *last),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Close(frame) => {
                Self::Close(frame.map(|frame| (frame.code.as_u16(), frame.reason.to_owned())))
            }
            Event::NeedInput => Self::NeedInput,
            Event::Closed => Self::Closed,
        }
    }

    /// Adds it to `seen`. How much of a message that turns out to be no text was handed out before
    /// depends on how it arrived: it is left out.
    pub(crate) fn push_to(self, seen: &mut Vec<Self>) {
        if let (Self::Piece(_, more, last), Some(Self::Piece(_, data, false))) = (&self, seen.last()) {
            let joined = [&data[..], more].concat();
            if let Some(Self::Piece(_, data, complete)) = seen.last_mut() {
                (*data, *complete) = (joined, *last);
            }
            return;
        }
        let not_text = self == Self::Error(ProtocolError::InvalidUtf8);
        if not_text && matches!(seen.last(), Some(Self::Piece(_, _, false))) {
            seen.pop();
        }
        seen.push(self);
    }
}

/// What was seen, and what was left at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) seen: Vec<Seen>,
    pub(crate) out: Vec<u8>,
    pub(crate) action: CloseAction,
    pub(crate) reads: bool,
}

/// Gives the parts to a connection, one after the other.
pub(crate) fn run<'p>(setup: &Setup, parts: impl IntoIterator<Item = &'p [u8]>) -> Transcript {
    let plain = setup.role.connection(&setup.config, super::frames::KEY);
    let connection = match &setup.deflate {
        Some(terms) => plain.with_deflate(terms),
        None => plain,
    };
    let mut side = Side {
        connection,
        waiting: Vec::new(),
        seen: Vec::new(),
        out: Vec::new(),
        answers_late: setup.answers_late,
        over: false,
    };
    for close in &setup.closes {
        let frame = close.as_ref().map(|(code, reason)| CloseFrame { code: CloseCode::new(*code), reason });
        side.connection.close(frame, NOW, &mut side.out).expect("nothing was closed before");
    }
    let mut last = Seen::NeedInput;
    for part in parts {
        side.waiting.extend_from_slice(part);
        last = side.receive();
    }
    if setup.end {
        side.connection.end_of_input();
        last = side.receive();
    }
    side.write_control();
    last.push_to(&mut side.seen);
    let (action, reads) = (side.connection.close_action(), side.connection.wants_read());
    Transcript { seen: side.seen, out: side.out, action, reads }
}

struct Side {
    connection: Connection,
    waiting: Vec<u8>,
    seen: Vec<Seen>,
    out: Vec<u8>,
    answers_late: bool,
    /// A close frame or an error was seen.
    over: bool,
}

impl Side {
    /// Looks at what is there, until more is needed or nothing is of interest any more.
    fn receive(&mut self) -> Seen {
        loop {
            let given = self.waiting.clone();
            let (consumed, seen) = match self.connection.poll(&mut self.waiting, NOW) {
                Ok(step) => (step.consumed, Seen::of(&step.event)),
                Err(error) => (0, Seen::Error(error)),
            };
            assert!(consumed <= given.len(), "no more is consumed than there is");
            let is_error = matches!(seen, Seen::Error(_));
            assert!(is_error || self.waiting[consumed..] == given[consumed..], "what is left is not altered");
            assert!(!self.over || seen == Seen::Closed, "{seen:?} after the end");
            self.waiting.drain(..consumed);
            match seen {
                Seen::NeedInput => return Seen::NeedInput,
                Seen::Closed => {
                    assert!(self.over && self.waiting.is_empty(), "everything is thrown away");
                    return Seen::Closed;
                }
                Seen::Error(error) => {
                    self.over = true;
                    let before = self.out.len();
                    let told = self.connection.fail(error, NOW, &mut self.out);
                    assert_eq!(told, self.out.len() > before);
                    assert!(!self.connection.can_send());
                }
                _ => {
                    assert!(consumed > 0, "{seen:?} from nothing");
                    self.over = matches!(seen, Seen::Close(_));
                }
            }
            seen.push_to(&mut self.seen);
            if !self.answers_late {
                self.write_control();
            }
        }
    }

    fn write_control(&mut self) {
        let before = self.out.len();
        let wrote = self.connection.write_control(NOW, &mut self.out);
        assert_eq!(wrote, self.out.len() > before);
        assert!(!self.connection.write_control(NOW, &mut self.out), "once is enough");
    }
}
