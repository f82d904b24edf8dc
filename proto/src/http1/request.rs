//! The head of a request, borrowed from the input or owned.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::body::BodyLength;
use super::head::Head;
use super::start_line;
use crate::{FieldError, FieldTable, Fields, RecvError, fields::Span};

/// The version of HTTP in a request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

impl Version {
    /// `HTTP/1.0` or `HTTP/1.1`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// The request line and the fields of a request (RFC 9112 §3 and §5), as views into the input.
#[derive(Clone, Copy)]
pub struct RequestHead<'b> {
    bytes: &'b [u8],
    head: &'b Head,
    spans: &'b [Span],
}

impl<'b> RequestHead<'b> {
    /// The view of the head that the last `advance` put into `table`; `input` is what was given to
    /// that call.
    pub fn new(input: &'b [u8], table: &'b FieldTable) -> Self {
        let head = &table.head;
        let start = head.start as usize;
        let bytes = input.get(start..start.saturating_add(head.len as usize)).unwrap_or_default();
        Self { bytes, head, spans: table.spans() }
    }

    /// The method, case as received: a token (RFC 9110 §9.1).
    pub fn method(&self) -> &'b str {
        text(self.method_bytes())
    }

    /// [`method`](Self::method) as bytes: ASCII.
    pub fn method_bytes(&self) -> &'b [u8] {
        self.bytes.get(..usize::from(self.head.method_len)).unwrap_or_default()
    }

    /// The request target as received (RFC 9112 §3.2).
    pub fn target(&self) -> &'b str {
        text(self.target_bytes())
    }

    /// [`target`](Self::target) as bytes: ASCII, without blanks. To have it as text costs a check that
    /// a router can do without.
    pub fn target_bytes(&self) -> &'b [u8] {
        self.head.target(self.bytes)
    }

    /// The path of the target without its query, not decoded. For an absolute target the path
    /// after the authority, `/` if there is none; for `*` and for CONNECT the target itself.
    pub fn path(&self) -> &'b str {
        text(self.path_bytes())
    }

    /// [`path`](Self::path) as bytes: ASCII, never empty.
    ///
    /// ```
    /// use sinew_proto::http1::RequestHeadBuf;
    /// let head = RequestHeadBuf::build("GET", "http://example.org?b=c", [])?;
    /// assert_eq!(head.as_head().path_bytes(), b"/");
    /// assert_eq!(head.as_head().query_bytes(), Some(&b"b=c"[..]));
    /// # Ok::<(), sinew_proto::RecvError>(())
    /// ```
    pub fn path_bytes(&self) -> &'b [u8] {
        let path = self.head.path(self.bytes);
        if path.is_empty() { b"/" } else { path }
    }

    /// The query of the target, after the first `?`, not decoded.
    pub fn query(&self) -> Option<&'b str> {
        self.query_bytes().map(text)
    }

    /// [`query`](Self::query) as bytes: ASCII.
    pub fn query_bytes(&self) -> Option<&'b [u8]> {
        self.head.query(self.bytes)
    }

    /// The version the client speaks.
    pub const fn version(&self) -> Version {
        self.head.version
    }

    /// The field lines.
    pub const fn fields(&self) -> Fields<'b> {
        Fields::new(self.bytes, self.spans)
    }

    /// How the length of the body is told.
    pub const fn body(&self) -> BodyLength {
        self.head.body
    }

    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    pub const fn expects_continue(&self) -> bool {
        self.head.expect_continue
    }

    /// Whether the client offers to switch protocols: `Upgrade`, named by `Connection`, in
    /// HTTP/1.1 (RFC 9110 §7.8). CONNECT asks for a tunnel and is not meant here.
    pub const fn offers_upgrade(&self) -> bool {
        self.head.offers_upgrade
    }
}

/// What was found to be ASCII, as text.
fn text(ascii: &[u8]) -> &str {
    core::str::from_utf8(ascii).unwrap_or_default()
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method())
            .field("target", &self.target())
            .field("version", &self.version())
            .field("fields", &self.fields())
            .field("body", &self.body())
            .finish_non_exhaustive()
    }
}

impl PartialEq for RequestHead<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.method(), self.target(), self.version(), self.fields(), self.body())
            == (other.method(), other.target(), other.version(), other.fields(), other.body())
    }
}

impl Eq for RequestHead<'_> {}

/// An owned request head: one copy of the bytes, one of the spans. Reuse it, and a copy costs no
/// allocation.
///
/// ```
/// use sinew_proto::http1::RequestHeadBuf;
/// let head = RequestHeadBuf::build("GET", "/a?b=c", [("Host", "example.org")])?;
/// assert_eq!((head.as_head().path(), head.as_head().query()), ("/a", Some("b=c")));
/// # Ok::<(), sinew_proto::RecvError>(())
/// ```
#[derive(Clone, Default)]
pub struct RequestHeadBuf {
    bytes: Vec<u8>,
    head: Head,
    spans: Vec<Span>,
}

