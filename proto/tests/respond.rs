//! The sending half: what each response looks like on the wire, what is refused, and that a refusal
//! writes nothing and changes nothing.

use sinew_proto::http1::{
    BodyMode, BodyPlan, CloseAction, ResponseHead, Server,
    server::{Event, Kind},
};
use sinew_proto::{Config, FieldLines, FieldTable, HttpDate, Instant, SendError, StatusCode};

const NOW: Instant = Instant::from_nanos(0);

/// A connection that has received `input` and waits for the answer to its last request.
fn asked(input: &str) -> Server {
    let config = Config::default();
    let mut server = Server::new(&config);
    let mut table = FieldTable::new(&config);
    let rest = advance(&mut server, &mut table, input.as_bytes());
    assert!(rest.is_empty(), "all is read");
    assert!(server.is_busy(), "a request waits");
    server
}

/// Gives all of `input` and returns what was not consumed.
fn advance<'i>(server: &mut Server, table: &mut FieldTable, mut input: &'i [u8]) -> &'i [u8] {
    loop {
        let step = server.advance(input, table, NOW).expect("valid input");
        input = &input[step.consumed..];
        if matches!(step.event, Kind::NeedInput | Kind::Paused | Kind::Upgraded | Kind::Closed) {
            return input;
        }
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::new(code).expect("a status")
}

fn lines(fields: &[(&str, &str)]) -> FieldLines {
    let mut lines = FieldLines::new();
    for (name, value) in fields {
        lines.append(name, value).expect("a valid field");
    }
    lines
}

/// Calls `respond`; checks that an error leaves bytes and state alone.
fn respond(
    server: &mut Server,
    code: u16,
    fields: &[(&str, &str)],
    plan: BodyPlan,
) -> Result<(String, BodyMode), SendError> {
    let lines = lines(fields);
    let head = ResponseHead { status: status(code), fields: Some(&lines), date: None };
    refusal_changes_nothing(server, |server, out| server.respond(&head, plan, out))
}

