//! Compression of messages: DEFLATE with the framing of RFC 7692 §7.2.
//!
//! A message is compressed to whole DEFLATE blocks and an empty block without compression after them,
//! whose last four bytes, `00 00 FF FF`, are not sent. What follows from that:
//!
//! - The empty message is one byte, `00` (§7.2.3.6), and no message is compressed to nothing.
//! - A block may be the last one of its DEFLATE stream (§7.2.3.4). Another stream follows in the
//!   same message, on a byte of its own, with an empty window.
//! - A message that ends inside a block is an error, as is one that leaves out the empty block.

use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use crate::work;

/// The end of a flushed stream that is not sent: length 0 and its complement (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The first three bits of an empty block and the bits up to the next byte: all there is of a message
/// of no bytes.
const EMPTY_BLOCK: u8 = 0;

/// Most bytes of output that are made room for in one step.
const STEP: usize = 16 * 1024;

/// Why a message cannot be decompressed. The connection is to be failed: no message after it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InflateError {
    /// More bytes than allowed.
    #[error("the message is larger than allowed")]
    TooLarge,
    /// Not what DEFLATE produces (RFC 1951).
    #[error("the message is not DEFLATE")]
    Corrupt,
    /// The message ends inside a block, or without the empty one at its end.
    #[error("the compressed message is not complete")]
    Incomplete,
}

/// Decompresses the messages of one direction.
///
/// Takes 47 KiB from the heap when it is made, whatever the size of the window: the library keeps
/// 32 KiB for each. It accepts distances up to that from any peer.
pub(super) struct Inflater {
    inflate: Inflate,
    takeover: bool,
    failed: Option<InflateError>,
}

impl Inflater {
    /// For a peer that compresses in a window of 2^`window_bits` bytes, 8 to 15, and keeps it from one
    /// message to the next or not.
    pub(super) fn new(window_bits: u8, takeover: bool) -> Self {
        Self { inflate: Inflate::new(false, window_bits.clamp(8, 15)), takeover, failed: None }
    }

    /// Decompresses a piece of a message and appends it to `out`, which grows as bytes come and never
    /// to more than `limit`, nor in capacity by more than 16 KiB or twice what is in it.
    ///
    /// # Errors
    /// [`InflateError::TooLarge`] as soon as there would be one byte more than `limit` in `out`,
    /// [`InflateError::Corrupt`]. The same again ever after.
    pub(super) fn push(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), InflateError> {
        self.unless_failed(|inflater| inflater.run(input, out, limit))
    }

    /// Ends a message.
    ///
    /// # Errors
    /// [`InflateError::Incomplete`]. The same again ever after.
    pub(super) fn finish(&mut self) -> Result<(), InflateError> {
        self.unless_failed(Self::end)
    }

    fn unless_failed(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), InflateError>,
    ) -> Result<(), InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = work(self);
        self.failed = result.err();
        result
    }

    fn run(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), InflateError> {
        let mut len = out.len();
        let result = self.fill(input, out, &mut len, limit);
        out.truncate(len);
        result
    }

    /// Decompresses to `out[*len..]`, which is made longer when it is full and not before: a message
    /// may be of thousands of streams without a byte in them.
    fn fill(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        len: &mut usize,
        limit: usize,
    ) -> Result<(), InflateError> {
        let mut room = input.len().saturating_mul(4).clamp(256, STEP);
        loop {
            let full = *len >= limit;
            if *len == out.len() && !full {
                grow(out, room.min(limit.saturating_sub(*len)), limit);
                room = STEP;
            }
            // If it is full, what is left may still be the end of a block.
            let mut over = [0];
            let spare = if full { &mut over } else { out.get_mut(*len..).unwrap_or_default() };
            let space = spare.len();
            let step = self.step(input, spare, InflateFlush::NoFlush);
            // Even if it breaks off after that byte: which error it is does not depend on the pieces.
            if full && step.produced > 0 {
                return Err(InflateError::TooLarge);
            }
            *len = len.saturating_add(step.produced);
            input = input.get(step.consumed..).unwrap_or_default();
            if step.status? == Status::StreamEnd {
                self.inflate.reset(false);
                if input.is_empty() {
                    return Ok(());
                }
            } else if step.produced < space {
                // There was room for more: all the input is used up.
                return if input.is_empty() { Ok(()) } else { Err(InflateError::Corrupt) };
            }
        }
    }

    /// The four bytes that were not sent have to be the end of an empty block. A byte more is given
    /// and not taken: the library stops between blocks.
    fn end(&mut self) -> Result<(), InflateError> {
        let [a, b, c, d] = TAIL;
        let step = self.step(&[a, b, c, d, 0], &mut [0], InflateFlush::Block);
        let whole = step.consumed == TAIL.len() && step.produced == 0 && step.status == Ok(Status::Ok);
        if !whole {
            return Err(InflateError::Incomplete);
        }
        if !self.takeover {
            self.inflate.reset(false);
        }
        Ok(())
    }

    fn step(&mut self, input: &[u8], out: &mut [u8], flush: InflateFlush) -> Step {
        let (consumed, produced) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, out, flush).map_err(|_| InflateError::Corrupt);
        let consumed = since(self.inflate.total_in(), consumed);
        let produced = since(self.inflate.total_out(), produced);
        work::step(consumed.saturating_add(produced).saturating_add(1));
        Step { consumed, produced, status }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("takeover", &self.takeover).finish_non_exhaustive()
    }
}

