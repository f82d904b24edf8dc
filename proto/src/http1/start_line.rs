//! The first line of a head: request line (RFC 9112 §3) and status line (RFC 9112 §4).

use super::head::{Head, StatusLine, offset};
use super::request::Version;
use crate::{RecvError, StatusCode, grammar};

/// Longest method: RFC 9112 §3 asks for nothing, the longest registered one has 17.
pub(super) const MAX_METHOD: usize = 32;

/// `HTTP/1.1 200 `
pub(super) const STATUS_PREFIX: usize = 13;

/// The methods that change what a response looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MethodKind {
    Head,
    Connect,
    #[default]
    Other,
}

impl MethodKind {
    pub(super) fn of(method: &[u8]) -> Self {
        match method {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// The four forms of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TargetForm {
    #[default]
    Origin,
    Absolute,
    Authority,
    Asterisk,
}

/// What can be said about a request line from its beginning: garbage is refused at once, and so is
/// a target without end. Bytes that a line given bit by bit would not have reached say nothing, so
/// that a whole line gets the same answer.
pub(super) fn partial_request_line(line: &[u8], limit: usize, max_target: u32) -> Result<(), RecvError> {
    let reached = line.get(..=limit).unwrap_or(line);
    let method = reached.iter().take(MAX_METHOD.saturating_add(1)).position(|&b| b == b' ');
    let visible = reached.get(..method.unwrap_or(reached.len())).unwrap_or_default();
    if visible.len() > MAX_METHOD || method == Some(0) || !visible.iter().all(|&b| grammar::is_tchar(b)) {
        return Err(RecvError::InvalidMethod);
    }
    // Method, blank, target, blank, version, CR.
    let longest = (max_target as usize).saturating_add(MAX_METHOD).saturating_add(11);
    if line.len() > longest.min(limit) {
        return Err(if limit < longest { RecvError::HeadTooLarge } else { RecvError::TargetTooLong });
    }
    Ok(())
}

/// `request-line = method SP request-target SP HTTP-version` (RFC 9112 §3). `line` still has its CR.
pub(super) fn request_line_parts(line: &[u8], max_target: u32) -> Result<Head, RecvError> {
    let (method, rest) = split_at_blank(line).ok_or(RecvError::InvalidMethod)?;
    let rest = rest.strip_suffix(b"\r").ok_or(RecvError::BareLf)?;
    let (target, version) = split_at_blank(rest).ok_or(RecvError::InvalidVersion)?;
    if target.len() > max_target as usize {
        return Err(RecvError::TargetTooLong);
    }
    if method == b"PRI" && target == b"*" && version == b"HTTP/2.0" {
        return Err(RecvError::Http2Preface);
    }
    if !grammar::is_target(target) {
        return Err(RecvError::InvalidTarget);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(RecvError::UnsupportedVersion);
        }
        _ => return Err(RecvError::InvalidVersion),
    };
    let (form, path_at) = target_form(method, target).ok_or(RecvError::InvalidTarget)?;
    let target_at = offset(method.len()).saturating_add(1);
    Ok(Head {
        method_len: u16::try_from(method.len()).map_err(|_| RecvError::InvalidMethod)?,
        target: target_at,
        target_len: offset(target.len()),
        path: target_at.saturating_add(offset(path_at)),
        path_len: offset(grammar::path_len(target.get(path_at..).unwrap_or_default())),
        version,
        form,
        method: MethodKind::of(method),
        ..Head::EMPTY
    })
}

/// The form of a target and where its path begins (RFC 9112 §3.2). `None`: not a form that the
/// method may have.
pub(super) fn target_form(method: &[u8], target: &[u8]) -> Option<(TargetForm, usize)> {
    if method == b"CONNECT" {
        let (_, port) = grammar::split_port(target);
        let valid = grammar::is_authority(target) && port.is_some_and(|port| !port.is_empty());
        return valid.then_some((TargetForm::Authority, 0));
    }
    match target {
        [b'/', ..] => Some((TargetForm::Origin, 0)),
        b"*" => (method == b"OPTIONS").then_some((TargetForm::Asterisk, 0)),
        _ => {
            let authority = authority_of(target)?;
            let path = memchr::memmem::find(target, b"://")?.checked_add(3)?.checked_add(authority.len())?;
            grammar::is_authority(authority.as_bytes()).then_some((TargetForm::Absolute, path))
        }
    }
}

/// The authority of an absolute target with the scheme `http` or `https`. We are no gateway to
/// anything else.
pub(crate) fn authority_of(target: &[u8]) -> Option<&str> {
    let scheme_end = memchr::memmem::find(target, b"://")?;
    let (scheme, rest) = target.split_at_checked(scheme_end)?;
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return None;
    }
    let rest = rest.strip_prefix(b"://")?;
    let end = rest.iter().position(|&b| b == b'/' || b == b'?').unwrap_or(rest.len());
    core::str::from_utf8(rest.get(..end)?).ok()
}
/// What can be said about a status line from its beginning: what is no HTTP is refused at once. Bytes
/// that a line given bit by bit would not have reached say nothing.
pub(super) fn partial_status_line(line: &[u8], limit: usize) -> Result<(), RecvError> {
    let reached = line.get(..=limit).unwrap_or(line);
    for (at, &byte) in reached.iter().take(STATUS_PREFIX).enumerate() {
        let valid = match at {
            0..=4 => b"HTTP/".get(at) == Some(&byte),
            6 => byte == b'.',
            8 | 12 => byte == b' ',
            9 => (b'1'..=b'5').contains(&byte),
            _ => byte.is_ascii_digit(),
        };
        if !valid {
            return Err(RecvError::InvalidStatusLine);
        }
        if at == 7 && !matches!(reached.get(5..8), Some(b"1.1" | b"1.0")) {
            return Err(RecvError::UnsupportedVersion);
        }
    }
    if line.len() > limit { Err(RecvError::HeadTooLarge) } else { Ok(()) }
}

/// `status-line = HTTP-version SP status-code SP [ reason-phrase ]`, of which
/// [`partial_status_line`] has seen the beginning. `line` still has its CR.
pub(super) fn status_line_parts(line: &[u8]) -> Result<StatusLine, RecvError> {
    let reason = line.strip_suffix(b"\r").ok_or(RecvError::BareLf)?.get(STATUS_PREFIX..);
    let reason = reason.ok_or(RecvError::InvalidStatusLine)?;
    if !grammar::is_field_content(reason) {
        return Err(RecvError::InvalidStatusLine);
    }
    let [_, _, _, _, _, _, _, minor, _, hundreds, tens, units, ..] = line else {
        return Err(RecvError::InvalidStatusLine);
    };
    let code = [hundreds, tens, units]
        .iter()
        .fold(0_u16, |code, digit| code.wrapping_mul(10).wrapping_add(u16::from(digit.wrapping_sub(b'0'))));
    Ok(StatusLine {
        version: if *minor == b'1' { Version::Http11 } else { Version::Http10 },
        status: StatusCode::new(code).map_err(|_| RecvError::InvalidStatusLine)?,
        reason_len: offset(reason.len()),
        ..StatusLine::EMPTY
    })
}

fn split_at_blank(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(grammar::find(b' ', bytes)?)?;
    Some((before, rest.get(1..)?))
}