impl RequestHeadBuf {
    /// An empty head, to copy into.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), head: Head::EMPTY, spans: Vec::new() }
    }

    /// Replaces the content by a copy of `head`.
    pub fn copy_from(&mut self, head: &RequestHead<'_>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(head.bytes);
        self.spans.clear();
        self.spans.extend_from_slice(head.spans);
        self.head = Head { start: 0, ..*head.head };
    }

    /// How many bytes of a head it can hold without asking for memory.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// A head made from parts, checked as if it had been received: for tests, and for those who
    /// get requests from elsewhere. A `Host` is not needed.
    ///
    /// # Errors
    /// The [`RecvError`] that a peer sending these parts would have caused.
    pub fn build<'f>(
        method: &str,
        target: &str,
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, RecvError> {
        let mut text = String::new();
        let mut lines = crate::FieldLines::new();
        let mut max_fields = 1_u16;
        for (name, value) in fields {
            max_fields = max_fields.checked_add(1).ok_or(RecvError::TooManyFields)?;
            lines.append(name, value).map_err(|error| match error {
                FieldError::InvalidName => RecvError::InvalidFieldName,
                FieldError::InvalidValue => RecvError::InvalidFieldValue,
            })?;
        }
        if !lines.contains("host") {
            // An absolute target or none: any host that agrees with itself will do.
            let host = start_line::authority_of(target.as_bytes()).unwrap_or("localhost");
            lines.append("host", host).map_err(|_| RecvError::InvalidTarget)?;
        }
        for part in [method, " ", target, " HTTP/1.1\r\n"] {
            text.push_str(part);
        }
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(lines.as_bytes());
        bytes.extend_from_slice(b"\r\n");
        let limit = u32::try_from(bytes.len()).map_err(|_| RecvError::HeadTooLarge)?;
        let config = crate::Config {
            max_head_bytes: limit,
            max_target_bytes: limit,
            max_fields,
            ..crate::Config::DEFAULT
        };
        let mut table = FieldTable::new(&config);
        let mut server = super::Server::new(&config);
        let step = server.advance(&bytes, &mut table, crate::Instant::default())?;
        // A line break inside a part would end the head early or leave it open.
        if step.event != super::server::Kind::Request || step.consumed != bytes.len() {
            return Err(RecvError::InvalidTarget);
        }
        let mut buf = Self::new();
        buf.copy_from(&RequestHead::new(&bytes, &table));
        Ok(buf)
    }

    /// The head as a view.
    pub fn as_head(&self) -> RequestHead<'_> {
        RequestHead { bytes: &self.bytes, head: &self.head, spans: &self.spans }
    }
}

impl fmt::Debug for RequestHeadBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_head().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    /// The path ends at the first `?` of any target; what is asked as bytes is what is asked as text.
    #[test]
    fn targets_have_a_path_and_a_query() {
        let long = format!("/{}", "a".repeat(40));
        let long_query = format!("{long}?{}", "b/?".repeat(20));
        for (method, target, path, query) in [
            ("GET", "/", "/", None),
            ("GET", "/?", "/", Some("")),
            ("GET", "/a?b=c", "/a", Some("b=c")),
            ("GET", "/a?b?c=/d?", "/a", Some("b?c=/d?")),
            ("GET", "/a\"?b", "/a\"", Some("b")),
            ("GET", "/a%20b!c?d%3F", "/a%20b!c", Some("d%3F")),
            ("GET", "/a!", "/a!", None),
            ("GET", "/%3Fa", "/%3Fa", None),
            ("GET", &long, &long, None),
            ("GET", &long_query, &long, Some(&long_query[42..])),
            ("GET", "http://a", "/", None),
            ("GET", "http://a?b", "/", Some("b")),
            ("GET", "http://a/b?c", "/b", Some("c")),
            ("OPTIONS", "*", "*", None),
            ("CONNECT", "a:80", "a:80", None),
        ] {
            let owned = RequestHeadBuf::build(method, target, []).expect(target);
            let head = owned.as_head();
            assert_eq!((head.method(), head.target()), (method, target));
            assert_eq!((head.path(), head.query()), (path, query), "{target}");
            assert_eq!(head.method_bytes(), method.as_bytes());
            assert_eq!(head.target_bytes(), target.as_bytes());
            assert_eq!(head.path_bytes(), path.as_bytes());
            assert_eq!(head.query_bytes(), query.map(str::as_bytes));
        }
        for target in ["/?#", "/#", "/a?b#c", "/?%", "/%2", "/?%2g", "/?\u{7f}", "/? "] {
            assert!(RequestHeadBuf::build("GET", target, []).is_err(), "{target}");
        }
    }
}
