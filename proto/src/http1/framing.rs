//! How long a message is, and what else its fields decide: the one place that judges
//! `Content-Length`, `Transfer-Encoding`, `Connection`, `Host`, `Expect` and `Upgrade`
//! (RFC 9112 §3.2, §6 and §9.3; RFC 9110 §7.8 and §10.1.1).
//!
//! Invariant: what is accepted here can be framed in one way only. Where the RFC lets a recipient
//! repair a message, we refuse it.

#![expect(clippy::inline_always, reason = "counted: one caller is on the way of every request")]

use super::body::{BodyLength, ResponseLength};
use super::head::{Head, StatusLine};
use super::known::Known;
use super::offer::Offer;
use super::request::Version;
use super::start_line::{MethodKind, TargetForm, authority_of};
use crate::fields::Fields;
use crate::{RecvError, StatusCode, grammar};

/// What the fields of a request say about the connection and the body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestVerdict {
    pub(crate) body: BodyLength,
    pub(crate) keep_alive: bool,
    pub(crate) expect_continue: bool,
    pub(crate) offers_upgrade: bool,
}

/// Judges the head of a request whose lines are all well-formed. `bytes` are those of the head.
#[inline(always)]
pub(crate) fn judge_request(
    head: &Head,
    bytes: &[u8],
    fields: Fields<'_>,
) -> Result<RequestVerdict, RecvError> {
    let http11 = head.version == Version::Http11;
    let mut host = None;
    let mut expect = false;
    let mut offer = 0_usize;
    let mut message = Message::default();
    for (known, value) in fields.known() {
        match known {
            Known::Host => unique(&mut host, value, RecvError::DuplicateHost)?,
            Known::Expect if http11 => {
                for expectation in crate::fields::members(value) {
                    if !expectation.eq_ignore_ascii_case(b"100-continue") {
                        return Err(RecvError::UnknownExpectation);
                    }
                    expect = true;
                }
            }
            Known::Upgrade => offer = offer.saturating_add(Offer::size(value)),
            Known::Connection => message.connection.add(value),
            Known::ContentLength => message.add_length(value)?,
            Known::TransferEncoding => message.codings.add(value)?,
            Known::Expect | Known::Other => {}
        }
    }
    match host {
        Some(host) => check_host(head.form, head.target(bytes), host)?,
        None if http11 => return Err(RecvError::MissingHost),
        None => {}
    }
    let body = message.length(http11)?.unwrap_or(BodyLength::None);
    Ok(RequestVerdict {
        body,
        keep_alive: message.connection.persists(head.version),
        expect_continue: expect && !body.is_empty(),
        offers_upgrade: http11 && (1..=Offer::MAX_BYTES).contains(&offer) && message.connection.upgrade,
    })
}

/// What the fields of a response say about the connection and the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseVerdict {
    pub(crate) body: ResponseLength,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
}

/// Judges the head of a response to a request with that method, its lines all well-formed
/// (RFC 9112 §6.3).
pub(crate) fn judge_response(
    line: &StatusLine,
    method: MethodKind,
    fields: Fields<'_>,
) -> Result<ResponseVerdict, RecvError> {
    // What follows the head is a tunnel's: a length says nothing about it and has to be ignored.
    let tunnel = method == MethodKind::Connect && line.status.is_success();
    let mut message = Message::default();
    for (known, value) in fields.known() {
        match known {
            Known::Connection => message.connection.add(value),
            Known::ContentLength if !tunnel => message.add_length(value)?,
            Known::TransferEncoding if !tunnel => message.codings.add(value)?,
            _ => {}
        }
    }
    let told = message.length(line.version == Version::Http11)?;
    // A 304 tells what a 200 would have had; a 1xx and a 204 have nothing to tell.
    if line.status.forbids_content()
        && line.status != StatusCode::NOT_MODIFIED
        && told.is_some_and(|length| !length.is_empty())
    {
        return Err(RecvError::UnexpectedContent);
    }
    let body = match told {
        _ if tunnel || method == MethodKind::Head || line.status.forbids_content() => ResponseLength::None,
        Some(length) => length.into(),
        None => ResponseLength::CloseDelimited,
    };
    Ok(ResponseVerdict {
        body,
        keep_alive: message.connection.persists(line.version) && body != ResponseLength::CloseDelimited,
        upgrade: message.connection.upgrade,
    })
}

