//! Field lines to be sent: checked once when they are set, written as one block.

use alloc::vec::Vec;
use core::fmt;

use crate::{Field, FieldError, Fields, fields::members, grammar};

/// An owned, ordered sequence of field lines that are valid to send (RFC 9112 §5).
///
/// Names and values are checked when they are set, so that no later step can be tricked into
/// splitting a response. The lines are kept as the bytes that go out.
///
/// ```
/// use sinew_proto::{FieldError, FieldLines};
/// let mut lines = FieldLines::new();
/// lines.append("content-type", "text/plain")?;
/// lines.insert("Content-Type", "text/html")?;
/// assert_eq!(lines.get("content-type"), Some(&b"text/html"[..]));
/// assert_eq!(lines.append("x", "a\r\nset-cookie: b"), Err(FieldError::InvalidValue));
/// # Ok::<(), FieldError>(())
/// ```
#[derive(Default)]
pub struct FieldLines {
    /// `name ": " value CRLF` for each line.
    bytes: Vec<u8>,
    marks: u8,
    /// The [`sketch`] of every name that was added: what is not in it is not among the lines.
    names: u64,
}

/// The memory that the first line asks for: most responses have no more than this.
const FIRST_CAPACITY: usize = 128;

/// One bit that depends on a name, but not on its case.
fn sketch(name: &[u8]) -> u64 {
    let edge = |byte: Option<&u8>| u32::from(byte.map_or(0, |byte| byte | 0x20));
    let (first, last) = (edge(name.first()), edge(name.last()));
    // Any length will do, and so will its lowest bits.
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits will do")]
    let length = name.len() as u32;
    1 << (first.wrapping_mul(7).wrapping_add(last).wrapping_add(length.wrapping_mul(11)) % 64)
}

/// Names that the writer of a head must know about.
pub(crate) mod mark {
    pub(crate) const CONTENT_LENGTH: u8 = 1;
    pub(crate) const TRANSFER_ENCODING: u8 = 1 << 1;
    pub(crate) const CONNECTION: u8 = 1 << 2;
    pub(crate) const DATE: u8 = 1 << 3;
    pub(crate) const UPGRADE: u8 = 1 << 4;
    pub(crate) const HOST: u8 = 1 << 5;
    pub(crate) const EXPECT: u8 = 1 << 6;
    pub(crate) const TE: u8 = 1 << 7;
}

/// The bit of a name. Most names are dismissed by their length and their first letter.
#[inline]
fn mark_of(name: &[u8]) -> u8 {
    let first = name.first().map_or(0, |first| first | 0x20);
    let (candidate, bit): (&[u8], u8) = match (name.len(), first) {
        (2, b't') => (b"te", mark::TE),
        (4, b'h') => (b"host", mark::HOST),
        (4, b'd') => (b"date", mark::DATE),
        (6, b'e') => (b"expect", mark::EXPECT),
        (7, b'u') => (b"upgrade", mark::UPGRADE),
        (10, b'c') => (b"connection", mark::CONNECTION),
        (14, b'c') => (b"content-length", mark::CONTENT_LENGTH),
        (17, b't') => (b"transfer-encoding", mark::TRANSFER_ENCODING),
        _ => return 0,
    };
    if name.eq_ignore_ascii_case(candidate) { bit } else { 0 }
}

