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

/// Frames `len` bytes of a body, the last ones if `last`. An error changes nothing.
pub(super) fn frame(mode: &mut BodyMode, len: u64, last: bool) -> Result<Framing, SendError> {
    match mode {
        BodyMode::Length(left) => {
            let after = left.checked_sub(len).ok_or(SendError::BodyTooLong)?;
            if last && after > 0 {
                return Err(SendError::BodyTooShort);
            }
            *left = after;
            Ok(Framing::NONE)
        }
        BodyMode::Chunked => Ok(match (len, last) {
            (0, false) => Framing::NONE,
            (0, true) => Framing::suffix_only(b"0\r\n\r\n"),
            (_, false) => Framing::chunk(len, b"\r\n"),
            (_, true) => Framing::chunk(len, b"\r\n0\r\n\r\n"),
        }),
        BodyMode::CloseDelimited => Ok(Framing::NONE),
        BodyMode::None | BodyMode::Upgraded => Err(SendError::NoBody),
    }
}

/// Writes the end of a body, with trailers if there are any. An error writes nothing.
pub(super) fn end(
    mode: &mut BodyMode,
    trailers: Option<&FieldLines>,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    let Some(lines) = trailers.filter(|lines| !lines.is_empty()) else {
        out.extend_from_slice(frame(mode, 0, true)?.suffix());
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
pub(super) fn write_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    write_decimal(length, out);
    out.extend_from_slice(b"\r\n");
}

pub(super) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        #[expect(clippy::cast_possible_truncation, reason = "below ten")]
        let value = number.checked_rem(10).unwrap_or(0) as u8;
        *digit = b'0'.wrapping_add(value);
        number = number.checked_div(10).unwrap_or(0);
        start = start.saturating_sub(1);
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}
