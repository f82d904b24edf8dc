//! What a client's connection is good for after each kind of exchange: kept, left to another
//! protocol, or closed, and how many requests were left without a response (RFC 9112 §9.3 and §9.6).

#[path = "support/requester.rs"]
mod requester;

use requester::{CONTINUE, Connection, EXPECT, OK, UPGRADE, answered};
use sinew_proto::http1::{
    BodyMode, BodyPlan, CloseAction,
    client::{Kind, Reuse},
};
use sinew_proto::{Instant, RecvError, SendError};

const NOW: Instant = Instant::from_nanos(0);
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const KEPT: (Reuse, CloseAction, usize) = (Reuse::Now, CloseAction::None, 0);
const CLOSED: (Reuse, CloseAction, usize) = (Reuse::Never, CloseAction::AfterFlush, 0);

#[test]
fn after_a_whole_response() {
    let close = ("Connection", "close");
    type Fields<'f> = &'f [(&'f str, &'f str)];
    let rows: &[(&str, Fields<'_>, &str, bool)] = &[
        // method, fields, response, kept
        ("GET", &[], "1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
        ("GET", &[], "1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true),
        ("GET", &[], "1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\nT: u\r\n\r\n", true),
        ("GET", &[], "1.1 204 No Content\r\n\r\n", true),
        ("GET", &[], "1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", true),
        ("GET", &[], "1.1 500 \r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true),
        ("HEAD", &[], "1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true),
        ("HEAD", &[], "1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
        ("HEAD", &[], "1.1 200 OK\r\n\r\n", true),
        ("POST", &[], "1.1 201 Created\r\nContent-Length: 0\r\n\r\n", true),
        ("CONNECT", &[], "1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", true),
        ("GET", &[UPGRADE], "1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
        ("GET", &[UPGRADE], "1.1 426 Upgrade Required\r\nUpgrade: y\r\nContent-Length: 0\r\n\r\n", true),
        ("GET", &[], "1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true),
        // One side said so, or the version does.
        ("GET", &[], "1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false),
        ("GET", &[], "1.1 204 No Content\r\nConnection: x\r\nConnection: y, CLOSE\r\n\r\n", false),
        ("GET", &[], "1.1 204 No Content\r\nConnection: keep-alive, close\r\n\r\n", false),
        ("HEAD", &[], "1.1 200 OK\r\nConnection: close\r\n\r\n", false),
        ("GET", &[close], "1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        ("POST", &[close], "1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", false),
        ("GET", &[], "1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        ("HEAD", &[], "1.0 200 OK\r\nContent-Length: 2\r\n\r\n", false),
    ];
    for (method, fields, response, kept) in rows {
        let case = format!("{method} {fields:?} {response:?}");
        let mut asked = Connection::asked(method, fields, BodyPlan::Empty);
        let busy = asked.verdict();
        let later = if fields.contains(&close) { Reuse::Never } else { Reuse::Later };
        assert_eq!(busy, (later, CloseAction::None, 1), "{case}");
        let events = asked.give(&format!("HTTP/{response}"));
        let last = if *kept { Kind::Idle } else { Kind::Closed };
        assert!(events.ends_with(&[Kind::End, last]), "{case}: {events:?}");
        assert_eq!(asked.verdict(), if *kept { KEPT } else { CLOSED }, "{case}");
        assert_eq!(asked.client.wants_read(), *kept, "{case}");
        let next = if *kept { Ok(BodyMode::None) } else { Err(SendError::Closed) };
        assert_eq!(asked.get(), next, "{case}");
        assert!(asked.input.is_empty(), "{case}");
    }
}

/// What the head of a response says counts before its body is there.
#[test]
fn while_the_response_comes() {
    for (head, reuse) in [
        ("1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Reuse::Later),
        ("1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", Reuse::Never),
        ("1.0 200 OK\r\nContent-Length: 2\r\n\r\n", Reuse::Never),
        ("1.1 200 OK\r\n\r\n", Reuse::Never),
        // An interim response decides nothing of that kind.
        ("1.1 103 Early Hints\r\nConnection: close\r\n\r\n", Reuse::Later),
    ] {
        let mut asked = Connection::asked("GET", &[], BodyPlan::Empty);
        asked.give(&format!("HTTP/{head}"));
        assert_eq!(asked.verdict(), (reuse, CloseAction::None, 1), "{head:?}");
        assert!(asked.client.is_busy() && asked.client.wants_read(), "{head:?}");
    }
}

#[test]
fn the_end_of_the_input() {
    let head = "HTTP/1.1 200 OK\r\n";
    let rows: &[(&str, Option<RecvError>, usize)] = &[
        // A body that ends with the connection is complete (RFC 9112 §6.3).
        ("\r\n", None, 0),
        ("\r\nhello", None, 0),
        ("Content-Length: 2\r\n\r\nok", None, 0),
        ("Content-Length: 2\r\n\r\no", Some(RecvError::UnexpectedEnd), 1),
        ("Content-Length: 2\r\n\r\n", Some(RecvError::UnexpectedEnd), 1),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", Some(RecvError::UnexpectedEnd), 1),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", Some(RecvError::UnexpectedEnd), 1),
        ("X: y\r\n", Some(RecvError::UnexpectedEnd), 1),
    ];
    for (rest, error, unanswered) in rows {
        let mut asked = Connection::asked("GET", &[], BodyPlan::Empty);
        asked.give(&[head, rest].concat());
        let (events, seen) = asked.end_of_input();
        assert_eq!(seen, *error, "{rest:?} {events:?}");
        let action = if error.is_some() { CloseAction::Abort } else { CloseAction::AfterFlush };
        assert_eq!(asked.verdict(), (Reuse::Never, action, *unanswered), "{rest:?}");
    }
    // Before a response, however many are awaited: they may be sent again elsewhere (§9.3.1).
    let mut pipelined = Connection::asked("GET", &[], BodyPlan::Empty);
    pipelined.get().expect("pipelined");
    pipelined.get().expect("pipelined");
    pipelined.give(OK);
    assert_eq!(pipelined.end_of_input(), (vec![], Some(RecvError::NoResponse)));
    assert_eq!(pipelined.verdict(), (Reuse::Never, CloseAction::Abort, 2));
    assert_eq!(pipelined.try_give(OK), (vec![Kind::Closed], None), "once is enough");

    let mut idle = Connection::new();
    assert_eq!(idle.end_of_input(), (vec![Kind::Closed], None));
    assert_eq!(idle.verdict(), CLOSED);
}

/// A response that closes is the last one, whatever else was asked (RFC 9112 §9.6).
#[test]
fn pipelined_requests_that_get_no_response() {
    let mut closing = Connection::new();
    for _ in 0..3 {
        closing.get().expect("pipelined");
    }
    closing.give(OK);
    let events = closing.give(&[&OK.replace("OK", "OK\r\nConnection: close"), OK].concat());
    assert_eq!(events, answered(Kind::Closed));
    assert_eq!(closing.verdict(), (Reuse::Never, CloseAction::AfterFlush, 1));
    assert!(closing.input.is_empty(), "what comes after it is for nobody");

    let mut waiting = Connection::asked("GET", &[], BodyPlan::Empty);
    waiting.request("PUT", &[EXPECT], BodyPlan::Length(1)).expect("pipelined");
    waiting.give(&OK.replace("OK", "OK\r\nConnection: close"));
    assert_eq!(waiting.verdict(), (Reuse::Never, CloseAction::Abort, 1));
    assert!(!waiting.client.awaits_continue() && !waiting.client.sends_body(), "nor is its body wanted");
}

/// What nobody asked for is not the response to the next request.
#[test]
fn unsolicited_bytes() {
    // After a response, before they are looked at.
    let mut together = Connection::asked("GET", &[], BodyPlan::Empty);
    let (events, error) = together.try_give(&[OK, OK].concat());
    assert_eq!((events, error), (vec![Kind::Response, Kind::End], Some(RecvError::UnsolicitedResponse)));
    assert_eq!(together.verdict(), (Reuse::Never, CloseAction::Abort, 0));

    // A caller that does not look: the next request is refused while they wait.
    let mut waiting = Connection::asked("GET", &[], BodyPlan::Empty);
    waiting.input = [OK, "H"].concat().into_bytes();
    for expected in answered(Kind::End).into_iter().take(2) {
        let step = waiting.client.advance(&waiting.input, &mut waiting.table, NOW).expect("the response");
        waiting.input.drain(..step.consumed);
        assert_eq!(step.event, expected);
    }
    assert_eq!(waiting.client.reuse(), Reuse::Never);
    assert_eq!(waiting.get(), Err(SendError::Closed));
    assert_eq!(waiting.try_give(""), (vec![], Some(RecvError::UnsolicitedResponse)));

    // The same if the body of the request is still being sent.
    let mut sending = Connection::asked("POST", &[], BodyPlan::Length(1));
    let (_, error) = sending.try_give(&[OK, "\r"].concat());
    assert_eq!(error, Some(RecvError::UnsolicitedResponse));
    assert_eq!(sending.client.frame_data(1, true), Err(SendError::NoBody));

    for early in ["\r\n", "H", OK, CONTINUE] {
        let mut fresh = Connection::new();
        assert_eq!(fresh.try_give(early), (vec![], Some(RecvError::UnsolicitedResponse)));
        assert_eq!(fresh.get(), Err(SendError::Closed));
        assert_eq!(fresh.give("more"), [Kind::Closed]);
    }
}

#[test]
fn an_upgrade_that_was_offered() {
    let mut switched = Connection::asked("GET", &[UPGRADE], BodyPlan::Empty);
    let events = switched.give(&[CONTINUE, SWITCH, "HTTP/1.1 not HTTP"].concat());
    assert_eq!(events, [Kind::Interim, Kind::Response, Kind::Upgraded]);
    assert_eq!(switched.input, b"HTTP/1.1 not HTTP", "the other protocol's");
    assert_eq!(switched.verdict(), (Reuse::Never, CloseAction::None, 0));
    assert!(!switched.client.wants_read() && !switched.client.is_busy());
    assert_eq!(switched.get(), Err(SendError::Closed));
    assert_eq!(switched.client.frame_data(1, false), Err(SendError::NoBody));
    let before = format!("{:?}", switched.client);
    switched.client.abandon_body();
    assert_eq!(format!("{:?}", switched.client), before, "HTTP has no say any more");
    switched.client.shutdown();
    assert_eq!(switched.end_of_input(), (vec![Kind::Upgraded], None));

    for (fields, answer) in [
        (&[("Upgrade", "y/2, X")][..], "x"),
        (&[("Upgrade", "y"), ("upgrade", "x"), ("Connection", "upgrade")], "Y"),
        (&[("Upgrade", "x, y")], "x, y"),
    ] {
        let mut chosen = Connection::asked("GET", fields, BodyPlan::Empty);
        let switch = SWITCH.replace("Upgrade: x", &format!("Upgrade: {answer}"));
        assert_eq!(chosen.give(&switch), [Kind::Response, Kind::Upgraded], "{fields:?} {answer}");
    }

    // After the whole of its body, and not before.
    let mut posted = Connection::asked("POST", &[UPGRADE, EXPECT], BodyPlan::Length(1));
    posted.give(CONTINUE);
    posted.client.frame_data(1, true).expect("the body");
    assert_eq!(posted.give(SWITCH), [Kind::Response, Kind::Upgraded]);
}

#[test]
fn an_upgrade_that_must_not_be() {
    let x = &[UPGRADE][..];
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[], SWITCH),
        (&[("Connection", "upgrade")], SWITCH),
        (&[("Upgrade", "y")], SWITCH),
        (&[("Upgrade", "x/1")], SWITCH),
        // HTTP/2 is not switched to any more (RFC 9113 §3.1).
        (&[("Upgrade", "h2c")], "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
        // It says to what, by a field that `Connection` names, in HTTP/1.1 (RFC 9110 §7.8).
        (x, "HTTP/1.1 101 S\r\nConnection: upgrade\r\n\r\n"),
        (x, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: \r\n\r\n"),
        (x, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x, z\r\n\r\n"),
        (x, "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n"),
        (x, "HTTP/1.0 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    ];
    for (fields, response) in rows {
        let mut asked = Connection::asked("GET", fields, BodyPlan::Empty);
        let (events, error) = asked.try_give(response);
        assert_eq!((events, error), (vec![], Some(RecvError::UpgradeNotOffered)), "{fields:?} {response:?}");
        assert_eq!(asked.verdict(), (Reuse::Never, CloseAction::Abort, 1), "{response:?}");
    }
    let mut sending = Connection::asked("POST", x, BodyPlan::Length(1));
    assert_eq!(sending.try_give(SWITCH).1, Some(RecvError::UpgradeNotOffered), "its body is not out");
    let mut waiting = Connection::asked("POST", &[UPGRADE, EXPECT], BodyPlan::Length(1));
    assert_eq!(waiting.try_give(SWITCH).1, Some(RecvError::UpgradeNotOffered), "100 comes first");

    // The answer to a request before it: that one offered nothing.
    let mut behind = Connection::asked("GET", &[], BodyPlan::Empty);
    behind.request("GET", x, BodyPlan::Empty).expect("pipelined");
    assert_eq!(behind.try_give(SWITCH).1, Some(RecvError::UpgradeNotOffered));
    assert_eq!(behind.client.unanswered(), 2);

    // An offer does not outlive its request.
    let mut stale = Connection::asked("GET", x, BodyPlan::Empty);
    stale.give(OK);
    stale.get().expect("another request");
    assert_eq!(stale.try_give(SWITCH).1, Some(RecvError::UpgradeNotOffered));
}

#[test]
fn a_tunnel() {
    for status in ["200 Connection established", "204 No Content", "299 "] {
        let mut tunnel = Connection::asked("CONNECT", &[], BodyPlan::Empty);
        // A length is to be ignored (RFC 9110 §9.3.6).
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 9\r\nConnection: close\r\n\r\n");
        assert_eq!(tunnel.give(&[&head, "\u{16}"].concat()), [Kind::Response, Kind::Upgraded]);
        assert_eq!(tunnel.input, b"\x16");
        assert_eq!(tunnel.verdict(), (Reuse::Never, CloseAction::None, 0));
    }
    let mut behind = Connection::asked("GET", &[], BodyPlan::Empty);
    behind.request("CONNECT", &[], BodyPlan::Empty).expect("pipelined");
    assert_eq!(behind.give(OK), answered(Kind::NeedInput), "not of this request");
    assert_eq!(behind.give(OK), [Kind::Response, Kind::Upgraded]);
}

#[test]
fn shutdown_awaits_what_was_asked() {
    let mut idle = Connection::new();
    idle.client.shutdown();
    assert_eq!(idle.get(), Err(SendError::Closed));
    assert_eq!(idle.give(""), [Kind::Closed]);
    assert_eq!(idle.verdict(), CLOSED);

    let mut pipelined = Connection::asked("GET", &[], BodyPlan::Empty);
    pipelined.request("PUT", &[], BodyPlan::Length(1)).expect("pipelined");
    pipelined.client.shutdown();
    assert_eq!(pipelined.verdict(), (Reuse::Never, CloseAction::None, 2));
    pipelined.client.frame_data(1, true).expect("what was begun goes on");
    assert_eq!(pipelined.get(), Err(SendError::Closed));
    assert_eq!(pipelined.give(OK), answered(Kind::NeedInput));
    assert_eq!(pipelined.give(OK), answered(Kind::Closed));
    assert_eq!(pipelined.verdict(), CLOSED);

    let mut sending = Connection::asked("POST", &[], BodyPlan::Length(1));
    sending.client.shutdown();
    assert_eq!(sending.give(OK), answered(Kind::Idle), "the body is not complete");
    assert_eq!(sending.client.close_action(), CloseAction::None);
    sending.client.frame_data(1, true).expect("the body");
    assert_eq!(sending.give(""), [Kind::Closed]);
    assert_eq!(sending.verdict(), CLOSED);
}

#[test]
fn abort_is_final_at_any_time() {
    let mut times = [
        Connection::new(),
        Connection::asked("GET", &[], BodyPlan::Empty),
        Connection::asked("POST", &[EXPECT], BodyPlan::Length(1)),
        Connection::asked("GET", &[("Connection", "close")], BodyPlan::Empty),
    ];
    times[3].give(OK);
    for (connection, unanswered) in times.iter_mut().zip([0, 1, 1, 0]) {
        connection.client.abort();
        assert_eq!(connection.verdict(), (Reuse::Never, CloseAction::Abort, unanswered));
        assert!(!connection.client.awaits_continue() && !connection.client.sends_body());
        assert!(!connection.client.is_busy() && !connection.client.wants_read());
        assert_eq!(connection.client.frame_data(1, true), Err(SendError::NoBody));
        assert_eq!(connection.give(OK), [Kind::Closed], "no response after it");
        connection.client.shutdown();
        connection.client.abandon_body();
        assert_eq!(connection.end_of_input(), (vec![Kind::Closed], None));
        assert_eq!(connection.verdict(), (Reuse::Never, CloseAction::Abort, unanswered));
    }
}

/// An error is as final, and tells what was not answered.
#[test]
fn nothing_after_an_error() {
    for wrong in
        ["HTTP/2.0", "HTTP/1.1 600 \r\n", "HTTP/1.1 200 OK\n", "HTTP/1.1 204 \r\nContent-Length: 1\r\n\r\n"]
    {
        let mut asked = Connection::asked("GET", &[], BodyPlan::Empty);
        asked.request("PUT", &[EXPECT], BodyPlan::Length(1)).expect("pipelined");
        let (events, error) = asked.try_give(wrong);
        assert!(events.is_empty() && error.is_some(), "{wrong:?} {events:?}");
        assert_eq!(asked.verdict(), (Reuse::Never, CloseAction::Abort, 2), "{wrong:?}");
        assert!(!asked.client.awaits_continue() && !asked.client.sends_body(), "{wrong:?}");
        assert_eq!(asked.give(OK), [Kind::Closed], "{wrong:?}");
        assert_eq!(asked.get(), Err(SendError::Closed), "{wrong:?}");
    }
}

#[test]
fn interim_responses_have_a_limit() {
    let mut patient = Connection::asked("GET", &[], BodyPlan::Empty);
    for _ in 0..3 {
        let interim = [Kind::Interim; 16];
        assert_eq!(patient.give(&CONTINUE.repeat(16))[..16], interim);
        patient.give(OK);
        patient.get().expect("the next one has as many");
    }
    let (events, error) = patient.try_give(&CONTINUE.repeat(17));
    assert_eq!((events, error), (vec![Kind::Interim; 16], Some(RecvError::TooManyInterimResponses)));
}
