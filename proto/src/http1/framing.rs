//! How long a request is, and what else its fields decide: the one place that judges
//! `Content-Length`, `Transfer-Encoding`, `Connection`, `Host`, `Expect` and `Upgrade`
//! (RFC 9112 §3.2, §6 and §9.3; RFC 9110 §7.8 and §10.1.1).
//!
//! Invariant: what is accepted here can be framed in one way only. Where the RFC lets a recipient
//! repair a message, we refuse it.

use super::head::{Head, TargetForm, authority_of};
use super::request::{BodyLength, Version};
use crate::fields::Fields;
use crate::{RecvError, grammar};

/// What the fields of a head say about the connection and the body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) body: BodyLength,
    pub(crate) keep_alive: bool,
    pub(crate) expect_continue: bool,
    pub(crate) offers_upgrade: bool,
}

/// Judges a head whose lines are all well-formed.
pub(crate) fn judge(head: &Head, target: &str, fields: Fields<'_>) -> Result<Verdict, RecvError> {
    let http11 = head.version == Version::Http11;
    let mut host = None;
    let mut content_length = None;
    let mut codings = Codings::default();
    let mut connection = Connection::default();
    let mut upgrade = false;
    let mut expect = false;
    for (name, value) in fields.iter_bytes() {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        // The lengths of the names that matter; most fields are dismissed by them alone.
        match name.len() {
            4 if is(b"host") => unique(&mut host, value, RecvError::DuplicateHost)?,
            6 if http11 && is(b"expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(RecvError::UnknownExpectation);
                }
                expect = true;
            }
            7 if is(b"upgrade") => upgrade |= !value.is_empty(),
            10 if is(b"connection") => connection.add(value),
            14 if is(b"content-length") => {
                unique(&mut content_length, decimal(value)?, RecvError::DuplicateContentLength)?;
            }
            17 if is(b"transfer-encoding") => codings.add(value)?,
            _ => {}
        }
    }
    check_host(head, target, host)?;
    let body = match (codings.judge()?, content_length) {
        (true, _) if !http11 => return Err(RecvError::TransferEncodingInHttp10),
        (true, Some(_)) => return Err(RecvError::AmbiguousLength),
        (true, None) => BodyLength::Chunked,
        (false, Some(length)) => BodyLength::Known(length),
        (false, None) => BodyLength::None,
    };
    Ok(Verdict {
        body,
        // `close` wins over everything; HTTP/1.0 persists only if asked to (RFC 9112 §9.3).
        keep_alive: !connection.close && (http11 || connection.keep_alive),
        expect_continue: expect && !body.is_empty(),
        offers_upgrade: http11 && upgrade && connection.upgrade,
    })
}

/// Sets what may be set once.
fn unique<T>(slot: &mut Option<T>, value: T, twice: RecvError) -> Result<(), RecvError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice),
    }
}

/// One `Host` in HTTP/1.1, valid, and the same as the authority of an absolute target
/// (RFC 9112 §3.2).
fn check_host(head: &Head, target: &str, host: Option<&[u8]>) -> Result<(), RecvError> {
    let Some(host) = host else {
        return if head.version == Version::Http11 { Err(RecvError::MissingHost) } else { Ok(()) };
    };
    if !grammar::is_authority(host) {
        return Err(RecvError::InvalidHost);
    }
    match head.form {
        TargetForm::Absolute => match authority_of(target.as_bytes()) {
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
    fn add(&mut self, value: &[u8]) {
        for option in crate::fields::members(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}
