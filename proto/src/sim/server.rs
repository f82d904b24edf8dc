//! The server's end of a simulation: a correct loop around `http1::Server`.

use alloc::string::String;
use alloc::vec::Vec;

use super::link::Link;
use super::message::{Received, Sending, own};
use super::{Body, Peer, Socket};
use crate::http1::server::Event;
use crate::http1::{BodyMode, BodyPlan, RequestHead, ResponseHead, Server};
use crate::{Config, FieldLines, FieldTable, Instant, RecvError, SendError, StatusCode};

/// What to answer a request with.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status; [`StatusCode::OK`] by default. 101, and a 2xx to CONNECT, switch protocols: then
    /// the pieces of the body are sent as the other protocol's bytes, and the sending side ends.
    pub status: StatusCode,
    /// The fields of the head.
    pub fields: FieldLines,
    /// The body.
    pub body: Body,
    /// `103 Early Hints` sent before it.
    pub hints: Vec<FieldLines>,
    /// Answer when the head of the request is there, not when the whole request is.
    pub early: bool,
}

/// A server: reads requests, keeps what it read, and answers each with what `respond` says. That is
/// called when the head of a request is there.
#[derive(Debug)]
pub struct ServerPeer<F> {
    core: Server,
    table: FieldTable,
    link: Link,
    respond: F,
    reply: Option<Reply>,
    sending: Option<Sending>,
    /// The requests that were read.
    pub requests: Vec<Received>,
    /// The errors of the client's, and what was answered too late.
    pub errors: Vec<RecvError>,
    /// Bytes received after a switch of protocols.
    pub tunnel: Vec<u8>,
}

impl<F: FnMut(&Received) -> Reply> ServerPeer<F> {
    /// A server with these limits and deadlines.
    pub fn new(config: &Config, respond: F) -> Self {
        Self {
            core: Server::new(config),
            table: FieldTable::new(config),
            link: Link::new(),
            respond,
            reply: None,
            sending: None,
            requests: Vec::new(),
            errors: Vec::new(),
            tunnel: Vec::new(),
        }
    }

    /// The connection.
    pub const fn core(&self) -> &Server {
        &self.core
    }

    /// Whether the other end broke the connection.
    pub const fn was_reset(&self) -> bool {
        self.link.reset
    }

    /// Acts on one event. Returns whether there may be another.
    fn event(&mut self, now: Instant) -> bool {
        let Self { core, table, link, requests, .. } = self;
        let step = match core.poll(link.input.data(), table, now) {
            Ok(step) => step,
            Err(error) => {
                self.fail(error);
                return true;
            }
        };
        let mut consumed = step.consumed;
        let (head, end) = (matches!(step.event, Event::Request(_)), matches!(step.event, Event::End));
        let request = requests.last_mut();
        let more = match step.event {
            Event::Request(head) => {
                requests.push(received(&head));
                true
            }
            Event::Data(data) => {
                if let Some(request) = request {
                    request.content.extend_from_slice(data);
                }
                true
            }
            Event::Trailers(fields) => {
                if let Some(request) = request {
                    request.trailers = own(fields.iter());
                }
                true
            }
            Event::End => {
                if let Some(request) = request {
                    request.complete = true;
                }
                true
            }
            Event::Upgraded => {
                let rest = link.input.data();
                self.tunnel.extend_from_slice(rest);
                consumed = rest.len();
                link.upgraded = true;
                false
            }
            Event::NeedInput | Event::Paused | Event::Closed => false,
        };
        link.input.consume(consumed);
        if head {
            let reply = requests.last().map(&mut self.respond);
            if reply.as_ref().is_some_and(|reply| !reply.early) {
                core.send_continue(link.output.buffer());
            }
            self.reply = reply;
        }
        if end || self.reply.as_ref().is_some_and(|reply| reply.early) {
            self.answer();
        }
        more
    }

    /// Begins the response.
    fn answer(&mut self) {
        let Some(reply) = self.reply.take() else {
            return;
        };
        let out = self.link.output.buffer();
        for hints in &reply.hints {
            // Refused to HTTP/1.0, which is all right.
            let _ = self.core.inform(StatusCode::EARLY_HINTS, hints, out);
        }
        let head = ResponseHead { fields: Some(&reply.fields), ..ResponseHead::new(reply.status) };
        let switches = reply.status == StatusCode::SWITCHING_PROTOCOLS
            || (reply.status.is_success() && self.requests.last().is_some_and(is_connect));
        let plan = if switches { BodyPlan::Upgrade } else { reply.body.plan() };
        match self.core.respond(&head, plan, out) {
            Ok(BodyMode::None) => {}
            Ok(mode) => {
                self.link.upgraded = mode == BodyMode::Upgraded;
                self.sending = Some(Sending::new(reply.body));
            }
            Err(_) => self.core.abort(),
        }
    }

    /// Sends what there is room for.
    fn send(&mut self, socket: &mut Socket<'_>) {
        while self.link.has_room() {
            let Some(sending) = &mut self.sending else {
                return;
            };
            let piece = sending.pieces.next();
            if self.link.upgraded {
                match piece {
                    Some(piece) => self.link.output.push(piece),
                    None if !self.link.output.is_empty() => return,
                    None => {
                        self.link.finish(socket);
                        self.sending = None;
                    }
                }
                continue;
            }
            let sent = if let Some(piece) = piece {
                self.core.frame_data(piece.len() as u64, false).map(|framing| {
                    self.link.output.buffer().extend_from_slice(framing.prefix());
                    self.link.output.push(piece);
                    self.link.output.buffer().extend_from_slice(framing.suffix());
                })
            } else {
                let trailers = sending.trailers.take();
                self.sending = None;
                let out = self.link.output.buffer();
                // Trailers are dropped where the framing has none.
                match self.core.finish(trailers.as_ref(), out) {
                    Err(SendError::TrailersForbidden) => self.core.finish(None, out),
                    finished => finished,
                }
            };
            if sent.is_err() {
                self.sending = None;
                self.core.abort();
            }
        }
    }

    fn fail(&mut self, error: RecvError) {
        self.errors.push(error);
        self.reply = None;
        self.sending = None;
        self.core.fail(&error, None, self.link.output.buffer());
    }
}

impl<F: FnMut(&Received) -> Reply> Peer for ServerPeer<F> {
    fn turn(&mut self, socket: &mut Socket<'_>) {
        let now = socket.now();
        if self.link.closed {
            return;
        }
        if let Err(error) = self.core.handle_timeout(now) {
            self.fail(error);
        }
        loop {
            self.send(socket);
            while self.link.has_room() && self.event(now) {}
            self.send(socket);
            if !self.link.transport(&mut self.core, socket) {
                break;
            }
        }
        if self.link.upgraded && self.link.ended() && self.sending.is_none() && !self.link.closed {
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

fn received(head: &RequestHead<'_>) -> Received {
    let mut start = String::from(head.method());
    start.push(' ');
    start.push_str(head.target());
    Received { start, fields: own(head.fields().iter()), ..Received::default() }
}

fn is_connect(request: &Received) -> bool {
    request.start.starts_with("CONNECT ")
}
