//! The client's side of an HTTP/1 connection: its public face and the receiving half.

use core::num::NonZeroUsize;

use super::body::BodyMode;
use super::deadline::{Deadlines, Expired, Waiting};
use super::offer::Offer;
use super::reader::{Piece, Reader};
use super::request::Version;
pub use super::response::Response;
pub use super::send_request::Request;
use super::start_line::MethodKind;
use super::state::{CloseAction, Receive, Received, Send, Sent};
use crate::{Config, FieldTable, Fields, Instant, RecvError, StatusCode, Step, work};

/// One connection, seen from the client (RFC 9112). No sockets, no clock: bytes and times go in,
/// events and bytes come out.
///
/// The contract is that of [`Server`](super::Server): the caller owns the input, gives what it has
/// to [`poll`](Self::poll) (or [`advance`](Self::advance)), drops the consumed bytes, acts on the
/// event, and calls again until it gets `NeedInput`, `Idle`, `Upgraded` or `Closed`. Before it sends
/// another request it has read and given what the socket holds: bytes that came before a request are
/// no response to it.
///
/// Up to [`MAX_PIPELINED`](Self::MAX_PIPELINED) requests may be on their way; responses come in the
/// order of the requests (RFC 9112 §9.3.2). After an error nothing can be sent or received any more,
/// and [`unanswered`](Self::unanswered) tells how many requests had no complete response.
///
/// ```
/// use sinew_proto::http1::{BodyPlan, Client, client::{Event, Request}};
/// use sinew_proto::{Config, FieldLines, FieldTable, Instant, StatusCode};
///
/// let config = Config::default();
/// let (mut client, mut table) = (Client::new(&config), FieldTable::new(&config));
/// let now = Instant::from_nanos(0);
/// let mut fields = FieldLines::new();
/// fields.append("Host", "example.org")?;
///
/// let mut out = Vec::new();
/// client.request(&Request::new("GET", "/hello", &fields), BodyPlan::Empty, &mut out)?;
/// assert_eq!(out, b"GET /hello HTTP/1.1\r\nHost: example.org\r\n\r\n");
///
/// let input = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
/// let step = client.poll(input, &mut table, now)?;
/// let Event::Response(response) = step.event else { panic!("a whole head was given") };
/// assert_eq!(response.status(), StatusCode::OK);
/// let step = client.poll(&input[step.consumed..], &mut table, now)?;
/// assert_eq!(step.event, Event::Data(b"hi"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) receive: Receive,
    pub(super) send: Send,
    close: CloseAction,
    reader: Reader,
    pub(super) deadlines: Deadlines,
    /// How the body of the request is framed, and for `Length` how much of it is missing.
    pub(super) mode: BodyMode,
    pub(super) awaited: Awaited,
    /// What the request sent last offers to switch to.
    pub(super) offer: Offer,
    /// The version of the last response.
    pub(super) server: Version,
    /// Whether another request may follow the one sent last before its response is there.
    pub(super) may_be_followed: bool,
    /// The request sent last is the last one of the connection.
    pub(super) last_request: bool,
    /// The body of the request waits for `100 Continue`.
    pub(super) awaits_continue: bool,
    /// Whether the connection persists after the response that is being received.
    persists: bool,
    interim: u8,
    max_interim: u8,
    unsolicited: bool,
    pub(super) draining: bool,
    pub(super) end_of_input: bool,
}

/// The methods of the requests whose responses are not complete, the oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    methods: [MethodKind; Client::MAX_PIPELINED],
    len: usize,
}

impl Awaited {
    pub(super) const fn len(self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, method: MethodKind) {
        if let Some(slot) = self.methods.get_mut(self.len) {
            *slot = method;
            self.len = self.len.saturating_add(1);
        }
    }

    fn first(self) -> MethodKind {
        let [first, ..] = self.methods;
        first
    }

    fn pop(&mut self) {
        self.methods.copy_within(1.., 0);
        self.len = self.len.saturating_sub(1);
    }
}

