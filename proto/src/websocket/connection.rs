//! One side of a connection: the receiving half, the deadlines, the end.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "deflate")]
use super::compression::Compression;
use super::deadline::{Deadlines, Expired};
use super::frame::{Header, MAX_CONTROL, Mask, Opcode, Short};
use super::message::{MessageKind, Partial, Whole};
use super::send::Sending;
use super::{CloseFrame, Config, Event, ProtocolError, utf8};
use crate::http1::CloseAction;
use crate::{Instant, Step, work};

/// One side of a WebSocket connection, after the handshake (RFC 6455).
///
/// It owns no buffer but for a message that arrives in pieces: the caller gives what it received and
/// gets events that borrow from it. Frames are unmasked in place.
///
/// ```
/// use sinew_proto::Instant;
/// use sinew_proto::websocket::{Config, Connection, Event, Message};
///
/// let now = Instant::from_nanos(0);
/// let mut server = Connection::server(&Config::default(), now);
///
/// // "Hello" as a client sends it (RFC 6455 §5.7).
/// let mut input = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// let step = server.poll(&mut input, now)?;
/// assert_eq!(step.consumed, 11);
/// let Event::Text(text) = step.event else { panic!("a whole frame was given") };
///
/// let mut out = Vec::new();
/// server.send(Message::Text(&text), &mut out)?;
/// assert_eq!(out, b"\x81\x05Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A loop around it gives input to [`poll`](Self::poll) until that asks for more, then calls
/// [`write_control`](Self::write_control) for what the connection has to say by itself, and sends what
/// was written.
pub struct Connection {
    limits: Limits,
    receive: Receive,
    /// The frame whose payload is awaited.
    frame: Frame,
    /// The message that has begun.
    message: Option<Partial>,
    end_of_input: bool,
    /// How many bytes were left in the input. What is more than that is new; much is never left.
    unread: u8,
    close: CloseAction,
    pub(super) sending: Sending,
    pub(super) deadlines: Deadlines,
    #[cfg(feature = "deflate")]
    pub(super) compression: Option<Box<Compression>>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    message: u64,
    frame: u64,
    /// The smaller one of both.
    whole: u64,
    /// Messages of fewer bytes take the short way, if they come in one frame.
    short: usize,
    fragments: u32,
    stream: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receive {
    Header,
    Payload,
    /// Nothing that comes is looked at.
    Closed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    left: u64,
    fin: bool,
    mask: Mask,
}

/// Compressed bytes that are looked at for one piece: they may become a thousand times as many.
#[cfg(feature = "deflate")]
const INFLATE_STEP: usize = 1024;

impl Connection {
    /// The server's side of a connection that was accepted at `now`.
    pub fn server(config: &Config, now: Instant) -> Self {
        Self::new(config, Sending::server(), now)
    }

    /// The client's side of a connection that was accepted at `now`.
    ///
    /// `mask` gives a fresh masking key for every frame. The keys must come from a strong source of
    /// randomness, so that scripts cannot choose what goes over the wire (RFC 6455 §5.3, §10.3).
    pub fn client(config: &Config, mask: Box<dyn FnMut() -> [u8; 4] + Send>, now: Instant) -> Self {
        Self::new(config, Sending::client(mask), now)
    }

    fn new(config: &Config, sending: Sending, now: Instant) -> Self {
        let whole = config.max_frame_bytes.min(config.max_message_bytes);
        let never = sending.is_client() || config.stream || config.max_fragments == 0;
        let short = if never { 0 } else { whole.saturating_add(1) };
        Self {
            limits: Limits {
                message: config.max_message_bytes,
                frame: config.max_frame_bytes,
                whole,
                short: usize::try_from(short).unwrap_or(usize::MAX),
                fragments: config.max_fragments,
                stream: config.stream,
            },
            receive: Receive::Header,
            frame: Frame::default(),
            message: None,
            end_of_input: false,
            unread: 0,
            close: CloseAction::None,
            sending,
            deadlines: Deadlines::new(config, now),
            #[cfg(feature = "deflate")]
            compression: None,
        }
    }

