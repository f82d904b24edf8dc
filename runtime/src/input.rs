//! The buffer that reads go to, and what of it is handed on.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// One read takes at most this many bytes.
pub(crate) const READ_SIZE: usize = 256 * 1024;

/// Whoever keeps a piece that is lent keeps the whole buffer: this many times the size of the piece at most,
/// for the body of a request that stands whole in one read. A connection has one of those at a time.
const WHOLE: usize = 4;

/// The same for a part of a body: many of them may wait, and memory that waits counts twice at most.
const PART: usize = 2;

/// Where reads go. While a piece of it is lent, the next read goes to another buffer.
#[derive(Default)]
pub(crate) struct ReadBuffer(Option<Arc<Vec<u8>>>);

impl ReadBuffer {
    /// The buffer, with room for `len` bytes at least.
    pub(crate) fn for_reading(&mut self, len: usize) -> &mut Vec<u8> {
        let usable = |buffer: &Arc<Vec<u8>>| buffer.len() >= len && Arc::strong_count(buffer) == 1;
        if !self.0.as_ref().is_some_and(usable) {
            // Memory that was never written to costs nothing.
            self.0 = Some(Arc::new(vec![0; len]));
        }
        self.in_use().expect("it was not lent since")
    }

    /// The buffer as the last read has left it, unless a piece of it is lent.
    pub(crate) fn in_use(&mut self) -> Option<&mut Vec<u8>> {
        self.0.as_mut().and_then(Arc::get_mut)
    }

    /// What was read.
    pub(crate) fn filled(&self, end: usize) -> Input<'_> {
        let bytes = self.0.as_ref().and_then(|buffer| buffer.get(..end)).unwrap_or_default();
        Input { bytes, buffer: self.0.as_ref() }
    }
}

/// Bytes for the core.
#[derive(Clone, Copy)]
pub(crate) struct Input<'b> {
    pub(crate) bytes: &'b [u8],
    /// What they lie at the beginning of, if that can be lent.
    buffer: Option<&'b Arc<Vec<u8>>>,
}

impl<'b> From<&'b [u8]> for Input<'b> {
    fn from(bytes: &'b [u8]) -> Self {
        Self { bytes, buffer: None }
    }
}

impl Input<'_> {
    /// A body to keep: lent if it is large, copied if it is not.
    pub(crate) fn whole(self, range: Range<usize>) -> Bytes {
        self.piece(range, WHOLE)
    }

    /// A part of a body to keep.
    pub(crate) fn part(self, range: Range<usize>) -> Bytes {
        self.piece(range, PART)
    }

    fn piece(self, range: Range<usize>, most: usize) -> Bytes {
        match self.buffer {
            // Behind something long, buffers are larger than others.
            Some(buffer) if range.len() >= READ_SIZE.max(buffer.len()) / most => {
                Bytes::from_owner(Lent(buffer.clone())).slice(range)
            }
            _ => Bytes::copy_from_slice(&self.bytes[range]),
        }
    }
}

struct Lent(Arc<Vec<u8>>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEND: usize = READ_SIZE / WHOLE;

    #[test]
    fn a_large_piece_is_lent_and_its_buffer_left_alone() {
        let mut reads = ReadBuffer::default();
        reads.for_reading(READ_SIZE)[..LEND].fill(b'x');
        let place = reads.in_use().unwrap().as_ptr();
        let piece = reads.filled(LEND).whole(0..LEND);
        assert_eq!(piece.as_ptr(), place);
        assert!(reads.in_use().is_none());
        reads.for_reading(READ_SIZE).fill(b'y');
        assert!(piece.iter().all(|byte| *byte == b'x'));
        // The other buffer stays, the lent one goes with its piece.
        let other = reads.in_use().unwrap().as_ptr();
        drop(piece);
        assert_eq!(reads.for_reading(READ_SIZE).as_ptr(), other);
    }

    #[test]
    fn who_keeps_a_piece_keeps_not_much_more() {
        // As it is, and grown behind something long that was left over.
        for size in [READ_SIZE, READ_SIZE + 16 * 1024, 8 * READ_SIZE] {
            for most in [WHOLE, PART] {
                let take = |reads: &ReadBuffer, range| {
                    let input = reads.filled(size);
                    if most == WHOLE { input.whole(range) } else { input.part(range) }
                };
                let mut reads = ReadBuffer::default();
                reads.for_reading(size);
                let copy = take(&reads, 1..size / most);
                assert!(reads.in_use().is_some(), "{most} of {size}");
                let lent = take(&reads, 0..size / most);
                assert!(reads.in_use().is_none(), "{most} of {size}");
                drop((copy, lent));
            }
        }
    }

    #[test]
    fn a_buffer_comes_back() {
        let mut reads = ReadBuffer::default();
        let place = reads.for_reading(READ_SIZE).as_ptr();
        drop(reads.filled(READ_SIZE).whole(1..READ_SIZE));
        assert_eq!(reads.for_reading(READ_SIZE).as_ptr(), place);
    }

    #[test]
    fn a_small_piece_and_one_of_what_was_left_over_are_copied() {
        let mut reads = ReadBuffer::default();
        reads.for_reading(READ_SIZE)[..3].copy_from_slice(b"abc");
        assert_eq!(reads.filled(3).whole(1..3), "bc");
        assert!(reads.in_use().is_some());
        let left_over = vec![b'z'; READ_SIZE];
        assert_eq!(Input::from(&left_over[..]).whole(0..READ_SIZE), left_over);
    }
}
