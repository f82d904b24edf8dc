//! The lines of a head or of a trailer section (RFC 9112 §2.2, §3 and §5).
//!
//! Invariant: the work is linear in the bytes, however they arrive. Lines are checked as they are
//! completed, each once; bytes of a line without an end are only searched for one. Because spans
//! live in a table that other connections use in between, a head that took several calls is read
//! once more when it is complete. What is found does not depend on how the bytes were split.

use super::framing;
use super::request::{BodyLength, RequestHead, Version};
use crate::fields::Span;
use crate::{FieldTable, RecvError, grammar};

/// Longest method: RFC 9112 §3 asks for nothing, the longest registered one has 17.
const MAX_METHOD: usize = 32;

/// Where the parts of a request head lie, relative to its start, and what its fields decided.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    /// Of the head in the input: an empty line may come before it.
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) method_len: u16,
    pub(crate) target: u32,
    pub(crate) target_len: u32,
    /// Where path and query begin.
    pub(crate) path: u32,
    pub(crate) version: Version,
    pub(crate) form: TargetForm,
    pub(crate) method: MethodKind,
    pub(crate) body: BodyLength,
    pub(crate) keep_alive: bool,
    pub(crate) expect_continue: bool,
    pub(crate) offers_upgrade: bool,
}

impl Head {
    pub(crate) const EMPTY: Self = Self {
        start: 0,
        len: 0,
        method_len: 0,
        target: 0,
        target_len: 0,
        path: 0,
        version: Version::Http11,
        form: TargetForm::Origin,
        method: MethodKind::Other,
        body: BodyLength::None,
        keep_alive: false,
        expect_continue: false,
        offers_upgrade: false,
    };
}

/// The methods that change what a response looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MethodKind {
    Head,
    Connect,
    #[default]
    Other,
}

/// The four forms of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TargetForm {
    #[default]
    Origin,
    Absolute,
    Authority,
    Asterisk,
}

/// How far an unfinished section was read: kept by the connection between calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Where the section starts: 2 if an empty line was skipped.
    start: u32,
    /// Where the first line begins that was not checked yet.
    line: u32,
    /// Up to where there is no LF after `line`.
    scanned: u32,
    /// Field lines checked so far.
    fields: u16,
}

impl Progress {
    pub(crate) const NONE: Self = Self { start: 0, line: 0, scanned: 0, fields: 0 };
}

/// What is being read.
#[derive(Clone, Copy)]
pub(crate) enum Section {
    Head { max_bytes: u32, max_target: u32 },
    Trailers { max_bytes: u32 },
}

impl Section {
    fn limit(self) -> (usize, RecvError) {
        match self {
            Self::Head { max_bytes, .. } => (max_bytes as usize, RecvError::HeadTooLarge),
            Self::Trailers { max_bytes } => (max_bytes as usize, RecvError::TrailersTooLarge),
        }
    }
}

/// Reads on. Returns how many bytes the section took, once it is complete; then `table` has its
/// spans.
pub(crate) fn parse(
    input: &[u8],
    progress: &mut Progress,
    section: Section,
    table: &mut FieldTable,
) -> Result<Option<usize>, RecvError> {
    // In progress already: lines before were checked, their spans are lost.
    let resumed = progress.line > progress.start;
    let Some(mut end) = lines(input, progress, section, table)? else {
        return Ok(None);
    };
    if resumed {
        *progress = Progress::default();
        match lines(input, progress, section, table)? {
            Some(again) => end = again,
            None => return Ok(None),
        }
    }
    if let Section::Head { .. } = section {
        table.head.len = offset(end).saturating_sub(table.head.start);
        let view = RequestHead::new(input, table);
        let verdict = framing::judge(&table.head, view.target(), view.fields())?;
        let head = &mut table.head;
        head.body = verdict.body;
        head.keep_alive = verdict.keep_alive;
        head.expect_continue = verdict.expect_continue;
        head.offers_upgrade = verdict.offers_upgrade;
    }
    *progress = Progress::default();
    Ok(Some(end))
}

