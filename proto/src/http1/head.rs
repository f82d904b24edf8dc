//! The lines of a head or of a trailer section (RFC 9112 §2.2, §3 and §5).
//!
//! Invariant: the work is linear in the bytes, however they arrive. Lines are checked as they are
//! completed, each once; bytes of a line without an end are only searched for one. Because spans
//! live in a table that other connections use in between, a head that took several calls is read
//! once more when it is complete. What is found does not depend on how the bytes were split.
#![expect(clippy::inline_always, reason = "counted: a call costs as much as the short loops in it")]

use super::body::{BodyLength, ResponseLength};
use super::framing;
use super::known::Known;
use super::plain;
use super::request::Version;
use super::start_line::{self, MethodKind, TargetForm};
use crate::fields::{Fields, Span, slice};
use crate::{FieldTable, RecvError, StatusCode, grammar};

/// Where the parts of a request head lie, relative to its start, and what its fields decided.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    /// Of the head in the input: an empty line may come before it.
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) method_len: u16,
    pub(crate) target: u32,
    pub(crate) target_len: u32,
    /// Where the path begins; a query follows it to the end of the target.
    pub(crate) path: u32,
    pub(crate) path_len: u32,
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
        path_len: 0,
        version: Version::Http11,
        form: TargetForm::Origin,
        method: MethodKind::Other,
        body: BodyLength::None,
        keep_alive: false,
        expect_continue: false,
        offers_upgrade: false,
    };

    /// The request target, out of the bytes of the head.
    pub(crate) fn target<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        slice(bytes, self.target, self.target_len)
    }

    /// The path of the target, which may be empty.
    pub(crate) fn path<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        slice(bytes, self.path, self.path_len)
    }

    /// What follows the first `?` of the target.
    pub(crate) fn query<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let end = self.target.saturating_add(self.target_len);
        let at = self.path.saturating_add(self.path_len).saturating_add(1);
        Some(slice(bytes, at, end.checked_sub(at)?))
    }
}

/// The same for the head of a response, which starts where the input does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusLine {
    pub(crate) len: u32,
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) reason_len: u32,
    pub(crate) body: ResponseLength,
    pub(crate) keep_alive: bool,
    /// `Connection` names `Upgrade`.
    pub(crate) upgrade: bool,
}

impl StatusLine {
    pub(crate) const EMPTY: Self = Self {
        len: 0,
        version: Version::Http11,
        status: StatusCode::OK,
        reason_len: 0,
        body: ResponseLength::None,
        keep_alive: false,
        upgrade: false,
    };
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
    Request {
        max_bytes: u32,
        max_target: u32,
    },
    /// The answer to a request with that method.
    Response {
        max_bytes: u32,
        method: MethodKind,
    },
    Trailers {
        max_bytes: u32,
    },
}

impl Section {
    fn limit(self) -> (usize, RecvError) {
        match self {
            Self::Request { max_bytes, .. } | Self::Response { max_bytes, .. } => {
                (max_bytes as usize, RecvError::HeadTooLarge)
            }
            Self::Trailers { max_bytes } => (max_bytes as usize, RecvError::TrailersTooLarge),
        }
    }

    /// Checks as much of the first line as there is.
    fn partial_start_line(self, line: &[u8], limit: usize) -> Result<(), RecvError> {
        match self {
            Self::Request { max_target, .. } => start_line::partial_request_line(line, limit, max_target),
            Self::Response { .. } => start_line::partial_status_line(line, limit),
            Self::Trailers { .. } => Ok(()),
        }
    }
}

/// Reads on. Returns how many bytes the section took, once it is complete; then `table` has its
/// spans.
#[inline(always)]
pub(crate) fn parse(
    input: &[u8],
    progress: &mut Progress,
    section: Section,
    table: &mut FieldTable,
) -> Result<Option<usize>, RecvError> {
    // Where nothing was looked at, nothing else is in progress either.
    let fresh = progress.scanned == 0;
    if fresh {
        // As a rule the section is there at once, and its lines are plain.
        let mut read = Progress::NONE;
        table.clear();
        if let Some(end) = plain_lines(input, &mut read, section, table) {
            decide(input, 0, end, section, table)?;
            return Ok(Some(end));
        }
        *progress = read;
    }
    parse_on(input, progress, section, table, fresh)
}

/// [`parse`] of a section that is not plain or comes bit by bit; `tried`, if its plain lines were read
/// just now.
#[inline(never)]
fn parse_on(
    input: &[u8],
    progress: &mut Progress,
    section: Section,
    table: &mut FieldTable,
    tried: bool,
) -> Result<Option<usize>, RecvError> {
    // In progress already: lines before were checked, their spans are lost.
    let resumed = !tried && progress.line > progress.start;
    let found =
        if tried { lines(input, progress, section, table) } else { read(input, progress, section, table) };
    let Some(mut end) = found? else {
        return Ok(None);
    };
    if resumed {
        *progress = Progress::NONE;
        match read(input, progress, section, table)? {
            Some(again) => end = again,
            None => return Ok(None),
        }
    }
    decide(input, progress.start, end, section, table)?;
    *progress = Progress::NONE;
    Ok(Some(end))
}

