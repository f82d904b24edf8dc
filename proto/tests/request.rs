//! The sending half of a client: what each request looks like on the wire, what is refused, and that
//! a refusal writes nothing, changes nothing and leaves the connection as good as it was.

use sinew_proto::http1::{
    BodyMode, BodyPlan, Client, CloseAction, Server,
    client::{Kind, Request, Reuse},
    server,
};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, SendError};

type Fields<'f> = &'f [(&'f str, &'f str)];

const NOW: Instant = Instant::from_nanos(0);
const HOST: &[(&str, &str)] = &[("Host", "a")];
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn fresh() -> Client {
    Client::new(&Config::default())
}

fn lines(fields: &[(&str, &str)]) -> FieldLines {
    let mut lines = FieldLines::new();
    for (name, value) in fields {
        lines.append(name, value).expect("a valid field");
    }
    lines
}

/// Calls `request`; checks that an error leaves bytes and state alone, and that what is written is
/// one request, the same one, for our own server.
fn request(
    client: &mut Client,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    plan: BodyPlan,
) -> Result<(String, BodyMode), SendError> {
    let lines = lines(fields);
    let request = Request::new(method, target, &lines);
    let result = refusal_changes_nothing(client, |client, out| client.request(&request, plan, out));
    if let Ok((written, mode)) = &result {
        assert_server_reads(written, &request, *mode);
    }
    result
}

fn refusal_changes_nothing<T>(
    client: &mut Client,
    call: impl FnOnce(&mut Client, &mut Vec<u8>) -> Result<T, SendError>,
) -> Result<(String, T), SendError> {
    let before = format!("{client:?}");
    let mut out = b"earlier ".to_vec();
    let result = call(client, &mut out);
    let written = out.strip_prefix(b"earlier ").expect("what was there stays");
    if result.is_err() {
        assert_eq!(written, b"", "a refusal writes nothing");
        assert_eq!(format!("{client:?}"), before, "a refusal changes nothing");
    }
    let written = String::from_utf8(written.to_vec()).expect("text");
    result.map(|value| (written, value))
}

fn assert_server_reads(written: &str, request: &Request<'_>, mode: BodyMode) {
    let config = Config { max_fields: 1_000, max_head_bytes: 1 << 20, ..Config::default() };
    let mut table = FieldTable::new(&config);
    let step = Server::new(&config).poll(written.as_bytes(), &mut table, NOW);
    let step = step.unwrap_or_else(|error| panic!("{error}: {written:?}"));
    let server::Event::Request(head) = step.event else { panic!("a whole head: {written:?}") };
    assert_eq!(step.consumed, written.len(), "one request and no more: {written:?}");
    assert_eq!((head.method(), head.target()), (request.method, request.target));
    assert_eq!(head.body().is_empty(), mode == BodyMode::None, "{written:?}");
    let fields = head.fields();
    for (theirs, ours) in fields.iter().zip(request.fields.iter()) {
        assert_eq!((theirs.name, theirs.value), (ours.name, ours.value), "in order, and before ours");
    }
    assert!(fields.len() >= request.fields.iter().count());
}

