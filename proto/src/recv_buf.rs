//! Input that was not consumed yet, in one piece.

use alloc::vec::Vec;

/// A bounded buffer for what was received: the core sees it as one slice, and what it did not
/// consume stays in front. Nobody has to use it; any buffer that keeps the unconsumed bytes will do.
///
/// A core that is asked for at most its limits never leaves more unconsumed than
/// [`Config::max_head_bytes`](crate::Config::max_head_bytes) or
/// [`Config::max_trailer_bytes`](crate::Config::max_trailer_bytes) and three bytes, so room for the
/// larger of them and three more is enough.
///
/// ```
/// use sinew_proto::RecvBuf;
/// let mut input = RecvBuf::new(20 * 1024);
/// // The socket gave 5 bytes.
/// input.spare(4096)[..5].copy_from_slice(b"GET /");
/// input.filled(5);
/// assert_eq!(input.data(), b"GET /");
/// input.consume(4);
/// assert_eq!(input.data(), b"/");
/// ```
#[derive(Clone, Debug, Default)]
pub struct RecvBuf {
    /// Initialised memory: consumed bytes, then data up to `end`, then room.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    max: usize,
}

impl RecvBuf {
    /// A buffer for at most `max` bytes. It owns no memory yet.
    pub const fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, max }
    }

    /// What is there.
    pub fn data(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether there is no room for more.
    pub const fn is_full(&self) -> bool {
        self.end.saturating_sub(self.start) >= self.max
    }

    /// Room for up to `want` more bytes, to read into; less near the limit, nothing at it. What is
    /// in it does not matter. [`filled`](Self::filled) says how much of it became data.
    pub fn spare(&mut self, want: usize) -> &mut [u8] {
        let len = self.end.saturating_sub(self.start);
        let want = want.min(self.max.saturating_sub(len));
        if self.bytes.len().saturating_sub(self.end) < want {
            // At most as many bytes are moved as were consumed since the last time, or the buffer
            // grows: so the work stays in proportion to what was received.
            if self.start >= len {
                self.bytes.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, len);
            }
            let needed = self.end.saturating_add(want);
            if self.bytes.len() < needed {
                self.bytes.resize(needed, 0);
            }
        }
        self.bytes.get_mut(self.end..self.end.saturating_add(want)).unwrap_or_default()
    }

    /// The first `len` bytes of the room from [`spare`](Self::spare) are data now.
    pub fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.bytes.len());
    }

    /// Appends as much of `bytes` as there is room for, and returns how much that was.
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare(bytes.len());
        let len = spare.len();
        spare.copy_from_slice(bytes.get(..len).unwrap_or_default());
        self.filled(len);
        len
    }

    /// The first `len` bytes are done with.
    pub fn consume(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Frees the memory if there is nothing in it: for a connection that falls idle.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_any_pieces() {
        for (write, read) in [(1, 1), (7, 3), (3, 7), (64, 1), (13, 64)] {
            let mut buf = RecvBuf::new(64);
            let (mut written, mut seen) = (0_u32, 0_u32);
            while seen < 10_000 {
                let piece: Vec<u8> = (0..write).map(|i| (written.wrapping_add(i) % 251) as u8).collect();
                written += u32::try_from(buf.extend(&piece)).unwrap();
                assert!(buf.data().len() <= 64);
                assert_eq!(buf.is_full(), buf.data().len() == 64);
                for &byte in buf.data().iter().take(read) {
                    assert_eq!(u32::from(byte), seen % 251);
                    seen += 1;
                }
                buf.consume(read);
            }
            assert!(buf.bytes.len() <= 192, "{} bytes for 64", buf.bytes.len());
        }
    }

    #[test]
    fn room_ends_at_the_limit() {
        let mut buf = RecvBuf::new(10);
        assert_eq!(buf.spare(100).len(), 10);
        buf.filled(8);
        assert_eq!((buf.spare(100).len(), buf.extend(b"abc"), buf.spare(1).len()), (2, 2, 0));
        assert!(buf.is_full());
        buf.consume(usize::MAX);
        assert!(buf.is_empty());
        buf.release();
        assert_eq!(buf.bytes.capacity(), 0);
        assert_eq!(buf.extend(b"again"), 5);
        buf.release();
        assert_eq!(buf.data(), b"again");
        buf.filled(100);
        assert_eq!(buf.data().len(), 5, "room that was not asked for is none");
    }
}