fn lines(
    input: &[u8],
    progress: &mut Progress,
    section: Section,
    table: &mut FieldTable,
) -> Result<Option<usize>, RecvError> {
    let (limit, too_large) = section.limit();
    table.clear();
    if let (Section::Head { .. }, Progress { line: 0, start: 0, .. }) = (section, *progress) {
        // One empty line before a request line is passed over (RFC 9112 §2.2).
        match input {
            [b'\r', b'\n', ..] => *progress = Progress { start: 2, line: 2, scanned: 2, fields: 0 },
            [b'\r'] => return Ok(None),
            _ => {}
        }
    }
    let start = progress.start as usize;
    loop {
        let line_start = progress.line as usize;
        let request_line = line_start == start && matches!(section, Section::Head { .. });
        let unscanned = input.get(progress.scanned as usize..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', unscanned) else {
            let partial = input.get(line_start..).unwrap_or_default();
            if let (true, Section::Head { max_target, .. }) = (request_line, section) {
                partial_request_line(partial, limit, max_target)?;
            }
            if input.len().saturating_sub(start) > limit {
                return Err(too_large);
            }
            progress.scanned = offset(input.len());
            return Ok(None);
        };
        let lf = (progress.scanned as usize).saturating_add(at);
        let next = lf.saturating_add(1);
        let line = input.get(line_start..lf).unwrap_or_default();
        if let (true, Section::Head { max_target, .. }) = (request_line, section) {
            partial_request_line(line, limit, max_target)?;
            if next.saturating_sub(start) > limit {
                return Err(too_large);
            }
            table.head = request_line_parts(line, max_target)?;
            table.head.start = progress.start;
        } else {
            if next.saturating_sub(start) > limit {
                return Err(too_large);
            }
            let line = line.strip_suffix(b"\r").ok_or(RecvError::BareLf)?;
            if line.is_empty() {
                return Ok(Some(next));
            }
            let span = field_line(line, line_start.saturating_sub(start))?;
            if usize::from(progress.fields) >= table.capacity() || !table.push(span) {
                return Err(RecvError::TooManyFields);
            }
            progress.fields = progress.fields.saturating_add(1);
        }
        progress.line = offset(next);
        progress.scanned = progress.line;
    }
}

/// What can be said about a request line from its beginning: garbage is refused at once, and so is
/// a target without end. Bytes that a line given bit by bit would not have reached say nothing, so
/// that a whole line gets the same answer.
fn partial_request_line(line: &[u8], limit: usize, max_target: u32) -> Result<(), RecvError> {
    let reached = line.get(..=limit).unwrap_or(line);
    let method = reached.iter().take(MAX_METHOD.saturating_add(1)).position(|&b| b == b' ');
    let visible = reached.get(..method.unwrap_or(reached.len())).unwrap_or_default();
    if visible.len() > MAX_METHOD || method == Some(0) || !visible.iter().all(|&b| grammar::is_tchar(b)) {
        return Err(RecvError::InvalidMethod);
    }
    // Method, blank, target, blank, version, CR.
    let longest = (max_target as usize).saturating_add(MAX_METHOD).saturating_add(11);
    if line.len() > longest.min(limit) {
        return Err(if limit < longest { RecvError::HeadTooLarge } else { RecvError::TargetTooLong });
    }
    Ok(())
}

