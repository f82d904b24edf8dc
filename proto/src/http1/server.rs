//! The server's side of an HTTP/1 connection: its public face and the receiving half.

use alloc::vec::Vec;

use super::chunked::{Chunked, Found};
use super::deadline::{Deadlines, Expired, Waiting};
use super::head::{self, MethodKind, Progress, Section};
use super::request::{BodyLength, RequestHead, Version};
use super::response::BodyMode;
use super::state::{Receive, Received, Send, Sent};
use crate::{Config, FieldTable, Fields, HttpDate, Instant, RecvError, Step};

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
    limits: Limits,
    pub(super) receive: Receive,
    pub(super) send: Send,
    pub(super) close: CloseAction,
    body: Body,
    progress: Progress,
    deadlines: Deadlines,
    /// Bytes of an unwanted body that may still be thrown away.
    drain: u64,
    /// How the body of the response is framed, and for `Length` how much of it is missing.
    pub(super) mode: BodyMode,
    pub(super) exchange: Exchange,
    pub(super) draining: bool,
    end_of_input: bool,
    linger_off: bool,
}

/// What the response has to know of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) version: Version,
    pub(super) method: MethodKind,
    pub(super) keep_alive: bool,
    pub(super) offers_upgrade: bool,
    /// The client may be waiting for `100 Continue`, and none was sent.
    pub(super) expects_continue: bool,
}

#[derive(Clone, Debug)]
struct Limits {
    head: u32,
    target: u32,
    chunk_extensions: u32,
    trailers: u32,
    drain: u32,
}

#[derive(Clone, Copy, Debug)]
enum Body {
    Length(u64),
    Chunked(Chunked),
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

/// What to do with the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseAction {
    /// Keep it open.
    None,
    /// Send what is still to be sent, then close.
    AfterFlush,
    /// Send what is still to be sent, shut down the sending side, go on reading and giving the
    /// input to `poll` (which throws it away) until this becomes `AfterFlush`: at the end of the
    /// input, or when the linger deadline passes (RFC 9112 §9.6).
    Linger,
    /// Close at once; what was not sent is lost.
    Abort,
}

