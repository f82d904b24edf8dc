//! Events as a server writes them (HTML standard, 9.2.5).
//!
//! ```text
//! stream  = [ bom ] *event
//! event   = *( comment / field ) end-of-line
//! comment = ":" *any-char end-of-line
//! field   = 1*name-char [ ":" [ space ] *any-char ] end-of-line
//! ```
//!
//! Written are LF as the end of a line, no BOM, and one blank before every value that is not empty,
//! whether or not it needs one: so a blank that a value begins with is kept.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use memchr::{memchr2, memchr3};

/// A comment line. Sent from time to time, it keeps proxies from ending a quiet connection; the
/// standard advises every 15 seconds or so (9.2.7). A decoder skips it, between events as well as
/// inside of one.
pub const KEEP_ALIVE: &[u8] = b":\n";

/// An event to be sent. What cannot be written is refused when it is set, so that
/// [`write`](Self::write) cannot fail and no value can change the lines around it.
///
/// ```
/// use core::time::Duration;
/// use sinew_proto::sse::{Event, EventError};
///
/// let mut out = Vec::new();
/// Event::new().retry(Duration::from_secs(3)).id("41")?.data(" hello").write(&mut out);
/// assert_eq!(out, b"id: 41\nretry: 3000\ndata:  hello\n\n");
/// assert_eq!(Event::new().id("4\n1"), Err(EventError::InvalidId));
/// # Ok::<(), EventError>(())
/// ```
///
/// A decoder dispatches only what has data, be it empty. Without data an event may still set the last
/// event ID and the reconnection time. Each setter replaces what was set before.
#[must_use = "an event has to be written"]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Event<'a> {
    comment: Option<Cow<'a, str>>,
    /// The event type.
    name: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    /// In milliseconds.
    retry: Option<u64>,
    data: Option<Cow<'a, str>>,
}

/// A value that a line of an event stream cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The event type has CR, LF or NUL.
    #[error("an event type has neither line ends nor NUL")]
    InvalidEvent,
    /// The ID has CR, LF or NUL. Decoders ignore an ID with NUL (HTML standard, 9.2.6).
    #[error("an event ID has neither line ends nor NUL")]
    InvalidId,
}

impl<'a> Event<'a> {
    /// An event with nothing in it.
    pub const fn new() -> Self {
        Self { comment: None, name: None, id: None, retry: None, data: None }
    }

    /// The data. Every line of it becomes a field of its own; CR, LF and CRLF all end a line, and all
    /// of them arrive as LF.
    pub fn data(self, data: impl Into<Cow<'a, str>>) -> Self {
        Self { data: Some(data.into()), ..self }
    }

    /// The event type. Without one, and with an empty one, it is `message`.
    ///
    /// # Errors
    /// [`EventError::InvalidEvent`] if it has CR, LF or NUL.
    pub fn event(self, event: impl Into<Cow<'a, str>>) -> Result<Self, EventError> {
        let event = line(event.into()).ok_or(EventError::InvalidEvent)?;
        Ok(Self { name: Some(event), ..self })
    }

    /// The event ID: what a client sends as `Last-Event-ID` when it comes back. An empty one makes the
    /// client forget the one before; without one, the one before stays.
    ///
    /// # Errors
    /// [`EventError::InvalidId`] if it has CR, LF or NUL.
    pub fn id(self, id: impl Into<Cow<'a, str>>) -> Result<Self, EventError> {
        let id = line(id.into()).ok_or(EventError::InvalidId)?;
        Ok(Self { id: Some(id), ..self })
    }

    /// How long the client waits before it connects again, in whole milliseconds, rounded down; at
    /// most `u64::MAX` of them.
    pub fn retry(self, time: Duration) -> Self {
        Self { retry: Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)), ..self }
    }

    /// A comment, which decoders skip. Every line of it becomes a comment line.
    pub fn comment(self, comment: impl Into<Cow<'a, str>>) -> Self {
        Self { comment: Some(comment.into()), ..self }
    }

    /// Appends the event to `out`, with the empty line that ends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(comment) = &self.comment {
            lines("", comment, out);
        }
        // An empty type says the same as none.
        if let Some(event) = self.name.as_deref().filter(|event| !event.is_empty()) {
            field("event", event.as_bytes(), out);
        }
        if let Some(id) = &self.id {
            field("id", id.as_bytes(), out);
        }
        if let Some(retry) = self.retry {
            let mut digits = String::new();
            // Writing to a string does not fail.
            let _ = core::fmt::Write::write_fmt(&mut digits, format_args!("{retry}"));
            field("retry", digits.as_bytes(), out);
        }
        if let Some(data) = &self.data {
            lines("data", data, out);
        }
        out.push(b'\n');
    }
}

/// The value, if it fits in one line.
fn line(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    memchr3(b'\r', b'\n', 0, value.as_bytes()).is_none().then_some(value)
}

/// A field for each line of `text`.
fn lines(name: &str, text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(end) = memchr2(b'\r', b'\n', rest) {
        let (line, tail) = rest.split_at(end);
        field(name, line, out);
        rest = tail.strip_prefix(b"\r\n").or(tail.get(1..)).unwrap_or_default();
    }
    field(name, rest, out);
}

/// One line. An empty name makes a comment of it.
fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    if !value.is_empty() {
        out.push(b' ');
        out.extend_from_slice(value);
    }
    out.push(b'\n');
}
