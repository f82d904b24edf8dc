//! The sending half of a [`Client`]: heads and the framing of bodies.
//!
//! Invariant: a method that returns an error has written nothing and changed nothing.

use alloc::vec::Vec;

use super::body::{BodyMode, BodyPlan, Framing};
use super::client::{Client, Reuse};
use super::framing;
use super::offer::Offer;
use super::request::Version;
use super::start_line::{self, MAX_METHOD, MethodKind};
use super::state::{Receive, Received, Send, Sent};
use super::writer;
use crate::field_lines::mark;
use crate::{FieldLines, SendError, grammar};

/// Method, target and fields of a request to be sent (RFC 9112 §3). It is sent as HTTP/1.1.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, a token of at most 32 bytes (RFC 9110 §9.1).
    pub method: &'a str,
    /// The request target, in the form that the method asks for: `/path?query`, an absolute URI for
    /// a proxy, `host:port` with CONNECT, `*` with OPTIONS (RFC 9112 §3.2).
    pub target: &'a str,
    /// The fields, one `Host` among them, without those that frame the body: the core writes them.
    pub fields: &'a FieldLines,
}

impl<'a> Request<'a> {
    /// A request of these parts.
    pub const fn new(method: &'a str, target: &'a str, fields: &'a FieldLines) -> Self {
        Self { method, target, fields }
    }
}

impl Client {
    /// Writes the head of a request, and says how its body is framed. With [`BodyMode::None`] the
    /// request is complete.
    ///
    /// The core adds `Content-Length` or `Transfer-Encoding` as `body` asks; for no body a
    /// `Content-Length: 0`, except with methods that usually have none (RFC 9110 §8.6). To `Upgrade`
    /// and `TE` it adds the `Connection` options they need. `Connection: close` makes this the last
    /// request. With `Expect: 100-continue` hold the body back while
    /// [`awaits_continue`](Self::awaits_continue).
    ///
    /// The next request may follow before the response if this one is idempotent (RFC 9110 §9.2.2),
    /// offers no upgrade and is not CONNECT (RFC 9112 §9.3.2).
    ///
    /// # Errors
    /// [`SendError::NotReady`] and [`SendError::Closed`] for the wrong time, others if method, target,
    /// fields and `body` are not valid or contradict each other.
    pub fn request(
        &mut self,
        request: &Request<'_>,
        body: BodyPlan,
        out: &mut Vec<u8>,
    ) -> Result<BodyMode, SendError> {
        self.check_ready()?;
        let kind = check_line(request)?;
        let mode = self.plan(request, body)?;
        let Request { method, target, fields } = *request;
        let expects = check_expectation(fields, mode)?;

        let offer = Offer::new(fields.get_all("upgrade"));
        let adds = |bit, option: &[u8]| fields.marks() & bit != 0 && !fields.has_connection_option(option);
        let names_upgrade = adds(mark::UPGRADE, b"upgrade");
        let names_te = adds(mark::TE, b"te");
        let pieces = [method.as_bytes(), b" ", target.as_bytes(), b" HTTP/1.1\r\n", fields.as_bytes()];
        out.reserve(pieces.iter().fold(80, |sum, piece| sum.saturating_add(piece.len())));
        for piece in pieces {
            out.extend_from_slice(piece);
        }
        match mode {
            _ if fields.marks() & mark::CONTENT_LENGTH != 0 => {}
            BodyMode::Length(length) => writer::write_length(length, b"", out),
            BodyMode::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            _ if body == BodyPlan::Length(0) || usually_has_content(method) => {
                writer::write_length(0, b"", out);
            }
            _ => {}
        }
        out.extend_from_slice(match (names_upgrade, names_te) {
            (true, true) => b"connection: upgrade, te\r\n",
            (true, false) => b"connection: upgrade\r\n",
            (false, true) => b"connection: te\r\n",
            (false, false) => b"",
        });
        out.extend_from_slice(b"\r\n");

        // CONNECT is not idempotent either.
        self.may_be_followed = is_idempotent(method) && fields.marks() & mark::UPGRADE == 0;
        self.last_request = fields.has_connection_option(b"close");
        self.awaits_continue = expects;
        self.offer = offer;
        self.mode = mode;
        self.awaited.push(kind);
        if self.receive == Receive::Ended {
            // The connection is not idle any more, even if nobody polls before the deadline.
            self.deadlines.stop_receiving();
        }
        self.receive = self.receive.on(Received::Next);
        if mode == BodyMode::None {
            self.complete();
        } else {
            self.send = self.send.on(Sent::Head);
        }
        Ok(mode)
    }