/// What [`Client::poll`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// An interim response, 1xx but not 101: its request still waits for the final one
    /// (RFC 9110 §15.2).
    Interim(Response<'b>),
    /// The head of the final response to the oldest request without one. Its body follows as `Data`,
    /// then `End`; without a body just `End`. After a `101 Switching Protocols` and a 2xx to CONNECT
    /// comes `Upgraded` instead.
    Response(Response<'b>),
    /// A piece of the body, never empty.
    Data(&'b [u8]),
    /// The trailer section, if it has fields. They are not merged into the head (RFC 9110 §6.5.1).
    Trailers(Fields<'b>),
    /// The response is complete. [`Client::reuse`] tells what the connection is still good for.
    End,
    /// Call again with more input, or after [`Client::end_of_input`].
    NeedInput,
    /// No response is awaited. Input that comes now is an error.
    Idle,
    /// The connection has left HTTP; the rest of the input is the new protocol's.
    Upgraded,
    /// No more responses. See [`Client::close_action`] and [`Client::unanswered`].
    Closed,
}

/// An [`Event`] without its bytes, for callers that own the input and the table: see
/// [`Client::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Build the view by [`Response::new`].
    Interim,
    /// Build the view by [`Response::new`].
    Response,
    /// `len` bytes from `at` in the input.
    Data {
        /// The first byte.
        at: usize,
        /// How many bytes.
        len: usize,
    },
    /// Build the view by [`FieldTable::trailers`].
    Trailers,
    /// See [`Event::End`].
    End,
    /// See [`Event::NeedInput`].
    NeedInput,
    /// See [`Event::Idle`].
    Idle,
    /// See [`Event::Upgraded`].
    Upgraded,
    /// See [`Event::Closed`].
    Closed,
}

/// What a connection is still good for (RFC 9112 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Every exchange is complete, and another one may begin.
    Now,
    /// An exchange is not complete; nothing so far forbids another one after it.
    Later,
    /// There will be no further exchange.
    Never,
}

impl Client {
    /// Most requests that may be without a complete response at a time.
    pub const MAX_PIPELINED: usize = 16;

    /// A connection on which nothing has happened.
    pub const fn new(config: &Config) -> Self {
        Self {
            receive: Receive::Ended,
            send: Send::Head,
            close: CloseAction::None,
            reader: Reader::new(config),
            deadlines: Deadlines::new(config),
            mode: BodyMode::None,
            awaited: Awaited { methods: [MethodKind::Other; Self::MAX_PIPELINED], len: 0 },
            offer: Offer::NONE,
            server: Version::Http11,
            may_be_followed: true,
            last_request: false,
            awaits_continue: false,
            persists: true,
            interim: 0,
            max_interim: config.max_interim_responses,
            unsolicited: false,
            draining: false,
            end_of_input: false,
        }
    }

    /// Looks at the input and returns the next event.
    ///
    /// `fields` is scratch space: it is written when a head or trailers are complete and read by
    /// the views in the event, nothing else.
    ///
    /// # Errors
    /// [`RecvError`] if the server broke a rule. Nothing of the input is consumed then, and the
    /// connection is closed: see [`close_action`](Self::close_action).
    pub fn poll<'b>(
        &mut self,
        input: &'b [u8],
        fields: &'b mut FieldTable,
        now: Instant,
    ) -> Result<Step<Event<'b>>, RecvError> {
        if let Some((at, len)) = self.chunk(input, now) {
            let end = at.saturating_add(len);
            return Ok(Step { consumed: end, event: Event::Data(input.get(at..end).unwrap_or_default()) });
        }
        let Step { consumed, event } = self.advance_any(input, fields, now)?;
        let event = match event {
            Kind::Interim => Event::Interim(Response::new(input, fields)),
            Kind::Response => Event::Response(Response::new(input, fields)),
            Kind::Data { at, len } => Event::Data(input.get(at..at.saturating_add(len)).unwrap_or_default()),
            Kind::Trailers => Event::Trailers(fields.trailers(input)),
            Kind::End => Event::End,
            Kind::NeedInput => Event::NeedInput,
            Kind::Idle => Event::Idle,
            Kind::Upgraded => Event::Upgraded,
            Kind::Closed => Event::Closed,
        };
        Ok(Step { consumed, event })
    }

    /// [`poll`](Self::poll) without a borrow in its result: for a caller that owns the input
    /// buffer, the table and the connection in one place and loops.
    ///
    /// # Errors
    /// As for [`poll`](Self::poll).
    #[inline]
    pub fn advance(
        &mut self,
        input: &[u8],
        fields: &mut FieldTable,
        now: Instant,
    ) -> Result<Step<Kind>, RecvError> {
        match self.chunk(input, now) {
            Some((at, len)) => Ok(Step { consumed: at.saturating_add(len), event: Kind::Data { at, len } }),
            None => self.advance_any(input, fields, now),
        }
    }

    /// Where data begins and how much of it there is, if a plain chunk is next: what most calls in a
    /// chunked body find. It is apart from all the rest, with a result that fits into registers.
    #[inline]
    fn chunk(&mut self, input: &[u8], now: Instant) -> Option<(usize, usize)> {
        work::step(1);
        if !self.reader.in_chunks() {
            return None;
        }
        self.plain_chunk(input, now).map(|(at, len)| (at, len.get()))
    }

    #[inline(never)]
    fn plain_chunk(&mut self, input: &[u8], now: Instant) -> Option<(usize, NonZeroUsize)> {
        if self.receive != Receive::Body {
            return None;
        }
        let (at, len) = self.reader.plain_chunk(input)?;
        self.received(len.get(), now);
        Some((at, len))
    }

    #[inline(never)]
    fn advance_any(
        &mut self,
        input: &[u8],
        fields: &mut FieldTable,
        now: Instant,
    ) -> Result<Step<Kind>, RecvError> {
        let result = match self.receive {
            Receive::Head => self.advance_head(input, fields, now),
            Receive::Body => self.advance_body(input, fields, now),
            Receive::Ended => self.advance_idle(input, now),
            Receive::Upgraded => Ok(Step { consumed: 0, event: Kind::Upgraded }),
            Receive::Closed => Ok(Step { consumed: input.len(), event: Kind::Closed }),
        };
        if result.is_err() {
            self.abort();
        }
        result
    }

    fn advance_idle(&mut self, input: &[u8], now: Instant) -> Result<Step<Kind>, RecvError> {
        if self.unsolicited || !input.is_empty() {
            return Err(RecvError::UnsolicitedResponse);
        }
        if self.end_of_input || (self.draining && self.send != Send::Body) {
            self.stop();
            return Ok(Step { consumed: 0, event: Kind::Closed });
        }
        let what = if self.send == Send::Body { Waiting::Nothing } else { Waiting::Request };
        self.deadlines.wait(what, now);
        Ok(Step { consumed: 0, event: Kind::Idle })
    }

    fn advance_head(
        &mut self,
        input: &[u8],
        fields: &mut FieldTable,
        now: Instant,
    ) -> Result<Step<Kind>, RecvError> {
        if input.is_empty() {
            if self.end_of_input {
                return Err(RecvError::NoResponse);
            }
            // A server that still gets the request is not late with its response.
            let what = match self.send {
                Send::Body if self.awaited.len() > 1 => Waiting::Response,
                Send::Body if self.awaits_continue => Waiting::Continue,
                Send::Body => Waiting::Nothing,
                _ => Waiting::Response,
            };
            self.deadlines.wait(what, now);
            return Ok(Step { consumed: 0, event: Kind::NeedInput });
        }
        let method = self.awaited.first();
        let Some(consumed) = self.reader.response(input, method, fields)? else {
            if self.end_of_input {
                return Err(RecvError::UnexpectedEnd);
            }
            self.deadlines.wait(Waiting::Head, now);
            return Ok(Step { consumed: 0, event: Kind::NeedInput });
        };
        self.deadlines.wait(Waiting::Nothing, now);
        let line = &fields.response;
        self.server = line.version;
        let switches = line.status == StatusCode::SWITCHING_PROTOCOLS;
        if switches && self.send == Send::Body && self.mode == BodyMode::Length(0) {
            // Every byte is out; only the caller has not said so yet.
            self.complete();
        }
        if switches && !self.accepts_switch(&Response::new(input, fields), line.upgrade) {
            return Err(RecvError::UpgradeNotOffered);
        }
        if line.status.is_informational() && !switches {
            if self.interim >= self.max_interim {
                return Err(RecvError::TooManyInterimResponses);
            }
            self.interim = self.interim.saturating_add(1);
            // An earlier request has its responses first (RFC 9112 §9.3.2).
            self.awaits_continue &= self.awaited.len() > 1 || line.status != StatusCode::CONTINUE;
            return Ok(Step { consumed, event: Kind::Interim });
        }
        self.persists = line.keep_alive;
        self.receive = self.receive.on(Received::Head);
        if switches || (method == MethodKind::Connect && line.status.is_success()) {
            self.receive = self.receive.on(Received::Upgrade);
            self.send = self.send.on(Sent::Upgrade);
            self.awaited.pop();
        } else if self.awaits_continue && self.awaited.len() == 1 {
            // The server has answered without the body, so it does not want it.
            self.abandon_body();
        }
        Ok(Step { consumed, event: Kind::Response })
    }

    /// Whether a `101` may come now: for what was offered, in answer to the request that offered it,
    /// after the whole of it, named by `Connection` (RFC 9110 §7.8).
    fn accepts_switch(&self, response: &Response<'_>, named: bool) -> bool {
        named
            && self.awaited.len() == 1
            && self.send == Send::Complete
            && response.version() == Version::Http11
            && self.offer.covers(response.fields().get_all("upgrade"))
    }

    /// Data has arrived.
    #[inline]
    fn received(&mut self, len: usize, now: Instant) {
        self.deadlines.wait(Waiting::Body, now);
        self.deadlines.received(len, now);
    }

    fn advance_body(
        &mut self,
        input: &[u8],
        fields: &mut FieldTable,
        now: Instant,
    ) -> Result<Step<Kind>, RecvError> {
        let (consumed, piece) = self.reader.body(input, fields)?;
        let event = match piece {
            Piece::Data { at, len } => {
                self.received(len, now);
                Kind::Data { at, len }
            }
            Piece::Trailers => Kind::Trailers,
            Piece::NeedInput if !self.end_of_input => {
                self.deadlines.wait(Waiting::Body, now);
                Kind::NeedInput
            }
            Piece::NeedInput if !self.reader.ends_with_connection() => {
                return Err(RecvError::UnexpectedEnd);
            }
            Piece::NeedInput | Piece::End => {
                self.end(input.len() > consumed, now);
                Kind::End
            }
        };
        Ok(Step { consumed, event })
    }

    /// The response is complete; `more` input follows it.
    fn end(&mut self, more: bool, now: Instant) {
        self.receive = self.receive.on(Received::End);
        self.deadlines.wait(Waiting::Nothing, now);
        self.awaited.pop();
        self.interim = 0;
        let last = self.last_request || (self.draining && self.send != Send::Body);
        if !self.persists || (last && self.awaited.len() == 0) {
            self.stop();
        } else if self.awaited.len() > 0 {
            self.receive = self.receive.on(Received::Next);
        } else {
            // Nobody asked for it, not even if a request is sent before it is looked at.
            self.unsolicited = more;
            self.send = self.send.on(Sent::Next).on(Sent::Begin);
        }
    }

    /// No more exchanges.
    pub(super) fn stop(&mut self) {
        if self.send == Send::Body {
            // What is left of a request has nobody to read it.
            self.abort();
            return;
        }
        self.close = CloseAction::AfterFlush;
        self.receive = self.receive.on(Received::Close);
        self.send = self.send.on(Sent::Close);
        self.deadlines.stop_receiving();
    }

    /// The server will send nothing more. Call [`poll`](Self::poll) again, to learn what that means.
    pub fn end_of_input(&mut self, now: Instant) {
        self.end_of_input = true;
        if self.receive == Receive::Closed {
            self.deadlines.wait(Waiting::Nothing, now);
        }
    }

    /// Whether more input is of use now: until the connection is upgraded or closed, also between
    /// exchanges, to notice that the server closed.
    pub fn wants_read(&self) -> bool {
        !self.end_of_input && matches!(self.receive, Receive::Head | Receive::Body | Receive::Ended)
    }

    /// Tells the connection that the caller does not read the body for a while (`held`), or reads
    /// again. To be told again with each turn in which it is so. The least rate of a body is not
    /// asked of a server that nobody listens to.
    pub fn hold_body(&mut self, held: bool, now: Instant) {
        self.deadlines.hold(held, now);
    }

    /// Reports an attempt to write: whether the server took at least a byte, and whether output is
    /// still waiting. Arms and clears the write deadline. A loop that learns of writes when they are
    /// complete reports `(false, true)` when it submits one.
    pub fn written(&mut self, progress: bool, pending: bool, now: Instant) {
        if self.close != CloseAction::Abort {
            self.deadlines.written(progress, pending, now);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before. May change
    /// with every call of another method; what is waited for is settled by [`poll`](Self::poll), so
    /// ask after it: a new connection has no deadline before the first one, which may be without
    /// input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Acts on the deadlines that have passed by `now`; does nothing if none has. When the wait for
    /// `100 Continue` is over, [`awaits_continue`](Self::awaits_continue) becomes `false`.
    ///
    /// # Errors
    /// [`RecvError::ResponseTimeout`], [`RecvError::HeadTimeout`], [`RecvError::BodyTimeout`] or
    /// [`RecvError::WriteTimeout`], to be handled as an error of [`poll`](Self::poll). An idle
    /// connection closes without an error.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), RecvError> {
        let Some(expired) = self.deadlines.expired(now) else {
            return Ok(());
        };
        let error = match expired {
            Expired::Receive(Waiting::Nothing | Waiting::Linger) => return Ok(()),
            Expired::Receive(Waiting::Request) => {
                self.stop();
                return Ok(());
            }
            Expired::Receive(Waiting::Continue) => {
                self.awaits_continue = false;
                self.deadlines.wait(Waiting::Nothing, now);
                return Ok(());
            }
            Expired::Write => RecvError::WriteTimeout,
            Expired::Receive(Waiting::Response) => RecvError::ResponseTimeout,
            Expired::Receive(Waiting::Head) => RecvError::HeadTimeout,
            Expired::Receive(Waiting::Body) => RecvError::BodyTimeout,
        };
        self.abort();
        Err(error)
    }

    /// No new requests. When the last response is complete, [`poll`](Self::poll) returns `Closed`.
    pub fn shutdown(&mut self) {
        self.draining = true;
    }

    /// Gives up: nothing more can be sent or received. For a body that cannot be completed, so that
    /// the server sees it broken off.
    pub fn abort(&mut self) {
        self.receive = self.receive.on(Received::Close);
        self.send = self.send.on(Sent::Close);
        self.close = CloseAction::Abort;
        self.awaits_continue = false;
        self.deadlines.stop_receiving();
        self.deadlines.stop_sending();
    }

    /// What to do with the transport now: `None`, `AfterFlush` or `Abort`.
    pub fn close_action(&self) -> CloseAction {
        self.close
    }

    /// Whether a request is being sent or a response is awaited.
    pub fn is_busy(&self) -> bool {
        self.send == Send::Body || matches!(self.receive, Receive::Head | Receive::Body)
    }

    /// How many requests have no complete response. When the connection is closed they are the ones
    /// that got none; whether to send them again is the caller's decision (RFC 9110 §9.2.2).
    pub fn unanswered(&self) -> usize {
        self.awaited.len()
    }

    /// What the connection is still good for.
    pub fn reuse(&self) -> Reuse {
        let closes = self.close != CloseAction::None
            || self.draining
            || self.end_of_input
            || self.unsolicited
            || self.last_request
            || !self.persists
            || matches!(self.receive, Receive::Upgraded | Receive::Closed);
        match (closes, self.is_busy()) {
            (true, _) => Reuse::Never,
            (false, true) => Reuse::Later,
            (false, false) => Reuse::Now,
        }
    }
}
