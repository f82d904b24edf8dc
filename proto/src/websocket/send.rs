//! The sending half: messages, fragments, control frames.
//!
//! Invariant: a method that returns an error has written nothing and changed nothing.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::connection::Connection;
use super::frame::{HeaderBytes, MAX_CONTROL, MAX_LEN, Mask, Opcode};
use super::message::MessageKind;
use super::{CloseCode, CloseFrame, SendError};
use crate::Instant;

/// A message to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
}

/// Appends a few bytes in small steps. One wide copy of bytes that were written in small ones a moment
/// ago, by taking off their mask, has to wait for these to reach the cache.
#[inline]
fn append_short(bytes: &[u8], out: &mut Vec<u8>) {
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        if let Ok(block) = <&[u8; 16]>::try_from(block) {
            out.extend_from_slice(block);
        }
    }
    out.extend_from_slice(blocks.remainder());
}

impl Message<'_> {
    /// Writes the message as a server's frame, whole and not compressed. Such a frame is the same on
    /// every connection: it can be made once and sent to many. It may stand wherever
    /// [`Connection::send`] could write it.
    #[inline]
    pub fn write_plain(self, out: &mut Vec<u8>) {
        let (opcode, payload) = self.parts();
        if let Ok(len @ 0..=125) = u8::try_from(payload.len()) {
            // By far the most frequent one: copies of fixed size.
            out.reserve(payload.len().saturating_add(2));
            out.extend_from_slice(&[opcode.first_byte(true, false), len]);
            append_short(payload, out);
        } else {
            let header = HeaderBytes::new(opcode, true, false, payload.len() as u64, None);
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(payload);
        }
    }

    #[inline]
    fn parts(&self) -> (Opcode, &[u8]) {
        match self {
            Message::Text(text) => (Opcode::Text, text.as_bytes()),
            Message::Binary(bytes) => (Opcode::Binary, bytes),
        }
    }
}

/// What stands before a piece of a message that the caller sends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    header: HeaderBytes,
    mask: Mask,
}

impl Fragment {
    /// The header of the frame, at most 14 bytes.
    pub fn prefix(&self) -> &[u8] {
        self.header.as_bytes()
    }

    /// Masks the next bytes of the payload, in order and in pieces of any size. Nothing happens to
    /// those of a server, which are not masked.
    pub fn mask(&mut self, payload: &mut [u8]) {
        self.mask.apply(payload);
    }
}

/// The state of the sending half, without deadlines and compression.
pub(super) struct Sending {
    /// Gives the masking keys of a client.
    masks: Option<Box<dyn FnMut() -> [u8; 4] + Send>>,
    /// A close frame was written, or nothing can be any more.
    closed: bool,
    /// A message was begun by [`Connection::fragment`].
    fragmented: bool,
    ping_due: bool,
    /// The answer to the latest ping.
    pong: Option<Box<Pong>>,
    pong_due: bool,
    /// The answer to a close frame.
    close: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    None,
    Due(Option<CloseCode>),
}

#[derive(Clone, Copy)]
struct Pong {
    bytes: [u8; MAX_CONTROL],
    len: u8,
}

impl Sending {
    pub(super) fn server() -> Self {
        Self {
            masks: None,
            closed: false,
            fragmented: false,
            ping_due: false,
            pong: None,
            pong_due: false,
            close: Answer::None,
        }
    }

    pub(super) fn client(masks: Box<dyn FnMut() -> [u8; 4] + Send>) -> Self {
        Self { masks: Some(masks), ..Self::server() }
    }

    pub(super) fn is_client(&self) -> bool {
        self.masks.is_some()
    }

    /// Whether the close frame is out.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn stop(&mut self) {
        self.closed = true;
        self.ping_due = false;
        self.pong_due = false;
        self.close = Answer::None;
    }

    /// Asks the peer whether it is there.
    pub(super) fn ask(&mut self) {
        self.ping_due = !self.closed;
    }

    pub(super) fn answer_ping(&mut self, payload: &[u8]) {
        let pong = self.pong.get_or_insert_with(|| Box::new(Pong { bytes: [0; MAX_CONTROL], len: 0 }));
        pong.len = 0;
        for (slot, &byte) in pong.bytes.iter_mut().zip(payload) {
            *slot = byte;
            pong.len = pong.len.saturating_add(1);
        }
        self.pong_due = !self.closed;
    }

    pub(super) fn answer_close(&mut self, code: Option<CloseCode>) {
        // Nothing else is of interest to a peer that has closed.
        self.ping_due = false;
        self.pong_due = false;
        if !self.closed {
            self.close = Answer::Due(code);
        }
    }

    /// Whether a close frame of the peer waits for its answer.
    fn closes(&self) -> bool {
        self.closed || self.close != Answer::None
    }

    fn mask(&mut self) -> Option<Mask> {
        self.masks.as_mut().map(|next| Mask(next()))
    }

    /// Writes one frame.
    fn frame(&mut self, opcode: Opcode, compressed: bool, payload: &[u8], out: &mut Vec<u8>) {
        let mask = self.mask();
        let header = HeaderBytes::new(opcode, true, compressed, payload.len() as u64, mask);
        out.reserve(payload.len().saturating_add(14));
        out.extend_from_slice(header.as_bytes());
        let at = out.len();
        out.extend_from_slice(payload);
        if let Some(mut mask) = mask {
            mask.apply(out.get_mut(at..).unwrap_or_default());
        }
    }

    pub(super) fn close(
        &mut self,
        frame: Option<CloseFrame<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.closed {
            return Err(SendError::Closed);
        }
        let mut payload = Vec::new();
        if let Some(CloseFrame { code, reason }) = frame {
            if !code.is_sendable() {
                return Err(SendError::InvalidCloseCode);
            }
            if reason.len() > MAX_CONTROL.saturating_sub(2) {
                return Err(SendError::ControlTooLong);
            }
            payload.extend_from_slice(&code.as_u16().to_be_bytes());
            payload.extend_from_slice(reason.as_bytes());
        }
        self.frame(Opcode::Close, false, &payload, out);
        self.stop();
        Ok(())
    }

    fn control(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        if self.closes() {
            return Err(SendError::Closed);
        }
        if payload.len() > MAX_CONTROL {
            return Err(SendError::ControlTooLong);
        }
        self.frame(opcode, false, payload, out);
        Ok(())
    }
}

