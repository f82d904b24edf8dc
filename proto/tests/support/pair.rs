//! A client and a server, connected by two byte buffers.
//!
//! Both are given the same exchanges: one to send the requests, the other to send the responses.
//! Each must read exactly what the other sent, both must come to the same verdict on the connection,
//! and nothing may be left over. Both use one `FieldTable`, as on an event loop.

use sinew_proto::http1::{BodyMode, Client, CloseAction, ResponseLength, Server};
use sinew_proto::{Config, FieldTable, Fields, Instant, RecvError, SendError};

use crate::exchange::{Exchange, Line, Message, Received};
use crate::pieces::Random;

#[path = "pair_client.rs"]
mod client_side;
#[path = "pair_server.rs"]
mod server_side;
#[path = "pair_verdict.rs"]
mod verdict;

/// How bytes get from one side to the other, and how the two take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Each side sends all it can; all of it arrives at once.
    Whole,
    /// One call, then one byte.
    Bytes,
    /// Random turns and random pieces of up to so many bytes, from a seed.
    Random { longest: usize, seed: u64 },
}

/// The connection breaks: of what is sent to one side only so many bytes arrive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) to: usize,
    pub(crate) after: usize,
}

pub(crate) const TO_SERVER: usize = 0;
pub(crate) const TO_CLIENT: usize = 1;

/// What happened.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How many exchanges the server has answered.
    pub(crate) answered: usize,
    /// What the two sides refused to send, each time by a rule of `exchange`.
    pub(crate) refusals: Vec<SendError>,
    /// How many bytes were sent to each side.
    pub(crate) sent: [usize; 2],
    /// What each side saw go wrong; nothing unless the connection was cut.
    pub(crate) errors: [Option<RecvError>; 2],
}

/// Runs the exchanges; `pipelined` sends requests as soon as the client lets it, else only on a
/// connection that is free.
pub(crate) fn run(exchanges: &[Exchange], pipelined: bool, delivery: Delivery) -> Outcome {
    let mut pair = Pair::new(exchanges, pipelined, delivery, None);
    pair.exchange_all();
    pair.check();
    pair.outcome()
}

/// Runs the exchanges over a connection that breaks.
pub(crate) fn run_cut(exchanges: &[Exchange], pipelined: bool, delivery: Delivery, cut: Cut) -> Outcome {
    let mut pair = Pair::new(exchanges, pipelined, delivery, Some(cut));
    pair.exchange_all();
    pair.check_cut(cut);
    pair.outcome()
}

/// The bytes on their way to one side.
#[derive(Debug, Default)]
struct Wire {
    /// Sent, not delivered.
    sent: Vec<u8>,
    /// Delivered, not consumed.
    input: Vec<u8>,
    /// How many bytes were sent up to now, and where each complete message ended.
    total: usize,
    ends: Vec<usize>,
    /// How many more may be delivered.
    left: Option<usize>,
    ended: bool,
    seen: Vec<Received>,
    error: Option<RecvError>,
    /// The other protocol's turn has come.
    upgraded: bool,
    closed: bool,
}

impl Wire {
    fn send(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        self.total += bytes.len();
    }

    fn end_message(&mut self) {
        self.ends.push(self.total);
    }

    /// Whether this side has said its last word.
    fn is_over(&self) -> bool {
        self.upgraded || self.closed || self.error.is_some()
    }
}

struct Pair {
    exchanges: Vec<Exchange>,
    pipelined: bool,
    delivery: Delivery,
    random: Random,
    client: Client,
    server: Server,
    table: FieldTable,
    now: Instant,
    /// To the server and to the client.
    wires: [Wire; 2],
    /// How many requests were begun; the piece of the last one that is to be sent next.
    asked: usize,
    upload: Option<usize>,
    /// How many bytes of its body were sent.
    uploaded: usize,
    /// Where a request ended whose client never said so, if that is not 0.
    unsaid: usize,
    /// How many responses were begun; the piece of the last one that is to be sent next.
    answered: usize,
    download: Option<usize>,
    refusals: Vec<SendError>,
    /// The bytes for the tunnel were sent.
    tunnelled: bool,
    /// The server answered an error: after so many messages, with this status.
    apology: Option<(usize, String)>,
    cut: bool,
}

impl Pair {
    fn new(exchanges: &[Exchange], pipelined: bool, delivery: Delivery, cut: Option<Cut>) -> Self {
        let config = Config::default();
        let seed = if let Delivery::Random { seed, .. } = delivery { seed } else { 0 };
        let mut wires = [Wire::default(), Wire::default()];
        if let Some(cut) = cut {
            wires[cut.to].left = Some(cut.after);
        }
        Self {
            exchanges: exchanges.to_vec(),
            pipelined,
            delivery,
            random: Random::new(seed),
            client: Client::new(&config),
            server: Server::new(&config),
            table: FieldTable::new(&config),
            now: Instant::from_nanos(0),
            wires,
            asked: 0,
            upload: None,
            uploaded: 0,
            unsaid: 0,
            answered: 0,
            download: None,
            refusals: Vec::new(),
            tunnelled: false,
            apology: None,
            cut: cut.is_some(),
        }
    }