/// A plain exchange on the connection, as if nothing had happened before.
fn assert_works(client: &mut Client, case: &str) {
    assert_eq!(client.check_ready(), Ok(()), "{case}");
    let written = request(client, "GET", "/", HOST, BodyPlan::Empty).map(|(written, _)| written);
    assert_eq!(written.as_deref(), Ok(GET), "{case}");
    let events = give(client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(events, [Kind::Response, Kind::Data { at: 0, len: 2 }, Kind::End, Kind::Idle], "{case}");
    assert_eq!((client.reuse(), client.unanswered()), (Reuse::Now, 0), "{case}");
}

fn give(client: &mut Client, input: &str) -> Vec<Kind> {
    let mut table = FieldTable::new(&Config::default());
    let (mut rest, mut events) = (input.as_bytes(), Vec::new());
    loop {
        let step = client.advance(rest, &mut table, NOW).expect("a valid response");
        rest = &rest[step.consumed..];
        events.push(step.event);
        if matches!(step.event, Kind::NeedInput | Kind::Idle | Kind::Upgraded | Kind::Closed) {
            assert!(rest.is_empty(), "{events:?}");
            return events;
        }
    }
}

#[test]
fn a_client_is_small() {
    assert!(size_of::<Client>() <= 256, "{} bytes", size_of::<Client>());
}

/// One row a method; a column each for `Empty`, `Length(0)`, `Length(5)`, `Streamed`.
///
/// `0` and `5` tell the length, `t` tells chunked, `.` tells nothing; `!` is refused. No body is told
/// of as `0` where the method means something by content (RFC 9110 §8.6).
const FRAMING: &[(&str, &str, &str)] = &[
    ("GET", "/", ". 0 5 t"),
    ("HEAD", "/", ". 0 5 t"),
    ("DELETE", "/", ". 0 5 t"),
    ("OPTIONS", "*", ". 0 5 t"),
    ("POST", "/", "0 0 5 t"),
    ("PUT", "/", "0 0 5 t"),
    ("PATCH", "/", "0 0 5 t"),
    ("PROPFIND", "/", "0 0 5 t"),
    // Methods are case-sensitive: this one is unknown (RFC 9110 §9.1).
    ("get", "/", "0 0 5 t"),
    // No content (RFC 9110 §9.3.6 and §9.3.8).
    ("TRACE", "/", ". ! ! !"),
    ("CONNECT", "a:1", ". ! ! !"),
];

#[test]
fn every_plan_with_every_method() {
    let plans = [BodyPlan::Empty, BodyPlan::Length(0), BodyPlan::Length(5), BodyPlan::Streamed];
    let mut checked = 0;
    for (method, target, columns) in FRAMING {
        for (plan, column) in plans.into_iter().zip(columns.split(' ')) {
            let case = format!("{method} {plan:?}");
            let mut client = fresh();
            let result = request(&mut client, method, target, HOST, plan);
            checked += 1;
            let (framing, mode) = match column {
                "." => ("", BodyMode::None),
                "0" => ("content-length: 0\r\n", BodyMode::None),
                "5" => ("content-length: 5\r\n", BodyMode::Length(5)),
                "t" => ("transfer-encoding: chunked\r\n", BodyMode::Chunked),
                _ => {
                    assert_eq!(result, Err(SendError::ContentForbidden), "{case}");
                    assert_works(&mut client, &case);
                    continue;
                }
            };
            let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{framing}\r\n");
            assert_eq!(result, Ok((head, mode)), "{case}");
            assert_eq!(client.sends_body(), mode != BodyMode::None, "{case}");
            assert_eq!((client.is_busy(), client.unanswered()), (true, 1), "{case}");
            assert_eq!((client.reuse(), client.awaits_continue()), (Reuse::Later, false), "{case}");
        }
    }
    assert_eq!(checked, FRAMING.len() * 4);
}

#[test]
fn fields_of_the_application() {
    type Row<'r> = (&'r str, &'r [(&'r str, &'r str)], BodyPlan, &'r str);
    let rows: &[Row<'_>] = &[
        // Order and case are kept; framing comes after them.
        ("GET", &[("B", "1"), ("a", "2"), ("B", "3")], BodyPlan::Empty, "B: 1\r\na: 2\r\nB: 3\r\n"),
        ("PUT", &[("B", "1")], BodyPlan::Length(7), "B: 1\r\ncontent-length: 7\r\n"),
        ("PUT", &[], BodyPlan::Length(u64::MAX), "content-length: 18446744073709551615\r\n"),
        // A length that agrees is not told twice.
        ("POST", &[("Content-Length", "5")], BodyPlan::Length(5), "Content-Length: 5\r\n"),
        ("POST", &[("Content-Length", "0")], BodyPlan::Empty, "Content-Length: 0\r\n"),
        ("GET", &[("Content-Length", "0")], BodyPlan::Empty, "Content-Length: 0\r\n"),
        ("GET", &[("content-length", "0")], BodyPlan::Length(0), "content-length: 0\r\n"),
        // `Upgrade` and `TE` are hop-by-hop: each needs its option, once (RFC 9110 §7.8, §10.1.4).
        ("GET", &[("Upgrade", "x")], BodyPlan::Empty, "Upgrade: x\r\nconnection: upgrade\r\n"),
        ("GET", &[("TE", "trailers")], BodyPlan::Empty, "TE: trailers\r\nconnection: te\r\n"),
        (
            "POST",
            &[("TE", "trailers"), ("Upgrade", "x, y/2")],
            BodyPlan::Length(1),
            "TE: trailers\r\nUpgrade: x, y/2\r\ncontent-length: 1\r\nconnection: upgrade, te\r\n",
        ),
        (
            "GET",
            &[("Connection", "Upgrade"), ("Upgrade", "x")],
            BodyPlan::Empty,
            "Connection: Upgrade\r\nUpgrade: x\r\n",
        ),
        (
            "GET",
            &[("te", "trailers"), ("Connection", "a, TE")],
            BodyPlan::Empty,
            "te: trailers\r\nConnection: a, TE\r\n",
        ),
        (
            "GET",
            &[("te", "trailers"), ("Connection", "close"), ("Upgrade", "x"), ("connection", "upgrade")],
            BodyPlan::Empty,
            "te: trailers\r\nConnection: close\r\nUpgrade: x\r\nconnection: upgrade\r\nconnection: te\r\n",
        ),
        // An option is a whole member of the list.
        (
            "GET",
            &[("TE", "trailers"), ("Connection", "tea, x te")],
            BodyPlan::Empty,
            "TE: trailers\r\nConnection: tea, x te\r\nconnection: te\r\n",
        ),
        // Also for a protocol that we would not switch to: a sender of `Upgrade` names it always.
        ("GET", &[("Upgrade", "h2c")], BodyPlan::Empty, "Upgrade: h2c\r\nconnection: upgrade\r\n"),
        // An option without its field is none of ours.
        ("GET", &[("Connection", "upgrade, te")], BodyPlan::Empty, "Connection: upgrade, te\r\n"),
        (
            "PUT",
            &[("Expect", "100-Continue")],
            BodyPlan::Streamed,
            "Expect: 100-Continue\r\ntransfer-encoding: chunked\r\n",
        ),
    ];
    for (method, fields, plan, expected) in rows {
        let fields = [HOST, fields].concat();
        let written = request(&mut fresh(), method, "/", &fields, *plan).map(|(written, _)| written);
        let head = format!("{method} / HTTP/1.1\r\nHost: a\r\n{expected}\r\n");
        assert_eq!(written, Ok(head), "{fields:?} {plan:?}");
    }
}