impl Server {
    /// A connection on which nothing has happened.
    pub const fn new(config: &Config) -> Self {
        Self {
            limits: Limits {
                head: config.max_head_bytes,
                target: config.max_target_bytes,
                chunk_extensions: config.max_chunk_extension_bytes,
                trailers: config.max_trailer_bytes,
                drain: config.max_drain_bytes,
            },
            receive: Receive::Head,
            send: Send::Idle,
            close: CloseAction::None,
            body: Body::Length(0),
            progress: Progress::NONE,
            deadlines: Deadlines::new(config),
            drain: 0,
            mode: BodyMode::None,
            exchange: Exchange {
                version: Version::Http11,
                method: MethodKind::Other,
                keep_alive: false,
                offers_upgrade: false,
                expects_continue: false,
            },
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
    pub fn poll<'b>(
        &mut self,
        input: &'b [u8],
        fields: &'b mut FieldTable,
        now: Instant,
    ) -> Result<Step<Event<'b>>, RecvError> {
        let Step { consumed, event } = self.advance(input, fields, now)?;
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
    pub fn advance(
        &mut self,
        input: &[u8],
        fields: &mut FieldTable,
        now: Instant,
    ) -> Result<Step<Kind>, RecvError> {
        let result = match self.receive {
            Receive::Head => self.advance_head(input, fields, now),
            Receive::Body => self.advance_body(input, fields, now),
            Receive::Ended if self.send == Send::Complete => {
                self.next_exchange();
                self.advance_head(input, fields, now)
            }
            Receive::Ended => Ok(Step { consumed: 0, event: Kind::Paused }),
            Receive::Upgraded => Ok(Step { consumed: 0, event: Kind::Upgraded }),
            Receive::Closed => {
                if self.close_action() == CloseAction::Linger {
                    self.deadlines.wait(Waiting::Linger, now);
                }
                Ok(Step { consumed: input.len(), event: Kind::Closed })
            }
        };
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
        let section = Section::Head { max_bytes: self.limits.head, max_target: self.limits.target };
        let Some(consumed) = head::parse(input, &mut self.progress, section, fields)? else {
            if self.end_of_input {
                return Err(RecvError::UnexpectedEnd);
            }
            self.deadlines.wait(Waiting::Head, now);
            return Ok(Step { consumed: 0, event: Kind::NeedInput });
        };
        let head = &fields.head;
        self.body = match head.body {
            BodyLength::None => Body::Length(0),
            BodyLength::Known(length) => Body::Length(length),
            BodyLength::Chunked => Body::Chunked(Chunked::new(self.limits.chunk_extensions)),
        };
        self.exchange = Exchange {
            version: head.version,
            method: head.method,
            keep_alive: head.keep_alive,
            offers_upgrade: head.offers_upgrade,
            expects_continue: head.expect_continue,
        };
        self.drain = u64::from(self.limits.drain);
        self.deadlines.wait(Waiting::Nothing, now);
        self.receive = self.receive.on(Received::Head);
        self.send = self.send.on(Sent::Request);
        Ok(Step { consumed, event: Kind::Request })
    }

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
            let (used, event) = self.body_step(rest, fields)?;
            // Chunk lines count: a client that sends them has stopped waiting.
            self.exchange.expects_continue &= used == 0;
            match event {
                Kind::Data { at: data, len } => {
                    self.deadlines.wait(Waiting::Body, now);
                    self.deadlines.received(len, now);
                    if !unwanted {
                        return Ok(Step { consumed: used, event: Kind::Data { at: data, len } });
                    }
                    let Some(left) = self.drain.checked_sub(len as u64) else {
                        return Ok(self.give_up_draining(input));
                    };
                    self.drain = left;
                }
                Kind::Trailers if unwanted => {}
                Kind::NeedInput => {
                    if self.end_of_input {
                        return Err(RecvError::UnexpectedEnd);
                    }
                    if matches!(self.body, Body::Length(left) if unwanted && left > self.drain) {
                        return Ok(self.give_up_draining(input));
                    }
                    // A client that waits for `100 Continue` is not slow.
                    if !self.exchange.expects_continue {
                        self.deadlines.wait(Waiting::Body, now);
                    }
                    return Ok(Step { consumed: at.saturating_add(used), event: Kind::NeedInput });
                }
                Kind::End => {
                    self.receive = self.receive.on(Received::End);
                    self.deadlines.wait(Waiting::Nothing, now);
                    if !unwanted {
                        return Ok(Step { consumed: used, event: Kind::End });
                    }
                    self.next_exchange();
                    let at = at.saturating_add(used);
                    let step = self.advance_head(input.get(at..).unwrap_or_default(), fields, now)?;
                    if step.event == Kind::Request {
                        fields.head.start =
                            fields.head.start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
                    }
                    return Ok(Step { consumed: step.consumed.saturating_add(at), ..step });
                }
                other => {
                    return Ok(Step { consumed: used, event: other });
                }
            }
            at = at.saturating_add(used);
        }
    }

    /// The next thing in the body: the bytes it took, and what it is.
    fn body_step(&mut self, input: &[u8], fields: &mut FieldTable) -> Result<(usize, Kind), RecvError> {
        match &mut self.body {
            Body::Length(0) => Ok((0, Kind::End)),
            Body::Length(_) if input.is_empty() => Ok((0, Kind::NeedInput)),
            Body::Length(left) => {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left = left.saturating_sub(len as u64);
                Ok((len, Kind::Data { at: 0, len }))
            }
            Body::Chunked(chunked) => {
                let (mut used, found) =
                    if chunked.in_trailers() { (0, Found::Trailers) } else { chunked.advance(input)? };
                match found {
                    Found::NeedInput => Ok((used, Kind::NeedInput)),
                    Found::Data { at } => Ok((used, Kind::Data { at, len: used.saturating_sub(at) })),
                    Found::Trailers => {
                        let section = Section::Trailers { max_bytes: self.limits.trailers };
                        let rest = input.get(used..).unwrap_or_default();
                        let Some(len) = head::parse(rest, &mut self.progress, section, fields)? else {
                            return Ok((used, Kind::NeedInput));
                        };
                        fields.head.start = u32::try_from(used).unwrap_or(u32::MAX);
                        fields.head.len = u32::try_from(len).unwrap_or(u32::MAX);
                        used = used.saturating_add(len);
                        self.body = Body::Length(0);
                        Ok((used, if fields.spans().is_empty() { Kind::End } else { Kind::Trailers }))
                    }
                }
            }
        }
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
    /// again. The least rate of a body is not asked of a client that nobody listens to.
    pub fn hold_body(&mut self, held: bool, now: Instant) {
        self.deadlines.hold(held, now);
    }

    /// Reports an attempt to write: whether the peer took at least a byte, and whether output is
    /// still waiting. Arms and clears the write deadline.
    pub fn written(&mut self, progress: bool, pending: bool, now: Instant) {
        if self.close != CloseAction::Abort {
            self.deadlines.written(progress, pending, now);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before. May change
    /// with every call of another method; what is waited for is settled by [`poll`](Self::poll), so
    /// ask after it.
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
            Expired::Receive(Waiting::Nothing) => return Ok(()),
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
        if matches!(self.send, Send::Pending | Send::Body) && self.close != CloseAction::Abort {
            return CloseAction::None;
        }
        match self.close {
            CloseAction::Linger if self.end_of_input || self.linger_off => CloseAction::AfterFlush,
            action => action,
        }
    }

    /// Whether a response was begun and is not complete, or a request waits for one.
    pub fn is_busy(&self) -> bool {
        matches!(self.send, Send::Pending | Send::Body)
    }

    /// Whether the body of the request is complete.
    pub(super) fn request_complete(&self) -> bool {
        self.receive == Receive::Ended
            || matches!((self.receive, &self.body), (Receive::Body, Body::Length(0)))
    }

    /// Answers an error of [`poll`](Self::poll) or [`handle_timeout`](Self::handle_timeout) with
    /// its status, if no response was begun, and ends the connection either way. Returns whether an
    /// answer was written.
    pub fn fail(&mut self, error: &RecvError, date: Option<&HttpDate>, out: &mut Vec<u8>) -> bool {
        let can_answer = matches!(self.send, Send::Idle | Send::Pending) && self.close != CloseAction::Abort;
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
