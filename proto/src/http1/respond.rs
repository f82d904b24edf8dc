//! The sending half of a [`Server`]: heads, the framing of bodies, interim and error responses.
//!
//! Invariant: a method that returns an error has written nothing and changed nothing.

use alloc::vec::Vec;

use super::body::{BodyMode, BodyPlan, Framing};
use super::request::Version;
use super::response::ResponseHead;
use super::server::Server;
use super::start_line::MethodKind;
use super::state::{CloseAction, Received, Send, Sent};
use super::writer;
use crate::field_lines::mark;
use crate::{FieldLines, HttpDate, RecvError, SendError, StatusCode};

impl Server {
    /// Writes the head of the response to the request seen last, and says how its body is framed.
    /// With [`BodyMode::None`] the response is complete.
    ///
    /// The core adds `Content-Length` or `Transfer-Encoding` as `body` asks, and `Connection` where
    /// it matters. A response to HEAD, and a 304, tells the length and has no body (RFC 9110
    /// §9.3.2, RFC 9112 §6.3). A `Content-Length` among the fields must agree with `body`; with
    /// HEAD and 304 it may stand for a body that was not made.
    ///
    /// # Errors
    /// [`SendError`] if no request waits, or if fields, status and `body` contradict each other.
    pub fn respond(
        &mut self,
        head: &ResponseHead<'_>,
        body: BodyPlan,
        out: &mut Vec<u8>,
    ) -> Result<BodyMode, SendError> {
        if self.send != Send::Head {
            return Err(SendError::NoRequest);
        }
        let marks = head.fields.map_or(0, FieldLines::marks);
        if marks & mark::TRANSFER_ENCODING != 0 {
            return Err(SendError::TransferEncodingSet);
        }
        if body == BodyPlan::Upgrade {
            return self.switch(head, out);
        }
        let status = head.status;
        let connect = self.exchange.method == MethodKind::Connect && status.is_success();
        if status.is_informational() || connect {
            return Err(SendError::WrongStatusClass);
        }
        let head_only = self.exchange.method == MethodKind::Head || status == StatusCode::NOT_MODIFIED;
        // Whatever the method: to HEAD a length would be that of content which GET never gives.
        let forbids = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if forbids && !matches!(body, BodyPlan::Empty | BodyPlan::Length(0)) {
            return Err(SendError::ContentForbidden);
        }
        let mut length = match body {
            BodyPlan::Empty => Some(0),
            BodyPlan::Length(length) => Some(length),
            BodyPlan::Streamed | BodyPlan::Upgrade => None,
        };
        if marks & mark::CONTENT_LENGTH != 0 {
            let set =
                head.fields.and_then(writer::application_length).ok_or(SendError::ContentLengthMismatch)?;
            let agrees = length == Some(set) || (head_only && matches!(length, Some(0) | None));
            // A 204 tells no length, and a 205 none but zero (RFC 9110 §8.6, §15.3.6).
            let tells_some = status == StatusCode::RESET_CONTENT && set > 0;
            if !agrees || tells_some || status == StatusCode::NO_CONTENT {
                return Err(SendError::ContentLengthMismatch);
            }
            length = Some(set);
        }

        let http11 = self.exchange.version == Version::Http11;
        let mode = match (head_only || forbids, length) {
            (true, _) | (_, Some(0)) => BodyMode::None,
            (_, Some(length)) => BodyMode::Length(length),
            (_, None) if http11 => BodyMode::Chunked,
            (_, None) => BodyMode::CloseDelimited,
        };
        let says = |option| head.fields.is_some_and(|fields| fields.has_connection_option(option));
        let keep_alive = self.exchange.keep_alive
            && !self.draining
            && mode != BodyMode::CloseDelimited
            // It may send its body or leave it out now: what comes next cannot be told.
            && !self.exchange.expects_continue
            // What follows a refused CONNECT may be meant for the tunnel, not for us.
            && self.exchange.method != MethodKind::Connect
            && self.close == CloseAction::None
            && !self.gives_up_body(mode == BodyMode::None)
            && !says(b"close");

        start_head(head, out);
        // A 204 has no length (RFC 9110 §8.6). In answer to HEAD, and in a 304, a length is that of the
        // content that was not made: told only if it is known.
        let tells_length = match body {
            _ if status == StatusCode::NO_CONTENT => false,
            BodyPlan::Empty => !head_only,
            _ => status != StatusCode::NOT_MODIFIED || length != Some(0),
        };
        // The application's own options stand beside these: whether the connection persists is told
        // in any case (RFC 9112 §9.6).
        let end: &[u8] = match (keep_alive, http11) {
            (false, _) if !says(b"close") => b"connection: close\r\n\r\n",
            (true, false) if !says(b"keep-alive") => b"connection: keep-alive\r\n\r\n",
            _ => b"\r\n",
        };
        match length {
            Some(length) if tells_length && marks & mark::CONTENT_LENGTH == 0 => {
                writer::write_length(length, end, out);
            }
            None if http11 && status != StatusCode::NOT_MODIFIED => {
                writer::write_parts(&[b"transfer-encoding: chunked\r\n", end], out);
            }
            _ => writer::write_parts(&[end], out),
        }

        self.exchange.keep_alive = keep_alive;
        self.mode = mode;
        if mode == BodyMode::None {
            self.complete();
        } else {
            self.send = self.send.on(Sent::Head);
        }
        Ok(mode)
    }

