//! The sending half beyond plain responses: `100 Continue`, early hints, upgrades and tunnels, and
//! the answers to errors.

use sinew_proto::http1::{BodyMode, BodyPlan, CloseAction, ResponseHead, Server, server::Kind};
use sinew_proto::{Config, FieldLines, FieldTable, HttpDate, Instant, RecvError, SendError, StatusCode};

const NOW: Instant = Instant::from_nanos(0);

/// A connection, the bytes it has not consumed, and what it wrote.
struct Connection {
    server: Server,
    table: FieldTable,
    input: Vec<u8>,
    out: Vec<u8>,
}

impl Connection {
    fn new(input: &str) -> Self {
        let config = Config::default();
        let mut connection = Self {
            server: Server::new(&config),
            table: FieldTable::new(&config),
            input: Vec::new(),
            out: Vec::new(),
        };
        connection.give(input);
        connection
    }

    /// Gives `text` and returns the events up to the one that ends them.
    fn give(&mut self, text: &str) -> Vec<Kind> {
        self.input.extend_from_slice(text.as_bytes());
        let mut events = Vec::new();
        loop {
            let step = self.server.advance(&self.input, &mut self.table, NOW).expect("valid input");
            self.input.drain(..step.consumed);
            events.push(step.event);
            if matches!(step.event, Kind::NeedInput | Kind::Paused | Kind::Upgraded | Kind::Closed) {
                return events;
            }
        }
    }

    fn respond(&mut self, status: StatusCode, plan: BodyPlan) -> Result<BodyMode, SendError> {
        self.respond_with(status, &FieldLines::new(), plan)
    }

    fn respond_with(
        &mut self,
        status: StatusCode,
        fields: &FieldLines,
        plan: BodyPlan,
    ) -> Result<BodyMode, SendError> {
        let before = (format!("{:?}", self.server), self.out.len());
        let head = ResponseHead { status, fields: Some(fields), date: None };
        let result = self.server.respond(&head, plan, &mut self.out);
        if result.is_err() {
            assert_eq!((format!("{:?}", self.server), self.out.len()), before);
        }
        result
    }

    /// What was written since the last call.
    fn written(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out)).expect("text")
    }
}

