//! A message that arrives in pieces: several frames, or one that is not here as a whole.

use alloc::string::String;
use alloc::vec::Vec;

use super::ProtocolError;
use super::utf8::Cut;
use crate::work;

/// Whether a message is text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// A message that has begun and is not complete.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) kind: MessageKind,
    pub(super) compressed: bool,
    /// Frames so far.
    pub(super) fragments: u32,
    /// Bytes so far, decompressed.
    pub(super) size: u64,
    cut: Cut,
    data: Data,
}

/// What has arrived. Text is checked as it is put in, and never again.
#[derive(Debug)]
enum Data {
    Text(String),
    Binary(Vec<u8>),
}

/// A complete message that was put together.
#[derive(Debug)]
pub(super) enum Whole {
    Text(String),
    Binary(Vec<u8>),
}

/// Room is made for as much as a frame announces, up to this; from there on for what has arrived.
const TRUST: usize = 64 * 1024;

impl Partial {
    pub(super) fn new(kind: MessageKind, compressed: bool) -> Self {
        let data = match kind {
            MessageKind::Text => Data::Text(String::new()),
            MessageKind::Binary => Data::Binary(Vec::new()),
        };
        Self { kind, compressed, fragments: 0, size: 0, cut: Cut::default(), data }
    }

    /// Judges a piece without keeping it.
    pub(super) fn check(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        self.size = self.size.saturating_add(piece.len() as u64);
        if self.kind == MessageKind::Text && !self.cut.push(piece, |_| {}) {
            return Err(ProtocolError::InvalidUtf8);
        }
        Ok(())
    }

    /// Keeps a piece; `expected` bytes more are to come, or nobody knows how many.
    pub(super) fn push(&mut self, piece: &[u8], expected: Option<u64>) -> Result<(), ProtocolError> {
        self.size = self.size.saturating_add(piece.len() as u64);
        let expected = expected.map(|expected| usize::try_from(expected).unwrap_or(usize::MAX));
        match &mut self.data {
            Data::Binary(bytes) => {
                let room = room(bytes.len(), bytes.capacity(), piece.len(), expected);
                bytes.reserve_exact(room);
                bytes.extend_from_slice(piece);
            }
            Data::Text(text) => {
                let room = room(text.len(), text.capacity(), piece.len(), expected);
                text.reserve_exact(room);
                if !self.cut.push(piece, |part| text.push_str(part)) {
                    return Err(ProtocolError::InvalidUtf8);
                }
            }
        }
        Ok(())
    }

    /// The end of the message: text must not end inside of a character.
    pub(super) fn check_end(&self) -> Result<(), ProtocolError> {
        if self.cut.is_empty() { Ok(()) } else { Err(ProtocolError::InvalidUtf8) }
    }

    pub(super) fn finish(self) -> Result<Whole, ProtocolError> {
        self.check_end()?;
        Ok(match self.data {
            Data::Text(text) => Whole::Text(text),
            Data::Binary(bytes) => Whole::Binary(bytes),
        })
    }
}

/// How much more room to ask for: nothing if `piece` fits; else the double, so that copying stays
/// linear, also over many small fragments. Where the last frame announces the end, no more than that,
/// and all of it at once if it is little.
fn room(len: usize, capacity: usize, piece: usize, expected: Option<usize>) -> usize {
    let needed = len.saturating_add(piece);
    if needed <= capacity {
        return 0;
    }
    work::step(len);
    let double = needed.saturating_mul(2);
    let wanted = expected.map_or(double, |expected| needed.saturating_add(expected).min(double.max(TRUST)));
    wanted.saturating_sub(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_has_arrived() {
        // A frame that announces a gigabyte and sends a byte.
        let mut partial = Partial::new(MessageKind::Binary, false);
        partial.push(b"x", Some(1 << 30)).unwrap();
        let Data::Binary(bytes) = &partial.data else { panic!() };
        assert!(bytes.capacity() <= TRUST, "{}", bytes.capacity());
    }

    #[test]
    fn a_message_of_known_size_is_copied_once() {
        assert_eq!(room(0, 0, 100, Some(900)), 1000);
        assert_eq!(room(100, 1000, 900, Some(0)), 0);
        // Growing by doubling, to the end if that is announced.
        assert_eq!(room(TRUST, TRUST, 10, Some(1 << 30)), TRUST + 20);
        assert_eq!(room(TRUST, TRUST, 10, Some(90)), 100);
        // After a fragment others may come.
        assert_eq!(room(100, 100, 1, None), 102);
    }
}
