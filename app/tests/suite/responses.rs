//! What each type becomes as a response.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sinew_app::{
    Body, BodyError, Bytes, Form, Headers, Html, IntoResponse, Json, Redirect, Response, RunError, StatusCode,
};

use crate::Answer;

/// Status, fields and body as text.
fn show(response: impl IntoResponse) -> String {
    let answer = Answer::of(response.into_response());
    let fields: String = answer.fields.iter().map(|(name, value)| format!(" {name}: {value}")).collect();
    format!("{}{fields} | {}", answer.status, answer.body)
}

const TEXT: &str = "content-type: text/plain; charset=utf-8";
const BYTES: &str = "content-type: application/octet-stream";

#[test]
fn contents() {
    let result = |ok: bool| if ok { Ok("yes") } else { Err(StatusCode::NOT_FOUND) };
    for (found, expected) in [
        (show(()), "200 | ".to_owned()),
        (show("text"), format!("200 {TEXT} | text")),
        (show(""), format!("200 {TEXT} | ")),
        (show("text".to_owned()), format!("200 {TEXT} | text")),
        (show(Cow::Borrowed("text")), format!("200 {TEXT} | text")),
        (show(Cow::<str>::Owned("text".to_owned())), format!("200 {TEXT} | text")),
        (show(b"bytes".to_vec()), format!("200 {BYTES} | bytes")),
        (show(&b"bytes"[..]), format!("200 {BYTES} | bytes")),
        (show(b"bytes"), format!("200 {BYTES} | bytes")),
        (show(Bytes::from_static(b"bytes")), format!("200 {BYTES} | bytes")),
        (show(Body::from("body")), "200 | body".to_owned()),
        (show(StatusCode::NO_CONTENT), "204 | ".to_owned()),
        (show(Html("<p>")), "200 content-type: text/html; charset=utf-8 | <p>".to_owned()),
        (show(Json([1, 2])), "200 content-type: application/json | [1,2]".to_owned()),
        (
            show(Form([("a", "1 &")])),
            "200 content-type: application/x-www-form-urlencoded | a=1+%26".to_owned(),
        ),
        (show(Response::new(StatusCode::CREATED, "made")), "201 | made".to_owned()),
        (show(result(true)), format!("200 {TEXT} | yes")),
        (show(result(false)), "404 | ".to_owned()),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn tuples() {
    let mut headers = Headers::new();
    headers.append("X", "1").unwrap();
    for (found, expected) in [
        (show((StatusCode::CREATED, "made")), format!("201 {TEXT} | made")),
        (show(([("x", "1")], ())), "200 x: 1 | ".to_owned()),
        (show(([("x", "1")], "text")), format!("200 {TEXT} x: 1 | text")),
        (show(([("x", b"\xC3\xA4")], "text")), format!("200 {TEXT} x: ä | text")),
        (show(([("x", "1".to_owned()), ("y", "2".to_owned())], ())), "200 x: 1 y: 2 | ".to_owned()),
        (show(([("Content-Type", "text/css")], "p {}")), "200 Content-Type: text/css | p {}".to_owned()),
        (
            show(([("a", "1"), ("A", "2")], ([("a", "0"), ("b", "0")], ()))),
            "200 b: 0 a: 1 A: 2 | ".to_owned(),
        ),
        (show((StatusCode::ACCEPTED, [("x", "1")], ())), "202 x: 1 | ".to_owned()),
        (show((headers.clone(), "text")), format!("200 {TEXT} X: 1 | text")),
        (show((StatusCode::GONE, headers, ())), "410 X: 1 | ".to_owned()),
        (show((StatusCode::GONE, Ok::<_, StatusCode>("gone"))), format!("410 {TEXT} | gone")),
        (show(([("x", "1"); 0], ())), "200 | ".to_owned()),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_cannot_be_sent_is_500_whatever_stands_beside_it() {
    let failed = format!("500 {TEXT} | Internal Server Error");
    let no_json = || Json(BTreeMap::from([(vec![1], 2)]));
    let ok = StatusCode::OK;
    let mut headers = Headers::new();
    headers.append("x", "1").unwrap();
    for found in [
        show(([("x", "a\r\nset-cookie: b")], "text")),
        show(([("x", "a\nb")], "text")),
        show(([("x", "a\0")], "text")),
        show(([("a b", "1")], "text")),
        show(([("", "1")], "text")),
        show(([("x:", "1")], "text")),
        show(([("fine", "1"), ("x", "\r")], "text")),
        show((ok, [("x", "\r")], "text")),
        show((ok, ([("x", "\r")], "text"))),
        show((ok, headers.clone(), ([("x", "\r")], "text"))),
        show((ok, [("x", "1")], ([("x", "\r")], "text"))),
        show(no_json()),
        show((ok, no_json())),
        show((ok, [("x", "1")], no_json())),
        show((headers, no_json())),
        show(Form([(1, [2])])),
        show((ok, Redirect::to("/\r\nset-cookie: a=b"))),
    ] {
        assert_eq!(found, failed);
    }
}

#[test]
fn redirects() {
    for (redirect, expected) in [
        (Redirect::to("/a?b#c"), "303 location: /a?b#c | "),
        (Redirect::permanent("https://a.example/%C3%A4"), "308 location: https://a.example/%C3%A4 | "),
        (Redirect::temporary("../b".to_owned()), "307 location: ../b | "),
    ] {
        assert_eq!(show(redirect), expected);
    }
    for location in ["", "/a b", "/ä", "/a\r\nx: y", "/a\n", "\u{7f}"] {
        assert_eq!(
            show(Redirect::to(location)),
            format!("500 {TEXT} | Internal Server Error"),
            "{location:?}"
        );
    }
}

#[test]
fn errors() {
    use sinew_proto::RecvError;
    for (found, expected) in [
        (show(BodyError::Protocol(RecvError::InvalidChunkSize)), "400"),
        (show(BodyError::Protocol(RecvError::BodyTimeout)), "408"),
        (show(BodyError::TooLarge { limit: 4 }), "413"),
        (show(BodyError::Disconnected), "400"),
        (show(BodyError::Aborted), "400"),
        (show(BodyError::other("a secret")), "500"),
        (show(RunError::Busy), "503"),
        (show(RunError::Panicked), "500"),
    ] {
        assert!(found.starts_with(expected) && found.contains(TEXT), "{found} is not {expected}");
        assert!(!found.contains("secret"), "{found}");
    }
    assert!(show(RunError::Busy).contains(" retry-after: 1 | Service Unavailable"));
}