    /// Whether a request can be sent now.
    ///
    /// # Errors
    /// [`SendError::Closed`] if none can be any more, [`SendError::NotReady`] if one has to be
    /// completed or answered first.
    pub fn check_ready(&self) -> Result<(), SendError> {
        if self.reuse() == Reuse::Never {
            return Err(SendError::Closed);
        }
        let pipelined = self.awaited.len() > 0;
        let depth = if self.server == Version::Http11 { Self::MAX_PIPELINED } else { 1 };
        if self.send != Send::Head || (pipelined && self.awaited.len() >= depth) {
            return Err(SendError::NotReady);
        }
        Ok(())
    }

    /// How the body is framed, if fields and method agree with the plan.
    fn plan(&self, request: &Request<'_>, body: BodyPlan) -> Result<BodyMode, SendError> {
        let marks = request.fields.marks();
        if marks & mark::TRANSFER_ENCODING != 0 {
            return Err(SendError::TransferEncodingSet);
        }
        let mode = match body {
            BodyPlan::Empty | BodyPlan::Length(0) => BodyMode::None,
            BodyPlan::Length(length) => BodyMode::Length(length),
            BodyPlan::Streamed if self.server == Version::Http10 => return Err(SendError::ChunkedToHttp10),
            BodyPlan::Streamed => BodyMode::Chunked,
            BodyPlan::Upgrade => return Err(SendError::UpgradeNotOffered),
        };
        // What follows a CONNECT is meant for the tunnel (RFC 9110 §9.3.6), and a TRACE sends what it
        // gets back to whoever asks (§9.3.8).
        let bare = matches!(request.method, "CONNECT" | "TRACE");
        if bare && (body != BodyPlan::Empty || marks & mark::CONTENT_LENGTH != 0) {
            return Err(SendError::ContentForbidden);
        }
        if marks & mark::CONTENT_LENGTH != 0 {
            let set = writer::application_length(request.fields);
            let planned = match mode {
                BodyMode::None => Some(0),
                BodyMode::Length(length) => Some(length),
                _ => None,
            };
            if set.is_none() || set != planned {
                return Err(SendError::ContentLengthMismatch);
            }
        }
        Ok(mode)
    }

    /// Whether the body should be held back: `100 Continue` is awaited (RFC 9110 §10.1.1). Becomes
    /// `false` when it comes, when [`Config::continue_timeout`](crate::Config::continue_timeout) has
    /// passed, and when a final response comes instead: then the body is not wanted, and none can be
    /// sent. A caller that sends it nevertheless waits no longer.
    pub fn awaits_continue(&self) -> bool {
        self.awaits_continue
    }

    /// Whether the body of the request sent last is not complete. `false` too after the server
    /// answered without it.
    pub fn sends_body(&self) -> bool {
        self.send == Send::Body
    }

    /// Frames the next `len` bytes of the body, which the caller sends itself between prefix and
    /// suffix. `last` completes the request. A piece of no bytes that is not the last one needs
    /// nothing sent.
    ///
    /// # Errors
    /// [`SendError`] if no body is being sent, or its length is not the one announced.
    pub fn frame_data(&mut self, len: u64, last: bool) -> Result<Framing, SendError> {
        self.count_data(len, last)?;
        Ok(writer::framing(self.mode, len, last))
    }

