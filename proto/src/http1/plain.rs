//! Lines that are plainly valid, read in one pass: nearly every line of nearly every head.
//!
//! What is found here is what `head` and `start_line` would find. Anything else, wrong or merely
//! rare, and any line that is not complete, is left to them: there is no error here, and no state.

use super::head::{Head, offset};
use super::known::Known;
use super::request::Version;
use super::start_line::{MAX_METHOD, MethodKind, TargetForm};
use crate::fields::Span;
use crate::grammar;

/// The field line at the beginning of `bytes`, which lies `at` bytes into its section, and its
/// length with CRLF. The value is ASCII, not empty, and has at most one blank before it.
#[inline(always)]
pub(super) fn field_line(bytes: &[u8], at: u32) -> Option<(Span, usize)> {
    let (name, rest) = bytes.split_at_checked(grammar::token_len(bytes))?;
    let (blank, text) = match rest {
        [b':', b' ', text @ ..] => (1, text),
        [b':', text @ ..] => (0, text),
        _ => return None,
    };
    let (value, rest) = text.split_at_checked(grammar::plain_text_len(text))?;
    let [b'\r', b'\n', ..] = rest else {
        return None;
    };
    if name.is_empty() || matches!(value, [] | [b' ', ..] | [.., b' ']) {
        return None;
    }
    let value_at = name.len().wrapping_add(1).wrapping_add(blank);
    let span = Span {
        name: at,
        name_len: u16::try_from(name.len()).ok()?,
        value: at.wrapping_add(offset(value_at)),
        value_len: offset(value.len()),
        known: Known::of(name),
    };
    Some((span, value_at.wrapping_add(value.len()).wrapping_add(2)))
}

/// The request line at the beginning of `bytes`, and its length with CRLF. Its target is in
/// origin-form and has no `%`, its version is HTTP/1.1 (RFC 9112 §3).
#[inline(always)]
pub(super) fn request_line(bytes: &[u8], max_target: u32) -> Option<(Head, usize)> {
    let (method, rest) = bytes.split_at_checked(grammar::token_len(bytes))?;
    let [b' ', rest @ ..] = rest else {
        return None;
    };
    let (target, rest) = rest.split_at_checked(grammar::plain_target_len(rest))?;
    let kind = MethodKind::of(method);
    let valid = rest.first_chunk() == Some(b" HTTP/1.1\r\n")
        && (1..=MAX_METHOD).contains(&method.len())
        && kind != MethodKind::Connect
        && target.first() == Some(&b'/')
        && target.len() <= max_target as usize;
    if !valid {
        return None;
    }
    let target_at = offset(method.len()).wrapping_add(1);
    let head = Head {
        method_len: u16::try_from(method.len()).ok()?,
        target: target_at,
        target_len: offset(target.len()),
        path: target_at,
        version: Version::Http11,
        form: TargetForm::Origin,
        method: kind,
        ..Head::EMPTY
    };
    Some((head, method.len().wrapping_add(target.len()).wrapping_add(12)))
}
