//! The order of requests and responses as the caller of a client sees it: pipelining, `100 Continue`,
//! answers that come early, and bodies that are given up.

#[path = "support/requester.rs"]
mod requester;

use requester::{CONTINUE, Connection, EXPECT, OK, UPGRADE, answered};
use sinew_proto::SendError;
use sinew_proto::http1::{
    BodyPlan, Client, CloseAction,
    client::{Kind, Reuse},
};

/// From a server that speaks HTTP/1.0 and keeps the connection.
const OLD: &str = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";

#[test]
fn as_many_requests_as_may_be_pipelined() {
    let mut deep = Connection::new();
    for sent in 0..Client::MAX_PIPELINED {
        assert_eq!(deep.client.unanswered(), sent);
        deep.get().expect("not too deep");
    }
    assert_eq!(deep.get(), Err(SendError::NotReady));
    assert_eq!(deep.verdict(), (Reuse::Later, CloseAction::None, Client::MAX_PIPELINED));
    assert_eq!(deep.give(OK), answered(Kind::NeedInput));
    deep.get().expect("one was answered");
    assert_eq!(deep.get(), Err(SendError::NotReady));
    // One that is being answered has no complete response.
    deep.give("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(deep.get(), Err(SendError::NotReady));
    deep.give("x");
    for left in (1..Client::MAX_PIPELINED).rev() {
        assert_eq!(deep.client.unanswered(), left);
        deep.give(OK);
    }
    assert_eq!(deep.verdict(), (Reuse::Now, CloseAction::None, 0));
}

/// The method decides what a response looks like, so each has to be kept in order (RFC 9112 §6.3).
#[test]
fn responses_belong_to_their_requests() {
    let mut mixed = Connection::new();
    for method in ["GET", "HEAD", "GET", "HEAD", "HEAD", "CONNECT"] {
        mixed.request(method, &[], BodyPlan::Empty).expect("pipelined");
    }
    let five = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let body = |then| [Kind::Response, Kind::Data { at: 0, len: 5 }, Kind::End, then];
    assert_eq!(mixed.give(&[five, "hello"].concat()), body(Kind::NeedInput));
    assert_eq!(mixed.give(five), answered(Kind::NeedInput));
    assert_eq!(mixed.give(&[five, "hello"].concat()), body(Kind::NeedInput));
    let two_heads = [Kind::Response, Kind::End, Kind::Response, Kind::End, Kind::NeedInput];
    assert_eq!(mixed.give(&[five, five].concat()), two_heads);
    assert_eq!(mixed.give(&[five, "hello"].concat()), [Kind::Response, Kind::Upgraded]);
    assert_eq!((mixed.input.as_slice(), mixed.client.unanswered()), (&b"hello"[..], 0));
}

#[test]
fn what_may_be_followed_before_its_response() {
    let close = ("Connection", "x, Close");
    type Fields<'f> = &'f [(&'f str, &'f str)];
    let rows: &[(&str, Fields<'_>, BodyPlan, Result<(), SendError>)] = &[
        // Idempotent (RFC 9110 §9.2.2): it can be sent again if the connection breaks.
        ("GET", &[], BodyPlan::Empty, Ok(())),
        ("HEAD", &[], BodyPlan::Empty, Ok(())),
        ("OPTIONS", &[], BodyPlan::Empty, Ok(())),
        ("TRACE", &[], BodyPlan::Empty, Ok(())),
        ("DELETE", &[], BodyPlan::Empty, Ok(())),
        ("PUT", &[], BodyPlan::Empty, Ok(())),
        ("PUT", &[], BodyPlan::Length(1), Ok(())),
        ("PUT", &[], BodyPlan::Streamed, Ok(())),
        ("PUT", &[EXPECT], BodyPlan::Length(1), Ok(())),
        ("GET", &[("Connection", "upgrade")], BodyPlan::Empty, Ok(())),
        // Not so, or not known to be.
        ("POST", &[], BodyPlan::Empty, Err(SendError::NotReady)),
        ("POST", &[], BodyPlan::Length(1), Err(SendError::NotReady)),
        ("PATCH", &[], BodyPlan::Streamed, Err(SendError::NotReady)),
        ("get", &[], BodyPlan::Empty, Err(SendError::NotReady)),
        ("X-QUERY", &[], BodyPlan::Empty, Err(SendError::NotReady)),
        // What follows may be taken for the other protocol.
        ("CONNECT", &[], BodyPlan::Empty, Err(SendError::NotReady)),
        ("GET", &[UPGRADE], BodyPlan::Empty, Err(SendError::NotReady)),
        ("PUT", &[UPGRADE], BodyPlan::Length(1), Err(SendError::NotReady)),
        ("GET", &[("Upgrade", "h2c")], BodyPlan::Empty, Err(SendError::NotReady)),
        // The last one (RFC 9112 §9.6).
        ("GET", &[close], BodyPlan::Empty, Err(SendError::Closed)),
        ("POST", &[close], BodyPlan::Length(1), Err(SendError::Closed)),
    ];
    for (method, fields, plan, expected) in rows {
        let case = format!("{method} {fields:?} {plan:?}");
        let mut first = Connection::asked(method, fields, *plan);
        if first.client.sends_body() {
            let blocked = expected.and(Err(SendError::NotReady));
            let blocked = if *expected == Err(SendError::Closed) { *expected } else { blocked };
            assert_eq!(first.get().map(drop), blocked, "{case}: its body is not complete");
            first.client.frame_data(1, true).expect("the body");
        }
        assert_eq!(first.client.check_ready(), *expected, "{case}");
        assert_eq!(first.get().map(drop), *expected, "{case}");
        if *expected == Err(SendError::NotReady) {
            assert_eq!(first.verdict(), (Reuse::Later, CloseAction::None, 1), "{case}");
            let refusal = if *method == "CONNECT" { &OK.replace("200", "403") } else { OK };
            assert_eq!(first.give(refusal), answered(Kind::Idle), "{case}");
            first.get().unwrap_or_else(|error| panic!("{case}: {error} after its response"));
        }
    }
}

#[test]
fn requests_that_may_not_be_followed_may_follow() {
    for (method, fields) in [("POST", &[][..]), ("CONNECT", &[]), ("GET", &[UPGRADE])] {
        let mut second = Connection::asked("GET", &[], BodyPlan::Empty);
        second.request(method, fields, BodyPlan::Empty).expect("after one that may be followed");
        assert_eq!(second.give(OK), answered(Kind::NeedInput));
        assert_eq!(second.get(), Err(SendError::NotReady), "{method}");
        assert_eq!(second.give(&OK.replace("200", "404")), answered(Kind::Idle));
        assert_eq!(second.verdict(), (Reuse::Now, CloseAction::None, 0), "{method}");
    }
}

/// RFC 9112 §6.1 and §9.3: no chunks, and one request at a time.
#[test]
fn a_server_of_http_1_0() {
    let mut old = Connection::asked("GET", &[], BodyPlan::Empty);
    assert_eq!(old.give(OLD), answered(Kind::Idle));
    assert_eq!(old.client.reuse(), Reuse::Now, "it asked to be kept");
    assert_eq!(old.request("PUT", &[], BodyPlan::Streamed), Err(SendError::ChunkedToHttp10));
    old.get().expect("plain requests");
    assert_eq!(old.get(), Err(SendError::NotReady), "no pipelining");
    assert_eq!(old.give(OLD), answered(Kind::Idle));
    old.request("PUT", &[], BodyPlan::Length(1)).expect("a body of a known length");
    old.client.frame_data(1, true).expect("the body");
    assert_eq!(old.get(), Err(SendError::NotReady));
    // It has learnt.
    assert_eq!(old.give(OK), answered(Kind::Idle));
    old.request("PUT", &[], BodyPlan::Streamed).expect("chunks");

    let mut surprised = Connection::asked("GET", &[], BodyPlan::Empty);
    surprised.get().expect("nothing is known yet");
    surprised.get().expect("nothing is known yet");
    assert_eq!(surprised.give(OLD), answered(Kind::NeedInput));
    assert_eq!(surprised.get(), Err(SendError::NotReady));
    surprised.give(OLD);
    surprised.give(OLD);
    surprised.get().expect("all are answered");
}

#[test]
fn the_response_may_come_before_the_request_is_complete() {
    // Both complete, whichever comes first.
    let mut early = Connection::asked("POST", &[], BodyPlan::Length(2));
    early.client.frame_data(1, false).expect("a piece");
    assert_eq!(early.give(OK), answered(Kind::Idle));
    assert!(early.client.sends_body(), "the rest may still be sent");
    assert_eq!(early.verdict(), (Reuse::Later, CloseAction::None, 0));
    assert_eq!(early.get(), Err(SendError::NotReady));
    early.client.frame_data(1, true).expect("the rest");
    assert_eq!(early.verdict(), (Reuse::Now, CloseAction::None, 0));
    early.get().expect("the connection persists");

    // In the middle of the response.
    let mut between = Connection::asked("POST", &[], BodyPlan::Streamed);
    between.give("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx");
    between.client.finish(None, &mut Vec::new()).expect("the end");
    assert_eq!(between.get(), Err(SendError::NotReady), "a POST");
    between.give("x");
    between.get().expect("the connection persists");

    // A server that will not go on reads no more: the rest is for nobody.
    for close in [OK.replace("OK", "OK\r\nConnection: close"), "HTTP/1.0 200 OK\r\n\r\n".to_owned()] {
        let mut closing = Connection::asked("POST", &[], BodyPlan::Length(2));
        closing.give(&close);
        closing.end_of_input();
        assert_eq!(closing.verdict(), (Reuse::Never, CloseAction::Abort, 0), "{close}");
        assert_eq!(closing.client.frame_data(2, true), Err(SendError::NoBody));
    }

    // The server goes away after its response.
    let mut gone = Connection::asked("POST", &[], BodyPlan::Length(2));
    gone.give(OK);
    assert_eq!(gone.end_of_input(), (vec![Kind::Closed], None));
    assert_eq!(gone.verdict(), (Reuse::Never, CloseAction::Abort, 0));
}

#[test]
fn the_body_waits_for_100_continue() {
    for last in [false, true] {
        let mut waiting = Connection::asked("POST", &[EXPECT], BodyPlan::Length(2));
        assert!(waiting.client.awaits_continue() && waiting.client.sends_body());
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        assert_eq!(waiting.give(hints), [Kind::Interim, Kind::NeedInput]);
        assert!(waiting.client.awaits_continue(), "another interim response says nothing about it");
        assert_eq!(waiting.give(CONTINUE), [Kind::Interim, Kind::NeedInput]);
        assert!(!waiting.client.awaits_continue() && waiting.client.sends_body());
        assert_eq!(waiting.give(CONTINUE), [Kind::Interim, Kind::NeedInput], "once more does no harm");
        waiting.client.frame_data(2, last).expect("the body");
        if !last {
            waiting.client.finish(None, &mut Vec::new()).expect("the end");
        }
        assert_eq!(waiting.give(OK), answered(Kind::Idle));
        assert_eq!(waiting.verdict(), (Reuse::Now, CloseAction::None, 0));
        waiting.get().expect("the connection persists");
        assert!(!waiting.client.awaits_continue(), "of another request");
    }
}

#[test]
fn a_caller_that_sends_the_body_waits_no_longer() {
    let mut impatient = Connection::asked("POST", &[EXPECT], BodyPlan::Streamed);
    impatient.client.frame_data(0, false).expect("nothing");
    assert!(impatient.client.awaits_continue(), "nothing was sent");
    impatient.client.frame_data(1, false).expect("a piece");
    assert!(!impatient.client.awaits_continue());
    // The answer is no reason to break off what was begun.
    assert_eq!(impatient.give(OK), answered(Kind::Idle));
    assert!(impatient.client.sends_body());
    impatient.client.finish(None, &mut Vec::new()).expect("the end");
    assert_eq!(impatient.verdict(), (Reuse::Now, CloseAction::None, 0));

    let mut empty = Connection::asked("POST", &[EXPECT], BodyPlan::Streamed);
    empty.client.frame_data(0, true).expect("a body of nothing");
    assert!(!empty.client.awaits_continue() && !empty.client.sends_body());
}

/// Then the body is not wanted. Its length was promised, so nothing else can follow on this
/// connection (RFC 9110 §10.1.1).
#[test]
fn a_final_response_in_place_of_100() {
    let denied = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\n";
    let mut refused = Connection::asked("POST", &[EXPECT], BodyPlan::Length(2));
    assert_eq!(refused.give(denied), [Kind::Response, Kind::NeedInput]);
    assert!(!refused.client.awaits_continue() && !refused.client.sends_body());
    assert_eq!(refused.client.frame_data(2, true), Err(SendError::NoBody));
    assert_eq!(refused.client.finish(None, &mut Vec::new()), Err(SendError::NoBody));
    assert_eq!(refused.verdict(), (Reuse::Never, CloseAction::None, 1), "its response is still read");
    assert_eq!(refused.get(), Err(SendError::Closed));
    let events = refused.give("no");
    assert_eq!(events, [Kind::Data { at: 0, len: 2 }, Kind::End, Kind::Closed]);
    assert_eq!(refused.verdict(), (Reuse::Never, CloseAction::AfterFlush, 0));
}

/// Responses come in the order of the requests (RFC 9112 §9.3.2): what answers an earlier request
/// says nothing about the body that waits.
#[test]
fn an_earlier_response_is_no_answer_to_the_expectation() {
    for early in [OK, &[CONTINUE, OK].concat()] {
        let mut behind = Connection::asked("GET", &[], BodyPlan::Empty);
        behind.request("PUT", &[EXPECT], BodyPlan::Length(2)).expect("pipelined");
        behind.give(early);
        assert!(behind.client.awaits_continue() && behind.client.sends_body(), "{early:?}");
        assert_eq!(behind.verdict(), (Reuse::Later, CloseAction::None, 1), "{early:?}");
        assert_eq!(behind.give(CONTINUE), [Kind::Interim, Kind::NeedInput]);
        assert!(!behind.client.awaits_continue());
        behind.client.frame_data(2, true).expect("the body");
        assert_eq!(behind.give(OK), answered(Kind::Idle));
        assert_eq!(behind.verdict(), (Reuse::Now, CloseAction::None, 0));
    }
}

#[test]
fn a_body_that_is_given_up() {
    // Its response may still be read, and is the last one.
    let mut unanswered = Connection::asked("POST", &[], BodyPlan::Length(2));
    unanswered.client.frame_data(1, false).expect("a piece");
    unanswered.client.abandon_body();
    assert!(!unanswered.client.sends_body() && unanswered.client.wants_read());
    assert_eq!(unanswered.client.frame_data(1, true), Err(SendError::NoBody));
    assert_eq!(unanswered.verdict(), (Reuse::Never, CloseAction::None, 1));
    let before = format!("{:?}", unanswered.client);
    unanswered.client.abandon_body();
    assert_eq!(format!("{:?}", unanswered.client), before, "twice is once");
    assert_eq!(unanswered.give(OK), answered(Kind::Closed));
    assert_eq!(unanswered.verdict(), (Reuse::Never, CloseAction::AfterFlush, 0));

    let mut pipelined = Connection::asked("GET", &[], BodyPlan::Empty);
    pipelined.request("PUT", &[EXPECT], BodyPlan::Streamed).expect("pipelined");
    pipelined.client.abandon_body();
    assert!(!pipelined.client.awaits_continue());
    assert_eq!(pipelined.give(OK), answered(Kind::NeedInput), "the one before is answered");
    assert_eq!(pipelined.give(OK), answered(Kind::Closed));
    assert_eq!(pipelined.verdict(), (Reuse::Never, CloseAction::AfterFlush, 0));

    // Answered in full already: there is nothing to wait for.
    let mut answered_early = Connection::asked("POST", &[], BodyPlan::Length(2));
    answered_early.give(OK);
    answered_early.client.abandon_body();
    assert_eq!(answered_early.verdict(), (Reuse::Never, CloseAction::Abort, 0));
    assert_eq!(answered_early.give(""), [Kind::Closed]);

    // While the response comes.
    let mut amid = Connection::asked("POST", &[], BodyPlan::Length(2));
    amid.give("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
    amid.client.abandon_body();
    assert_eq!(amid.verdict(), (Reuse::Never, CloseAction::None, 1));
    assert_eq!(amid.give("x"), [Kind::Data { at: 0, len: 1 }, Kind::End, Kind::Closed]);
}