    /// Frames the next piece of the body and writes it: [`frame_data`](Self::frame_data) for who copies the
    /// piece anyway, as [`Server::write_data`](super::Server::write_data). `last` completes the request. A piece
    /// of no bytes that is not the last one writes nothing.
    ///
    /// # Errors
    /// As [`frame_data`](Self::frame_data); then nothing is written.
    #[inline]
    pub fn write_data(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), SendError> {
        self.count_data(piece.len() as u64, last)?;
        writer::piece(self.mode, piece, last, out);
        Ok(())
    }

    /// Takes note of so many bytes of the body, which are about to be sent.
    #[inline]
    fn count_data(&mut self, len: u64, last: bool) -> Result<(), SendError> {
        if self.send != Send::Body {
            return Err(SendError::NoBody);
        }
        writer::count(&mut self.mode, len, last)?;
        self.awaits_continue &= len == 0;
        if last {
            self.complete();
        }
        Ok(())
    }

    /// Completes the body, with trailers if there are any.
    ///
    /// # Errors
    /// [`SendError`] if no body is being sent, bytes are missing, the body is not chunked but
    /// trailers are given, or one of them may not be a trailer.
    pub fn finish(&mut self, trailers: Option<&FieldLines>, out: &mut Vec<u8>) -> Result<(), SendError> {
        if self.send != Send::Body {
            return Err(SendError::NoBody);
        }
        writer::end(&mut self.mode, trailers, out)?;
        self.complete();
        Ok(())
    }

    /// The rest of the request's body will not be sent. Its response may still be read, and is the
    /// last one: what was sent so far cannot be told from the beginning of another request.
    pub fn abandon_body(&mut self) {
        if self.send == Send::Body {
            self.awaits_continue = false;
            self.last_request = true;
            if self.awaited.len() == 0 {
                self.stop();
            }
            self.send = self.send.on(Sent::Close);
        }
    }

    pub(super) fn complete(&mut self) {
        self.awaits_continue = false;
        self.send = self.send.on(Sent::End);
        // Its response may have been complete before it.
        let answered = self.awaited.len() == 0 && self.receive == Receive::Ended;
        if (self.may_be_followed || answered) && !self.last_request {
            self.send = self.send.on(Sent::Next).on(Sent::Begin);
        }
    }
}

/// Method, target and `Host` (RFC 9112 §3 and §3.2).
fn check_line(request: &Request<'_>) -> Result<MethodKind, SendError> {
    let (method, target) = (request.method.as_bytes(), request.target.as_bytes());
    if !grammar::is_token(method) || method.len() > MAX_METHOD {
        return Err(SendError::InvalidMethod);
    }
    if !grammar::is_target(target) {
        return Err(SendError::InvalidTarget);
    }
    let (form, _) = start_line::target_form(method, target).ok_or(SendError::InvalidTarget)?;
    let mut hosts = request.fields.get_all("host");
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(SendError::InvalidHost);
    };
    framing::check_host(form, target, host).map_err(|_| SendError::InvalidHost)?;
    Ok(MethodKind::of(method))
}

/// Whether `Expect: 100-continue` is among the fields: alone, and before a body.
fn check_expectation(fields: &FieldLines, mode: BodyMode) -> Result<bool, SendError> {
    if fields.marks() & mark::EXPECT == 0 {
        return Ok(false);
    }
    let mut values = fields.get_all("expect");
    let known = values.next().is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
    if !known || values.next().is_some() || mode == BodyMode::None {
        return Err(SendError::InvalidExpectation);
    }
    Ok(true)
}

/// RFC 9110 §9.2.2
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

/// Whether a server may wait for content if none is told of (RFC 9110 §8.6).
fn usually_has_content(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "DELETE" | "CONNECT")
}
