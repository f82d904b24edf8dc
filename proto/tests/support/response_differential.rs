//! Our reading of the head of a response against that of `httparse`, as `differential.rs` has it for
//! requests. The response is one to a GET.

use sinew_proto::http1::client::{Event, Request, Response};
use sinew_proto::http1::{BodyPlan, Client, Version};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, RecvError};

use super::differential::{Outcome, Stricter, place, refused, rule};

/// Where we are stricter with responses.
pub(crate) const RESPONSES: &[Stricter] = &[
    rule(
        "no empty line before a response",
        RecvError::InvalidStatusLine,
        "9112 §2.2",
        &["\r\nHTTP/1.1 200 OK\r\n\r\n"],
    ),
    rule(
        "a blank after the status code, even without a reason",
        RecvError::InvalidStatusLine,
        "9112 §4",
        &["HTTP/1.1 200\r\n\r\n"],
    ),
    rule(
        "a status code lies between 100 and 599",
        RecvError::InvalidStatusLine,
        "9110 §15",
        &["HTTP/1.1 999 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n"],
    ),
    rule(
        "a line ends in CRLF",
        RecvError::BareLf,
        "9112 §2.2",
        &["HTTP/1.1 200 OK\n\r\n", "HTTP/1.1 200 OK\r\na: b\n\r\n", "HTTP/1.1 200 OK\r\n\n"],
    ),
    rule(
        "Content-Length is one number below 2^64",
        RecvError::InvalidContentLength,
        "9110 §8.6",
        &["HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n"],
    ),
    rule(
        "Content-Length stands once",
        RecvError::DuplicateContentLength,
        "9112 §6.3",
        &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"],
    ),
    rule(
        "Content-Length and Transfer-Encoding exclude each other",
        RecvError::AmbiguousLength,
        "9112 §6.3",
        &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ),
    rule(
        "Transfer-Encoding ends in its only `chunked`",
        RecvError::InvalidTransferEncoding,
        "9112 §6.3",
        &["HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"],
    ),
    rule(
        "no other coding is known",
        RecvError::UnknownTransferCoding,
        "9112 §6.1",
        &["HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
    ),
    rule(
        "HTTP/1.0 has no Transfer-Encoding",
        RecvError::TransferEncodingInHttp10,
        "9112 §6.1",
        &["HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ),
    rule(
        "a 1xx and a 204 tell of no body",
        RecvError::UnexpectedContent,
        "9110 §8.6",
        &["HTTP/1.1 204 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 103 OK\r\nContent-Length: 5\r\n\r\n"],
    ),
    rule(
        "nothing is switched to that was not offered",
        RecvError::UpgradeNotOffered,
        "9110 §7.8",
        &["HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
    ),
    rule("a head has a limit", RecvError::HeadTooLarge, "6585 §5", &[]),
    rule("the number of fields has a limit", RecvError::TooManyFields, "6585 §5", &[]),
];

/// Gives `input` to both and compares.
pub(crate) fn same_response(input: &[u8]) -> Outcome {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Response::new(&mut headers);
    let status = other.parse(input);
    let lenient = matches!(status, Ok(httparse::Status::Complete(_)));

    let config = Config::default();
    let (mut client, mut table) = (Client::new(&config), FieldTable::new(&config));
    let mut fields = FieldLines::new();
    fields.append("host", "a").expect("a valid field");
    let get = Request::new("GET", "/", &fields);
    client.request(&get, BodyPlan::Empty, &mut Vec::new()).expect("a request");
    let step = match client.poll(input, &mut table, Instant::from_nanos(0)) {
        Ok(step) => step,
        Err(error) => return refused(RESPONSES, lenient, error, input),
    };
    let (Event::Response(head) | Event::Interim(head)) = step.event else {
        assert_eq!(step.consumed, 0, "an unfinished head is kept by the caller");
        assert!(!lenient, "a head that is complete: {}", input.escape_ascii());
        return Outcome::Neither;
    };
    assert_eq!(status, Ok(httparse::Status::Complete(step.consumed)), "{}", input.escape_ascii());
    same_places(input, &head, &other);
    Outcome::Both
}

fn same_places(input: &[u8], head: &Response<'_>, other: &httparse::Response<'_, '_>) {
    let place = |part: &[u8]| place(input, part);
    assert_eq!(Some(head.status().as_u16()), other.code);
    assert_eq!(other.version, Some(u8::from(head.version() == Version::Http11)));
    // A reason with bytes above ASCII is an empty one there.
    if head.reason().is_ascii() {
        assert_eq!(place(head.reason()), place(other.reason.unwrap_or_default().as_bytes()));
    }
    let ours: Vec<_> =
        head.fields().iter().map(|field| (place(field.name.as_bytes()), place(field.value))).collect();
    let theirs: Vec<_> =
        other.headers.iter().map(|header| (place(header.name.as_bytes()), place(header.value))).collect();
    assert_eq!(ours, theirs, "{}", input.escape_ascii());
}