/// What requests and responses have in common.
#[derive(Default)]
struct Message {
    content_length: Option<u64>,
    codings: Codings,
    connection: Connection,
}

impl Message {
    fn add_length(&mut self, value: &[u8]) -> Result<(), RecvError> {
        unique(&mut self.content_length, decimal(value)?, RecvError::DuplicateContentLength)
    }

    /// The length that is told, if one is.
    fn length(&self, http11: bool) -> Result<Option<BodyLength>, RecvError> {
        match (self.codings.judge()?, self.content_length) {
            (true, _) if !http11 => Err(RecvError::TransferEncodingInHttp10),
            (true, Some(_)) => Err(RecvError::AmbiguousLength),
            (true, None) => Ok(Some(BodyLength::Chunked)),
            (false, length) => Ok(length.map(BodyLength::Known)),
        }
    }
}

/// Sets what may be set once.
fn unique<T>(slot: &mut Option<T>, value: T, twice: RecvError) -> Result<(), RecvError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice),
    }
}

/// A valid `Host`, the same as the authority of an absolute target (RFC 9112 §3.2).
pub(super) fn check_host(form: TargetForm, target: &[u8], host: &[u8]) -> Result<(), RecvError> {
    if !grammar::is_authority(host) {
        return Err(RecvError::InvalidHost);
    }
    match form {
        TargetForm::Absolute => match authority_of(target) {
            Some(authority) if authority.as_bytes().eq_ignore_ascii_case(host) => Ok(()),
            _ => Err(RecvError::InvalidHost),
        },
        TargetForm::Origin | TargetForm::Authority | TargetForm::Asterisk => Ok(()),
    }
}

/// `Content-Length = 1*DIGIT` (RFC 9110 §8.6), below 2^64. A list of equal values is refused too.
fn decimal(value: &[u8]) -> Result<u64, RecvError> {
    if value.is_empty() {
        return Err(RecvError::InvalidContentLength);
    }
    value
        .iter()
        .try_fold(0_u64, |sum, &b| {
            let digit = b.is_ascii_digit().then(|| u64::from(b.wrapping_sub(b'0')))?;
            sum.checked_mul(10)?.checked_add(digit)
        })
        .ok_or(RecvError::InvalidContentLength)
}

/// The transfer codings over all fields, read as one list (RFC 9112 §6.1).
#[derive(Default)]
struct Codings {
    any: bool,
    unknown: bool,
    chunked: bool,
    /// Something follows `chunked`.
    broken: bool,
}

impl Codings {
    fn add(&mut self, value: &[u8]) -> Result<(), RecvError> {
        for member in value.split(|&b| b == b',').map(grammar::trim_ows) {
            // No parameters, and no empty members: a recipient that skips them reads another list.
            if !grammar::is_token(member) {
                return Err(RecvError::InvalidTransferEncoding);
            }
            self.any = true;
            self.broken |= self.chunked;
            if member.eq_ignore_ascii_case(b"chunked") {
                self.chunked = true;
            } else {
                self.unknown = true;
            }
        }
        Ok(())
    }

    /// Whether the body is chunked.
    fn judge(&self) -> Result<bool, RecvError> {
        match (self.any, self.chunked && !self.broken, self.unknown) {
            (false, ..) => Ok(false),
            (true, true, false) => Ok(true),
            (true, true, true) => Err(RecvError::UnknownTransferCoding),
            (true, false, _) => Err(RecvError::InvalidTransferEncoding),
        }
    }
}

/// The connection options over all fields (RFC 9110 §7.6.1).
#[derive(Default)]
struct Connection {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

impl Connection {
    /// `close` wins over everything; HTTP/1.0 persists only if asked to (RFC 9112 §9.3).
    fn persists(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }

    fn add(&mut self, value: &[u8]) {
        // What nearly all clients send, in the case they send it.
        if value == b"keep-alive" {
            self.keep_alive = true;
            return;
        }
        for option in crate::fields::members(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}