    /// `101 Switching Protocols`, or a 2xx that opens a tunnel (RFC 9110 §7.8 and §9.3.6).
    fn switch(&mut self, head: &ResponseHead<'_>, out: &mut Vec<u8>) -> Result<BodyMode, SendError> {
        let tunnel = self.exchange.method == MethodKind::Connect && head.status.is_success();
        let marks = head.fields.map_or(0, FieldLines::marks);
        let upgrade = head.status == StatusCode::SWITCHING_PROTOCOLS
            && head.fields.is_some_and(|fields| self.exchange.offer.covers(fields.get_all("upgrade")));
        if !(tunnel || upgrade) || !self.request_complete() || self.close != CloseAction::None {
            return Err(SendError::UpgradeNotOffered);
        }
        if marks & mark::CONTENT_LENGTH != 0 {
            return Err(SendError::ContentLengthMismatch);
        }
        start_head(head, out);
        if upgrade && !head.fields.is_some_and(|fields| fields.has_connection_option(b"upgrade")) {
            out.extend_from_slice(b"connection: upgrade\r\n");
        }
        out.extend_from_slice(b"\r\n");
        self.mode = BodyMode::Upgraded;
        self.send = self.send.on(Sent::Upgrade);
        self.receive = self.receive.on(Received::End).on(Received::Upgrade);
        Ok(BodyMode::Upgraded)
    }

