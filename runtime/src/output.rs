//! Bytes that wait to be sent: heads and small pieces copied together, large pieces lent.
//!
//! Invariant: what is sent is `bytes` from `sent` on, with each body put in before the byte that
//! its position names. Positions never decrease from front to back.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Pieces up to this size are copied: that is cheaper than one more slice to write.
const COPY_LIMIT: usize = 4 * 1024;

/// How many slices one write takes.
const SLICES: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    sent: usize,
    bodies: VecDeque<(usize, Bytes)>,
    /// The sum of `bodies`.
    lent: usize,
}

impl Output {
    /// The buffer that heads are written to, at its end.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Puts in a piece of body.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.len() <= COPY_LIMIT {
            self.bytes.extend_from_slice(&piece);
        } else {
            self.lent += piece.len();
            self.bodies.push_back((self.bytes.len(), piece));
        }
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent + self.lent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `write` with what waits, in order: as many slices as one write takes.
    pub(crate) fn with_slices<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        let mut at = self.sent;
        for (position, body) in &self.bodies {
            if count + 2 > SLICES {
                return write(&slices[..count]);
            }
            if *position > at {
                slices[count] = IoSlice::new(&self.bytes[at..*position]);
                count += 1;
            }
            slices[count] = IoSlice::new(body);
            count += 1;
            at = *position;
        }
        if count < SLICES && at < self.bytes.len() {
            slices[count] = IoSlice::new(&self.bytes[at..]);
            count += 1;
        }
        write(&slices[..count])
    }

    /// The first `n` bytes were sent.
    pub(crate) fn advance(&mut self, mut n: usize) {
        while n > 0 {
            let position = self.bodies.front().map_or(self.bytes.len(), |(position, _)| *position);
            let before = n.min(position - self.sent);
            self.sent += before;
            n -= before;
            if n == 0 {
                break;
            }
            let Some((_, body)) = self.bodies.front_mut() else {
                break;
            };
            let part = n.min(body.len());
            body.advance(part);
            self.lent -= part;
            n -= part;
            if body.is_empty() {
                self.bodies.pop_front();
            }
        }
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Takes over an empty buffer's memory, if it has none of its own.
    pub(crate) fn lend(&mut self, buffer: &mut Vec<u8>) {
        if self.bytes.capacity() == 0 {
            std::mem::swap(&mut self.bytes, buffer);
        }
    }

    /// Gives the memory back, if nothing waits in it.
    pub(crate) fn give_back(&mut self, buffer: &mut Vec<u8>) {
        if self.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            if bytes.capacity() > buffer.capacity() {
                *buffer = bytes;
            }
            self.bodies = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(output: &mut Output, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !output.is_empty() {
            let now: Vec<u8> = output.with_slices(|slices| {
                slices.iter().flat_map(|slice| slice.iter().copied()).take(step).collect()
            });
            output.advance(now.len());
            all.extend(now);
        }
        all
    }

    #[test]
    fn order_is_kept_whatever_the_writes_take() {
        for step in [1, 7, 4_096, 4_097, 10_000, usize::MAX] {
            let mut output = Output::default();
            let mut expected = Vec::new();
            for i in 0..40_u8 {
                output.buffer().extend_from_slice(&[i, i]);
                expected.extend_from_slice(&[i, i]);
                let piece = vec![i; if i % 3 == 0 { 5_000 } else { 10 }];
                expected.extend_from_slice(&piece);
                output.push(piece.into());
            }
            assert_eq!(output.len(), expected.len());
            assert_eq!(drain(&mut output, step), expected, "step {step}");
            assert!(output.is_empty());
        }
    }

    #[test]
    fn bodies_next_to_each_other_and_at_the_edges() {
        let mut output = Output::default();
        output.push(vec![b'a'; 5_000].into());
        output.push(vec![b'b'; 5_000].into());
        let all = drain(&mut output, 4_999);
        assert_eq!(all, [vec![b'a'; 5_000], vec![b'b'; 5_000]].concat());
    }
}
