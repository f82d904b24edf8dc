//! Bytes that wait to be sent: heads and small pieces copied together, large pieces as they are.

use alloc::{collections::VecDeque, vec::Vec};
use core::fmt;

/// Output in the order it is sent: what the core writes, and pieces of bodies that are lent instead
/// of copied. Nobody has to use it; a plain `Vec<u8>` for everything is right too.
///
/// `B` is whatever owns a piece: `Vec<u8>`, `Box<[u8]>`, a reference-counted buffer, a `&'static [u8]`.
///
/// ```
/// use sinew_proto::SendQueue;
/// let mut queue = SendQueue::<Vec<u8>>::new();
/// queue.buffer().extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 8192\r\n\r\n");
/// queue.push(vec![b'x'; 8192]);
/// assert_eq!(queue.slices().count(), 2);
/// // The socket took 100 bytes of them, written with one `writev`.
/// let len = queue.len();
/// queue.consume(100);
/// assert_eq!(queue.len(), len - 100);
/// ```
// Invariant: what is sent is `bytes` from `sent` on, with each body put in before the byte that its
// position names. Positions never decrease from front to back. `taken` bytes of the first body are
// sent, and only if nothing stands before it.
#[derive(Clone)]
pub struct SendQueue<B> {
    bytes: Vec<u8>,
    sent: usize,
    bodies: VecDeque<(usize, B)>,
    taken: usize,
    /// What is left of all bodies.
    lent: usize,
}

impl<B> SendQueue<B> {
    /// Pieces up to this size are copied: that is cheaper than one more slice to write.
    pub const COPY_LIMIT: usize = 4 * 1024;

    /// Nothing to send.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), sent: 0, bodies: VecDeque::new(), taken: 0, lent: 0 }
    }

    /// The buffer that the core writes to. Append to it, and do nothing else with it.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many bytes wait. A caller that stops to produce above some number keeps its memory
    /// bounded.
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent).saturating_add(self.lent)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<B: AsRef<[u8]>> SendQueue<B> {
    /// Puts in a piece of body after what is there. Small ones are copied, large ones kept.
    #[inline]
    pub fn push(&mut self, piece: B) {
        if piece.as_ref().len() <= Self::COPY_LIMIT {
            self.bytes.extend_from_slice(piece.as_ref());
        } else {
            self.lend(piece);
        }
    }

    #[inline(never)]
    fn lend(&mut self, piece: B) {
        self.lent = self.lent.saturating_add(piece.as_ref().len());
        self.bodies.push_back((self.bytes.len(), piece));
    }

    /// All that waits, if it lies in one piece: as a rule it does, because small bodies are copied.
    pub fn contiguous(&self) -> Option<&[u8]> {
        if self.bodies.is_empty() { self.bytes.get(self.sent..) } else { None }
    }

    /// What waits, in order, as slices that are not empty.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = self.sent;
        let mut taken = self.taken;
        let bodies = self.bodies.iter().flat_map(move |(position, body)| {
            let before = self.bytes.get(core::mem::replace(&mut at, *position)..*position);
            let body = body.as_ref().get(core::mem::take(&mut taken)..);
            [before.unwrap_or_default(), body.unwrap_or_default()]
        });
        let last = self.bodies.back().map_or(self.sent, |(position, _)| *position);
        let tail = self.bytes.get(last..).unwrap_or_default();
        bodies.chain([tail]).filter(|slice| !slice.is_empty())
    }

    /// The first `n` bytes were sent.
    pub fn consume(&mut self, mut n: usize) {
        if self.bodies.is_empty() && n >= self.bytes.len().saturating_sub(self.sent) {
            self.bytes.clear();
            self.sent = 0;
            return;
        }
        loop {
            let position = self.bodies.front().map_or(self.bytes.len(), |(position, _)| *position);
            let before = n.min(position.saturating_sub(self.sent));
            self.sent = self.sent.saturating_add(before);
            n = n.saturating_sub(before);
            let Some((_, body)) = self.bodies.front().filter(|_| n > 0) else {
                break;
            };
            let left = body.as_ref().len().saturating_sub(self.taken);
            let part = n.min(left);
            self.lent = self.lent.saturating_sub(part);
            n = n.saturating_sub(part);
            self.taken = self.taken.saturating_add(part);
            if part == left {
                self.taken = 0;
                self.bodies.pop_front();
            }
        }
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        }
    }
}

impl<B> Default for SendQueue<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> fmt::Debug for SendQueue<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendQueue").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn drain(queue: &mut SendQueue<Vec<u8>>, step: usize, slices: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !queue.is_empty() {
            let now: Vec<u8> =
                queue.slices().take(slices).flat_map(|slice| slice.iter().copied()).take(step).collect();
            assert!(!now.is_empty());
            queue.consume(now.len());
            all.extend(now);
        }
        all
    }

    #[test]
    fn order_is_kept_whatever_the_writes_take() {
        for step in [1, 7, 4_096, 4_097, 10_000, usize::MAX] {
            for slices in [1, 2, 16] {
                let mut queue = SendQueue::new();
                let mut expected = Vec::new();
                for i in 0..40_u8 {
                    queue.buffer().extend_from_slice(&[i, i]);
                    expected.extend_from_slice(&[i, i]);
                    let piece = vec![i; if i % 3 == 0 { 5_000 } else { 10 }];
                    expected.extend_from_slice(&piece);
                    queue.push(piece);
                }
                assert_eq!(queue.len(), expected.len());
                assert_eq!(queue.contiguous(), None);
                assert_eq!(drain(&mut queue, step, slices), expected, "step {step}");
                assert!(queue.is_empty() && queue.slices().next().is_none());
            }
        }
    }

    #[test]
    fn bodies_next_to_each_other_and_at_the_edges() {
        let mut queue = SendQueue::new();
        queue.push(vec![b'a'; 5_000]);
        queue.push(vec![b'b'; 5_000]);
        let all = drain(&mut queue, 4_999, 16);
        assert_eq!(all, [vec![b'a'; 5_000], vec![b'b'; 5_000]].concat());
    }

    #[test]
    fn more_than_there_is_empties_it() {
        let mut queue = SendQueue::new();
        queue.push(vec![0; 5_000]);
        queue.consume(usize::MAX);
        assert!(queue.is_empty());
        queue.consume(1);
        queue.buffer().extend_from_slice(&[1, 2, 3]);
        assert_eq!(queue.slices().collect::<Vec<_>>(), [[1, 2, 3]]);
        queue.consume(2);
        assert_eq!((queue.contiguous(), queue.len()), (Some(&[3][..]), 1));
        queue.consume(1);
        assert_eq!((queue.contiguous(), queue.len()), (Some(&[][..]), 0));
    }
}