impl Connection {
    /// Writes a message as one frame, compressed if that was agreed and the message is long enough.
    ///
    /// # Errors
    /// [`SendError`] if the connection is closing, or a message of [`fragment`](Self::fragment) is not
    /// complete.
    #[inline]
    pub fn send(&mut self, message: Message<'_>, out: &mut Vec<u8>) -> Result<(), SendError> {
        self.may_send()?;
        let (opcode, payload) = message.parts();
        #[cfg(feature = "deflate")]
        if let Some(compression) = &mut self.compression {
            if let Some(compressed) = compression.deflate(payload) {
                self.sending.frame(opcode, true, compressed, out);
                compression.end_of_sent();
                return Ok(());
            }
        }
        if self.sending.is_client() {
            self.sending.frame(opcode, false, payload, out);
        } else {
            message.write_plain(out);
        }
        Ok(())
    }

    #[inline]
    fn may_send(&self) -> Result<(), SendError> {
        if self.sending.closed {
            return Err(SendError::Closed);
        }
        if self.sending.fragmented {
            return Err(SendError::MessageIncomplete);
        }
        Ok(())
    }

    /// Frames the next `len` bytes of a message, which the caller sends itself after the
    /// [prefix](Fragment::prefix): for large messages that are not to be copied, and for those that
    /// are not known as a whole. The first fragment begins a message of that kind, `last` completes
    /// it; control frames may come between, other messages may not. Never compressed. The bytes of a
    /// text message must be UTF-8 in all; a fragment may cut a character.
    ///
    /// # Errors
    /// [`SendError`] if the connection is closing, or `len` has its highest bit set.
    pub fn fragment(&mut self, kind: MessageKind, len: u64, last: bool) -> Result<Fragment, SendError> {
        if self.sending.closed {
            return Err(SendError::Closed);
        }
        if len > MAX_LEN {
            return Err(SendError::FrameTooLong);
        }
        let opcode = match kind {
            _ if self.sending.fragmented => Opcode::Continuation,
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        self.sending.fragmented = !last;
        let mask = self.sending.mask();
        let header = HeaderBytes::new(opcode, last, false, len, mask);
        Ok(Fragment { header, mask: mask.unwrap_or(Mask::NONE) })
    }

    /// Writes a ping. One is sent by itself when the peer is silent: see
    /// [`Config::ping_interval`](super::Config::ping_interval).
    ///
    /// # Errors
    /// [`SendError`] if the connection is closing, or the payload is longer than 125 bytes.
    pub fn ping(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.sending.control(Opcode::Ping, payload, out)
    }

    /// Writes a pong that nobody asked for, as a one-way sign of life (RFC 6455 §5.5.3). Pings are
    /// answered by [`write_control`](Self::write_control).
    ///
    /// # Errors
    /// [`SendError`] if the connection is closing, or the payload is longer than 125 bytes.
    pub fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.sending.control(Opcode::Pong, payload, out)
    }

    /// Writes a close frame: nothing can be sent after it. What the peer sends until it closes too is
    /// still received.
    ///
    /// # Errors
    /// [`SendError`] if one was written before, the code may not be sent, or the reason is longer than
    /// 123 bytes.
    pub fn close(
        &mut self,
        frame: Option<CloseFrame<'_>>,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.sending.close(frame, out)?;
        self.await_end(now);
        self.settle_close();
        Ok(())
    }

    /// Writes what the connection has to say by itself: the answer to a close frame, or to the latest
    /// ping, and a ping if one is due. Returns whether anything was written. To be called before each
    /// write, and between messages if every ping is to be answered: as long as it is not called, only
    /// the answer to the latest one is kept (RFC 6455 §5.5.3).
    pub fn write_control(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        if let Answer::Due(code) = self.sending.close {
            let frame = code.map(|code| CloseFrame { code, reason: "" });
            // The code is one that the peer was allowed to send.
            if self.sending.close(frame, out).is_ok() {
                self.await_end(now);
                self.settle_close();
            }
        }
        if self.sending.pong_due {
            self.sending.pong_due = false;
            if let Some(pong) = self.sending.pong.take() {
                let payload = pong.bytes.get(..usize::from(pong.len)).unwrap_or_default();
                self.sending.frame(Opcode::Pong, false, payload, out);
                self.sending.pong = Some(pong);
            }
        }
        if self.sending.ping_due {
            self.sending.ping_due = false;
            self.sending.frame(Opcode::Ping, false, &[], out);
        }
        out.len() > before
    }

    /// Whether messages can still be sent: we have not closed, nor answered the close frame of the peer.
    pub fn can_send(&self) -> bool {
        !self.sending.closed
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("client", &self.is_client())
            .field("closed", &self.closed)
            .field("fragmented", &self.fragmented)
            .finish_non_exhaustive()
    }
}
