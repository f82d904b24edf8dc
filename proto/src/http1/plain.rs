//! Lines that are plainly valid, read in one pass: nearly every line of nearly every head.
//!
//! What is found here is what `head` and `start_line` would find. Anything else, wrong or merely
//! rare, and any line that is not complete, is left to them: there is no error here, and no state.
#![expect(clippy::inline_always, reason = "counted: a call costs as much as the short loops in it")]

use super::head::{Head, offset};
use super::known::Known;
use super::request::Version;
use super::start_line::{MAX_METHOD, MethodKind, TargetForm};
use crate::fields::Span;
use crate::grammar;

/// Reads field lines of `section` from `at` on, one into each span. Returns how many were read, and
/// where the first line begins that was not.
///
/// A loop of its own and not inlined, so that what it needs stays in registers.
#[inline(never)]
pub(super) fn field_lines(section: &[u8], at: usize, spans: &mut [Span]) -> (usize, usize) {
    let mut rest = section.get(at..).unwrap_or_default();
    let room = spans.len();
    for (fields, slot) in spans.iter_mut().enumerate() {
        let at = section.len().wrapping_sub(rest.len());
        let Some((span, after)) = field_line(rest, at) else {
            return (fields, at);
        };
        *slot = span;
        rest = after;
    }
    (room, section.len().wrapping_sub(rest.len()))
}

/// The field line at the beginning of `bytes`, which lies `at` bytes into its section, and what
/// follows its CRLF. One blank follows the colon, and the value is ASCII and not empty.
///
/// The end of the line is looked for from its beginning, not from the end of the name: the processor
/// is at the next line while it still looks at this name.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a section has less than 4 GiB, a name less than 64 KiB")]
fn field_line(bytes: &[u8], at: usize) -> Option<(Span, &[u8])> {
    let (line, rest) = bytes.split_at_checked(grammar::plain_text_len(bytes))?;
    if line.is_empty() {
        return None;
    }
    let after = rest.strip_prefix(b"\r\n")?;
    let name_len = grammar::plain_name_len(bytes);
    let (name, value) = match line.split_at_checked(name_len)? {
        (name, [b':', b' ', value @ ..]) => (name, value),
        _ => other_name(line)?,
    };
    let name_len = name.len();
    // One comparison for an empty name and for one that is too long.
    let short = (1..=usize::from(u16::MAX)).contains(&name_len);
    if !short || matches!(value, [] | [b' ', ..] | [.., b' ']) {
        return None;
    }
    let span = Span {
        name: at as u32,
        name_len: name_len as u16,
        value: at.wrapping_add(name_len).wrapping_add(2) as u32,
        value_len: value.len() as u32,
        known: Known::of(name),
    };
    Some((span, after))
}

/// Splits a line whose name has other characters than letters, digits and `-`.
#[inline(never)]
fn other_name(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = line.split_at_checked(grammar::token_len(line))?;
    Some((name, rest.strip_prefix(b": ")?))
}

/// The request line at the beginning of `bytes`, and its length with CRLF. Its target is in
/// origin-form, its version is HTTP/1.1 (RFC 9112 §3).
#[inline(always)]
pub(super) fn request_line(bytes: &[u8], max_target: u32) -> Option<(Head, usize)> {
    let (method_len, kind, rest) = match bytes.strip_prefix(b"GET ") {
        Some(rest) => (3, MethodKind::Other, rest),
        None => method(bytes)?,
    };
    let (target_len, path_len) = grammar::target_len(rest);
    let (target, rest) = rest.split_at_checked(target_len)?;
    let valid = rest.starts_with(b" HTTP/1.1\r\n")
        && target.first() == Some(&b'/')
        && target.len() <= max_target as usize;
    if !valid {
        return None;
    }
    let target_at = u32::from(method_len).wrapping_add(1);
    let head = Head {
        method_len,
        target: target_at,
        target_len: offset(target.len()),
        path: target_at,
        path_len: offset(path_len),
        version: Version::Http11,
        form: TargetForm::Origin,
        method: kind,
        ..Head::EMPTY
    };
    Some((head, usize::from(method_len).wrapping_add(target.len()).wrapping_add(12)))
}

/// Length and kind of the method at the beginning of `bytes`, and what follows the blank after it.
#[inline(never)]
fn method(bytes: &[u8]) -> Option<(u16, MethodKind, &[u8])> {
    let (method, rest) = bytes.split_at_checked(grammar::token_len(bytes))?;
    let kind = MethodKind::of(method);
    let len = u16::try_from(method.len()).ok()?;
    let valid = (1..=MAX_METHOD).contains(&method.len()) && kind != MethodKind::Connect;
    if valid { Some((len, kind, rest.strip_prefix(b" ")?)) } else { None }
}