    /// Writes `100 Continue`, if the client waits for it and has not begun to send its body.
    /// Returns whether it was written. To be called when somebody wants the body.
    pub fn send_continue(&mut self, out: &mut Vec<u8>) -> bool {
        let waits = self.exchange.expects_continue && self.send == Send::Head;
        if waits {
            self.exchange.expects_continue = false;
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        waits
    }

    /// Writes an interim response other than 100 and 101, such as `103 Early Hints`
    /// (RFC 9110 §15.2, RFC 8297).
    ///
    /// # Errors
    /// [`SendError`] if no request waits, the status is not one of those, or the client speaks
    /// HTTP/1.0.
    pub fn inform(
        &mut self,
        status: StatusCode,
        fields: &FieldLines,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.send != Send::Head {
            return Err(SendError::NoRequest);
        }
        if !status.is_informational()
            || status == StatusCode::CONTINUE
            || status == StatusCode::SWITCHING_PROTOCOLS
        {
            return Err(SendError::WrongStatusClass);
        }
        if self.exchange.version == Version::Http10 {
            return Err(SendError::InterimToHttp10);
        }
        if fields.marks() & mark::TRANSFER_ENCODING != 0 {
            return Err(SendError::TransferEncodingSet);
        }
        if fields.marks() & mark::CONTENT_LENGTH != 0 {
            return Err(SendError::ContentLengthMismatch);
        }
        start_head(&ResponseHead { status, fields: Some(fields), date: None }, out);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Frames the next `len` bytes of the body, which the caller sends itself between prefix and
    /// suffix. `last` completes the response. A piece of no bytes that is not the last one needs
    /// nothing sent.
    ///
    /// # Errors
    /// [`SendError`] if no body is being sent, or its length is not the one announced.
    pub fn frame_data(&mut self, len: u64, last: bool) -> Result<Framing, SendError> {
        self.count_data(len, last)?;
        Ok(writer::framing(self.mode, len, last))
    }

    /// Frames the next piece of the body and writes it: [`frame_data`](Self::frame_data) for who copies the
    /// piece anyway. `last` completes the response. A piece of no bytes that is not the last one writes nothing.
    ///
    /// ```
    /// # use sinew_proto::http1::{BodyPlan, ResponseHead, Server};
    /// # use sinew_proto::{Config, FieldTable, Instant, StatusCode};
    /// # let config = Config::default();
    /// # let (mut server, mut fields, mut out) = (Server::new(&config), FieldTable::new(&config), Vec::new());
    /// # server.poll(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", &mut fields, Instant::from_nanos(0))?;
    /// server.respond(&ResponseHead::new(StatusCode::OK), BodyPlan::Streamed, &mut out)?;
    /// out.clear();
    /// server.write_data(b"hello, ", false, &mut out)?;
    /// server.write_data(b"world", true, &mut out)?;
    /// assert_eq!(out, b"7\r\nhello, \r\n5\r\nworld\r\n0\r\n\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// The response is complete. If the connection does not persist, it ends here: a body that is
    /// still on its way is never read as a request.
    fn complete(&mut self) {
        self.send = self.send.on(Sent::End);
        if !self.exchange.keep_alive {
            self.stop(CloseAction::Linger);
        }
    }

    pub(super) fn write_error(&self, error: RecvError, date: Option<&HttpDate>, out: &mut Vec<u8>) {
        let head = ResponseHead { date, ..ResponseHead::new(error.status()) };
        start_head(&head, out);
        // `400 Bad Request: the Host field is missing (RFC 9112 §3.2)`
        let line = error.status().status_line().unwrap_or_default();
        let status = line.strip_prefix(b"HTTP/1.1 ").and_then(|line| line.strip_suffix(b"\r\n"));
        let text: [&[u8]; 6] = [
            status.unwrap_or_default(),
            b": ",
            error.message().as_bytes(),
            b" (",
            error.rule().as_bytes(),
            b")\n",
        ];
        out.extend_from_slice(b"content-type: text/plain; charset=utf-8\r\ncontent-length: ");
        writer::write_decimal(text.iter().fold(0, |sum, piece| sum.saturating_add(piece.len() as u64)), out);
        out.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
        if self.exchange.method != MethodKind::Head || self.send == Send::Idle {
            for piece in text {
                out.extend_from_slice(piece);
            }
        }
    }
}

/// Status line, date and the application's fields.
#[inline(never)]
fn start_head(head: &ResponseHead<'_>, out: &mut Vec<u8>) {
    let lines = head.fields.map_or(&[][..], FieldLines::as_bytes);
    out.reserve(lines.len().saturating_add(160));
    let date = head.date.filter(|_| head.fields.is_none_or(|fields| fields.marks() & mark::DATE == 0));
    match date {
        // As a rule: with a length that the compiler knows.
        Some(date) if head.status == StatusCode::OK => out.extend_from_slice(date.after_ok()),
        _ => write_other_start(head.status, date, out),
    }
    out.extend_from_slice(lines);
}

#[inline(never)]
fn write_other_start(status: StatusCode, date: Option<&HttpDate>, out: &mut Vec<u8>) {
    if let Some(line) = status.status_line() {
        out.extend_from_slice(line);
    } else {
        out.extend_from_slice(b"HTTP/1.1 ");
        writer::write_decimal(u64::from(status.as_u16()), out);
        // The blank before an empty reason phrase is required (RFC 9112 §4).
        out.extend_from_slice(b" \r\n");
    }
    if let Some(date) = date {
        out.extend_from_slice(date.as_line());
    }
}
