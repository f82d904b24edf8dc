//! The client's end of a simulation: a correct loop around `http1::Client`.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::link::Link;
use super::message::{Received, Sending, own};
use super::{Body, Peer, Socket};
use crate::http1::client::{Event, Request, Response};
use crate::http1::{BodyMode, Client};
use crate::{Config, FieldLines, FieldTable, Instant, RecvError, SendError};

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// The fields, `Host` among them.
    pub fields: FieldLines,
    /// The body.
    pub body: Body,
    /// Send it before the responses to those before it are complete, if that is allowed.
    pub pipelined: bool,
    /// Sent as the other protocol's bytes if the connection is switched by it.
    pub tunnel: Vec<u8>,
}

impl Ask {
    /// A request without a body.
    pub fn new(method: &str, target: &str, fields: FieldLines) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            fields,
            body: Body::default(),
            pipelined: false,
            tunnel: Vec::new(),
        }
    }
}

/// What came back for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The interim responses.
    pub interim: Vec<Received>,
    /// The final response, as far as it came.
    pub response: Option<Received>,
}

/// A client: sends requests one after the other and keeps what it gets for each. When all are
/// answered it closes.
#[derive(Debug)]
pub struct ClientPeer {
    core: Client,
    table: FieldTable,
    link: Link,
    asks: VecDeque<Ask>,
    sending: Option<Sending>,
    tunnel_out: Vec<u8>,
    /// One for each request that was sent.
    pub answers: Vec<Answer>,
    /// How many of them are complete.
    answered: usize,
    /// What the server did wrong.
    pub error: Option<RecvError>,
    /// A request that the connection would not send.
    pub refused: Option<SendError>,
    /// Bytes received after a switch of protocols.
    pub tunnel: Vec<u8>,
}

impl ClientPeer {
    /// A client with these limits and deadlines, that sends these requests.
    pub fn new(config: &Config, asks: impl IntoIterator<Item = Ask>) -> Self {
        Self {
            core: Client::new(config),
            table: FieldTable::new(config),
            link: Link::new(),
            asks: asks.into_iter().collect(),
            sending: None,
            tunnel_out: Vec::new(),
            answers: Vec::new(),
            answered: 0,
            error: None,
            refused: None,
            tunnel: Vec::new(),
        }
    }

    /// The connection.
    pub const fn core(&self) -> &Client {
        &self.core
    }

    /// How many requests were not sent.
    pub fn unsent(&self) -> usize {
        self.asks.len()
    }

    /// Whether the other end broke the connection.
    pub const fn was_reset(&self) -> bool {
        self.link.reset
    }

    /// Sends the next request, if it is its turn.
    fn ask(&mut self) {
        while let Some(ask) = self.asks.front() {
            let waits = !ask.pipelined && self.core.unanswered() > 0;
            if waits || !self.link.has_room() || self.core.check_ready() == Err(SendError::NotReady) {
                return;
            }
            let request = Request::new(&ask.method, &ask.target, &ask.fields);
            let sent = self.core.request(&request, ask.body.plan(), self.link.output.buffer());
            let Some(ask) = self.asks.pop_front() else { return };
            match sent {
                Ok(mode) => {
                    self.answers.push(Answer::default());
                    self.tunnel_out = ask.tunnel;
                    if mode != BodyMode::None {
                        self.sending = Some(Sending::new(ask.body));
                    }
                }
                Err(error) => {
                    self.asks.push_front(ask);
                    self.refused = Some(error);
                    self.core.shutdown();
                    return;
                }
            }
        }
        if self.core.unanswered() == 0 && !self.link.upgraded {
            self.core.shutdown();
        }
    }

    /// Sends of the body what there is room for.
    fn send(&mut self, socket: &mut Socket<'_>) {
        if self.link.upgraded && self.link.output.is_empty() {
            if self.tunnel_out.is_empty() {
                self.link.finish(socket);
            } else {
                self.link.output.push(core::mem::take(&mut self.tunnel_out));
            }
        }
        if !self.core.sends_body() {
            self.sending = None;
        }
        while self.link.has_room() && !self.core.awaits_continue() {
            let Some(sending) = &mut self.sending else {
                return;
            };
            let sent = if let Some(piece) = sending.pieces.next() {
                self.core.frame_data(piece.len() as u64, false).map(|framing| {
                    self.link.output.buffer().extend_from_slice(framing.prefix());
                    self.link.output.push(piece);
                    self.link.output.buffer().extend_from_slice(framing.suffix());
                })
            } else {
                let trailers = sending.trailers.take();
                self.sending = None;
                self.core.finish(trailers.as_ref(), self.link.output.buffer())
            };
            if sent.is_err() {
                self.sending = None;
                self.core.abort();
            }
        }
    }

    /// Acts on one event. Returns whether there may be another.
    fn event(&mut self, now: Instant) -> bool {
        let Self { core, table, link, answers, .. } = self;
        let step = match core.poll(link.input.data(), table, now) {
            Ok(step) => step,
            Err(error) => {
                self.error = Some(error);
                return false;
            }
        };
        let mut consumed = step.consumed;
        let answer = answers.get_mut(self.answered);
        let response = answer.and_then(|answer| match &step.event {
            Event::Interim(head) => {
                answer.interim.push(received(head));
                None
            }
            Event::Response(head) => Some(answer.response.insert(received(head))),
            _ => answer.response.as_mut(),
        });
        let more = match (step.event, response) {
            (Event::Data(data), Some(response)) => {
                response.content.extend_from_slice(data);
                true
            }
            (Event::Trailers(fields), Some(response)) => {
                response.trailers = own(fields.iter());
                true
            }
            (Event::End, Some(response)) => {
                response.complete = true;
                self.answered = self.answered.saturating_add(1);
                true
            }
            (Event::Upgraded, response) => {
                if let Some(response) = response {
                    response.complete = true;
                }
                let rest = link.input.data();
                self.tunnel.extend_from_slice(rest);
                consumed = rest.len();
                link.upgraded = true;
                false
            }
            (Event::NeedInput | Event::Idle | Event::Closed, _) => false,
            _ => true,
        };
        link.input.consume(consumed);
        more
    }
}

impl Peer for ClientPeer {
    fn turn(&mut self, socket: &mut Socket<'_>) {
        let now = socket.now();
        if self.link.closed {
            return;
        }
        if let Err(error) = self.core.handle_timeout(now) {
            self.error = Some(error);
        }
        loop {
            self.ask();
            self.send(socket);
            while self.event(now) {}
            // A response may let the next request follow, or the body.
            self.ask();
            self.send(socket);
            if !self.link.transport(&mut self.core, socket) {
                break;
            }
        }
        let over = self.link.upgraded && self.link.ended() && self.link.output.is_empty();
        if over && self.tunnel_out.is_empty() && !self.link.closed {
            socket.close();
            self.link.closed = true;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.link.closed { None } else { self.core.poll_timeout() }
    }

    fn is_done(&self) -> bool {
        self.link.closed
    }
}

fn received(head: &Response<'_>) -> Received {
    Received {
        start: head.status().as_u16().to_string(),
        fields: own(head.fields().iter()),
        ..Received::default()
    }
}
