//! The server's side of an HTTP/1 connection: its public face and the receiving half.
#![expect(
    clippy::inline_always,
    reason = "counted: a call of `poll` costs as much as what it does for a chunk"
)]

use alloc::vec::Vec;
use core::num::NonZeroUsize;

use super::body::BodyMode;
use super::deadline::{Deadlines, Expired, Waiting};
use super::head::offset;
use super::offer::Offer;
use super::reader::{Piece, Reader};
use super::request::{RequestHead, Version};
use super::start_line::MethodKind;
use super::state::{CloseAction, Receive, Received, Send, Sent};
use crate::{Config, FieldTable, Fields, HttpDate, Instant, RecvError, Step, work};

/// One connection, seen from the server (RFC 9112). No sockets, no clock: bytes and times go in,
/// events and bytes come out.
///
/// The caller owns the input. It gives what it has to [`poll`](Self::poll) (or
/// [`advance`](Self::advance)), drops the consumed bytes, acts on the event, and calls again until
/// it gets `NeedInput`, `Paused` or `Closed`. Bytes that were not consumed are given again as the
/// beginning of the next input. A response may be written as soon as its request was seen.
///
/// After an error the connection takes no further request: [`fail`](Self::fail) writes the answer
/// if one can still be sent, and [`close_action`](Self::close_action) tells how to go on.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) receive: Receive,
    pub(super) send: Send,
    pub(super) close: CloseAction,
    pub(super) reader: Reader,
    pub(super) deadlines: Deadlines,
    /// Bytes of an unwanted body that may be thrown away, at most and still.
    max_drain: u32,
    pub(super) drain: u32,
    /// Nobody reads the rest of the body.
    pub(super) discards: bool,
    /// How the body of the response is framed, and for `Length` how much of it is missing.
    pub(super) mode: BodyMode,
    pub(super) exchange: Exchange,
    pub(super) draining: bool,
    pub(super) end_of_input: bool,
    linger_off: bool,
}

/// What the response has to know of its request.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) version: Version,
    pub(super) method: MethodKind,
    pub(super) keep_alive: bool,
    pub(super) offer: Offer,
    /// The client may be waiting for `100 Continue`, and none was sent.
    pub(super) expects_continue: bool,
}

impl Exchange {
    /// Before the first request.
    pub(super) const NONE: Self = Self {
        version: Version::Http11,
        method: MethodKind::Other,
        keep_alive: false,
        offer: Offer::NONE,
        expects_continue: false,
    };
}

