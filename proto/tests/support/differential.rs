//! Our reading of a head against that of `httparse`, a lenient parser by others.
//!
//! Two claims. What we accept, it accepts, and it finds the same parts in the same places. What only
//! it accepts is refused by a rule of the list below, which `docs/http-support.md` has as a table.

use std::ops::Range;

use sinew_proto::http1::{RequestHead, Server, Version, server::Event};
use sinew_proto::{Config, FieldTable, Instant, RecvError};

/// Fields that `httparse` has room for: more than we allow.
const ROOM: usize = 128;

/// A rule that a lenient parser does not have.
pub(crate) struct Stricter {
    /// As the table has it.
    pub(crate) rule: &'static str,
    pub(crate) error: RecvError,
    pub(crate) rfc: &'static str,
    /// Heads that only the lenient parser accepts.
    pub(crate) examples: &'static [&'static str],
}

pub(crate) const fn rule(
    rule: &'static str,
    error: RecvError,
    rfc: &'static str,
    examples: &'static [&'static str],
) -> Stricter {
    Stricter { rule, error, rfc, examples }
}

/// Where we are stricter with requests.
pub(crate) const REQUESTS: &[Stricter] = &[
    rule(
        "one empty line before a request, ended by CRLF",
        RecvError::InvalidMethod,
        "9112 §2.2",
        &["\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ),
    rule(
        "a method has at most 32 bytes",
        RecvError::InvalidMethod,
        "9112 §3",
        &["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ),
    rule(
        "a line ends in CRLF",
        RecvError::BareLf,
        "9112 §2.2",
        &[
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
        ],
    ),
    rule(
        "a target is visible ASCII without `#`, its percent triplets whole",
        RecvError::InvalidTarget,
        "9112 §3.2",
        &[
            "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    ),
    rule(
        "a target has a form that its method may have",
        RecvError::InvalidTarget,
        "9112 §3.2",
        &[
            "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    ),
    rule(
        "an absolute target is of `http` or `https`, its authority valid",
        RecvError::InvalidTarget,
        "9110 §4.2",
        &[
            "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    ),
    rule("HTTP/1.1 has a Host", RecvError::MissingHost, "9112 §3.2", &["GET / HTTP/1.1\r\n\r\n"]),
    rule(
        "no request has two",
        RecvError::DuplicateHost,
        "9112 §3.2",
        &["GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"],
    ),
    rule(
        "Host is a host that is not empty, with a port below 65536 or none",
        RecvError::InvalidHost,
        "9110 §7.2",
        &[
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: b@a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        ],
    ),
    rule(
        "Host is the authority of an absolute target",
        RecvError::InvalidHost,
        "9112 §3.2.2",
        &["GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"],
    ),
    rule(
        "Content-Length is one number below 2^64",
        RecvError::InvalidContentLength,
        "9110 §8.6",
        &[
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
        ],
    ),
    rule(
        "Content-Length stands once",
        RecvError::DuplicateContentLength,
        "9112 §6.3",
        &["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"],
    ),
    rule(
        "Content-Length and Transfer-Encoding exclude each other",
        RecvError::AmbiguousLength,
        "9112 §6.3",
        &["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ),
    rule(
        "Transfer-Encoding ends in its only `chunked`",
        RecvError::InvalidTransferEncoding,
        "9112 §6.3",
        &[
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: , chunked\r\n\r\n",
        ],
    ),
    rule(
        "no other coding is known",
        RecvError::UnknownTransferCoding,
        "9112 §6.1",
        &["GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
    ),
    rule(
        "HTTP/1.0 has no Transfer-Encoding",
        RecvError::TransferEncodingInHttp10,
        "9112 §6.1",
        &["GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ),
    rule(
        "no expectation but `100-continue` is known",
        RecvError::UnknownExpectation,
        "9110 §10.1.1",
        &["GET / HTTP/1.1\r\nHost: a\r\nExpect: a-pony\r\n\r\n"],
    ),
    rule("a target has a limit", RecvError::TargetTooLong, "9112 §3", &[]),
    rule("a head has a limit", RecvError::HeadTooLarge, "6585 §5", &[]),
    rule("the number of fields has a limit", RecvError::TooManyFields, "6585 §5", &[]),
];

/// What became of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both accept it.
    Both,
    /// `httparse` accepts it and we do not, by a rule of the list.
    Stricter(RecvError),
    /// `httparse` refuses it or wants more.
    Neither,
}

/// Gives `input` to both and compares.
pub(crate) fn same_request(input: &[u8]) -> Outcome {
    let mut headers = [httparse::EMPTY_HEADER; ROOM];
    let mut other = httparse::Request::new(&mut headers);
    let status = other.parse(input);
    let lenient = matches!(status, Ok(httparse::Status::Complete(_)));

    let config = Config::default();
    let mut table = FieldTable::new(&config);
    let mut server = Server::new(&config);
    let step = match server.poll(input, &mut table, Instant::from_nanos(0)) {
        Ok(step) => step,
        Err(error) => return refused(REQUESTS, lenient, error, input),
    };
    let Event::Request(head) = step.event else {
        assert_eq!(step.consumed, 0, "an unfinished head is kept by the caller");
        assert!(!lenient, "a head that is complete: {}", input.escape_ascii());
        return Outcome::Neither;
    };
    assert_eq!(status, Ok(httparse::Status::Complete(step.consumed)), "{}", input.escape_ascii());
    same_places(input, &head, &other);
    Outcome::Both
}

/// What a parser refuses that is stricter than a lenient one must stand in its list.
pub(crate) fn refused(list: &[Stricter], lenient: bool, error: RecvError, input: &[u8]) -> Outcome {
    if !lenient {
        return Outcome::Neither;
    }
    let listed = list.iter().any(|rule| rule.error == error);
    assert!(listed, "{error:?} is on no list of stricter rules: {}", input.escape_ascii());
    Outcome::Stricter(error)
}

fn same_places(input: &[u8], head: &RequestHead<'_>, other: &httparse::Request<'_, '_>) {
    let place = |part: &[u8]| place(input, part);
    let (method, path) = (other.method.unwrap_or_default(), other.path.unwrap_or_default());
    assert_eq!(place(head.method().as_bytes()), place(method.as_bytes()));
    assert_eq!(place(head.target().as_bytes()), place(path.as_bytes()));
    assert_eq!(other.version, Some(u8::from(head.version() == Version::Http11)));
    let ours: Vec<_> =
        head.fields().iter().map(|field| (place(field.name.as_bytes()), place(field.value))).collect();
    let theirs: Vec<_> =
        other.headers.iter().map(|header| (place(header.name.as_bytes()), place(header.value))).collect();
    assert_eq!(ours, theirs, "{}", input.escape_ascii());
}

/// Where `part` lies in `input`. Empty parts lie nowhere.
pub(crate) fn place(input: &[u8], part: &[u8]) -> Range<usize> {
    if part.is_empty() {
        return 0..0;
    }
    let start = part.as_ptr().addr() - input.as_ptr().addr();
    assert!(start + part.len() <= input.len(), "a view borrows the input");
    start..start + part.len()
}

/// The rows of the first table after `heading`: rule, error, section, test.
pub(crate) fn table(document: &str, heading: &str) -> Vec<[String; 4]> {
    let (_, after) = document.split_once(heading).expect("the heading");
    let rows = after.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<String> =
                row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            cells.try_into().expect("four cells")
        })
        .collect()
}
