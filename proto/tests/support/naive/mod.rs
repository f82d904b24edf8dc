//! A second reader of HTTP/1 requests: naive, from the whole byte string, straight from the text of
//! RFC 9112 (every § without another name) and RFC 9110.
//!
//! It shares no code with the core, keeps no state between calls and stops nowhere to go on later.
//! It is here so that agreement with the core means something. "Stricter" marks what
//! `docs/http-support.md` and `docs/decisions/0001` refuse although the RFC would not.
//!
//! The RFC does not say which rule to check first. Where one line, or the fields of one head, break
//! several rules, all of them are named and any is a right answer.

mod chunked;
mod lines;
pub(crate) mod response;
mod target;

use chunked::chunked;
use lines::{Fields, Read, Stop, fields, is, line, split_once, tchar, text, token, trim, without_cr, wrong};
use sinew_proto::{Config, RecvError};
use target::{authority, authority_of, path_and_query};

/// What a strict recipient reads out of a connection.
#[derive(Debug)]
pub(crate) struct Reading<'w> {
    pub(crate) messages: Vec<Message<'w>>,
    pub(crate) end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// No byte of a further message is there, but for an empty line.
    Idle,
    /// Inside a message, or inside a head that is in no message yet.
    Short,
    /// One of these rules is broken.
    Wrong(Vec<RecvError>),
    /// The last message was the last one that this connection takes.
    Last,
}

#[derive(Debug, Default)]
pub(crate) struct Message<'w> {
    pub(crate) method: &'w str,
    pub(crate) target: &'w str,
    pub(crate) path: &'w str,
    pub(crate) query: Option<&'w str>,
    pub(crate) http11: bool,
    pub(crate) fields: Fields<'w>,
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) persists: bool,
    pub(crate) expects_continue: bool,
    pub(crate) offers_upgrade: bool,
    /// As far as it came.
    pub(crate) content: Vec<u8>,
    pub(crate) trailers: Fields<'w>,
    pub(crate) complete: bool,
    /// What comes after the head.
    pub(crate) rest: &'w [u8],
}

/// Reads `wire` from its first to its last byte.
pub(crate) fn read<'w>(wire: &'w [u8], config: &Config) -> Reading<'w> {
    let mut messages: Vec<Message<'w>> = Vec::new();
    let mut rest = wire;
    let end = loop {
        // §9.3: one message comes after the other, as long as the connection persists.
        if messages.last().is_some_and(|last| !last.persists) {
            break End::Last;
        }
        if [&b""[..], b"\r", b"\r\n"].contains(&rest) {
            break End::Idle;
        }
        match head(rest, config) {
            Ok(message) => messages.push(message),
            Err(stop) => break stop,
        }
        let Some(message) = messages.last_mut() else { break End::Idle };
        match body(message, config) {
            Ok(after) => rest = after,
            Err(stop) => break stop,
        }
        message.complete = true;
    };
    Reading { messages, end }
}

/// §2.1: `HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]`
fn head<'w>(wire: &'w [u8], config: &Config) -> Read<Message<'w>> {
    // §2.2: an empty line before the request line is ignored. Stricter: one of them.
    let section = wire.strip_prefix(b"\r\n").unwrap_or(wire);
    let limit = config.max_head_bytes as usize;
    begun(section, limit, config)?;
    let (start_line, after) = line(section, 0, limit, RecvError::HeadTooLarge)?;
    let mut message = request_line(start_line, config)?;
    let end;
    (message.fields, end) = fields(section, after, limit, RecvError::HeadTooLarge, config)?;
    message.rest = &section[end..];
    let faults = judge(&mut message);
    if faults.is_empty() { Ok(message) } else { Err(Stop::Wrong(faults)) }
}

/// What the beginning of a request line tells already, so that garbage needs no line end to be
/// refused. No byte says anything that comes after the one that goes over the limit.
fn begun(section: &[u8], limit: usize, config: &Config) -> Read<()> {
    let arrived = &section[..section.len().min(limit + 1)];
    let line = arrived.split(|&b| b == b'\n').next().unwrap_or_default();
    let (method, blank) = match line.iter().position(|&b| b == b' ') {
        Some(blank) => (&line[..blank], true),
        None => (line, false),
    };
    // §3.1: `method = token`. Stricter: at most 32 bytes.
    if method.len() > 32 || !method.iter().all(|&b| tchar(b)) || (blank && method.is_empty()) {
        return wrong(RecvError::InvalidMethod);
    }
    // §3: a target longer than any that is wanted: 414. This line is longer than the longest
    // method with the longest target, their blanks, version and CR.
    if line.len() > 32 + 1 + config.max_target_bytes as usize + 1 + 8 + 1 {
        return wrong(RecvError::TargetTooLong);
    }
    Ok(())
}