impl FieldLines {
    /// No lines.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), marks: 0, names: 0 }
    }

    /// No lines yet, with room for `bytes` bytes of them.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), marks: 0, names: 0 }
    }

    /// Adds a line after the others. White space around the value is left out.
    ///
    /// # Errors
    /// [`FieldError`] if the name is no token or the value has a control character; nothing changes.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        self.add(name.as_bytes(), grammar::trim_ows(value.as_ref()))
    }

    /// Sets a field: removes every line of that name, then adds this one.
    ///
    /// # Errors
    /// As for [`Self::append`]; then nothing was removed.
    pub fn insert(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        let value = grammar::trim_ows(value.as_ref());
        if self.names & sketch(name.as_bytes()) != 0 {
            check(name.as_bytes(), value)?;
            self.remove(name);
        }
        self.add(name.as_bytes(), value)
    }

    /// Adds all `others` after these. They were checked when they were set: this is one copy, for lines
    /// that are the same in many responses.
    ///
    /// ```
    /// use sinew_proto::FieldLines;
    /// let mut usual = FieldLines::new();
    /// usual.append("server", "sinew")?;
    /// usual.append("content-type", "text/plain; charset=utf-8")?;
    /// let mut lines = FieldLines::new();
    /// lines.append_all(&usual);
    /// assert_eq!(lines, usual);
    /// # Ok::<(), sinew_proto::FieldError>(())
    /// ```
    pub fn append_all(&mut self, others: &Self) {
        self.bytes.extend_from_slice(&others.bytes);
        self.marks |= others.marks;
        self.names |= others.names;
    }

    /// Checks a line and adds it. A value has no white space around it.
    fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), FieldError> {
        check(name, value)?;
        self.marks |= mark_of(name);
        self.names |= sketch(name);
        let needed = name.len().saturating_add(value.len()).saturating_add(4);
        let room = self.bytes.capacity().wrapping_sub(self.bytes.len());
        if needed > room {
            self.bytes.reserve(needed.max(FIRST_CAPACITY));
        }
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Removes every line of that name and says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        if !self.contains(name) {
            return false;
        }
        let mut kept = Self::with_capacity(self.bytes.len());
        for line in self.lines().filter(|line| !line.field.name.eq_ignore_ascii_case(name)) {
            kept.bytes.extend_from_slice(line.bytes);
            kept.marks |= mark_of(line.field.name.as_bytes());
            kept.names |= sketch(line.field.name.as_bytes());
        }
        *self = kept;
        true
    }

    /// The lines in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.lines().map(|line| line.field)
    }

    /// The values of every line of that name, in order.
    pub fn get_all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        self.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The value of the first line of that name.
    pub fn get<'s>(&'s self, name: &'s str) -> Option<&'s [u8]> {
        if self.names & sketch(name.as_bytes()) == 0 { None } else { self.get_all(name).next() }
    }

    /// Whether there is a line of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Removes every line and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.marks = 0;
        self.names = 0;
    }

    /// How many bytes of lines it can hold without asking for memory.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The lines as they are sent: `name: value CRLF` each, without the empty line at the end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bits of [`mark`] that are set.
    pub(crate) const fn marks(&self) -> u8 {
        self.marks
    }

    /// Whether `Connection` names that option.
    #[inline]
    pub(crate) fn has_connection_option(&self, option: &[u8]) -> bool {
        // As a rule there is no such field.
        self.marks & mark::CONNECTION != 0 && self.names_connection_option(option)
    }

    #[inline(never)]
    fn names_connection_option(&self, option: &[u8]) -> bool {
        self.get_all("connection").flat_map(members).any(|member| member.eq_ignore_ascii_case(option))
    }

    fn lines(&self) -> Lines<'_> {
        Lines { rest: &self.bytes }
    }
}

#[expect(clippy::inline_always, reason = "counted: a call less for each line")]
#[inline(always)]
fn check(name: &[u8], value: &[u8]) -> Result<(), FieldError> {
    if !grammar::is_token(name) {
        Err(FieldError::InvalidName)
    } else if !grammar::is_field_content(value) {
        Err(FieldError::InvalidValue)
    } else {
        Ok(())
    }
}

struct Line<'s> {
    bytes: &'s [u8],
    field: Field<'s>,
}

struct Lines<'s> {
    rest: &'s [u8],
}

impl<'s> Iterator for Lines<'s> {
    type Item = Line<'s>;

    // A name has no colon and a value no LF, so the first of each is the delimiter.
    fn next(&mut self) -> Option<Line<'s>> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let (bytes, rest) = self.rest.split_at_checked(end.saturating_add(1))?;
        self.rest = rest;
        let (name, value) = bytes.split_at_checked(memchr::memchr(b':', bytes)?)?;
        let name = core::str::from_utf8(name).ok()?;
        let value = value.strip_prefix(b": ")?.strip_suffix(b"\r\n")?;
        Some(Line { bytes, field: Field { name, value } })
    }
}

impl Clone for FieldLines {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), ..*self }
    }

    /// Replaces the lines and keeps the memory.
    fn clone_from(&mut self, source: &Self) {
        self.bytes.clear();
        self.bytes.reserve(source.bytes.len().max(FIRST_CAPACITY));
        self.bytes.extend_from_slice(&source.bytes);
        self.marks = source.marks;
        self.names = source.names;
    }
}

/// A copy of what was received. What may be received may be sent; a view of other bytes than those that were
/// judged, which the caller of the core may make by mistake, may hold lines that may not: they are left out.
///
/// ```
/// use sinew_proto::{FieldLines, http1::RequestHeadBuf};
/// let head = RequestHeadBuf::build("GET", "/", [("X-Trace", "1"), ("accept", "*/*")])?;
/// let lines = FieldLines::from(head.as_head().fields());
/// assert_eq!(lines.get("x-trace"), Some(&b"1"[..]));
/// # Ok::<(), sinew_proto::RecvError>(())
/// ```
impl From<Fields<'_>> for FieldLines {
    fn from(fields: Fields<'_>) -> Self {
        let len = |(name, value): (&[u8], &[u8])| name.len().saturating_add(value.len()).saturating_add(4);
        let mut lines = Self::with_capacity(fields.lines().map(len).fold(0, usize::saturating_add));
        for (name, value) in fields.lines() {
            let _ = lines.add(name, value);
        }
        lines
    }
}

