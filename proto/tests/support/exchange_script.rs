//! Exchanges written as text: `request>response;request>response`.
//!
//! | text | in a request | in a response |
//! |---|---|---|
//! | `G H P U D O R C` | GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, CONNECT | |
//! | `2 0 5 3 4 6` | | status 200, 204, 205, 304, 404, 503 |
//! | `u` | | switches to `x`, or opens a tunnel |
//! | `e l s` | body: empty, of known length, streamed | the same |
//! | `(bytes)` | a piece of the body, which is not empty then | the same |
//! | `{name:value}` | a field line; a trailer, after `t` | the same |
//! | `t` | the body is streamed, what follows are trailers | the same |
//! | `[bytes]` | for the tunnel, to the server | to the client |
//! | `j` | the last piece says that it is the last one | the same |
//! | `k` | tells its `Content-Length` itself | the same |
//! | `c` | `Connection: close` | the same |
//! | `x n` | `Expect: 100-continue`; does not wait | |
//! | `y o` | `Upgrade: x`; bytes for the tunnel are sent at once | |
//! | `p` | | sends `100 Continue` |
//! | `i` | | one more `103 Early Hints` |
//! | `h m` | | begins at the head, in the middle of the body; else at the end |
//!
//! Any bytes are a script: what is none of these is passed over.

use crate::exchange::{Exchange, Line, Message, Plan, When, line};

/// Names that frame, route or concern the connection, and those that may not stand in trailers
/// (RFC 9110 §6.5.1).
const MEANINGFUL: &[&str] = &[
    "transfer-encoding",
    "content-length",
    "host",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "keep-alive",
    "proxy-connection",
    "content-type",
    "content-encoding",
    "content-range",
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "proxy-authenticate",
    "set-cookie",
    "cookie",
    "cache-control",
];

/// Whether a field of this name may stand anywhere and says nothing to the connection.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !MEANINGFUL.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// The exchanges of a script: at most 20, and so small that no limit is reached.
pub(crate) fn exchanges(script: &[u8]) -> Vec<Exchange> {
    let mut rest = &script[..script.len().min(4096)];
    let mut all = Vec::new();
    while !rest.is_empty() && all.len() < 20 {
        all.push(exchange(&mut rest));
    }
    all
}

/// Takes one exchange and the `;` after it.
fn exchange(rest: &mut &[u8]) -> Exchange {
    let mut exchange = Exchange::new("GET");
    let mut host = Vec::new();
    std::mem::swap(&mut host, &mut exchange.request.fields);
    let (mut answers, mut in_trailers) = (false, false);
    let mut switches = false;
    while let Some((&letter, tail)) = rest.split_first() {
        *rest = tail;
        match letter {
            b';' => break,
            b'>' => (answers, in_trailers) = (true, false),
            _ if answers => match letter {
                b'2' => exchange.status = 200,
                b'0' => exchange.status = 204,
                b'5' => exchange.status = 205,
                b'3' => exchange.status = 304,
                b'4' => exchange.status = 404,
                b'6' => exchange.status = 503,
                b'u' => switches = true,
                b'p' => exchange.proceed = true,
                b'i' => exchange.hints = 10.min(exchange.hints + 1),
                b'h' => exchange.when = When::AtHead,
                b'm' => exchange.when = When::InBody,
                b'[' => exchange.tunnel[1] = bracket(rest, b']'),
                _ => message(&mut exchange.response, letter, rest, &mut in_trailers),
            },
            b'x' => add(&mut exchange.request.fields, line("Expect", "100-continue")),
            b'n' => exchange.patient = false,
            b'y' => add(&mut exchange.request.fields, line("Upgrade", "x")),
            b'o' => exchange.optimistic = true,
            b'[' => exchange.tunnel[0] = bracket(rest, b']'),
            _ => match method(letter) {
                Some(method) => {
                    let plain = Exchange::new(method);
                    (exchange.method, exchange.target) = (plain.method, plain.target);
                }
                None => message(&mut exchange.request, letter, rest, &mut in_trailers),
            },
        }
    }
    if switches {
        exchange.response.plan = Plan::Upgrade;
        if exchange.method != "CONNECT" {
            exchange.status = 101;
            exchange.response.fields.push(line("Upgrade", "X"));
        }
    }
    for message in [&mut exchange.request, &mut exchange.response] {
        if message.plan != Plan::Streamed {
            message.trailers.clear();
        }
        if matches!(message.plan, Plan::Empty | Plan::Upgrade) {
            message.pieces.clear();
        }
    }
    exchange.request.fields.splice(0..0, host);
    exchange
}

fn method(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'G' => "GET",
        b'H' => "HEAD",
        b'P' => "POST",
        b'U' => "PUT",
        b'D' => "DELETE",
        b'O' => "OPTIONS",
        b'R' => "TRACE",
        b'C' => "CONNECT",
        _ => return None,
    })
}

/// One letter of what requests and responses have in common.
fn message(message: &mut Message, letter: u8, rest: &mut &[u8], in_trailers: &mut bool) {
    match letter {
        b'e' => message.plan = Plan::Empty,
        b'l' => message.plan = Plan::Length,
        b's' => message.plan = Plan::Streamed,
        b't' => {
            message.plan = Plan::Streamed;
            *in_trailers = true;
        }
        b'j' => message.joined = true,
        b'k' => {
            let length = line("Content-Length", message.len().to_string());
            add(&mut message.fields, length);
        }
        b'c' => add(&mut message.fields, line("Connection", "close")),
        b'(' => {
            message.pieces.push(bracket(rest, b')'));
            if message.plan == Plan::Empty {
                message.plan = Plan::Length;
            }
        }
        b'{' => {
            let field = bracket(rest, b'}');
            let mut parts = field.splitn(2, |&b| b == b':');
            let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
            let value = trim(parts.next().unwrap_or_default()).to_vec();
            let to = if *in_trailers { &mut message.trailers } else { &mut message.fields };
            if is_plain_name(&name) && sinew_proto::FieldLines::new().append(&name, &value).is_ok() {
                add(to, (name, value));
            }
        }
        _ => {}
    }
}

/// Adds a line, but not one too many, nor a second one of a name that may stand but once.
fn add(fields: &mut Vec<Line>, field: Line) {
    let twice = !is_plain_name(&field.0) && fields.iter().any(|(name, _)| *name == field.0);
    if fields.len() < 50 && !twice {
        fields.push(field);
    }
}

/// The bytes up to the closing bracket.
fn bracket(rest: &mut &[u8], close: u8) -> Vec<u8> {
    let end = rest.iter().position(|&b| b == close).unwrap_or(rest.len());
    let (inside, tail) = rest.split_at(end);
    *rest = tail.get(1..).unwrap_or_default();
    inside.to_vec()
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