/// Judges the fields of a section that lies between `start` and `end`.
#[inline(always)]
fn decide(
    input: &[u8],
    start: u32,
    end: usize,
    section: Section,
    table: &mut FieldTable,
) -> Result<(), RecvError> {
    match section {
        Section::Request { .. } => {
            let bytes = input.get(start as usize..end).unwrap_or_default();
            table.head.len = offset(bytes.len());
            let verdict = framing::judge_request(&table.head, bytes, Fields::new(bytes, table.spans()))?;
            let head = &mut table.head;
            head.body = verdict.body;
            head.keep_alive = verdict.keep_alive;
            head.expect_continue = verdict.expect_continue;
            head.offers_upgrade = verdict.offers_upgrade;
        }
        Section::Response { method, .. } => {
            let fields = Fields::new(input, table.spans());
            let verdict = framing::judge_response(&table.response, method, fields)?;
            let head = &mut table.response;
            head.len = offset(end);
            head.body = verdict.body;
            head.keep_alive = verdict.keep_alive;
            head.upgrade = verdict.upgrade;
        }
        Section::Trailers { .. } => {}
    }
    Ok(())
}

fn read(
    input: &[u8],
    progress: &mut Progress,
    section: Section,
    table: &mut FieldTable,
) -> Result<Option<usize>, RecvError> {
    table.clear();
    match more_plain_lines(input, progress, section, table) {
        Some(end) => Ok(Some(end)),
        None => lines(input, progress, section, table),
    }
}

/// Reads line by line from where the plain ones ended, and goes back to them after each.
#[inline(never)]
fn lines(
    input: &[u8],
    progress: &mut Progress,
    section: Section,
    table: &mut FieldTable,
) -> Result<Option<usize>, RecvError> {
    let (limit, too_large) = section.limit();
    if let (Section::Request { .. }, Progress { line: 0, start: 0, .. }) = (section, *progress) {
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
        let first = line_start == start && !matches!(section, Section::Trailers { .. });
        let unscanned = input.get(progress.scanned as usize..).unwrap_or_default();
        let Some(at) = grammar::find(b'\n', unscanned) else {
            let partial = input.get(line_start..).unwrap_or_default();
            if first {
                section.partial_start_line(partial, limit)?;
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
        if first {
            section.partial_start_line(line, limit)?;
            if next.saturating_sub(start) > limit {
                return Err(too_large);
            }
            match section {
                Section::Request { max_target, .. } => {
                    table.head = start_line::request_line_parts(line, max_target)?;
                    table.head.start = progress.start;
                }
                Section::Response { .. } => table.response = start_line::status_line_parts(line)?,
                Section::Trailers { .. } => {}
            }
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
        if let Some(end) = more_plain_lines(input, progress, section, table) {
            return Ok(Some(end));
        }
    }
}

#[inline(never)]
fn more_plain_lines(
    input: &[u8],
    progress: &mut Progress,
    section: Section,
    table: &mut FieldTable,
) -> Option<usize> {
    plain_lines(input, progress, section, table)
}

/// Reads the lines that are plainly valid, as far as they follow each other and the limits allow.
/// Returns where the section ends, if that is among them.
#[inline(always)]
fn plain_lines(
    input: &[u8],
    progress: &mut Progress,
    section: Section,
    table: &mut FieldTable,
) -> Option<usize> {
    if progress.scanned != progress.line {
        // The line was looked at before: its bytes are not looked at twice.
        return None;
    }
    let (limit, _) = section.limit();
    let bytes = input.get(progress.start as usize..)?;
    let bytes = bytes.get(..limit).unwrap_or(bytes);
    let mut at = progress.line.saturating_sub(progress.start) as usize;
    if at == 0 {
        match section {
            Section::Request { max_target, .. } => {
                let (head, len) = plain::request_line(bytes, max_target)?;
                table.head = Head { start: progress.start, ..head };
                at = len;
            }
            Section::Response { .. } => return None,
            Section::Trailers { .. } => {}
        }
    }
    let (fields, end) = plain::field_lines(bytes, at, table.free(progress.fields));
    table.written(fields);
    if bytes.get(end..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
        return (progress.start as usize).checked_add(end)?.checked_add(2);
    }
    progress.fields = progress.fields.saturating_add(u16::try_from(fields).unwrap_or(u16::MAX));
    progress.line = progress.start.saturating_add(offset(end));
    progress.scanned = progress.line;
    None
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
        known: Known::of(name),
    })
}

/// A position in a section. Sections are limited to less than 4 GiB by the type of their limit.
pub(super) fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
