//! The head of a response: to be sent, and as it was received.

use core::fmt;

use super::body::ResponseLength;
use super::head::StatusLine;
use super::request::Version;
use super::start_line::STATUS_PREFIX;
use crate::{FieldLines, FieldTable, Fields, HttpDate, StatusCode, fields::Span};

/// Status and fields of a response to be sent.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: StatusCode,
    /// The fields, without those that frame the body: the core writes them.
    pub fields: Option<&'a FieldLines>,
    /// The date to send, unless the fields have one (RFC 9110 §6.6.1: a server with a clock sends
    /// one).
    pub date: Option<&'a HttpDate>,
}

impl ResponseHead<'_> {
    /// A response of that status, without fields.
    pub const fn new(status: StatusCode) -> Self {
        Self { status, fields: None, date: None }
    }
}

/// The status line and the fields of a response that was received (RFC 9112 §4 and §5), as views
/// into the input.
#[derive(Clone, Copy)]
pub struct Response<'b> {
    bytes: &'b [u8],
    line: &'b StatusLine,
    spans: &'b [Span],
}

impl<'b> Response<'b> {
    /// The view of the head that the last `advance` put into `table`; `input` is what was given to
    /// that call.
    pub fn new(input: &'b [u8], table: &'b FieldTable) -> Self {
        let line = &table.response;
        Self { bytes: input.get(..line.len as usize).unwrap_or_default(), line, spans: table.spans() }
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.line.status
    }

    /// The reason phrase as received, often empty. It means nothing (RFC 9112 §4).
    pub fn reason(&self) -> &'b [u8] {
        let end = STATUS_PREFIX.saturating_add(self.line.reason_len as usize);
        self.bytes.get(STATUS_PREFIX..end).unwrap_or_default()
    }

    /// The version the server speaks.
    pub const fn version(&self) -> Version {
        self.line.version
    }

    /// The field lines.
    pub const fn fields(&self) -> Fields<'b> {
        Fields::new(self.bytes, self.spans)
    }

    /// How the length of the body is told.
    pub const fn body(&self) -> ResponseLength {
        self.line.body
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("version", &self.version())
            .field("fields", &self.fields())
            .field("body", &self.body())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Response<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.status(), self.reason(), self.version(), self.fields(), self.body())
            == (other.status(), other.reason(), other.version(), other.fields(), other.body())
    }
}

impl Eq for Response<'_> {}