/// A message could not be compressed: the library refused, for a reason that it does not have. What is
/// written of the message is taken back, and none can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message could not be compressed")]
pub(super) struct DeflateError;

/// Compresses the messages of one direction.
///
/// Takes memory from the heap when it is made, by the size of the window: 148 KiB for 9 bits,
/// 274 KiB for 15. 128 KiB of it are a hash table of the library's, of one size for all, which is
/// cleared after every message if windows are not kept.
pub(super) struct Deflater {
    deflate: Deflate,
    takeover: bool,
}

impl Deflater {
    /// Room for the 2,048 symbols of a block: 14 KiB, where the library takes 112 KiB by default.
    /// Messages of JSON become no larger for it, 80 KB of source code by 0.2 %.
    const MEMORY_LEVEL: i32 = 5;

    /// Compresses in a window of 2^`window_bits` bytes, 9 to 15, which is kept from one message to the
    /// next or not, as hard as `level` says, 1 to 9. Other numbers are held to those ranges.
    pub(super) fn new(window_bits: u8, takeover: bool, level: u8) -> Self {
        let config = DeflateConfig {
            level: i32::from(level.clamp(1, 9)),
            // Negative: without the header and the checksum of zlib.
            window_bits: i32::from(window_bits.clamp(9, 15)).saturating_neg(),
            mem_level: Self::MEMORY_LEVEL,
            ..DeflateConfig::default()
        };
        Self { deflate: Deflate::new_with_config(config), takeover }
    }

    /// Appends a whole message, compressed, to `out`.
    ///
    /// # Errors
    /// [`DeflateError`]
    pub(super) fn message(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), DeflateError> {
        self.push(payload, true, out)
    }

    /// Appends a piece of a message, compressed, to `out`. What was pushed so far can be read by the
    /// peer. The last piece may be empty.
    ///
    /// # Errors
    /// [`DeflateError`]
    pub(super) fn push(&mut self, payload: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), DeflateError> {
        let before = out.len();
        let result = self.run(payload, last, out);
        if result.is_err() {
            out.truncate(before);
        }
        result
    }

    fn run(&mut self, payload: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), DeflateError> {
        if !payload.is_empty() {
            self.flush(payload, out)?;
        }
        if !last {
            return Ok(());
        }
        if payload.is_empty() {
            // What was before ends on a whole byte.
            out.push(EMPTY_BLOCK);
        } else if out.ends_with(&TAIL) {
            out.truncate(out.len().saturating_sub(TAIL.len()));
        } else {
            return Err(DeflateError);
        }
        if !self.takeover {
            self.deflate.reset();
        }
        Ok(())
    }

    /// Compresses all of `input`, with an empty block at the end.
    ///
    /// If the output fills the room exactly, there is another empty block: the library cannot tell
    /// that it was done. The first room is enough for what does not compress, so this is rare.
    fn flush(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), DeflateError> {
        let mut room = input.len().saturating_add(input.len() / 8).saturating_add(64).min(STEP);
        loop {
            let before = out.len();
            let (consumed, produced) = (self.deflate.total_in(), self.deflate.total_out());
            out.resize(before.saturating_add(room), 0);
            let spare = out.get_mut(before..).unwrap_or_default();
            let result = self.deflate.compress(input, spare, DeflateFlush::SyncFlush);
            let consumed = since(self.deflate.total_in(), consumed);
            let produced = since(self.deflate.total_out(), produced);
            out.truncate(before.saturating_add(produced));
            input = input.get(consumed..).unwrap_or_default();
            if result.is_err() {
                return Err(DeflateError);
            }
            if produced < room {
                return if input.is_empty() { Ok(()) } else { Err(DeflateError) };
            }
            room = STEP;
        }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("takeover", &self.takeover).finish_non_exhaustive()
    }
}

/// What one call of the library for decompression did.
struct Step {
    consumed: usize,
    produced: usize,
    status: Result<Status, InflateError>,
}

/// By how much a counter of the library moved.
fn since(now: u64, before: u64) -> usize {
    usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX)
}

/// Makes `out` longer by `room` zeros, of memory that doubles up to `limit`.
fn grow(out: &mut Vec<u8>, room: usize, limit: usize) {
    let len = out.len().saturating_add(room);
    if len > out.capacity() {
        let capacity = out.capacity().saturating_mul(2).min(limit).max(len);
        out.reserve_exact(capacity.saturating_sub(out.len()));
    }
    work::step(room);
    out.resize(len, 0);
}

#[cfg(test)]
#[path = "deflate_tests.rs"]
mod tests;
