//! Bodies: how the length of one is told, what the caller plans to send, and how that is framed.

use alloc::vec::Vec;

/// How the length of a request body is told (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BodyLength {
    /// Neither `Content-Length` nor `Transfer-Encoding`: there is no body.
    #[default]
    None,
    /// `Content-Length`, in bytes; zero is possible.
    Known(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl BodyLength {
    /// Whether no body byte follows.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Known(0))
    }
}

/// How the length of a response body is told (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseLength {
    /// There is no body, whatever the fields say: the response to HEAD, a 1xx, 204 or 304, or a 2xx to
    /// CONNECT.
    None,
    /// `Content-Length`, in bytes; zero is possible.
    Known(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Neither: until the server closes the connection. Whether it is complete cannot be told.
    CloseDelimited,
}

impl From<BodyLength> for ResponseLength {
    fn from(length: BodyLength) -> Self {
        match length {
            BodyLength::None => Self::None,
            BodyLength::Known(length) => Self::Known(length),
            BodyLength::Chunked => Self::Chunked,
        }
    }
}

/// What the caller will send as the body of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPlan {
    /// Nothing. Written as `Content-Length: 0`; not in answer to HEAD, where the length would be that
    /// of a body which was not made.
    Empty,
    /// Exactly that many bytes.
    Length(u64),
    /// Any number of bytes: chunked for HTTP/1.1, until the end of the connection for HTTP/1.0.
    Streamed,
    /// No body, and no HTTP any more: `101 Switching Protocols` or a 2xx to CONNECT.
    Upgrade,
}

/// How the body of the response is framed: what [`respond`](super::Server::respond) chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    /// No body byte may be sent: the response is complete. Also for a body that was announced in
    /// answer to HEAD.
    None,
    /// As many bytes as announced.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Bytes until the connection closes (HTTP/1.0).
    CloseDelimited,
    /// What follows is not HTTP.
    Upgraded,
}

/// What to send before and after a piece of body. The piece itself stays with the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The size line of a chunk. Of its bytes only the first `prefix_len` count.
    prefix: [u8; Self::PREFIX],
    prefix_len: u8,
    suffix: Suffix,
}

/// What follows a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suffix {
    Nothing,
    /// The end of a chunk.
    Chunk,
    /// The end of a chunk, and of the body.
    LastChunk,
    /// The end of the body.
    Body,
}

impl Framing {
    /// The longest size line: 16 digits and its end.
    const PREFIX: usize = 18;

    /// A piece of a body that is not chunked.
    pub(crate) const NONE: Self = Self::only(Suffix::Nothing);

    pub(crate) const fn only(suffix: Suffix) -> Self {
        Self { prefix: [0; Self::PREFIX], prefix_len: 0, suffix }
    }

    /// The size line of a chunk of `len` bytes, and what ends it (RFC 9112 §7.1).
    #[inline(never)]
    pub(crate) fn chunk(len: u64, suffix: Suffix) -> Self {
        let zeros = len.leading_zeros().wrapping_div(4).min(15);
        let shifted = len << zeros.wrapping_mul(4);
        let rest = if zeros < 8 { u128::from(hex(shifted & 0xffff_ffff)) } else { 0 };
        let digits = (u128::from(hex(shifted >> 32)) << 64) | rest;
        let mut prefix = [0; Self::PREFIX];
        if let Some(text) = prefix.first_chunk_mut() {
            *text = digits.to_be_bytes();
        }
        let digits = 16_u8.wrapping_sub(zeros.to_le_bytes()[0]);
        let line_end = prefix.get_mut(usize::from(digits)..).and_then(|rest| rest.first_chunk_mut());
        if let Some(line_end) = line_end {
            *line_end = *b"\r\n";
        }
        Self { prefix, prefix_len: digits.wrapping_add(2), suffix }
    }

    /// To be sent before the piece: the chunk's size line, or nothing.
    pub fn prefix(&self) -> &[u8] {
        self.prefix.get(..usize::from(self.prefix_len)).unwrap_or_default()
    }

    /// To be sent after the piece: the chunk's end, after the last one the end of the body too, or
    /// nothing.
    pub const fn suffix(&self) -> &'static [u8] {
        match self.suffix {
            Suffix::Nothing => b"",
            Suffix::Chunk => b"\r\n",
            Suffix::LastChunk => b"\r\n0\r\n\r\n",
            Suffix::Body => b"0\r\n\r\n",
        }
    }

    /// Appends the prefix: a copy of a length that is known here, and then without what is too much.
    #[inline]
    pub(crate) fn write_prefix(&self, out: &mut Vec<u8>) {
        if self.prefix_len > 0 {
            let end = out.len().saturating_add(usize::from(self.prefix_len));
            out.extend_from_slice(&self.prefix);
            out.truncate(end);
        }
    }

    /// Appends the suffix.
    #[inline]
    pub(crate) fn write_suffix(&self, out: &mut Vec<u8>) {
        match self.suffix {
            Suffix::Chunk => out.extend_from_slice(b"\r\n"),
            _ => out.extend_from_slice(self.suffix()),
        }
    }
}

/// The eight digits of a number below 2^32, the first in the highest byte.
#[inline]
const fn hex(number: u64) -> u64 {
    // A digit in each byte.
    let mut digits = number;
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 for each that is a letter: from `9` to `a` it is 40.
    let letters = (digits.wrapping_add(0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    digits.wrapping_add(0x3030_3030_3030_3030).wrapping_add(letters.wrapping_mul(39))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn every_length_of_a_size_line() {
        let mut lengths: std::vec::Vec<u64> = (1..70_000).collect();
        for bits in 1..64 {
            lengths.extend([(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        }
        lengths.extend([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, u64::MAX]);
        for len in lengths {
            let framing = Framing::chunk(len, Suffix::Chunk);
            assert_eq!(framing.prefix(), format!("{len:x}\r\n").as_bytes());
            let mut out = std::vec![b'x'];
            framing.write_prefix(&mut out);
            framing.write_suffix(&mut out);
            assert_eq!(out, format!("x{len:x}\r\n\r\n").as_bytes());
        }
    }
}