/// The same lines in the same order.
impl PartialEq for FieldLines {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for FieldLines {}

impl fmt::Debug for FieldLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|field| (field.name, field.value.escape_ascii()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{RequestHead, Server};
    use std::{format, vec};

    #[test]
    fn lines_keep_order_and_case() {
        let mut lines = FieldLines::new();
        lines.append("Set-Cookie", "a=1").unwrap();
        lines.append("X", " y\t").unwrap();
        lines.append("set-cookie", b"b=\xff").unwrap();
        assert_eq!(lines.as_bytes(), b"Set-Cookie: a=1\r\nX: y\r\nset-cookie: b=\xff\r\n");
        assert_eq!(lines.get_all("SET-COOKIE").count(), 2);
        assert!(lines.remove("set-cookie"));
        assert_eq!(lines.as_bytes(), b"X: y\r\n");
        assert!(!lines.remove("set-cookie"));
    }

    #[test]
    fn what_would_split_a_response_is_refused_and_changes_nothing() {
        let mut lines = FieldLines::new();
        lines.append("a", "1").unwrap();
        for value in ["x\ry", "x\ny", "x\0y", "x\r\n\r\nbody", "x\r\n", "\nx", "\u{7f}", "x\u{1b}[0m"] {
            assert_eq!(lines.insert("a", value), Err(FieldError::InvalidValue), "{value:?}");
        }
        for name in ["", "a b", "a:", "a\r\n", "ä", "(x)"] {
            assert_eq!(lines.append(name, "v"), Err(FieldError::InvalidName), "{name:?}");
        }
        assert_eq!(lines.as_bytes(), b"a: 1\r\n");
    }

    #[test]
    fn every_length_is_checked_to_its_last_byte_and_copied_whole() {
        for len in 1..40 {
            let (name, value) = ("n".repeat(len), "v".repeat(len));
            let mut lines = FieldLines::new();
            lines.append(&name, &value).unwrap();
            lines.append(&name, "\u{a0} \t\u{a0}").unwrap();
            let expected = format!("{name}: {value}\r\n{name}: \u{a0} \t\u{a0}\r\n");
            assert_eq!(lines.as_bytes(), expected.as_bytes());
            for at in 0..len {
                let mut wrong = name.clone();
                wrong.replace_range(at..=at, "\u{7f}");
                assert_eq!(lines.append(&wrong, "v"), Err(FieldError::InvalidName), "{at} of {len}");
                assert_eq!(lines.append("n", &wrong), Err(FieldError::InvalidValue), "{at} of {len}");
                lines.append(&wrong.replace('\u{7f}', "~"), "").unwrap();
            }
            assert_eq!(lines.iter().count(), len + 2);
        }
    }

    #[test]
    fn a_copy_replaces_everything_but_the_memory() {
        let mut source = FieldLines::new();
        source.append("Connection", "close").unwrap();
        let mut lines = FieldLines::with_capacity(1_000);
        lines.append("date", "now").unwrap();
        lines.clone_from(&source);
        assert_eq!((&lines, lines.marks()), (&source, source.marks()));
        assert!(!lines.contains("date") && lines.has_connection_option(b"close"));
        assert!(lines.capacity() >= 1_000);
        assert_eq!((source.clone(), source.clone().marks()), (source, mark::CONNECTION));
    }

    /// Nobody can keep a caller from showing a table of one head beside the bytes of another.
    #[test]
    fn lines_of_other_bytes_than_were_judged_are_left_out() {
        let input = b"GET / HTTP/1.1\r\nhost: example.org\r\nx: 1\r\n\r\n";
        let config = crate::Config::default();
        let mut table = crate::FieldTable::new(&config);
        let step = Server::new(&config).advance(input, &mut table, crate::Instant::from_nanos(0)).unwrap();
        assert_eq!(step.consumed, input.len());
        let lines = |input: &[u8]| FieldLines::from(RequestHead::new(input, &table).fields());
        assert_eq!(lines(input).as_bytes(), b"host: example.org\r\nx: 1\r\n");
        for other in
            [vec![b'\n'; input.len()], vec![b':'; input.len()], vec![], b"GET / HTTP/1.1\r\nho".to_vec()]
        {
            assert_eq!(lines(&other).as_bytes(), b"", "{}", other.escape_ascii());
        }
    }

    #[test]
    fn marks_follow_the_lines() {
        let mut lines = FieldLines::new();
        lines.append("Connection", "x, Close").unwrap();
        assert!(lines.has_connection_option(b"close"));
        lines.remove("connection");
        assert_eq!(lines.marks(), 0);
        assert!(!lines.contains("connection"));

        let mut others = FieldLines::new();
        others.append("Date", "now").unwrap();
        others.append("x", "1").unwrap();
        lines.append("te", "trailers").unwrap();
        lines.append_all(&others);
        assert_eq!(lines.marks(), mark::TE | mark::DATE);
        assert_eq!((lines.get("X"), lines.get("TE")), (Some(&b"1"[..]), Some(&b"trailers"[..])));
        assert_eq!(lines.as_bytes(), b"te: trailers\r\nDate: now\r\nx: 1\r\n");
    }
}
