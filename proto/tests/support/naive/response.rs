//! The same for responses, as a strict client reads them (RFC 9112 §4 and §6.3).

use sinew_proto::{Config, RecvError};

use super::lines::{Fields, Read, Stop, fields, is, line, split_once, text, trim, without_cr, wrong};
use super::{chunked, data};

/// One response, interim ones included.
#[derive(Debug)]
pub(crate) struct Response<'w> {
    pub(crate) status: u16,
    pub(crate) reason: &'w [u8],
    pub(crate) fields: Fields<'w>,
    pub(crate) framing: Framing,
    pub(crate) content: Vec<u8>,
    pub(crate) trailers: Fields<'w>,
    pub(crate) persists: bool,
    pub(crate) rest: &'w [u8],
}

/// How the end of the content was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length,
    Chunked,
    /// To the end of the connection.
    Close,
    /// What follows is not HTTP.
    Tunnel,
}

/// Reads the response at the beginning of `wire`, up to the end of the connection if need be.
/// `method` is the one of its request.
pub(crate) fn read_response<'w>(wire: &'w [u8], method: &str) -> Read<Response<'w>> {
    let config = Config {
        max_head_bytes: u32::MAX,
        max_trailer_bytes: u32::MAX,
        max_fields: u16::MAX,
        ..Config::DEFAULT
    };
    let limit = wire.len();
    let (start, after) = line(wire, 0, limit, RecvError::HeadTooLarge)?;
    let (status, reason, http11) = status_line(without_cr(start)?)?;
    let (fields, end) = fields(wire, after, limit, RecvError::HeadTooLarge, &config)?;
    let rest = &wire[end..];
    let (framing, length) = framing(status, method, http11, &fields)?;
    let says = |option| list(&fields, "connection").any(|member| is(member, option));
    // §9.3: as for requests. A body that ends with the connection leaves nothing to persist.
    let persists = !says("close")
        && (http11 || says("keep-alive"))
        && !matches!(framing, Framing::Close | Framing::Tunnel);
    let mut response = Response {
        status,
        reason,
        fields,
        framing,
        content: Vec::new(),
        trailers: Vec::new(),
        persists,
        rest,
    };
    let content = &mut response.content;
    response.rest = match framing {
        Framing::None | Framing::Tunnel => rest,
        Framing::Length => data(rest, length, content)?,
        Framing::Chunked => chunked(rest, &config, content, &mut response.trailers)?,
        Framing::Close => data(rest, rest.len() as u64, content)?,
    };
    Ok(response)
}

/// §4: `status-line = HTTP-version SP status-code SP [ reason-phrase ]`, with the blank before a
/// reason that is empty.
fn status_line(line: &[u8]) -> Read<(u16, &[u8], bool)> {
    let parts = split_once(line, b' ').and_then(|(version, rest)| Some((version, split_once(rest, b' ')?)));
    let Some((version, (code, reason))) = parts else { return wrong(RecvError::InvalidVersion) };
    let http11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ => return wrong(RecvError::InvalidVersion),
    };
    // `status-code = 3DIGIT`, RFC 9110 §15: 100 to 599. `reason-phrase = 1*( HTAB / SP / VCHAR /
    // obs-text )`
    let digits = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
    let status = text(code).parse::<u16>().ok().filter(|status| digits && (100..=599).contains(status));
    let reason_ok = reason.iter().all(|&b| super::lines::field_content(b));
    match status.filter(|_| reason_ok) {
        Some(status) => Ok((status, reason, http11)),
        None => wrong(RecvError::InvalidVersion),
    }
}

/// §6.3, rule by rule. Stricter: what a client may repair is refused.
fn framing(status: u16, method: &str, http11: bool, fields: &[(&str, &[u8])]) -> Read<(Framing, u64)> {
    let lengths: Vec<&[u8]> = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|field| field.1)
        .collect();
    let coded = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
    let codings: Vec<&[u8]> = list(fields, "transfer-encoding").collect();
    let tunnel = method == "CONNECT" && (200..300).contains(&status);
    let bodiless = status < 200 || status == 204;

    let length = match lengths[..] {
        [] => None,
        [value] if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => text(value).parse().ok(),
        _ => None,
    };
    // RFC 9110 §8.6.
    if length.is_none() && !lengths.is_empty() {
        return wrong(RecvError::InvalidContentLength);
    }
    // §6.1: neither in 1xx, 204 and tunnels, nor in HTTP/1.0, nor both together.
    if (coded || length.is_some()) && (bodiless || tunnel) {
        return wrong(RecvError::AmbiguousLength);
    }
    if coded && !http11 {
        return wrong(RecvError::TransferEncodingInHttp10);
    }
    if coded && length.is_some() {
        return wrong(RecvError::AmbiguousLength);
    }
    if coded && !matches!(codings[..], [coding] if is(coding, "chunked")) {
        return wrong(RecvError::InvalidTransferEncoding);
    }
    Ok(match length {
        // Rule 2, and RFC 9110 §15.2.2.
        _ if tunnel || status == 101 => (Framing::Tunnel, 0),
        // Rule 1.
        _ if method == "HEAD" || bodiless || status == 304 => (Framing::None, 0),
        // Rules 4, 6 and 8.
        None if coded => (Framing::Chunked, 0),
        Some(length) => (Framing::Length, length),
        None => (Framing::Close, 0),
    })
}

/// RFC 9110 §5.6.1: the members over all fields of a name, without the empty ones.
fn list<'w>(fields: &[(&'w str, &'w [u8])], name: &str) -> impl Iterator<Item = &'w [u8]> {
    let values: Vec<&[u8]> =
        fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1).collect();
    values
        .into_iter()
        .flat_map(|value| value.split(|&b| b == b','))
        .map(trim)
        .filter(|member| !member.is_empty())
}

/// All responses of a connection that has ended: to `methods`, one after the other, interim ones
/// included. Nothing else may stand between them or after the last one.
pub(crate) fn read_responses<'w>(wire: &'w [u8], methods: &[&str]) -> Read<Vec<Response<'w>>> {
    let mut responses = Vec::new();
    let mut rest = wire;
    let mut methods = methods.iter();
    let mut method = methods.next();
    while !rest.is_empty() {
        let response = read_response(rest, method.copied().unwrap_or("GET"))?;
        rest = if response.framing == Framing::Tunnel { b"" } else { response.rest };
        if response.status >= 200 {
            method = methods.next();
        }
        responses.push(response);
    }
    if responses.last().is_some_and(|last| last.framing == Framing::Close && last.persists) {
        return Err(Stop::Short);
    }
    Ok(responses)
}