fn refusal_changes_nothing<T>(
    server: &mut Server,
    call: impl FnOnce(&mut Server, &mut Vec<u8>) -> Result<T, SendError>,
) -> Result<(String, T), SendError> {
    let before = format!("{server:?}");
    let mut out = b"earlier ".to_vec();
    let result = call(server, &mut out);
    let written = out.strip_prefix(b"earlier ").expect("what was there stays");
    if result.is_err() {
        assert_eq!(written, b"", "a refusal writes nothing");
        assert_eq!(format!("{server:?}"), before, "a refusal changes nothing");
    }
    let written = String::from_utf8(written.to_vec()).expect("text");
    result.map(|value| (written, value))
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_10: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const WAITING: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";

/// One row a method and status; a column each for `Empty`, `Length(0)`, `Length(5)`, `Streamed`.
///
/// `0` and `5` tell the length, `5+` also has that body, `t` tells chunked, `t+` also is,
/// `eof` ends with the connection, `.` tells nothing; `!` is refused.
const FRAMING: &[(&str, u16, &str, &str)] = &[
    // method, status, HTTP/1.1, HTTP/1.0
    ("GET", 200, "0 0 5+ t+", "0 0 5+ eof"),
    ("GET", 204, ". . !c !c", ". . !c !c"),
    ("GET", 205, "0 0 !c !c", "0 0 !c !c"),
    ("GET", 301, "0 0 5+ t+", "0 0 5+ eof"),
    ("GET", 304, ". . 5 .", ". . 5 ."),
    ("GET", 404, "0 0 5+ t+", "0 0 5+ eof"),
    ("GET", 500, "0 0 5+ t+", "0 0 5+ eof"),
    ("GET", 599, "0 0 5+ t+", "0 0 5+ eof"),
    ("GET", 100, "!w !w !w !w", "!w !w !w !w"),
    ("GET", 101, "!w !w !w !w", "!w !w !w !w"),
    ("GET", 103, "!w !w !w !w", "!w !w !w !w"),
    ("HEAD", 200, ". 0 5 t", ". 0 5 ."),
    ("HEAD", 204, ". . !c !c", ". . !c !c"),
    ("HEAD", 205, ". 0 !c !c", ". 0 !c !c"),
    ("HEAD", 304, ". . 5 .", ". . 5 ."),
    ("HEAD", 404, ". 0 5 t", ". 0 5 ."),
    ("HEAD", 500, ". 0 5 t", ". 0 5 ."),
    ("HEAD", 103, "!w !w !w !w", "!w !w !w !w"),
    // A 2xx to CONNECT opens a tunnel: it has no body (RFC 9110 §9.3.6).
    ("CONNECT", 200, "!w !w !w !w", "!w !w !w !w"),
    ("CONNECT", 204, "!w !w !w !w", "!w !w !w !w"),
    ("CONNECT", 299, "!w !w !w !w", "!w !w !w !w"),
    ("CONNECT", 304, ". . 5 .", ". . 5 ."),
    ("CONNECT", 407, "0 0 5+ t+", "0 0 5+ eof"),
    ("CONNECT", 503, "0 0 5+ t+", "0 0 5+ eof"),
    ("CONNECT", 101, "!w !w !w !w", "!w !w !w !w"),
];

#[test]
fn every_plan_with_every_class_of_status() {
    let plans = [BodyPlan::Empty, BodyPlan::Length(0), BodyPlan::Length(5), BodyPlan::Streamed];
    let mut checked = 0;
    for (method, code, http11, http10) in FRAMING {
        for (version, columns) in [("1.1", http11), ("1.0", http10)] {
            for (plan, expected) in plans.into_iter().zip(columns.split(' ')) {
                let target = if *method == "CONNECT" { "a:1" } else { "/" };
                let mut server = asked(&format!(
                    "{method} {target} HTTP/{version}\r\nHost: a:1\r\nConnection: keep-alive\r\n\r\n"
                ));
                let case = format!("{method} {code} {plan:?} HTTP/{version}");
                let result = respond(&mut server, *code, &[], plan);
                assert_eq!(result, expectation(method, *code, version, expected), "{case}");
                let complete = matches!(result, Ok((_, BodyMode::None)));
                assert_eq!(server.is_busy(), !complete, "{case}");
                let closes = *method == "CONNECT" && complete;
                let action = if closes { CloseAction::Linger } else { CloseAction::None };
                assert_eq!(server.close_action(), action, "{case}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, FRAMING.len() * 8);
}

fn expectation(
    method: &str,
    code: u16,
    version: &str,
    column: &str,
) -> Result<(String, BodyMode), SendError> {
    let (framing, mode) = match column {
        "." => ("", BodyMode::None),
        "0" => ("content-length: 0\r\n", BodyMode::None),
        "5" => ("content-length: 5\r\n", BodyMode::None),
        "5+" => ("content-length: 5\r\n", BodyMode::Length(5)),
        "t" => ("transfer-encoding: chunked\r\n", BodyMode::None),
        "t+" => ("transfer-encoding: chunked\r\n", BodyMode::Chunked),
        "eof" => ("", BodyMode::CloseDelimited),
        "!c" => return Err(SendError::ContentForbidden),
        "!w" => return Err(SendError::WrongStatusClass),
        _ => panic!("{column:?}"),
    };
    let connection = match (column, version) {
        // What follows a refused CONNECT may be meant for the tunnel.
        _ if method == "CONNECT" => "connection: close\r\n",
        ("eof", _) => "connection: close\r\n",
        (_, "1.0") => "connection: keep-alive\r\n",
        _ => "",
    };
    let reason = status(code).reason();
    Ok((format!("HTTP/1.1 {code} {reason}\r\n{framing}{connection}\r\n"), mode))
}

#[test]
fn fields_of_the_application() {
    type Row<'r> = (&'r str, u16, &'r [(&'r str, &'r str)], BodyPlan, Result<&'r str, SendError>);
    let mismatch = || Err(SendError::ContentLengthMismatch);
    let rows: &[Row<'_>] = &[
        // Order and case are kept; framing comes after them.
        (
            GET,
            200,
            &[("B", "1"), ("a", "2"), ("b", "3")],
            BodyPlan::Empty,
            Ok("HTTP/1.1 200 OK\r\nB: 1\r\na: 2\r\nb: 3\r\ncontent-length: 0\r\n\r\n"),
        ),
        // An unregistered status has an empty reason phrase after its blank.
        (GET, 299, &[], BodyPlan::Empty, Ok("HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n")),
        // A length that agrees is not told twice.
        (
            GET,
            200,
            &[("Content-Length", "5")],
            BodyPlan::Length(5),
            Ok("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ),
        (
            GET,
            200,
            &[("Content-Length", "0")],
            BodyPlan::Empty,
            Ok("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ),
        // HEAD and 304 may tell the length of a body that was not made.
        (
            HEAD,
            200,
            &[("Content-Length", "5")],
            BodyPlan::Empty,
            Ok("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ),
        (
            HEAD,
            200,
            &[("Content-Length", "5")],
            BodyPlan::Streamed,
            Ok("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ),
        (
            GET,
            304,
            &[("Content-Length", "5")],
            BodyPlan::Empty,
            Ok("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ),
        // Anything else about lengths is refused.
        (GET, 200, &[("content-length", "5")], BodyPlan::Length(6), mismatch()),
        (GET, 200, &[("content-length", "5")], BodyPlan::Empty, mismatch()),
        (GET, 200, &[("content-length", "5")], BodyPlan::Streamed, mismatch()),
        (HEAD, 200, &[("content-length", "5")], BodyPlan::Length(6), mismatch()),
        (GET, 200, &[("content-length", "+5")], BodyPlan::Length(5), mismatch()),
        (GET, 200, &[("content-length", "")], BodyPlan::Empty, mismatch()),
        (GET, 200, &[("content-length", "5, 5")], BodyPlan::Length(5), mismatch()),
        (GET, 200, &[("content-length", "18446744073709551616")], BodyPlan::Length(0), mismatch()),
        (GET, 200, &[("content-length", "5"), ("Content-Length", "5")], BodyPlan::Length(5), mismatch()),
        (GET, 204, &[("content-length", "0")], BodyPlan::Empty, mismatch()),
        (
            GET,
            200,
            &[("Transfer-Encoding", "chunked")],
            BodyPlan::Streamed,
            Err(SendError::TransferEncodingSet),
        ),
        (GET, 200, &[("transfer-encoding", "gzip")], BodyPlan::Empty, Err(SendError::TransferEncodingSet)),
        (
            UPGRADE,
            101,
            &[("upgrade", "x"), ("transfer-encoding", "chunked")],
            BodyPlan::Upgrade,
            Err(SendError::TransferEncodingSet),
        ),
        (UPGRADE, 101, &[("upgrade", "x"), ("content-length", "0")], BodyPlan::Upgrade, mismatch()),
        (CONNECT, 200, &[("content-length", "0")], BodyPlan::Upgrade, mismatch()),
        // `Connection` is told even if the application has options of its own.
        (
            GET,
            200,
            &[("Connection", "x, Close")],
            BodyPlan::Empty,
            Ok("HTTP/1.1 200 OK\r\nConnection: x, Close\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            GET_10,
            200,
            &[("Connection", "x")],
            BodyPlan::Empty,
            Ok("HTTP/1.1 200 OK\r\nConnection: x\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n"),
        ),
        (
            GET_10,
            200,
            &[("Connection", "keep-alive")],
            BodyPlan::Streamed,
            Ok("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nconnection: close\r\n\r\n"),
        ),
        (
            WAITING,
            200,
            &[("Connection", "x")],
            BodyPlan::Empty,
            Ok("HTTP/1.1 200 OK\r\nConnection: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        ),
    ];
    for (input, code, fields, plan, expected) in rows {
        let result = respond(&mut asked(input), *code, fields, *plan);
        let written = result.as_ref().map(|(written, _)| written.as_str());
        assert_eq!(written, expected.as_ref().copied(), "{code} {fields:?} {plan:?}");
    }
}

#[test]
fn a_date_is_written_unless_the_application_has_one() {
    let date = HttpDate::from_unix(784_111_777);
    let own = lines(&[("Date", "Mon, 01 Jan 2001 00:00:00 GMT")]);
    for (fields, expected) in [
        (None, "HTTP/1.1 204 No Content\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"),
        (Some(&own), "HTTP/1.1 204 No Content\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\n\r\n"),
    ] {
        let head = ResponseHead { status: StatusCode::NO_CONTENT, fields, date: Some(&date) };
        let mut out = Vec::new();
        asked(GET).respond(&head, BodyPlan::Empty, &mut out).expect("a response");
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}

#[test]
fn one_response_to_one_request() {
    let mut server = Server::new(&Config::default());
    assert_eq!(respond(&mut server, 200, &[], BodyPlan::Empty), Err(SendError::NoRequest));
    let mut server = asked(GET);
    respond(&mut server, 200, &[], BodyPlan::Length(1)).expect("the response");
    assert_eq!(respond(&mut server, 200, &[], BodyPlan::Empty), Err(SendError::NoRequest));
    server.frame_data(1, true).expect("the body");
    assert_eq!(respond(&mut server, 200, &[], BodyPlan::Empty), Err(SendError::NoRequest));
    assert_eq!(server.frame_data(0, true), Err(SendError::NoBody));
}

/// The body as it is on the wire, from pieces framed one by one.
fn framed(server: &mut Server, pieces: &[&str]) -> String {
    let mut wire = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        let last = at + 1 == pieces.len();
        let mut copied = Vec::new();
        server.clone().write_data(piece.as_bytes(), last, &mut copied).expect("a piece");
        let framing = server.frame_data(piece.len() as u64, last).expect("a piece");
        assert_eq!(copied, [framing.prefix(), piece.as_bytes(), framing.suffix()].concat());
        wire.push_str(std::str::from_utf8(&copied).expect("text"));
    }
    wire
}

#[test]
fn pieces_of_a_body() {
    let long = "x".repeat(0x1_02f);
    for (input, plan, pieces, expected) in [
        (GET, BodyPlan::Length(5), &["hello"][..], "hello".to_owned()),
        (GET, BodyPlan::Length(5), &["he", "", "llo", ""], "hello".to_owned()),
        (GET, BodyPlan::Streamed, &["hello"], "5\r\nhello\r\n0\r\n\r\n".to_owned()),
        (GET, BodyPlan::Streamed, &["he", "", "llo"], "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n".to_owned()),
        (GET, BodyPlan::Streamed, &["he", ""], "2\r\nhe\r\n0\r\n\r\n".to_owned()),
        (GET, BodyPlan::Streamed, &[""], "0\r\n\r\n".to_owned()),
        (GET, BodyPlan::Streamed, &[&long], format!("102f\r\n{long}\r\n0\r\n\r\n")),
        (GET_10, BodyPlan::Streamed, &["he", "", "llo", ""], "hello".to_owned()),
    ] {
        let mut server = asked(input);
        respond(&mut server, 200, &[], plan).expect("a response");
        assert_eq!(framed(&mut server, pieces), expected, "{plan:?} {pieces:?}");
        assert!(!server.is_busy());
        let action = if input == GET_10 { CloseAction::Linger } else { CloseAction::None };
        assert_eq!(server.close_action(), action);
    }
    let mut server = asked(GET);
    respond(&mut server, 200, &[], BodyPlan::Streamed).expect("a response");
    let framing = server.frame_data(u64::MAX, false).expect("the longest chunk");
    assert_eq!((framing.prefix(), framing.suffix()), (&b"ffffffffffffffff\r\n"[..], &b"\r\n"[..]));
}

#[test]
fn bodies_keep_their_promise() {
    let mut server = asked(GET);
    respond(&mut server, 200, &[], BodyPlan::Length(5)).expect("a response");
    let data = |server: &mut Server, len, last| {
        refusal_changes_nothing(server, |server, _| server.frame_data(len, last)).map(drop)
    };
    assert_eq!(data(&mut server, 6, false), Err(SendError::BodyTooLong));
    assert_eq!(data(&mut server, u64::MAX, true), Err(SendError::BodyTooLong));
    assert_eq!(data(&mut server, 4, true), Err(SendError::BodyTooShort));
    assert_eq!(data(&mut server, 4, false), Ok(()));
    let finish = |server: &mut Server, trailers: Option<&FieldLines>| {
        refusal_changes_nothing(server, |server, out| server.finish(trailers, out)).map(|(wire, ())| wire)
    };
    assert_eq!(finish(&mut server, None), Err(SendError::BodyTooShort));
    assert_eq!(finish(&mut server, Some(&lines(&[("a", "b")]))), Err(SendError::TrailersForbidden));
    assert_eq!(data(&mut server, 1, false), Ok(()));
    assert!(server.is_busy(), "complete only when that was said");
    assert_eq!(data(&mut server, 1, true), Err(SendError::BodyTooLong));
    assert_eq!(finish(&mut server, None).as_deref(), Ok(""));
    assert_eq!(finish(&mut server, None), Err(SendError::NoBody));
    assert!(!server.is_busy());
}

#[test]
fn trailers() {
    for name in [
        "Transfer-Encoding",
        "content-length",
        "HOST",
        "connection",
        "Upgrade",
        "te",
        "trailer",
        "expect",
        "keep-alive",
        "content-type",
        "content-encoding",
        "content-range",
        "Authorization",
        "proxy-authorization",
        "www-authenticate",
        "set-cookie",
        "cookie",
        "cache-control",
    ] {
        let mut server = asked(GET);
        respond(&mut server, 200, &[], BodyPlan::Streamed).expect("a response");
        let forbidden = lines(&[("x", "y"), (name, "1")]);
        let result = refusal_changes_nothing(&mut server, |server, out| server.finish(Some(&forbidden), out));
        assert_eq!(result.map(drop), Err(SendError::ForbiddenTrailer), "{name}");
    }
    for (fields, expected) in
        [(&[("x-sum", "1"), ("Y", "2")][..], "0\r\nx-sum: 1\r\nY: 2\r\n\r\n"), (&[], "0\r\n\r\n")]
    {
        let mut server = asked(GET);
        respond(&mut server, 200, &[], BodyPlan::Streamed).expect("a response");
        let mut out = Vec::new();
        server.finish(Some(&lines(fields)), &mut out).expect("the end");
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert!(!server.is_busy());
    }
    let mut server = asked(GET_10);
    respond(&mut server, 200, &[], BodyPlan::Streamed).expect("a response");
    let result = server.finish(Some(&lines(&[("a", "b")])), &mut Vec::new());
    assert_eq!(result, Err(SendError::TrailersForbidden), "a body that ends with the connection");
}

/// What is sent can be read back: our own decoder of chunks is the judge.
#[test]
fn what_was_framed_can_be_decoded() {
    let mut server = asked(GET);
    respond(&mut server, 200, &[], BodyPlan::Streamed).expect("a response");
    let body = framed(&mut server, &["a", "bc", "", "0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"]);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let config = Config::default();
    let (mut server, mut table) = (Server::new(&config), FieldTable::new(&config));
    let input = [head, &body].concat().into_bytes();
    let (mut rest, mut data) = (&input[..], Vec::new());
    loop {
        let step = server.poll(rest, &mut table, NOW).expect("a valid body");
        rest = &rest[step.consumed..];
        match step.event {
            Event::Data(piece) => data.extend_from_slice(piece),
            Event::End => break,
            event => assert!(matches!(event, Event::Request(_)), "{event:?}"),
        }
    }
    assert_eq!((data, rest), (b"abc0\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_vec(), &b""[..]));
}

#[test]
fn after_the_last_response_the_connection_lingers() {
    for input in ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", WAITING]
    {
        let mut server = asked(input);
        let (written, _) = respond(&mut server, 200, &[], BodyPlan::Length(1)).expect("a response");
        assert!(written.contains("\r\nconnection: close\r\n"), "{written}");
        assert_eq!(server.close_action(), CloseAction::None, "the body is not out");
        server.frame_data(1, true).expect("the body");
        assert_eq!(server.close_action(), CloseAction::Linger);
        assert!(server.wants_read(), "what comes is thrown away");
        server.end_of_input(NOW);
        assert_eq!(server.close_action(), CloseAction::AfterFlush);
        assert!(!server.wants_read());
    }
    let config = Config { linger_timeout: std::time::Duration::ZERO, ..Config::default() };
    let mut server = Server::new(&config);
    advance(&mut server, &mut FieldTable::new(&config), b"GET / HTTP/1.0\r\n\r\n");
    respond(&mut server, 200, &[], BodyPlan::Empty).expect("a response");
    assert_eq!(server.close_action(), CloseAction::AfterFlush, "no lingering without its timeout");
}

/// Unless somebody reads on, as for an echo: a response made of the rest of its request.
#[test]
fn an_early_response_closes_if_more_is_announced_than_is_thrown_away() {
    let budget = Config::default().max_drain_bytes;
    let known = |len: u32| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for (input, discards, plan, closes) in [
        (known(budget + 1), true, BodyPlan::Length(1), true),
        (known(budget + 1), true, BodyPlan::Streamed, true),
        (known(budget + 1), true, BodyPlan::Empty, true),
        (known(budget + 1), false, BodyPlan::Empty, true),
        (known(budget + 1), false, BodyPlan::Length(1), false),
        (known(budget + 1), false, BodyPlan::Streamed, false),
        (known(budget), true, BodyPlan::Length(1), false),
        // A byte of it has arrived.
        (known(budget + 1) + "x", true, BodyPlan::Length(1), false),
        // How much is to come cannot be told.
        (chunked, true, BodyPlan::Length(1), false),
    ] {
        let mut server = asked(&input);
        if discards {
            server.discard_body();
        }
        let (written, _) = respond(&mut server, 200, &[], plan).expect("a response");
        assert_eq!(written.contains("connection: close\r\n"), closes, "{input:?} {discards} {plan:?}");
        if plan == BodyPlan::Length(1) {
            server.frame_data(1, true).expect("the body");
            assert_eq!(server.close_action() == CloseAction::Linger, closes);
        }
    }
    // The next request on the connection is another one.
    let mut server = asked("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
    server.discard_body();
    respond(&mut server, 200, &[], BodyPlan::Empty).expect("a response");
    let next = String::from("x") + &known(budget + 1);
    let rest = advance(&mut server, &mut FieldTable::new(&Config::default()), next.as_bytes());
    assert!(rest.is_empty());
    let (written, _) = respond(&mut server, 200, &[], BodyPlan::Length(1)).expect("a response");
    assert!(!written.contains("connection"), "{written:?}");
}

#[test]
fn shutdown_serves_what_has_begun() {
    let config = Config::default();
    let mut table = FieldTable::new(&config);
    let mut idle = Server::new(&config);
    idle.shutdown();
    let step = idle.advance(b"", &mut table, NOW).expect("no error");
    assert_eq!((step.event, idle.close_action()), (Kind::Closed, CloseAction::AfterFlush));

    let mut begun = Server::new(&config);
    assert_eq!(advance(&mut begun, &mut table, b"GET"), b"GET");
    begun.shutdown();
    advance(&mut begun, &mut table, GET.as_bytes());
    let (written, _) = respond(&mut begun, 200, &[], BodyPlan::Empty).expect("a response");
    assert_eq!(written, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_eq!(begun.close_action(), CloseAction::Linger);

    let mut promised = asked(GET);
    respond(&mut promised, 200, &[], BodyPlan::Length(1)).expect("a response that keeps");
    promised.shutdown();
    promised.frame_data(1, true).expect("the body");
    let step = promised.advance(b"", &mut table, NOW).expect("no error");
    assert_eq!((step.event, promised.close_action()), (Kind::Closed, CloseAction::AfterFlush));
}
