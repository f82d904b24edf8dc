//! What both roles do to send: a length, the framing of a body, trailers.

use alloc::vec::Vec;

use super::body::{BodyMode, Framing};
use crate::{FieldLines, SendError};

/// Fields that may not stand in trailers: they frame, route, authenticate or describe content
/// (RFC 9110 §6.5.1).
const FORBIDDEN_TRAILERS: [&str; 20] = [
    "transfer-encoding",
    "content-length",
    "host",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "keep-alive",
    "proxy-connection",
    "content-type",
    "content-encoding",
    "content-range",
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "proxy-authenticate",
    "set-cookie",
    "cookie",
    "cache-control",
];

/// Counts `len` bytes of a body, the last ones if `last`. An error changes nothing.
pub(super) fn count(mode: &mut BodyMode, len: u64, last: bool) -> Result<(), SendError> {
    match mode {
        BodyMode::Length(left) => {
            let after = left.checked_sub(len).ok_or(SendError::BodyTooLong)?;
            if last && after > 0 {
                return Err(SendError::BodyTooShort);
            }
            *left = after;
            Ok(())
        }
        BodyMode::Chunked | BodyMode::CloseDelimited => Ok(()),
        BodyMode::None | BodyMode::Upgraded => Err(SendError::NoBody),
    }
}

/// How bytes that were counted are framed.
pub(super) fn framing(mode: BodyMode, len: u64, last: bool) -> Framing {
    match (mode, len, last) {
        (BodyMode::Chunked, 0, true) => Framing::suffix_only(b"0\r\n\r\n"),
        (BodyMode::Chunked, 1.., false) => Framing::chunk(len, b"\r\n"),
        (BodyMode::Chunked, 1.., true) => Framing::chunk(len, b"\r\n0\r\n\r\n"),
        _ => Framing::NONE,
    }
}

/// Writes a piece that was counted, with what frames it.
#[inline]
pub(super) fn piece(mode: BodyMode, piece: &[u8], last: bool, out: &mut Vec<u8>) {
    if mode != BodyMode::Chunked {
        out.extend_from_slice(piece);
        return;
    }
    if !piece.is_empty() {
        write_size_line(piece.len() as u64, out);
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    if last {
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

/// The size line of a chunk (RFC 9112 §7.1). One of at most six digits is put together in a register: what
/// is put together in memory has to get there before it can be copied as a whole.
#[inline]
fn write_size_line(size: u64, out: &mut Vec<u8>) {
    let digits = 16_u32.wrapping_sub(size.leading_zeros().wrapping_div(4));
    if !(1..=6).contains(&digits) {
        out.extend_from_slice(Framing::chunk(size, b"").prefix());
        return;
    }
    // One digit in each byte, the last one lowest.
    let mut text = size;
    text = (text | text << 16) & 0x0000_ffff_0000_ffff;
    text = (text | text << 8) & 0x00ff_00ff_00ff_00ff;
    text = (text | text << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 for each that is a letter: from `9` to `a` it is 40.
    let letters = (text.wrapping_add(0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    text = text.wrapping_add(0x3030_3030_3030_3030).wrapping_add(letters.wrapping_mul(39));
    // The first one lowest, and then CRLF.
    text = text.swap_bytes() >> 64_u32.wrapping_sub(digits.wrapping_mul(8));
    text |= 0x0a0d << digits.wrapping_mul(8);
    let end = out.len().wrapping_add(digits as usize).wrapping_add(2);
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(end);
}

/// Writes the end of a body, with trailers if there are any. An error writes nothing.
pub(super) fn end(
    mode: &mut BodyMode,
    trailers: Option<&FieldLines>,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    let Some(lines) = trailers.filter(|lines| !lines.is_empty()) else {
        count(mode, 0, true)?;
        out.extend_from_slice(framing(*mode, 0, true).suffix());
        return Ok(());
    };
    if *mode != BodyMode::Chunked {
        return Err(SendError::TrailersForbidden);
    }
    if lines.iter().any(|line| FORBIDDEN_TRAILERS.iter().any(|name| line.name.eq_ignore_ascii_case(name))) {
        return Err(SendError::ForbiddenTrailer);
    }
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(lines.as_bytes());
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// The one `Content-Length` that the application set, if it is one number.
pub(super) fn application_length(fields: &FieldLines) -> Option<u64> {
    let mut values = fields.get_all("content-length");
    let value = values.next()?;
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if values.next().is_some() || !digits {
        return None;
    }
    core::str::from_utf8(value).ok()?.parse().ok()
}

/// `content-length: LENGTH CRLF`, and `end` after it: as a rule the CRLF after the head.
#[inline(never)]
pub(super) fn write_length(length: u64, end: &[u8], out: &mut Vec<u8>) {
    match u16::try_from(length) {
        Ok(small @ 0..=9_999) => write_small_length(small, end, out),
        _ => write_large_length(length, end, out),
    }
}

#[inline(never)]
fn write_large_length(length: u64, end: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    write_decimal(length, out);
    write_parts(&[b"\r\n", end], out);
}

/// A length below 10,000: all its digits at once, then without the zeros before them. A copy of a length
/// known here takes fewer instructions than the call for one that is not.
#[inline]
fn write_small_length(number: u16, end: &[u8], out: &mut Vec<u8>) {
    let pair = |number: u16| TWO_DIGITS.get(usize::from(number)).copied().unwrap_or_default();
    let [a, b] = pair(number.wrapping_div(100));
    let [c, d] = pair(number.wrapping_rem(100));
    let zeros = match number {
        0..=9 => 3_u8,
        10..=99 => 2,
        100..=999 => 1,
        _ => 0,
    };
    let text = u64::from_le_bytes([a, b, c, d, b'\r', b'\n', b'\r', b'\n']) >> zeros.wrapping_mul(8);
    let mut line = *b"content-length: 0000\r\n\r\n";
    if let Some(last) = line.last_chunk_mut() {
        *last = text.to_le_bytes();
    }
    let start = out.len().wrapping_sub(usize::from(zeros));
    out.extend_from_slice(&line);
    if end == b"\r\n" {
        out.truncate(start.wrapping_add(24));
    } else {
        out.truncate(start.wrapping_add(22));
        write_parts(&[end], out);
    }
}

/// What few heads have, out of the way of what most have.
#[inline(never)]
pub(super) fn write_parts(parts: &[&[u8]], out: &mut Vec<u8>) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// `00` to `99`.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time: an error here does not compile")]
static TWO_DIGITS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        table[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    table
};

pub(super) fn write_decimal(number: u64, out: &mut Vec<u8>) {
    if number >= 10 {
        write_decimal(number.wrapping_div(10), out);
    }
    let [.., digit] = number.wrapping_rem(10).to_be_bytes();
    out.push(b'0' | digit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn every_length_of_a_size_line() {
        let mut sizes: Vec<u64> = (1..70_000).collect();
        for bits in 1..64 {
            sizes.extend([(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        }
        sizes.extend([0x0089_abcd, 0x00ef_0123, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, u64::MAX]);
        for size in sizes {
            let mut out = std::vec![b'x'];
            write_size_line(size, &mut out);
            assert_eq!(out, format!("x{size:x}\r\n").as_bytes());
            assert_eq!(Framing::chunk(size, b"").prefix(), &out[1..]);
        }
    }
}