/// What [`Server::poll`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// The head of a request. Its body follows as `Data`, then `End`; without a body just `End`.
    Request(RequestHead<'b>),
    /// A piece of the body, never empty.
    Data(&'b [u8]),
    /// The trailer section, if it has fields. They are not merged into the head (RFC 9110 §6.5.1).
    Trailers(Fields<'b>),
    /// The request is complete.
    End,
    /// Call again with more input, or after [`Server::end_of_input`].
    NeedInput,
    /// The request is complete; the next one is not looked at before its response is.
    Paused,
    /// The connection has left HTTP; the rest of the input is the new protocol's.
    Upgraded,
    /// No more requests. See [`Server::close_action`].
    Closed,
}

/// An [`Event`] without its bytes, for callers that own the input and the table: see
/// [`Server::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Build the view by [`RequestHead::new`].
    Request,
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
    /// See [`Event::Paused`].
    Paused,
    /// See [`Event::Upgraded`].
    Upgraded,
    /// See [`Event::Closed`].
    Closed,
}

impl Server {
    /// A connection on which nothing has happened.
    pub const fn new(config: &Config) -> Self {
        Self {
            receive: Receive::Head,
            send: Send::Idle,
            close: CloseAction::None,
            reader: Reader::new(config),
            deadlines: Deadlines::new(config),
            max_drain: config.max_drain_bytes,
            drain: 0,
            discards: false,
            mode: BodyMode::None,
            exchange: Exchange::NONE,
            draining: false,
            end_of_input: false,
            linger_off: config.linger_timeout.is_zero(),
        }
    }

    /// Looks at the input and returns the next event.
    ///
    /// `fields` is scratch space: it is written when a head or trailers are complete and read by
    /// the views in the event, nothing else.
    ///
    /// # Errors
    /// [`RecvError`] if the peer broke a rule. Nothing of the input is consumed then.
    #[inline(always)]
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
            Kind::Request => Event::Request(RequestHead::new(input, fields)),
            Kind::Data { at, len } => Event::Data(input.get(at..at.saturating_add(len)).unwrap_or_default()),
            Kind::Trailers => Event::Trailers(fields.trailers(input)),
            Kind::End => Event::End,
            Kind::NeedInput => Event::NeedInput,
            Kind::Paused => Event::Paused,
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
    #[inline(always)]
    fn chunk(&mut self, input: &[u8], now: Instant) -> Option<(usize, usize)> {
        work::step(1);
        if !self.reader.in_chunks() {
            return None;
        }
        self.plain_chunk(input, now).map(|(at, len)| (at, len.get()))
    }

    #[inline(never)]
    fn plain_chunk(&mut self, input: &[u8], now: Instant) -> Option<(usize, NonZeroUsize)> {
        if self.receive != Receive::Body || self.send == Send::Complete {
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
        let responded = self.send == Send::Complete;
        // A request without a body, or whose body is read, is done when its response is: nobody is told
        // of its end any more.
        if responded && self.request_complete() {
            self.receive = self.receive.on(Received::End);
            self.next_exchange();
        }
        let result = match self.receive {
            Receive::Head => self.advance_head(input, fields, now),
            Receive::Body if self.reader.remaining() == Some(0) => Ok(self.end_body(now)),
            Receive::Body => self.advance_body(input, fields, now),
            Receive::Ended => Ok(Step { consumed: 0, event: Kind::Paused }),
            Receive::Upgraded => Ok(Step { consumed: 0, event: Kind::Upgraded }),
            Receive::Closed => Ok(Step { consumed: input.len(), event: Kind::Closed }),
        };
        let closed = matches!(result, Ok(Step { event: Kind::Closed, .. }));
        if closed && self.close_action() == CloseAction::Linger {
            self.deadlines.wait(Waiting::Linger, now);
        }
        if result.is_err() {
            self.break_off(now);
        }
        result
    }

    fn advance_head(
        &mut self,
        input: &[u8],
        fields: &mut FieldTable,
        now: Instant,
    ) -> Result<Step<Kind>, RecvError> {
        // An empty line before a request line begins no request (RFC 9112 §2.2).
        if matches!(input, b"" | b"\r" | b"\r\n") {
            if self.end_of_input || self.draining {
                self.stop(CloseAction::AfterFlush);
                return Ok(Step { consumed: input.len(), event: Kind::Closed });
            }
            self.deadlines.wait(Waiting::Request, now);
            return Ok(Step { consumed: 0, event: Kind::NeedInput });
        }
        let Some(consumed) = self.reader.request(input, fields)? else {
            if self.end_of_input {
                return Err(RecvError::UnexpectedEnd);
            }
            self.deadlines.wait(Waiting::Head, now);
            return Ok(Step { consumed: 0, event: Kind::NeedInput });
        };
        let head = &fields.head;
        let offer = if head.offers_upgrade {
            Offer::new(RequestHead::new(input, fields).fields().get_all("upgrade"))
        } else {
            Offer::NONE
        };
        self.exchange = Exchange {
            version: head.version,
            method: head.method,
            keep_alive: head.keep_alive,
            offer,
            expects_continue: head.expect_continue,
        };
        self.drain = self.max_drain;
        self.discards = false;
        self.deadlines.wait(Waiting::Nothing, now);
        self.receive = self.receive.on(Received::Head);
        self.send = self.send.on(Sent::Begin);
        Ok(Step { consumed, event: Kind::Request })
    }

    /// Data has arrived: a client that sends it has stopped waiting for `100 Continue`.
    #[inline]
    fn received(&mut self, len: usize, now: Instant) {
        self.exchange.expects_continue = false;
        self.deadlines.wait(Waiting::Body, now);
        self.deadlines.received(len, now);
    }

    #[inline(never)]
    fn advance_body(
        &mut self,
        input: &[u8],
        fields: &mut FieldTable,
        now: Instant,
    ) -> Result<Step<Kind>, RecvError> {
        // Nobody wants what follows a complete response: it is thrown away, up to a limit.
        let unwanted = self.send == Send::Complete;
        let mut at = 0_usize;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let (used, piece) = self.reader.body(rest, fields)?;
            // Chunk lines count: a client that sends them has stopped waiting.
            self.exchange.expects_continue &= used == 0;
            match piece {
                Piece::Data { at: data, len } => {
                    self.received(len, now);
                    if !unwanted {
                        return Ok(Step { consumed: used, event: Kind::Data { at: data, len } });
                    }
                    let Some(left) = self.drain.checked_sub(offset(len)) else {
                        return Ok(self.give_up_draining(input));
                    };
                    self.drain = left;
                }
                Piece::Trailers if unwanted => {}
                Piece::Trailers => return Ok(Step { consumed: used, event: Kind::Trailers }),
                Piece::NeedInput => {
                    if self.end_of_input {
                        return Err(RecvError::UnexpectedEnd);
                    }
                    if unwanted && self.exceeds_drain() {
                        return Ok(self.give_up_draining(input));
                    }
                    // A client that waits for `100 Continue` is not slow.
                    if !self.exchange.expects_continue {
                        self.deadlines.wait(Waiting::Body, now);
                    }
                    return Ok(Step { consumed: at.saturating_add(used), event: Kind::NeedInput });
                }
                Piece::End => {
                    let step = self.end_body(now);
                    if !unwanted {
                        return Ok(Step { consumed: used, ..step });
                    }
                    self.next_exchange();
                    let at = at.saturating_add(used);
                    let step = self.advance_head(input.get(at..).unwrap_or_default(), fields, now)?;
                    if step.event == Kind::Request {
                        fields.head.start = fields.head.start.saturating_add(offset(at));
                    }
                    return Ok(Step { consumed: step.consumed.saturating_add(at), ..step });
                }
            }
            at = at.saturating_add(used);
        }
    }

    fn end_body(&mut self, now: Instant) -> Step<Kind> {
        self.receive = self.receive.on(Received::End);
        self.deadlines.wait(Waiting::Nothing, now);
        Step { consumed: 0, event: Kind::End }
    }

    /// Whether more of the body is to come than may be thrown away.
    pub(super) fn exceeds_drain(&self) -> bool {
        self.reader.remaining().is_some_and(|left| left > u64::from(self.drain))
    }

    /// Nobody will read the rest of the body of this request. If more of it is announced than may be
    /// thrown away, the response will say that the connection closes: to be told before
    /// [`respond`](Self::respond). `Data` and `End` come as before.
    ///
    /// Without it a response whose head leaves before its request is complete may say that the
    /// connection persists: the body of one may be made from that of the other.
    pub fn discard_body(&mut self) {
        self.discards = true;
    }

    /// Whether nobody reads on, and more is to come than may be thrown away.
    pub(super) fn gives_up_body(&self, ends_here: bool) -> bool {
        (ends_here || self.discards) && self.exceeds_drain()
    }

    fn give_up_draining(&mut self, input: &[u8]) -> Step<Kind> {
        self.stop(CloseAction::Linger);
        Step { consumed: input.len(), event: Kind::Closed }
    }

    fn next_exchange(&mut self) {
        self.receive = self.receive.on(Received::Next);
        self.send = self.send.on(Sent::Next);
    }

    /// No more requests. What the sending half has begun may still be finished.
    pub(super) fn stop(&mut self, how: CloseAction) {
        self.receive = self.receive.on(Received::Close);
        if matches!(self.send, Send::Idle | Send::Complete) {
            self.send = self.send.on(Sent::Close);
        }
        self.close = how;
        self.deadlines.stop_receiving();
    }

    /// The peer is wrong: no more requests, and only an answer to the error.
    fn break_off(&mut self, now: Instant) {
        self.receive = self.receive.on(Received::Close);
        self.close = CloseAction::Linger;
        self.deadlines.wait(Waiting::Nothing, now);
    }

    /// The peer will send nothing more. Call [`poll`](Self::poll) again, to learn what that means.
    pub fn end_of_input(&mut self, now: Instant) {
        self.end_of_input = true;
        if self.receive == Receive::Closed {
            self.deadlines.wait(Waiting::Nothing, now);
        }
    }

    /// Whether more input is of use now. `false` while a response is awaited, after an upgrade, and
    /// at the end; a caller may still read, to notice that its peer is gone.
    pub fn wants_read(&self) -> bool {
        match self.receive {
            _ if self.end_of_input => false,
            Receive::Head | Receive::Body => true,
            Receive::Ended | Receive::Upgraded => false,
            Receive::Closed => self.close == CloseAction::Linger,
        }
    }

    /// Tells the connection that the caller does not read the body for a while (`held`), or reads
    /// again. To be told again with each turn in which it is so. The least rate of a body is not
    /// asked of a client that nobody listens to.
    pub fn hold_body(&mut self, held: bool, now: Instant) {
        self.deadlines.hold(held, now);
    }

    /// Reports an attempt to write: whether the peer took at least a byte, and whether output is
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

    /// Acts on the deadlines that have passed by `now`; does nothing if none has.
    ///
    /// # Errors
    /// [`RecvError::HeadTimeout`], [`RecvError::BodyTimeout`] or [`RecvError::WriteTimeout`], to be
    /// handled as an error of [`poll`](Self::poll). An idle connection closes without an error, and
    /// so does one that lingered long enough.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), RecvError> {
        let Some(expired) = self.deadlines.expired(now) else {
            return Ok(());
        };
        let error = match expired {
            Expired::Write => {
                self.abort();
                return Err(RecvError::WriteTimeout);
            }
            Expired::Receive(Waiting::Nothing | Waiting::Response | Waiting::Continue) => return Ok(()),
            Expired::Receive(Waiting::Request) => {
                self.stop(CloseAction::AfterFlush);
                self.deadlines.wait(Waiting::Nothing, now);
                return Ok(());
            }
            Expired::Receive(Waiting::Linger) => {
                self.close = CloseAction::AfterFlush;
                self.deadlines.wait(Waiting::Nothing, now);
                return Ok(());
            }
            Expired::Receive(Waiting::Head) => RecvError::HeadTimeout,
            Expired::Receive(Waiting::Body) => RecvError::BodyTimeout,
        };
        self.break_off(now);
        Err(error)
    }

    /// No new exchanges: a request whose first byte was given is still served, with
    /// `Connection: close`; without one the next [`poll`](Self::poll) returns `Closed`.
    pub fn shutdown(&mut self) {
        self.draining = true;
    }

    /// Gives up: nothing more can be sent or received. For a body that cannot be completed, so that
    /// the client sees it broken off.
    pub fn abort(&mut self) {
        self.receive = self.receive.on(Received::Close);
        self.send = self.send.on(Sent::Close);
        self.close = CloseAction::Abort;
        self.deadlines.stop_receiving();
        self.deadlines.stop_sending();
    }

    /// What to do with the transport now.
    pub fn close_action(&self) -> CloseAction {
        // A response that has begun is finished first.
        if matches!(self.send, Send::Head | Send::Body) && self.close != CloseAction::Abort {
            return CloseAction::None;
        }
        match self.close {
            CloseAction::Linger if self.end_of_input || self.linger_off => CloseAction::AfterFlush,
            action => action,
        }
    }

    /// Whether a response was begun and is not complete, or a request waits for one.
    pub fn is_busy(&self) -> bool {
        matches!(self.send, Send::Head | Send::Body)
    }

    /// Whether the body of the request is complete.
    pub(super) fn request_complete(&self) -> bool {
        self.receive == Receive::Ended
            || (self.receive == Receive::Body && self.reader.remaining() == Some(0))
    }

    /// Answers an error of [`poll`](Self::poll) or [`handle_timeout`](Self::handle_timeout) with
    /// its status, if no response was begun, and ends the connection either way. Returns whether an
    /// answer was written.
    pub fn fail(&mut self, error: &RecvError, date: Option<&HttpDate>, out: &mut Vec<u8>) -> bool {
        let can_answer = matches!(self.send, Send::Idle | Send::Head) && self.close != CloseAction::Abort;
        if can_answer {
            self.write_error(*error, date, out);
        }
        match self.send {
            Send::Body => self.abort(),
            // The bytes are the other protocol's, and so is their end.
            Send::Upgraded => {}
            _ => {
                let close = if self.close == CloseAction::None { CloseAction::Linger } else { self.close };
                self.stop(close);
                self.send = self.send.on(Sent::Close);
            }
        }
        can_answer
    }
}