/// §3: `request-line = method SP request-target SP HTTP-version`, and no other white space.
fn request_line<'w>(line: &'w [u8], config: &Config) -> Read<Message<'w>> {
    let Some((method, rest)) = split_once(line, b' ') else { return wrong(RecvError::InvalidMethod) };
    let Some((target, version)) = split_once(without_cr(rest)?, b' ') else {
        return wrong(RecvError::InvalidVersion);
    };
    let mut faults = Vec::new();
    if target.len() > config.max_target_bytes as usize {
        faults.push(RecvError::TargetTooLong);
    }
    // RFC 9113 §3.4: a client of HTTP/2 begins like this.
    if (method, target, version) == (b"PRI", b"*", b"HTTP/2.0") {
        faults.push(RecvError::Http2Preface);
        return Err(Stop::Wrong(faults));
    }
    // §2.3: `HTTP-version = "HTTP/" DIGIT "." DIGIT`. RFC 9110 §15.6.6: 505 for a major version that
    // is not spoken. Stricter: for a minor one too.
    let http11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            faults.push(RecvError::UnsupportedVersion);
            false
        }
        _ => {
            faults.push(RecvError::InvalidVersion);
            false
        }
    };
    let (method, target) = (text(method), text(target));
    let Some((path, query)) = path_and_query(method, target) else {
        faults.push(RecvError::InvalidTarget);
        return Err(Stop::Wrong(faults));
    };
    if !faults.is_empty() {
        return Err(Stop::Wrong(faults));
    }
    Ok(Message { method, target, path, query, http11, ..Message::default() })
}

/// What the fields of a head say of host, length and connection; the rules that they break.
fn judge(message: &mut Message<'_>) -> Vec<RecvError> {
    let fields = message.fields.clone();
    let values = |name: &'static str| {
        fields.iter().filter(move |field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1)
    };
    // RFC 9110 §5.3: fields of one name are one list. §5.6.1.2: empty members do not count.
    let members = |name| values(name).flat_map(|value| value.split(|&b| b == b',')).map(trim);
    let list = |name| members(name).filter(|member| !member.is_empty());
    let names = |name, wanted: &str| list(name).any(|member| is(member, wanted));
    let http11 = message.http11;
    let mut faults = Vec::new();

    // §3.2: HTTP/1.1 has one Host, no version has two, and it is valid. Stricter: it is the
    // authority of an absolute target, which §3.2.2 would have us use instead.
    match *values("host").collect::<Vec<_>>() {
        [] if http11 => faults.push(RecvError::MissingHost),
        [] => {}
        [host] => {
            let absolute = message.method != "CONNECT" && !message.target.starts_with('/');
            let wanted = authority_of(message.target).filter(|_| absolute);
            if !authority(text(host)) || wanted.is_some_and(|wanted| !is(host, wanted)) {
                faults.push(RecvError::InvalidHost);
            }
        }
        _ => faults.push(RecvError::DuplicateHost),
    }

    // RFC 9110 §8.6: `Content-Length = 1*DIGIT`; §6.3: 400 for what is not a number. Stricter: for
    // several of them too, even if they agree.
    let lengths: Vec<&[u8]> = values("content-length").collect();
    for value in &lengths {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        message.length = text(value).parse().ok().filter(|_| digits);
        if message.length.is_none() {
            faults.push(RecvError::InvalidContentLength);
        }
    }
    if lengths.len() > 1 {
        faults.push(RecvError::DuplicateContentLength);
    }

    // §6.1, §6.3: the codings of a request end in one `chunked`, or else its length cannot be told;
    // a coding that is not known is 501. Stricter: no empty member.
    let codings: Vec<&[u8]> = members("transfer-encoding").collect();
    message.chunked = !codings.is_empty();
    if let [before @ .., last] = &codings[..] {
        let known = |coding: &[u8]| is(coding, "chunked");
        if !codings.iter().all(|coding| token(coding))
            || !known(last)
            || before.iter().any(|coding| known(coding))
        {
            faults.push(RecvError::InvalidTransferEncoding);
        } else if !before.is_empty() {
            faults.push(RecvError::UnknownTransferCoding);
        }
        if !http11 {
            faults.push(RecvError::TransferEncodingInHttp10);
        }
        if !lengths.is_empty() {
            faults.push(RecvError::AmbiguousLength);
        }
    }

    // §9.3: `close` wins; HTTP/1.0 persists only if it says so. What follows a refused CONNECT may
    // be meant for the tunnel.
    message.persists = !names("connection", "close")
        && (http11 || names("connection", "keep-alive"))
        && message.method != "CONNECT";
    // RFC 9110 §7.8: `Upgrade = #protocol`, named by Connection, in HTTP/1.1. RFC 9113 §3.1: `h2c` is
    // obsolete. A server may ignore an offer: stricter, one of more than 256 bytes with its commas.
    let offer: usize =
        list("upgrade").filter(|protocol| !is(protocol, "h2c")).map(|protocol| protocol.len() + 1).sum();
    message.offers_upgrade = http11 && (1..=256).contains(&offer) && names("connection", "upgrade");
    // RFC 9110 §10.1.1: `Expect = #expectation`, not in HTTP/1.0, and of no use without a body.
    if http11 && list("expect").any(|expectation| !is(expectation, "100-continue")) {
        faults.push(RecvError::UnknownExpectation);
    }
    message.expects_continue = http11
        && names("expect", "100-continue")
        && (message.chunked || message.length.is_some_and(|length| length > 0));
    faults
}

/// §6.3: the body of a request is chunked, or as long as it says, or empty. Returns what follows.
fn body<'w>(message: &mut Message<'w>, config: &Config) -> Read<&'w [u8]> {
    if message.chunked {
        chunked(message.rest, config, &mut message.content, &mut message.trailers)
    } else {
        data(message.rest, message.length.unwrap_or(0), &mut message.content)
    }
}

/// So many bytes of content, or as many as there are. Returns what follows.
fn data<'w>(from: &'w [u8], length: u64, content: &mut Vec<u8>) -> Read<&'w [u8]> {
    let taken = usize::try_from(length).unwrap_or(usize::MAX).min(from.len());
    content.extend_from_slice(&from[..taken]);
    if (taken as u64) < length { Err(Stop::Short) } else { Ok(&from[taken..]) }
}