fn line(name: &str, value: &str) -> FieldLines {
    let mut lines = FieldLines::new();
    lines.append(name, value).expect("a valid field");
    lines
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const WAITING: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[test]
fn continue_is_sent_once_and_when_asked() {
    let mut waiting = Connection::new(WAITING);
    assert!(waiting.server.send_continue(&mut waiting.out));
    assert_eq!(waiting.written(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(!waiting.server.send_continue(&mut waiting.out), "not twice");
    let events = waiting.give("ok");
    assert_eq!(events, [Kind::Data { at: 0, len: 2 }, Kind::End, Kind::Paused]);
    waiting.respond(StatusCode::OK, BodyPlan::Empty).expect("a response");
    assert_eq!(waiting.written(), OK);
    assert_eq!(waiting.give(""), [Kind::NeedInput], "and the connection persists");

    let mut not_asked = Connection::new(GET);
    assert!(!not_asked.server.send_continue(&mut not_asked.out));
    let mut nothing = Connection::new("");
    assert!(!nothing.server.send_continue(&mut nothing.out));
    assert_eq!((not_asked.written(), nothing.written()), (String::new(), String::new()));
}

#[test]
fn continue_is_not_sent_after_the_body_began() {
    let mut data = Connection::new(WAITING);
    data.give("o");
    assert!(!data.server.send_continue(&mut data.out));

    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    let mut line = Connection::new(chunked);
    line.give("5\r");
    assert!(!line.server.send_continue(&mut line.out), "part of a chunk line is enough");
    let mut end = Connection::new(chunked);
    end.give("0\r\n\r\n");
    assert!(!end.server.send_continue(&mut end.out), "a body without data is a body");
    end.respond(StatusCode::OK, BodyPlan::Empty).expect("a response");
    assert_eq!(end.written(), OK, "and the connection persists");
}

#[test]
fn continue_is_not_sent_after_the_response_began() {
    let mut waiting = Connection::new(WAITING);
    waiting.respond(StatusCode::CONTENT_TOO_LARGE, BodyPlan::Length(2)).expect("a response");
    assert_eq!(
        waiting.written(),
        "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"
    );
    assert!(!waiting.server.send_continue(&mut waiting.out));
    waiting.server.frame_data(2, true).expect("the body");
    assert_eq!(waiting.server.close_action(), CloseAction::Linger);
    assert_eq!(waiting.give("okGET / HTTP/1.1\r\nHost: a\r\n\r\n"), [Kind::Closed]);
}

#[test]
fn early_hints() {
    let hints = line("link", "</a.css>");
    let mut get = Connection::new(GET);
    for _ in 0..2 {
        get.server.inform(StatusCode::EARLY_HINTS, &hints, &mut get.out).expect("hints");
        assert_eq!(get.written(), "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n");
    }
    get.respond(StatusCode::OK, BodyPlan::Empty).expect("a response");
    assert_eq!(get.written(), OK);

    let early = StatusCode::EARLY_HINTS;
    let none = FieldLines::new();
    let rows = [
        ("", early, &none, SendError::NoRequest),
        (GET, StatusCode::OK, &none, SendError::WrongStatusClass),
        (GET, StatusCode::CONTINUE, &none, SendError::WrongStatusClass),
        (GET, StatusCode::SWITCHING_PROTOCOLS, &none, SendError::WrongStatusClass),
        ("GET / HTTP/1.0\r\n\r\n", early, &none, SendError::InterimToHttp10),
        (GET, early, &line("Transfer-Encoding", "chunked"), SendError::TransferEncodingSet),
        (GET, early, &line("Content-Length", "0"), SendError::ContentLengthMismatch),
    ];
    for (input, status, fields, error) in rows {
        let mut connection = Connection::new(input);
        let before = format!("{:?}", connection.server);
        assert_eq!(connection.server.inform(status, fields, &mut connection.out), Err(error));
        assert_eq!(format!("{:?}", connection.server), before);
        assert_eq!(connection.written(), "");
    }
    let mut begun = Connection::new(GET);
    begun.respond(StatusCode::OK, BodyPlan::Streamed).expect("a response");
    let result = begun.server.inform(early, &none, &mut Vec::new());
    assert_eq!(result, Err(SendError::NoRequest), "not after the final head");
}

#[test]
fn an_upgrade_leaves_the_rest_to_the_other_protocol() {
    let mut upgrade = Connection::new(&[UPGRADE, "GET / not HTTP"].concat());
    let mode =
        upgrade.respond_with(StatusCode::SWITCHING_PROTOCOLS, &line("Upgrade", "x"), BodyPlan::Upgrade);
    assert_eq!(mode, Ok(BodyMode::Upgraded));
    assert_eq!(
        upgrade.written(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nconnection: upgrade\r\n\r\n"
    );
    assert_eq!(upgrade.give(""), [Kind::Upgraded]);
    assert_eq!(upgrade.input, b"GET / not HTTP");
    assert!(!upgrade.server.wants_read() && !upgrade.server.is_busy());
    assert_eq!(upgrade.server.close_action(), CloseAction::None);
    assert_eq!(upgrade.server.poll_timeout(), None, "its deadlines are its own");
    assert_eq!(upgrade.server.frame_data(1, false), Err(SendError::NoBody));
    assert_eq!(upgrade.respond(StatusCode::OK, BodyPlan::Empty), Err(SendError::NoRequest));
    assert!(!upgrade.server.fail(&RecvError::InvalidMethod, None, &mut upgrade.out));
    assert_eq!(upgrade.give(""), [Kind::Upgraded], "HTTP has no say any more");

    let mut own_option = Connection::new(UPGRADE);
    let mut fields = line("Connection", "Upgrade");
    fields.append("Upgrade", "x").expect("a valid field");
    own_option.respond_with(StatusCode::SWITCHING_PROTOCOLS, &fields, BodyPlan::Upgrade).expect("an upgrade");
    assert_eq!(
        own_option.written(),
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    );
}

#[test]
fn a_tunnel_leaves_the_rest_to_the_other_protocol() {
    let mut connect = Connection::new(&[CONNECT, "\u{16}\u{3}"].concat());
    let mode = connect.respond(StatusCode::OK, BodyPlan::Upgrade);
    assert_eq!(mode, Ok(BodyMode::Upgraded));
    assert_eq!(connect.written(), "HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(connect.give(""), [Kind::Upgraded]);
    assert_eq!(connect.input, b"\x16\x03");
}

#[test]
fn upgrades_that_are_refused() {
    let x = || line("upgrade", "x");
    let switching = StatusCode::SWITCHING_PROTOCOLS;
    for (input, status, fields) in [
        // Nobody offered it: no Upgrade, not named by Connection, HTTP/1.0.
        (GET.to_owned(), switching, x()),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n".to_owned(), switching, x()),
        ("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_owned(), switching, x()),
        // The body is unread.
        (UPGRADE.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\n"), switching, x()),
        (CONNECT.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\n"), StatusCode::OK, FieldLines::new()),
        // A 101 that does not say to what, another status, a tunnel that was not asked for.
        (UPGRADE.to_owned(), switching, FieldLines::new()),
        (UPGRADE.to_owned(), StatusCode::OK, x()),
        (GET.to_owned(), StatusCode::OK, FieldLines::new()),
        (CONNECT.to_owned(), StatusCode::NOT_FOUND, FieldLines::new()),
        (CONNECT.to_owned(), switching, x()),
    ] {
        let mut connection = Connection::new(&input);
        let result = connection.respond_with(status, &fields, BodyPlan::Upgrade);
        assert_eq!(result, Err(SendError::UpgradeNotOffered), "{input:?} {status}");
        connection.respond(StatusCode::NOT_IMPLEMENTED, BodyPlan::Empty).expect("plain HTTP goes on");
    }
}

#[test]
fn an_upgrade_after_its_body_was_read() {
    let mut upgrade = Connection::new(&UPGRADE.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\n"));
    upgrade.give("x");
    let mode =
        upgrade.respond_with(StatusCode::SWITCHING_PROTOCOLS, &line("upgrade", "x"), BodyPlan::Upgrade);
    assert_eq!(mode, Ok(BodyMode::Upgraded));
}

#[test]
fn an_error_is_answered_if_no_response_was_begun() {
    let date = HttpDate::from_unix(784_111_777);
    let mut idle = Connection::new("");
    assert!(idle.server.fail(&RecvError::HeadTooLarge, Some(&date), &mut idle.out));
    let body = "431 Request Header Fields Too Large: the head is too large (RFC 6585 §5)\n";
    assert_eq!(
        idle.written(),
        format!(
            "HTTP/1.1 431 Request Header Fields Too Large\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             content-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    );
    assert_eq!(idle.server.close_action(), CloseAction::Linger);
    assert_eq!(idle.give(GET), [Kind::Closed], "no request after it");
    assert!(!idle.server.fail(&RecvError::HeadTooLarge, None, &mut idle.out), "once");

    let mut pending = Connection::new(WAITING);
    assert!(pending.server.fail(&RecvError::BodyTimeout, None, &mut pending.out));
    assert!(pending.written().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(pending.give("okGET / HTTP/1.1\r\n"), [Kind::Closed]);
    assert_eq!(pending.respond(StatusCode::OK, BodyPlan::Empty), Err(SendError::NoRequest));
}

#[test]
fn the_answer_to_a_wrong_head_request_has_no_body() {
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
    let mut pending = Connection::new(head);
    assert!(pending.server.fail(&RecvError::BodyTimeout, None, &mut pending.out));
    assert!(pending.written().ends_with("connection: close\r\n\r\n"));

    // The method of the request before says nothing about the one that could not be read.
    let mut next = Connection::new(&head.replace("Content-Length: 1\r\n", ""));
    next.respond(StatusCode::OK, BodyPlan::Empty).expect("a response");
    next.give("");
    next.written();
    assert!(next.server.fail(&RecvError::HeadTimeout, None, &mut next.out));
    assert!(next.written().ends_with("(RFC 9110 §15.5.9)\n"));
}

#[test]
fn an_error_after_the_response_began_breaks_it_off() {
    let mut begun = Connection::new(WAITING);
    begun.respond(StatusCode::OK, BodyPlan::Streamed).expect("a response");
    begun.written();
    assert!(!begun.server.fail(&RecvError::BodyTimeout, None, &mut begun.out));
    assert_eq!((begun.written(), begun.server.close_action()), (String::new(), CloseAction::Abort));
    assert_eq!(begun.server.frame_data(1, false), Err(SendError::NoBody));
    assert_eq!(begun.give(GET), [Kind::Closed]);

    let mut complete = Connection::new(&WAITING.replace("Expect: 100-continue\r\n", ""));
    complete.respond(StatusCode::OK, BodyPlan::Empty).expect("a response");
    complete.written();
    assert!(!complete.server.fail(&RecvError::BodyTimeout, None, &mut complete.out));
    assert_eq!((complete.written(), complete.server.close_action()), (String::new(), CloseAction::Linger));
    assert_eq!(complete.give("okGET / HTTP/1.1\r\nHost: a\r\n\r\n"), [Kind::Closed]);
}

#[test]
fn every_error_has_an_answer_of_its_own_status() {
    for error in [
        RecvError::InvalidMethod,
        RecvError::TargetTooLong,
        RecvError::UnsupportedVersion,
        RecvError::TooManyFields,
        RecvError::UnknownTransferCoding,
        RecvError::UnknownExpectation,
        RecvError::HeadTimeout,
        RecvError::UnexpectedEnd,
    ] {
        let mut connection = Connection::new("");
        assert!(connection.server.fail(&error, None, &mut connection.out));
        let written = connection.written();
        let (head, body) = written.split_once("\r\n\r\n").expect("a head");
        let status = error.status();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} {}\r\n", status.reason())));
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        assert!(body.contains(error.message()) && body.contains(error.rule()));
    }
}

#[test]
fn nothing_is_sent_after_an_abort() {
    let mut pending = Connection::new(GET);
    pending.server.abort();
    assert_eq!(pending.respond(StatusCode::OK, BodyPlan::Empty), Err(SendError::NoRequest));
    assert!(!pending.server.fail(&RecvError::InvalidMethod, None, &mut pending.out));
    assert_eq!(pending.written(), "");
    assert_eq!(pending.server.close_action(), CloseAction::Abort);
    assert!(!pending.server.wants_read());
    assert_eq!(pending.server.poll_timeout(), None);
}