/// Any refusal, and after each the connection works as if the call had not happened.
#[test]
fn fields_that_are_refused() {
    let mismatch = SendError::ContentLengthMismatch;
    let encoding = SendError::TransferEncodingSet;
    let expectation = SendError::InvalidExpectation;
    let rows: &[(&str, Fields<'_>, BodyPlan, SendError)] = &[
        ("POST", &[("content-length", "5")], BodyPlan::Length(6), mismatch),
        ("POST", &[("content-length", "5")], BodyPlan::Empty, mismatch),
        ("POST", &[("content-length", "5")], BodyPlan::Length(0), mismatch),
        ("POST", &[("content-length", "5")], BodyPlan::Streamed, mismatch),
        ("POST", &[("content-length", "0")], BodyPlan::Streamed, mismatch),
        ("POST", &[("content-length", "+5")], BodyPlan::Length(5), mismatch),
        ("POST", &[("content-length", "0x5")], BodyPlan::Length(5), mismatch),
        ("POST", &[("content-length", "5 ; a")], BodyPlan::Length(5), mismatch),
        ("POST", &[("content-length", "")], BodyPlan::Empty, mismatch),
        ("POST", &[("content-length", "5, 5")], BodyPlan::Length(5), mismatch),
        ("POST", &[("content-length", "18446744073709551616")], BodyPlan::Length(0), mismatch),
        ("POST", &[("content-length", "5"), ("Content-Length", "5")], BodyPlan::Length(5), mismatch),
        ("POST", &[("content-length", "5"), ("Content-Length", "6")], BodyPlan::Length(5), mismatch),
        ("POST", &[("Transfer-Encoding", "chunked")], BodyPlan::Streamed, encoding),
        ("POST", &[("transfer-encoding", "gzip, chunked")], BodyPlan::Streamed, encoding),
        ("GET", &[("TRANSFER-ENCODING", "identity")], BodyPlan::Empty, encoding),
        ("POST", &[("transfer-encoding", "")], BodyPlan::Length(5), encoding),
        ("TRACE", &[("content-length", "0")], BodyPlan::Empty, SendError::ContentForbidden),
        // An expectation stands before content (RFC 9110 §10.1.1), and there is only one.
        ("POST", &[("expect", "100-continue")], BodyPlan::Empty, expectation),
        ("GET", &[("expect", "100-continue")], BodyPlan::Length(0), expectation),
        ("POST", &[("expect", "200-ok")], BodyPlan::Length(5), expectation),
        ("POST", &[("expect", "")], BodyPlan::Length(5), expectation),
        ("POST", &[("expect", "100-continue, x")], BodyPlan::Length(5), expectation),
        ("POST", &[("expect", "100-continue"), ("Expect", "100-continue")], BodyPlan::Length(5), expectation),
        // An offer is made by a field; the server decides.
        ("GET", &[("upgrade", "x")], BodyPlan::Upgrade, SendError::UpgradeNotOffered),
        ("GET", &[], BodyPlan::Upgrade, SendError::UpgradeNotOffered),
    ];
    for (method, fields, plan, error) in rows {
        let case = format!("{method} {fields:?} {plan:?}");
        let mut client = fresh();
        let result = request(&mut client, method, "/", &[HOST, fields].concat(), *plan);
        assert_eq!(result, Err(*error), "{case}");
        assert_works(&mut client, &case);
    }
}

#[test]
fn methods_are_tokens() {
    let longest = "M".repeat(32);
    for method in ["GET", "M-SEARCH", "!#$%&'*+-.^_`|~", "0", &longest] {
        assert!(request(&mut fresh(), method, "/", HOST, BodyPlan::Empty).is_ok(), "{method:?}");
    }
    let too_long = "M".repeat(33);
    for method in
        ["", " ", "GET ", "GE T", "GET\r\nX:", "GET\0", "G\u{c9}T", "(GET)", "GET / HTTP/1.1\r\n", &too_long]
    {
        let mut client = fresh();
        let result = request(&mut client, method, "/", HOST, BodyPlan::Empty);
        assert_eq!(result, Err(SendError::InvalidMethod), "{method:?}");
        assert_works(&mut client, method);
    }
}

/// RFC 9112 §3.2: the four forms, and who may have them.
#[test]
fn targets_have_a_form_of_their_method() {
    let good: &[(&str, &str, &str)] = &[
        ("GET", "/", "a"),
        ("GET", "/a/b?c=d&e", "a"),
        ("GET", "//a", "b"),
        ("GET", "/%41|\"{}", "a"),
        ("OPTIONS", "*", "a"),
        ("OPTIONS", "/", "a"),
        // To a proxy; `Host` is the authority of the target.
        ("GET", "http://a/b", "a"),
        ("GET", "HTTP://a:80", "a:80"),
        ("GET", "https://a?b", "A"),
        ("GET", "http://[::1]:80/", "[::1]:80"),
        ("OPTIONS", "http://a", "a"),
        ("CONNECT", "a:443", "a:443"),
        ("CONNECT", "[::1]:1", "[::1]:1"),
        // As in the example of RFC 9110 §9.3.6.
        ("CONNECT", "a:443", "a"),
    ];
    for (method, target, host) in good {
        let written = request(&mut fresh(), method, target, &[("Host", host)], BodyPlan::Empty);
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(written, Ok((head, BodyMode::None)));
    }
    let bad: &[(&str, &str)] = &[
        ("GET", ""),
        ("GET", "a"),
        ("GET", "*"),
        ("HEAD", "*"),
        ("POST", "*"),
        ("GET", "a:1"),
        ("GET", "?a"),
        ("GET", "/a b"),
        ("GET", "/a#b"),
        ("GET", "/a\tb"),
        ("GET", "/\u{e4}"),
        ("GET", "/%4"),
        ("GET", "/%zz"),
        ("GET", "/\0"),
        ("GET", "/\u{7f}"),
        ("GET", "/ HTTP/1.1\r\nX: y\r\n\r\nGET /"),
        ("GET", "/\r"),
        ("GET", "/\n"),
        ("GET", "http:///a"),
        ("GET", "http://u@a/"),
        ("GET", "http://a:x/"),
        ("GET", "http://a:65536/"),
        ("GET", "ftp://a/"),
        ("OPTIONS", "**"),
        ("OPTIONS", "*?"),
        ("options", "*"),
        ("CONNECT", "/"),
        ("CONNECT", "*"),
        ("CONNECT", "a"),
        ("CONNECT", "a:"),
        ("CONNECT", ":1"),
        ("CONNECT", "a:65536"),
        ("CONNECT", "::1:1"),
        ("CONNECT", "u@a:1"),
        ("CONNECT", "http://a:1"),
        ("CONNECT", "http://a:1/"),
    ];
    for (method, target) in bad {
        let mut client = fresh();
        let result = request(&mut client, method, target, HOST, BodyPlan::Empty);
        assert_eq!(result, Err(SendError::InvalidTarget), "{method} {target:?}");
        assert_works(&mut client, target);
    }
}

/// RFC 9112 §3.2: one `Host`, a valid one, the authority of the target.
#[test]
fn one_valid_host() {
    for host in ["a", "example.org:80", "[::1]", "[::1]:65535", "127.0.0.1", "a:", "xn--a", "%41"] {
        assert!(request(&mut fresh(), "GET", "/", &[("hOsT", host)], BodyPlan::Empty).is_ok(), "{host}");
    }
    let bad: &[(&str, &str, Fields<'_>)] = &[
        ("GET", "/", &[]),
        ("GET", "/", &[("Hosts", "a")]),
        ("GET", "/", &[("Host", "")]),
        ("GET", "/", &[("Host", "a"), ("Host", "a")]),
        ("GET", "/", &[("Host", "a"), ("X", "y"), ("HOST", "b")]),
        ("GET", "/", &[("Host", "a, b")]),
        ("GET", "/", &[("Host", "a b")]),
        ("GET", "/", &[("Host", "a/")]),
        ("GET", "/", &[("Host", "u@a")]),
        ("GET", "/", &[("Host", "http://a")]),
        ("GET", "/", &[("Host", ":80")]),
        ("GET", "/", &[("Host", "a:b")]),
        ("GET", "/", &[("Host", "a:65536")]),
        ("GET", "/", &[("Host", "::1")]),
        ("GET", "/", &[("Host", "[::1")]),
        ("GET", "/", &[("Host", "\u{e4}")]),
        ("GET", "http://a/", &[("Host", "b")]),
        ("GET", "http://a/", &[("Host", "a:80")]),
        ("GET", "http://a:80/", &[("Host", "a")]),
        ("CONNECT", "a:1", &[]),
        ("CONNECT", "a:1", &[("Host", "")]),
        ("OPTIONS", "*", &[]),
    ];
    for (method, target, fields) in bad {
        let mut client = fresh();
        let result = request(&mut client, method, target, fields, BodyPlan::Empty);
        assert_eq!(result, Err(SendError::InvalidHost), "{method} {target} {fields:?}");
        assert_works(&mut client, target);
    }
}

/// A `POST` whose body is being sent.
fn sending(plan: BodyPlan) -> Client {
    let mut client = fresh();
    request(&mut client, "POST", "/", HOST, plan).expect("a request");
    client
}

/// The body as it is on the wire, from pieces framed one by one.
fn framed(client: &mut Client, pieces: &[&str]) -> String {
    let mut wire = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        assert!(client.sends_body());
        let last = at + 1 == pieces.len();
        let mut copied = Vec::new();
        client.clone().write_data(piece.as_bytes(), last, &mut copied).expect("a piece");
        let framing = client.frame_data(piece.len() as u64, last).expect("a piece");
        assert_eq!(copied, [framing.prefix(), piece.as_bytes(), framing.suffix()].concat());
        wire.push_str(std::str::from_utf8(&copied).expect("text"));
    }
    assert!(!client.sends_body());
    wire
}

#[test]
fn pieces_of_a_body() {
    let long = "x".repeat(0x1_02f);
    for (plan, pieces, expected) in [
        (BodyPlan::Length(5), &["hello"][..], "hello".to_owned()),
        (BodyPlan::Length(5), &["he", "", "llo", ""], "hello".to_owned()),
        (BodyPlan::Streamed, &["hello"], "5\r\nhello\r\n0\r\n\r\n".to_owned()),
        (BodyPlan::Streamed, &["he", "", "llo"], "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n".to_owned()),
        (BodyPlan::Streamed, &["he", ""], "2\r\nhe\r\n0\r\n\r\n".to_owned()),
        (BodyPlan::Streamed, &[""], "0\r\n\r\n".to_owned()),
        (BodyPlan::Streamed, &[&long], format!("102f\r\n{long}\r\n0\r\n\r\n")),
    ] {
        let mut client = sending(plan);
        assert_eq!(framed(&mut client, pieces), expected, "{plan:?} {pieces:?}");
        assert_eq!(client.frame_data(0, true), Err(SendError::NoBody));
        let events = give(&mut client, "HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(events, [Kind::Response, Kind::End, Kind::Idle]);
        assert_works(&mut client, "after a body");
    }
    let framing = sending(BodyPlan::Streamed).frame_data(u64::MAX, false).expect("the longest chunk");
    assert_eq!((framing.prefix(), framing.suffix()), (&b"ffffffffffffffff\r\n"[..], &b"\r\n"[..]));
    let longest = sending(BodyPlan::Length(u64::MAX)).frame_data(u64::MAX, true);
    assert!(longest.is_ok_and(|framing| framing.prefix().is_empty() && framing.suffix().is_empty()));
}

#[test]
fn bodies_keep_their_promise() {
    let mut client = sending(BodyPlan::Length(5));
    let data = |client: &mut Client, len, last| {
        refusal_changes_nothing(client, |client, _| client.frame_data(len, last)).map(drop)
    };
    let finish = |client: &mut Client, trailers: &[(&str, &str)]| {
        let trailers = lines(trailers);
        refusal_changes_nothing(client, |client, out| client.finish(Some(&trailers), out))
            .map(|(wire, ())| wire)
    };
    assert_eq!(data(&mut client, 6, false), Err(SendError::BodyTooLong));
    assert_eq!(data(&mut client, u64::MAX, true), Err(SendError::BodyTooLong));
    assert_eq!(data(&mut client, 0, true), Err(SendError::BodyTooShort));
    assert_eq!(data(&mut client, 4, true), Err(SendError::BodyTooShort));
    assert_eq!(finish(&mut client, &[]), Err(SendError::BodyTooShort));
    assert_eq!(data(&mut client, 4, false), Ok(()));
    assert_eq!(finish(&mut client, &[]), Err(SendError::BodyTooShort));
    assert_eq!(finish(&mut client, &[("a", "b")]), Err(SendError::TrailersForbidden));
    assert_eq!(data(&mut client, 1, false), Ok(()));
    assert!(client.sends_body(), "complete only when that was said");
    assert_eq!(client.check_ready(), Err(SendError::NotReady));
    assert_eq!(data(&mut client, 1, true), Err(SendError::BodyTooLong));
    assert_eq!(finish(&mut client, &[("a", "b")]), Err(SendError::TrailersForbidden));
    assert_eq!(finish(&mut client, &[]).as_deref(), Ok(""));
    assert!(!client.sends_body());
    assert_eq!(finish(&mut client, &[]), Err(SendError::NoBody));
    assert_eq!(data(&mut client, 0, true), Err(SendError::NoBody));

    // Without a body there is none to be sent.
    let mut idle = fresh();
    for asked in [false, true] {
        if asked {
            request(&mut idle, "POST", "/", HOST, BodyPlan::Empty).expect("a request");
        }
        for (len, last) in [(0, false), (0, true), (1, true)] {
            assert_eq!(data(&mut idle, len, last), Err(SendError::NoBody));
        }
        assert_eq!(finish(&mut idle, &[]), Err(SendError::NoBody));
        let before = format!("{idle:?}");
        idle.abandon_body();
        assert_eq!(format!("{idle:?}"), before, "nothing to abandon");
    }
    give(&mut idle, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_works(&mut idle, "after all that");
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
        "cookie",
        "cache-control",
    ] {
        let mut client = sending(BodyPlan::Streamed);
        let forbidden = lines(&[("x", "y"), (name, "1")]);
        let result = refusal_changes_nothing(&mut client, |client, out| client.finish(Some(&forbidden), out));
        assert_eq!(result.map(drop), Err(SendError::ForbiddenTrailer), "{name}");
        assert!(client.finish(None, &mut Vec::new()).is_ok(), "and without them it is complete");
    }
    for (fields, expected) in
        [(&[("x-sum", "1"), ("Y", "2")][..], "0\r\nx-sum: 1\r\nY: 2\r\n\r\n"), (&[], "0\r\n\r\n")]
    {
        let mut client = sending(BodyPlan::Streamed);
        client.frame_data(1, false).expect("a piece");
        let mut out = Vec::new();
        client.finish(Some(&lines(fields)), &mut out).expect("the end");
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert!(!client.sends_body());
    }
}

/// What is sent can be read back: our own server is the judge.
#[test]
fn what_was_framed_can_be_decoded() {
    let hostile = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for plan in [BodyPlan::Streamed, BodyPlan::Length(2 + hostile.len() as u64)] {
        let mut client = fresh();
        let (mut wire, _) = request(&mut client, "POST", "/", HOST, plan).expect("a request");
        wire += &framed(&mut client, &["a", "", "b", hostile]);
        let config = Config::default();
        let (mut server, mut table) = (Server::new(&config), FieldTable::new(&config));
        let (mut rest, mut data) = (wire.as_bytes(), Vec::new());
        loop {
            let step = server.poll(rest, &mut table, NOW).expect("a valid body");
            rest = &rest[step.consumed..];
            match step.event {
                server::Event::Data(piece) => data.extend_from_slice(piece),
                server::Event::End => break,
                event => assert!(matches!(event, server::Event::Request(_)), "{event:?}"),
            }
        }
        assert_eq!((data, rest), (["ab", hostile].concat().into_bytes(), &b""[..]));
    }
}

/// On a connection that is closed for one reason or another nothing can be sent, and trying changes
/// nothing either.
#[test]
fn nothing_is_sent_on_a_closed_connection() {
    let closed: [(&str, fn(&mut Client)); 5] = [
        ("abort", Client::abort),
        ("shutdown", Client::shutdown),
        ("end of input", |client| client.end_of_input(NOW)),
        ("unsolicited", |client| {
            let mut table = FieldTable::new(&Config::default());
            client.advance(b"H", &mut table, NOW).expect_err("nobody asked");
        }),
        ("close", |client| {
            request(client, "GET", "/", &[("Host", "a"), ("Connection", "close")], BodyPlan::Empty)
                .expect("the last request");
            give(client, "HTTP/1.1 204 No Content\r\n\r\n");
        }),
    ];
    for (case, close) in closed {
        let mut client = fresh();
        close(&mut client);
        assert_eq!(client.check_ready(), Err(SendError::Closed), "{case}");
        assert_eq!(client.reuse(), Reuse::Never, "{case}");
        for plan in [BodyPlan::Empty, BodyPlan::Length(1), BodyPlan::Streamed, BodyPlan::Upgrade] {
            assert_eq!(request(&mut client, "GET", "/", HOST, plan), Err(SendError::Closed), "{case}");
        }
        assert_eq!(client.frame_data(1, true), Err(SendError::NoBody), "{case}");
        assert_eq!(give(&mut client, ""), [Kind::Closed], "{case}");
        assert_ne!(client.close_action(), CloseAction::None, "{case}");
    }
}