    fn outcome(self) -> Outcome {
        let [to_server, to_client] = self.wires;
        Outcome {
            answered: self.answered,
            refusals: self.refusals,
            sent: [to_server.total, to_client.total],
            errors: [to_server.error, to_client.error],
        }
    }

    /// Goes on until neither side has anything to do.
    fn exchange_all(&mut self) {
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 1_000_000, "no end: {:?}", self.exchanges);
            // In random turns some of the parts do nothing.
            let (parts, longest) = match self.delivery {
                Delivery::Whole => (15, usize::MAX),
                Delivery::Bytes => (15, 1),
                Delivery::Random { longest, .. } => (self.random.below(16), longest),
            };
            if self.turn(parts, longest) || self.turn(15, longest) {
                continue;
            }
            // Nothing moves: either the client has waited long enough for `100 Continue`, or the end.
            if !self.client.awaits_continue() || !self.pass_time() {
                if self.end_broken_sides() {
                    continue;
                }
                return;
            }
        }
    }

    fn turn(&mut self, parts: usize, longest: usize) -> bool {
        let all = self.delivery == Delivery::Whole;
        let mut progress = false;
        if parts & 1 != 0 {
            while self.client_step() {
                progress = true;
                if !all {
                    break;
                }
            }
        }
        if parts & 2 != 0 {
            progress |= self.deliver(TO_SERVER, longest);
            progress |= self.poll_server();
        }
        if parts & 4 != 0 {
            while self.server_step() {
                progress = true;
                if !all {
                    break;
                }
            }
        }
        if parts & 8 != 0 {
            progress |= self.deliver(TO_CLIENT, longest);
            progress |= self.poll_client();
        }
        progress
    }

    fn pass_time(&mut self) -> bool {
        let Some(due) = self.client.poll_timeout() else { return false };
        self.now = self.now.max(due);
        if let Err(error) = self.client.handle_timeout(self.now) {
            // A response to an earlier request is lost, and waited for in vain.
            assert!(self.cut, "{error:?}: {:?}", self.exchanges);
            self.wires[TO_CLIENT].error = Some(error);
            self.wires[TO_CLIENT].input.clear();
            return true;
        }
        !self.client.awaits_continue()
    }

    fn deliver(&mut self, to: usize, longest: usize) -> bool {
        let longest = if matches!(self.delivery, Delivery::Random { .. }) {
            1 + self.random.below(longest)
        } else {
            longest
        };
        let wire = &mut self.wires[to];
        let len = wire.sent.len().min(longest).min(wire.left.unwrap_or(usize::MAX));
        wire.input.extend(wire.sent.drain(..len));
        if let Some(left) = &mut wire.left {
            *left -= len;
            // What does not arrive is lost, and the end of the connection is seen.
            if *left == 0 && !wire.ended {
                wire.sent.clear();
                self.end(to);
                return true;
            }
            if *left == 0 {
                wire.sent.clear();
            }
        }
        len > 0
    }

    fn end(&mut self, to: usize) {
        self.wires[to].ended = true;
        if to == TO_SERVER {
            self.server.end_of_input(self.now);
        } else {
            self.client.end_of_input(self.now);
        }
    }

    /// On a broken connection: whoever has closed is seen to have closed.
    fn end_broken_sides(&mut self) -> bool {
        let closed = [self.client.close_action(), self.server.close_action()];
        let mut progress = false;
        for (to, action) in closed.into_iter().enumerate() {
            if self.cut && action != CloseAction::None && !self.wires[to].ended {
                self.end(to);
                progress = true;
            }
        }
        progress
    }
}

/// The message that is being read.
fn last(seen: &mut [Received]) -> &mut Received {
    seen.last_mut().expect("a head comes first")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    NotYet,
    /// The last piece was sent as the last one.
    Said,
    /// The end is still to be sent.
    Unsaid,
}

/// Sends one piece of a body with its framing.
fn send_piece(
    message: &Message,
    at: usize,
    wire: &mut Wire,
    write: impl FnOnce(&[u8], bool, &mut Vec<u8>) -> Result<(), SendError>,
) -> Result<Last, SendError> {
    let Some(piece) = message.pieces.get(at) else { return Ok(Last::Unsaid) };
    let last = message.joined && message.trailers.is_empty() && at + 1 == message.pieces.len();
    let mut framed = Vec::new();
    write(piece, last, &mut framed)?;
    wire.send(&framed);
    Ok(if last { Last::Said } else { Last::NotYet })
}

/// What a side says of the body it sends, against what the other has to read.
fn check_mode(mode: BodyMode, length: ResponseLength, switches: bool) {
    let expected = match length {
        _ if switches => BodyMode::Upgraded,
        ResponseLength::None | ResponseLength::Known(0) => BodyMode::None,
        ResponseLength::Known(length) => BodyMode::Length(length),
        ResponseLength::Chunked => BodyMode::Chunked,
        ResponseLength::CloseDelimited => BodyMode::CloseDelimited,
    };
    assert_eq!(mode, expected);
}

fn own_fields(fields: &Fields<'_>) -> Vec<Line> {
    fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect()
}
