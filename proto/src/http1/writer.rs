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

/// `content-length: LENGTH CRLF`
#[inline]
pub(super) fn write_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    if let Ok(small @ 0..=9_999) = u32::try_from(length) {
        write_small(small, out);
    } else {
        write_decimal(length, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// A number below 10,000 and CRLF: all its digits at once, then without the zeros before it. A copy of
/// a length known here takes fewer instructions than the call for one that is not.
#[inline]
fn write_small(number: u32, out: &mut Vec<u8>) {
    let (high, low) = (number.wrapping_div(100), number.wrapping_rem(100));
    let [_, _, _, thousands] = high.wrapping_div(10).to_be_bytes();
    let [_, _, _, hundreds] = high.wrapping_rem(10).to_be_bytes();
    let [_, _, _, tens] = low.wrapping_div(10).to_be_bytes();
    let [_, _, _, ones] = low.wrapping_rem(10).to_be_bytes();
    let digits = [thousands, hundreds, tens, ones].map(|digit| digit | b'0');
    let [a, b, c, d] = digits;
    let zeros = match number {
        0..=9 => 3_usize,
        10..=99 => 2,
        100..=999 => 1,
        _ => 0,
    };
    let text = u64::from_le_bytes([a, b, c, d, b'\r', b'\n', 0, 0]);
    let end = out.len().saturating_add(6).saturating_sub(zeros);
    out.extend_from_slice(&(text >> zeros.saturating_mul(8)).to_le_bytes());
    out.truncate(end);
}

pub(super) fn write_decimal(number: u64, out: &mut Vec<u8>) {
    if number >= 10 {
        write_decimal(number.wrapping_div(10), out);
    }
    let [.., digit] = number.wrapping_rem(10).to_be_bytes();
    out.push(b'0' | digit);
}