/// `request-line = method SP request-target SP HTTP-version` (RFC 9112 §3). `line` still has its CR.
fn request_line_parts(line: &[u8], max_target: u32) -> Result<Head, RecvError> {
    let (method, rest) = split_at_blank(line).ok_or(RecvError::InvalidMethod)?;
    let rest = rest.strip_suffix(b"\r").ok_or(RecvError::BareLf)?;
    let (target, version) = split_at_blank(rest).ok_or(RecvError::InvalidVersion)?;
    if target.len() > max_target as usize {
        return Err(RecvError::TargetTooLong);
    }
    if method == b"PRI" && target == b"*" && version == b"HTTP/2.0" {
        return Err(RecvError::Http2Preface);
    }
    if !grammar::is_target(target) {
        return Err(RecvError::InvalidTarget);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(RecvError::UnsupportedVersion);
        }
        _ => return Err(RecvError::InvalidVersion),
    };
    let (form, path_at) = target_form(method, target).ok_or(RecvError::InvalidTarget)?;
    let target_at = offset(method.len()).saturating_add(1);
    Ok(Head {
        method_len: u16::try_from(method.len()).map_err(|_| RecvError::InvalidMethod)?,
        target: target_at,
        target_len: offset(target.len()),
        path: target_at.saturating_add(offset(path_at)),
        version,
        form,
        method: match method {
            b"HEAD" => MethodKind::Head,
            b"CONNECT" => MethodKind::Connect,
            _ => MethodKind::Other,
        },
        ..Head::EMPTY
    })
}

/// The form of a target and where its path begins (RFC 9112 §3.2). `None`: not a form that the
/// method may have.
fn target_form(method: &[u8], target: &[u8]) -> Option<(TargetForm, usize)> {
    if method == b"CONNECT" {
        let (_, port) = grammar::split_port(target);
        let valid = grammar::is_authority(target) && port.is_some_and(|port| !port.is_empty());
        return valid.then_some((TargetForm::Authority, 0));
    }
    match target {
        [b'/', ..] => Some((TargetForm::Origin, 0)),
        b"*" => (method == b"OPTIONS").then_some((TargetForm::Asterisk, 0)),
        _ => {
            let authority = authority_of(target)?;
            let path = memchr::memmem::find(target, b"://")?.checked_add(3)?.checked_add(authority.len())?;
            grammar::is_authority(authority.as_bytes()).then_some((TargetForm::Absolute, path))
        }
    }
}

/// The authority of an absolute target with the scheme `http` or `https`. We are no gateway to
/// anything else.
pub(crate) fn authority_of(target: &[u8]) -> Option<&str> {
    let scheme_end = memchr::memmem::find(target, b"://")?;
    let (scheme, rest) = target.split_at_checked(scheme_end)?;
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return None;
    }
    let rest = rest.strip_prefix(b"://")?;
    let end = rest.iter().position(|&b| b == b'/' || b == b'?').unwrap_or(rest.len());
    core::str::from_utf8(rest.get(..end)?).ok()
}

/// `field-line = field-name ":" OWS field-value OWS` (RFC 9112 §5), without its CRLF.
fn field_line(line: &[u8], at: usize) -> Result<Span, RecvError> {
    if let [b' ' | b'\t', ..] = line {
        return Err(RecvError::LeadingWhitespace);
    }
    let name_len = line.iter().position(|&b| !grammar::is_tchar(b)).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(name_len).ok_or(RecvError::InvalidFieldName)?;
    let value = match rest {
        [b':', value @ ..] if !name.is_empty() => value,
        [b' ' | b'\t', rest @ ..] if !name.is_empty() && grammar::trim_ows(rest).first() == Some(&b':') => {
            return Err(RecvError::WhitespaceBeforeColon);
        }
        _ => return Err(RecvError::InvalidFieldName),
    };
    let trimmed = grammar::trim_ows(value);
    if !grammar::is_field_content(trimmed) {
        return Err(RecvError::InvalidFieldValue);
    }
    let leading = value.iter().take_while(|&&b| b == b' ' || b == b'\t').count();
    Ok(Span {
        name: offset(at),
        name_len: u16::try_from(name.len()).map_err(|_| RecvError::InvalidFieldName)?,
        value: offset(at.saturating_add(name.len()).saturating_add(1).saturating_add(leading)),
        value_len: offset(trimmed.len()),
    })
}

fn split_at_blank(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(memchr::memchr(b' ', bytes)?)?;
    Some((before, rest.get(1..)?))
}

/// A position in a section. Sections are limited to less than 4 GiB by the type of their limit.
fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
