//! Field lines as they were received: spans over bytes that the caller owns.

use alloc::{boxed::Box, vec};
use core::fmt;

use crate::http1::{Head, Known, StatusLine};
use crate::{Config, grammar};

/// One field line of a head: where its name and its value lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) name: u32,
    pub(crate) name_len: u16,
    pub(crate) value: u32,
    pub(crate) value_len: u32,
    /// What the name means here, looked up once.
    pub(crate) known: Known,
}

/// A field line: a name and its value without the white space around it (RFC 9112 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'b> {
    /// The name as the peer wrote it. Compare it without regard to case.
    pub name: &'b str,
    /// The value. It has no control characters but HTAB; bytes from 0x80 are opaque (RFC 9110
    /// §5.5).
    pub value: &'b [u8],
}

/// The field lines of a head or trailer section, in the order and case of the peer.
///
/// A view: it borrows the received bytes and copies as two pointers.
#[derive(Clone, Copy)]
pub struct Fields<'b> {
    bytes: &'b [u8],
    spans: &'b [Span],
}

impl<'b> Fields<'b> {
    pub(crate) const fn new(bytes: &'b [u8], spans: &'b [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many field lines there are.
    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The field lines in the order they came.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Field<'b>> + ExactSizeIterator + use<'b> {
        self.lines()
            .map(|(name, value)| Field { name: core::str::from_utf8(name).unwrap_or_default(), value })
    }

    /// Names and values in that order. A name is a token, and so ASCII.
    pub(crate) fn lines(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&'b [u8], &'b [u8])> + ExactSizeIterator + use<'b> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| (name(bytes, span), value(bytes, span)))
    }

    /// The values of the fields that the core goes by itself, in order.
    pub(crate) fn known(&self) -> impl Iterator<Item = (Known, &'b [u8])> + use<'b> {
        let bytes = self.bytes;
        self.spans
            .iter()
            .filter(|span| span.known != Known::Other)
            .map(move |span| (span.known, value(bytes, span)))
    }

    /// The values of every field line with this name, in order.
    pub fn get_all<'n>(&self, wanted: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        let bytes = self.bytes;
        self.spans
            .iter()
            .filter(move |span| {
                usize::from(span.name_len) == wanted.len()
                    && name(bytes, span).eq_ignore_ascii_case(wanted.as_bytes())
            })
            .map(move |span| value(bytes, span))
    }

    /// The value of the first field line with this name.
    pub fn get(&self, name: &str) -> Option<&'b [u8]> {
        self.get_all(name).next()
    }

    /// The value of the first field line with this name, if it is UTF-8.
    pub fn get_str(&self, name: &str) -> Option<&'b str> {
        core::str::from_utf8(self.get(name)?).ok()
    }

    /// Whether a field line has this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The members of a comma-separated list, over all field lines of this name, without the white
    /// space around them and without empty ones (RFC 9110 §5.6.1). Not for fields with quoted
    /// strings.
    pub fn list<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        self.get_all(name).flat_map(members)
    }
}

/// The members of one comma-separated list value, empty ones left out.
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(grammar::trim_ows).filter(|member| !member.is_empty())
}

#[inline]
pub(crate) fn slice(bytes: &[u8], at: u32, len: u32) -> &[u8] {
    let at = at as usize;
    bytes.get(at..at.saturating_add(len as usize)).unwrap_or_default()
}

fn name<'b>(bytes: &'b [u8], span: &Span) -> &'b [u8] {
    slice(bytes, span.name, u32::from(span.name_len))
}

fn value<'b>(bytes: &'b [u8], span: &Span) -> &'b [u8] {
    slice(bytes, span.value, span.value_len)
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|field| (field.name, field.value.escape_ascii()))).finish()
    }
}

impl PartialEq for Fields<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields<'_> {}

/// Where the parts of the last head or trailer section lie. Scratch space: one for an event loop is
/// enough, because a table holds nothing between two calls that a connection would miss.
///
/// Its size is the limit on field lines, 16 bytes each.
#[derive(Clone, Debug)]
pub struct FieldTable {
    spans: Box<[Span]>,
    len: usize,
    pub(crate) head: Head,
    pub(crate) response: StatusLine,
}

impl FieldTable {
    /// A table with room for `config.max_fields` field lines.
    pub fn new(config: &Config) -> Self {
        Self {
            spans: vec![Span::default(); usize::from(config.max_fields)].into_boxed_slice(),
            len: 0,
            head: Head::EMPTY,
            response: StatusLine::EMPTY,
        }
    }

    /// The view of the trailers that the last `advance` put into this table; `input` is what was
    /// given to that call.
    pub fn trailers<'b>(&'b self, input: &'b [u8]) -> Fields<'b> {
        let start = self.head.start as usize;
        let end = start.saturating_add(self.head.len as usize);
        Fields::new(input.get(start..end).unwrap_or_default(), self.spans())
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn push(&mut self, span: Span) -> bool {
        match self.spans.get_mut(self.len) {
            Some(slot) => {
                *slot = span;
                self.len = self.len.saturating_add(1);
                true
            }
            None => false,
        }
    }

    /// The spans that are not in use, to be written from the first on, for a section of which `seen`
    /// field lines were read: those of earlier calls are not in the table any more, but they count.
    pub(crate) fn free(&mut self, seen: u16) -> &mut [Span] {
        let room = self.spans.len().saturating_sub(usize::from(seen));
        let end = self.len.saturating_add(room).min(self.spans.len());
        self.spans.get_mut(self.len..end).unwrap_or_default()
    }

    /// So many of the free spans were written.
    pub(crate) fn written(&mut self, spans: usize) {
        self.len = self.len.saturating_add(spans).min(self.spans.len());
    }

    pub(crate) fn spans(&self) -> &[Span] {
        self.spans.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.spans.len()
    }
}