    /// Compresses messages, as the handshake has agreed (RFC 7692). Its memory is taken when the first
    /// compressed message comes or goes: see [`DeflateConfig`](super::DeflateConfig).
    #[cfg(feature = "deflate")]
    pub fn with_deflate(mut self, terms: &super::DeflateParams) -> Self {
        self.compression = Some(Box::new(Compression::new(terms, self.sending.is_client())));
        self
    }

    /// Looks at the next bytes.
    ///
    /// `input` begins with what earlier calls did not consume, unchanged. Bytes that are not consumed
    /// are not altered either; those that are consumed belong to the event. An input buffer needs room
    /// for 131 bytes in one piece, the longest control frame.
    ///
    /// # Errors
    /// [`ProtocolError`] if the peer breaks a rule or ends without a close frame; hand it to
    /// [`fail`](Self::fail). After that there is only [`Event::Closed`].
    #[inline]
    pub fn poll<'b>(&mut self, input: &'b mut [u8], now: Instant) -> Result<Step<Event<'b>>, ProtocolError> {
        let Some(frame) = self.short_frame(input) else {
            return self.poll_any(input, now);
        };
        let consumed = frame.consumed();
        let payload = self.take_short(frame, input, now);
        if !frame.text {
            return Ok(Step { consumed, event: Event::Binary(Cow::Borrowed(payload)) });
        }
        if let Some(text) = utf8::whole(payload) {
            return Ok(Step { consumed, event: Event::Text(Cow::Borrowed(text)) });
        }
        self.stop_receiving();
        Err(ProtocolError::InvalidUtf8)
    }

    /// The most frequent case of [`poll`](Self::poll) alone: a binary message of at most 125 bytes to
    /// a server, whole and not compressed. Returns its payload; that and
    /// the six bytes before it are consumed. `None` means anything else, and that nothing has happened.
    ///
    /// For a loop whose messages are small and many: an [`Event`] costs as much as such a message.
    #[inline]
    pub fn poll_short<'b>(&mut self, input: &'b mut [u8], now: Instant) -> Option<&'b [u8]> {
        let frame = self.short_frame(input).filter(|frame| !frame.text)?;
        Some(self.take_short(frame, input, now))
    }

    #[inline]
    fn short_frame(&self, input: &[u8]) -> Option<Short> {
        if self.receive != Receive::Header || self.message.is_some() {
            return None;
        }
        Short::parse(input).filter(|frame| frame.len < self.limits.short)
    }

    /// What [`receive`](Self::receive) does with such a frame, in a fraction of the time.
    #[inline]
    fn take_short<'b>(&mut self, frame: Short, input: &'b mut [u8], now: Instant) -> &'b [u8] {
        let payload = input.get_mut(Short::HEADER..frame.consumed()).unwrap_or_default();
        work::step(frame.consumed());
        let mut mask = frame.mask;
        mask.apply(payload);
        self.unread = 0;
        self.deadlines.heard(now);
        payload
    }

    fn poll_any<'b>(&mut self, input: &'b mut [u8], now: Instant) -> Result<Step<Event<'b>>, ProtocolError> {
        let given = input.len();
        match self.receive(input) {
            Ok(step) => {
                if step.consumed > 0 || given > usize::from(self.unread) {
                    self.deadlines.heard(now);
                }
                self.unread = u8::try_from(given.saturating_sub(step.consumed)).unwrap_or(u8::MAX);
                if matches!(step.event, Event::Close(_)) {
                    self.await_end(now);
                }
                Ok(step)
            }
            Err(error) => {
                self.stop_receiving();
                Err(error)
            }
        }
    }

    fn receive<'b>(&mut self, mut input: &'b mut [u8]) -> Result<Step<Event<'b>>, ProtocolError> {
        let mut consumed = 0_usize;
        loop {
            match self.receive {
                Receive::Header => {}
                Receive::Payload => {
                    let len = self.step_len(input.len());
                    let (piece, rest) = input.split_at_mut_checked(len).unwrap_or_default();
                    input = rest;
                    consumed = consumed.saturating_add(len);
                    if let Some(event) = self.payload(piece)? {
                        return Ok(Step { consumed, event });
                    }
                    if self.receive == Receive::Payload && input.is_empty() {
                        return self.need_input(consumed);
                    }
                    continue;
                }
                Receive::Closed => {
                    let consumed = consumed.saturating_add(input.len());
                    return Ok(Step { consumed, event: Event::Closed });
                }
            }
            let Some(header) = Header::parse(input, !self.sending.is_client())? else {
                return self.need_input(consumed);
            };
            let rest = input.len().saturating_sub(header.size);
            if header.opcode.is_control() {
                // At most 125 bytes: they are awaited.
                let len = usize::try_from(header.len).unwrap_or(MAX_CONTROL);
                if rest < len {
                    return self.need_input(consumed);
                }
                let payload = header.payload(input, len);
                let consumed = consumed.saturating_add(header.size).saturating_add(len);
                return self.control(header.opcode, payload).map(|event| Step { consumed, event });
            }
            self.begin_frame(&header)?;
            let plain = self.message.is_none() && header.fin && !header.compressed && !self.limits.stream;
            if plain && header.len <= rest as u64 {
                let len = usize::try_from(header.len).unwrap_or(rest);
                let consumed = consumed.saturating_add(header.size).saturating_add(len);
                work::step(len);
                let payload: &'b [u8] = header.payload(input, len);
                let event = if header.opcode == Opcode::Text {
                    Event::Text(Cow::Borrowed(utf8::whole(payload).ok_or(ProtocolError::InvalidUtf8)?))
                } else {
                    Event::Binary(Cow::Borrowed(payload))
                };
                return Ok(Step { consumed, event });
            }
            let message = self.message.get_or_insert_with(|| {
                let text = header.opcode == Opcode::Text;
                let kind = if text { MessageKind::Text } else { MessageKind::Binary };
                Partial::new(kind, header.compressed)
            });
            message.fragments = message.fragments.saturating_add(1);
            self.frame = Frame { left: header.len, fin: header.fin, mask: header.mask };
            self.receive = Receive::Payload;
            input = input.split_at_mut_checked(header.size).unwrap_or_default().1;
            consumed = consumed.saturating_add(header.size);
        }
    }

    /// Whether this frame may come now, is not too large, and is not one too many.
    #[inline]
    fn begin_frame(&self, header: &Header) -> Result<(), ProtocolError> {
        let (size, fragments) = match (&self.message, header.opcode) {
            (None, Opcode::Continuation) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(_), Opcode::Text | Opcode::Binary) => return Err(ProtocolError::ExpectedContinuation),
            (Some(message), _) => (message.size, message.fragments),
            (None, _) => (0, 0),
        };
        if header.compressed && (self.message.is_some() || !self.inflates()) {
            return Err(ProtocolError::ReservedBits);
        }
        if header.len > self.limits.whole.saturating_sub(size) {
            if header.len > self.limits.frame {
                return Err(ProtocolError::FrameTooLarge);
            }
            let compressed =
                header.compressed || self.message.as_ref().is_some_and(|message| message.compressed);
            // What is compressed is measured when it is not any more.
            if !compressed && size.saturating_add(header.len) > self.limits.message {
                return Err(ProtocolError::MessageTooLarge);
            }
        }
        if fragments >= self.limits.fragments {
            return Err(ProtocolError::TooManyFragments);
        }
        Ok(())
    }

    #[cfg(feature = "deflate")]
    fn inflates(&self) -> bool {
        self.compression.is_some()
    }

    #[cfg(not(feature = "deflate"))]
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    fn inflates(&self) -> bool {
        false
    }

    /// How much of the payload is looked at in one step.
    fn step_len(&self, available: usize) -> usize {
        let left = usize::try_from(self.frame.left).unwrap_or(usize::MAX).min(available);
        #[cfg(feature = "deflate")]
        if self.limits.stream && self.message.as_ref().is_some_and(|message| message.compressed) {
            return left.min(INFLATE_STEP);
        }
        left
    }

    /// The next bytes of the payload.
    fn payload<'b>(&mut self, piece: &'b mut [u8]) -> Result<Option<Event<'b>>, ProtocolError> {
        work::step(piece.len());
        self.frame.mask.apply(piece);
        self.frame.left = self.frame.left.saturating_sub(piece.len() as u64);
        let frame_complete = self.frame.left == 0;
        if frame_complete {
            self.receive = Receive::Header;
        }
        let last = frame_complete && self.frame.fin;
        // There always is one while a payload is awaited.
        let Some(mut message) = self.message.take() else {
            return Ok(None);
        };
        #[cfg(feature = "deflate")]
        if message.compressed {
            return self.inflate(message, piece, last);
        }
        if self.limits.stream {
            message.check(piece)?;
            return self.piece(message, Cow::Borrowed(piece), last);
        }
        message.push(piece, self.frame.fin.then_some(self.frame.left))?;
        self.keep(message, last)
    }

    #[cfg(feature = "deflate")]
    fn inflate<'b>(
        &mut self,
        mut message: Partial,
        piece: &[u8],
        last: bool,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let Some(compression) = &mut self.compression else {
            return Err(ProtocolError::ReservedBits);
        };
        let left = self.limits.message.saturating_sub(message.size);
        let limit = usize::try_from(left).unwrap_or(usize::MAX);
        let (inflated, result) = compression.inflate(piece, last, limit);
        let mut data = Vec::new();
        if self.limits.stream {
            message.check(inflated)?;
            data.extend_from_slice(inflated);
        } else {
            message.push(inflated, last.then_some(0))?;
        }
        result?;
        if last {
            compression.end_of_message();
        }
        if self.limits.stream {
            return self.piece(message, Cow::Owned(data), last);
        }
        self.keep(message, last)
    }

    /// Hands out a piece of a message.
    fn piece<'b>(
        &mut self,
        message: Partial,
        data: Cow<'b, [u8]>,
        last: bool,
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        let kind = message.kind;
        if last {
            message.check_end()?;
        } else {
            self.message = Some(message);
        }
        Ok((last || !data.is_empty()).then_some(Event::Piece { kind, data, last }))
    }

    /// Keeps a message, or hands it out if it is complete.
    fn keep<'b>(&mut self, message: Partial, last: bool) -> Result<Option<Event<'b>>, ProtocolError> {
        if !last {
            self.message = Some(message);
            return Ok(None);
        }
        Ok(Some(match message.finish()? {
            Whole::Text(text) => Event::Text(Cow::Owned(text)),
            Whole::Binary(bytes) => Event::Binary(Cow::Owned(bytes)),
        }))
    }

    fn control<'b>(&mut self, opcode: Opcode, payload: &'b [u8]) -> Result<Event<'b>, ProtocolError> {
        match opcode {
            Opcode::Ping => {
                self.sending.answer_ping(payload);
                Ok(Event::Ping(payload))
            }
            Opcode::Close => {
                let frame = CloseFrame::parse(payload)?;
                self.sending.answer_close(frame.map(|frame| frame.code));
                self.stop_receiving();
                self.settle_close();
                Ok(Event::Close(frame))
            }
            _ => Ok(Event::Pong(payload)),
        }
    }

    fn need_input<'b>(&self, consumed: usize) -> Result<Step<Event<'b>>, ProtocolError> {
        if self.end_of_input {
            return Err(ProtocolError::UnexpectedEnd);
        }
        Ok(Step { consumed, event: Event::NeedInput })
    }

    fn stop_receiving(&mut self) {
        self.receive = Receive::Closed;
        self.message = None;
        #[cfg(feature = "deflate")]
        if let Some(compression) = &mut self.compression {
            compression.stop_inflating();
        }
    }

    /// Both sides have closed: the server ends the connection, the client waits for that
    /// (RFC 6455 §7.1.1).
    pub(super) fn settle_close(&mut self) {
        let both = self.receive == Receive::Closed && self.sending.is_closed();
        if both && self.close == CloseAction::None && !self.sending.is_client() {
            self.close = CloseAction::Linger;
        }
    }

    /// The peer will send nothing more. Call [`poll`](Self::poll) again, to learn what that means.
    pub fn end_of_input(&mut self) {
        self.end_of_input = true;
        if self.receive == Receive::Closed {
            self.deadlines.ended();
        }
    }

    /// From now on the end is waited for, unless it has come.
    pub(super) fn await_end(&mut self, now: Instant) {
        if self.receive == Receive::Closed && self.end_of_input {
            self.deadlines.ended();
        } else {
            self.deadlines.closing(now);
        }
    }

    /// Whether more input is of use now.
    pub fn wants_read(&self) -> bool {
        let waits =
            self.receive != Receive::Closed || self.is_waiting_for_end() || self.close == CloseAction::Linger;
        waits && !self.end_of_input
    }

    /// A client that has closed waits for the server to end the connection.
    fn is_waiting_for_end(&self) -> bool {
        self.receive == Receive::Closed && self.close == CloseAction::None
    }

    /// Tells the connection that the caller does not read for a while (`held`), because nobody takes
    /// the messages, or reads again. To be told again with each turn in which it is so. Nothing is
    /// asked of a peer that nobody listens to.
    pub fn hold_input(&mut self, held: bool, now: Instant) {
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
    /// with every call of another method.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Acts on the deadlines that have passed by `now`; does nothing if none has. A ping that is due
    /// is written by [`write_control`](Self::write_control).
    ///
    /// # Errors
    /// [`ProtocolError::PongTimeout`] or [`ProtocolError::WriteTimeout`], to be handled as an error of
    /// [`poll`](Self::poll). A peer that does not close in time is no error any more: the connection
    /// ends.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), ProtocolError> {
        match self.deadlines.expired(now) {
            None => Ok(()),
            Some(Expired::Ping) => {
                self.sending.ask();
                Ok(())
            }
            Some(Expired::Close) => {
                let lingered = self.receive == Receive::Closed;
                self.abort();
                if lingered {
                    self.close = CloseAction::AfterFlush;
                }
                Ok(())
            }
            Some(Expired::Pong) => {
                self.abort();
                Err(ProtocolError::PongTimeout)
            }
            Some(Expired::Write) => {
                self.abort();
                Err(ProtocolError::WriteTimeout)
            }
        }
    }

    /// Gives up: nothing more is sent or received.
    pub fn abort(&mut self) {
        self.stop_receiving();
        self.sending.stop();
        self.close = CloseAction::Abort;
        self.deadlines.stop();
    }

    /// What to do with the transport now.
    pub fn close_action(&self) -> CloseAction {
        match self.close {
            CloseAction::Linger if self.end_of_input => CloseAction::AfterFlush,
            CloseAction::None
                if self.is_waiting_for_end() && self.sending.is_closed() && self.end_of_input =>
            {
                CloseAction::AfterFlush
            }
            action => action,
        }
    }

    /// Ends the connection for an error of [`poll`](Self::poll) or
    /// [`handle_timeout`](Self::handle_timeout): writes a close frame that tells why, if there is
    /// somebody to tell. Returns whether one was written.
    pub fn fail(&mut self, error: ProtocolError, now: Instant, out: &mut Vec<u8>) -> bool {
        self.stop_receiving();
        let code = error.close_code();
        let told = code.is_sendable()
            && self.close != CloseAction::Abort
            && self.sending.close(Some(CloseFrame { code, reason: error.message() }), out).is_ok();
        self.sending.stop();
        if self.close == CloseAction::None {
            if code.is_sendable() {
                self.close = CloseAction::Linger;
                self.await_end(now);
            } else {
                self.close = CloseAction::AfterFlush;
                self.deadlines.ended();
            }
        }
        told
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("receive", &self.receive)
            .field("message", &self.message)
            .field("close", &self.close)
            .field("sending", &self.sending)
            .finish_non_exhaustive()
    }
}
