//! Every extractor but `Path`: what it takes, and what it answers when it cannot.

use std::collections::HashMap;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use sinew_app::{
    Body, BodyError, Bytes, Extension, Form, FromRef, Handle, Headers, Json, JsonRejection, Method, Peer,
    Query, QueryRejection, Request, Router, State, Version, any, get, post,
};

use crate::{Answer, ask, request, send};

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[derive(Debug, Deserialize, Serialize)]
struct Page {
    number: u8,
    order: Option<String>,
}

#[test]
fn query() {
    let app: Router = Router::new()
        .route("/page", get(async |Query(page): Query<Page>| format!("{page:?}")))
        .route("/pairs", get(async |Query(pairs): Query<Vec<(String, String)>>| format!("{pairs:?}")));
    for (target, status, body) in [
        ("/page?number=7", 200, "Page { number: 7, order: None }"),
        ("/page?order=a+b%26&number=7&x=y", 200, r#"Page { number: 7, order: Some("a b&") }"#),
        ("/page?number=700", 400, "the query is not valid: number too large to fit in target type"),
        ("/page?number=7&number=8", 400, "the query is not valid: duplicate field `number`"),
        ("/page?", 400, "the query is not valid: missing field `number`"),
        ("/page", 400, "the query is not valid: missing field `number`"),
        ("/pairs", 200, "[]"),
        ("/pairs?a=1&a=2&b", 200, r#"[("a", "1"), ("a", "2"), ("b", "")]"#),
    ] {
        assert_eq!(crate::get(&app, target), (status, body.to_owned()), "{target}");
    }
}

#[test]
fn json() {
    let app: Router =
        Router::new().route("/", post(async |Json(page): Json<Page>| Json(page))).body_limit(40);
    let post = |content_type: Option<&str>, body: &'static str| {
        let fields: Vec<_> = content_type.map(|value| ("Content-Type", value)).into_iter().collect();
        ask(&app, request("POST", "/", &fields, body))
    };
    let good = r#"{"number":7,"order":null}"#;
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/problem+json",
        "application/json ;x=y",
    ] {
        let answer = post(Some(content_type), good);
        assert_eq!((answer.status, &*answer.body), (200, good), "{content_type}");
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
    for content_type in [
        None,
        Some(""),
        Some("text/plain"),
        Some("text/json"),
        Some("application/jsonp"),
        Some("application/json+xml"),
        Some("text/plain; application/json"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let answer = post(content_type, good);
        assert_eq!(
            (answer.status, &*answer.body),
            (415, "the content type is not application/json"),
            "{content_type:?}"
        );
    }
    for (body, status, text) in [
        ("", 400, "the body is not JSON: EOF while parsing a value at line 1 column 0"),
        ("{", 400, "the body is not JSON: EOF while parsing an object at line 1 column 1"),
        ("{]", 400, "the body is not JSON: key must be a string at line 1 column 2"),
        (r#"{"number":7} x"#, 400, "the body is not JSON: trailing characters at line 1 column 14"),
        ("{}", 422, "the JSON is not what is asked for: missing field `number` at line 1 column 2"),
        (
            r#"{"number":"7"}"#,
            422,
            r#"the JSON is not what is asked for: invalid type: string "7", expected u8 at line 1 column 13"#,
        ),
        (r#"{"number":7,"order":"a long one indeed"}x"#, 413, "the body is longer than 40 bytes"),
    ] {
        let answer = post(Some("application/json"), body);
        assert_eq!((answer.status, &*answer.body), (status, text), "{body}");
        assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"));
    }
}

#[test]
fn form() {
    let app: Router = Router::new().route("/", any(async |Form(page): Form<Page>| Form(page))).body_limit(40);
    for (method, target, fields, body, status, expected) in [
        ("POST", "/", &[FORM][..], "number=7&order=%C3%A4+b", 200, "number=7&order=%C3%A4+b"),
        ("PUT", "/?number=8", &[FORM], "number=7", 200, "number=7"),
        ("GET", "/?number=7", &[], "", 200, "number=7"),
        ("HEAD", "/?number=7", &[], "", 200, "number=7"),
        ("POST", "/", &[], "number=7", 415, "the content type is not application/x-www-form-urlencoded"),
        ("POST", "/", &[JSON], "number=7", 415, "the content type is not application/x-www-form-urlencoded"),
        ("POST", "/", &[FORM], "number=x", 422, "the form is not valid: invalid digit found in string"),
        ("GET", "/", &[], "", 422, "the form is not valid: missing field `number`"),
        (
            "POST",
            "/",
            &[FORM],
            "number=7&order=012345678901234567890123456789",
            413,
            "the body is longer than 40 bytes",
        ),
    ] {
        let answer = ask(&app, request(method, target, fields, body));
        assert_eq!((answer.status, &*answer.body), (status, expected), "{method} {target} {body}");
    }
}

#[test]
fn bodies() {
    let app: Router = Router::new()
        .route("/bytes", post(async |bytes: Bytes| bytes))
        .route("/text", post(async |text: String| text))
        .route("/body", post(async |body: Body| body))
        .route("/request", post(async |mut request: Request| std::mem::take(request.body_mut())))
        .body_limit(4);
    for (target, body, status, expected) in [
        ("/bytes", "1234", 200, "1234"),
        ("/bytes", "12345", 413, "the body is longer than 4 bytes"),
        ("/text", "", 200, ""),
        ("/text", "äö", 200, "äö"),
        ("/text", "12345", 413, "the body is longer than 4 bytes"),
        // Who reads by himself counts by himself.
        ("/body", "12345", 200, "12345"),
        ("/request", "12345", 200, "12345"),
    ] {
        let answer = ask(&app, request("POST", target, &[], body));
        assert_eq!((answer.status, &*answer.body), (status, expected), "{target} {body}");
    }
    let answer = ask(&app, request("POST", "/text", &[], &b"\xff"[..]));
    assert_eq!((answer.status, &*answer.body), (400, "the body is not UTF-8"));
}

#[test]
fn the_limit_holds_for_a_body_of_unknown_length() {
    let app: Router = Router::new().route("/", post(async |bytes: Bytes| bytes)).body_limit(4);
    for (pieces, status) in [(&["12", "34"][..], 200), (&["12", "345"], 413)] {
        let (sender, body) = Body::channel(100);
        for piece in pieces {
            sender.blocking_send(*piece).unwrap();
        }
        sender.finish();
        assert_eq!(ask(&app, request("POST", "/", &[], body)).status, status, "{pieces:?}");
    }
}

#[test]
fn a_body_that_breaks_off_is_answered_by_its_error() {
    let app: Router = Router::new().route("/", post(async |_: Bytes| ()));
    for (error, status) in [
        (BodyError::Disconnected, 400),
        (BodyError::Protocol(sinew_proto::RecvError::BodyTimeout), 408),
        (BodyError::other("a secret"), 500),
    ] {
        let (sender, body) = Body::channel(100);
        sender.fail(error);
        let answer = ask(&app, request("POST", "/", &[], body));
        assert_eq!(answer.status, status);
        assert!(!answer.body.contains("secret"));
    }
    let (sender, body) = Body::channel(100);
    drop(sender);
    assert_eq!(ask(&app, request("POST", "/", &[], body)).status, 400);
}

#[test]
fn parts() {
    let app: Router = Router::new()
        .route("/method", any(async |method: Method| method.to_string()))
        .route("/version", any(async |version: Version| version.as_str()))
        .route("/headers", any(async |headers: Headers| headers.as_bytes().to_vec()))
        .route("/handle", any(async |handle: Handle| handle.run(|| "ran").await))
        .route("/peer", any(async |Peer(address): Peer| address.to_string()))
        .route("/maybe-peer", any(async |peer: Option<Peer>| format!("{peer:?}")));
    for (target, expected) in
        [("/method", "BREW"), ("/version", "HTTP/1.1"), ("/handle", "ran"), ("/maybe-peer", "None")]
    {
        assert_eq!(send(&app, "BREW", target).body, expected);
    }
    let fields = [("Host", "a"), ("X-A", "1"), ("x-a", "é"), ("empty", "")];
    let answer = ask(&app, request("GET", "/headers", &fields, ()));
    assert_eq!(answer.body, "Host: a\r\nX-A: 1\r\nx-a: é\r\nempty: \r\n");

    let peer = "[::1]:80".parse().unwrap();
    let answer = ask(&app, request("GET", "/peer", &[], ()).with_peer(Some(peer)));
    assert_eq!(answer.body, "[::1]:80");
    let answer = send(&app, "GET", "/peer");
    assert_eq!((answer.status, &*answer.body), (500, "the address of the client is not known here"));
}

#[test]
fn extensions() {
    #[derive(Clone)]
    struct User(&'static str);
    let app: Router = Router::new().route("/", get(async |Extension(user): Extension<User>| user.0));
    let mut with_user = request("GET", "/", &[], ());
    with_user.extensions_mut().insert(User("ada"));
    assert_eq!(ask(&app, with_user).body, "ada");
    let answer = send(&app, "GET", "/");
    // The client does not learn the name of the type; the log may.
    assert_eq!((answer.status, &*answer.body), (500, "an extension of the request is missing"));
}

#[test]
fn the_state_and_its_parts() {
    #[derive(Clone)]
    struct App {
        name: &'static str,
    }
    #[derive(Clone)]
    struct Name(&'static str);
    impl FromRef<App> for Name {
        fn from_ref(app: &App) -> Self {
            Self(app.name)
        }
    }
    let app: Router = Router::new()
        .route("/whole", get(async |State(app): State<App>| app.name))
        .route("/part", get(async |State(Name(name)): State<Name>| name))
        .fallback(async |State(app): State<App>| format!("{} has no such thing", app.name))
        .with_state(App { name: "sinew" })
        // From here on the state is another one.
        .route("/number", get(async |State(n): State<u32>| n.to_string()))
        .with_state(7_u32)
        .route("/none", get(async |State(()): State<()>| "none"));
    for (target, expected) in [
        ("/whole", "sinew"),
        ("/part", "sinew"),
        ("/number", "7"),
        ("/none", "none"),
        ("/x", "sinew has no such thing"),
    ] {
        assert_eq!(crate::get(&app, target).1, expected);
    }
}

#[test]
fn option_and_result_take_the_rejection() {
    type Fields = HashMap<String, u8>;
    async fn result(query: Result<Query<Fields>, QueryRejection>) -> String {
        query.map_or_else(|error| format!("no: {error}"), |Query(fields)| format!("{fields:?}"))
    }
    async fn body(method: Result<Method, Infallible>, json: Result<Json<u8>, JsonRejection>) -> String {
        let Ok(method) = method;
        match json {
            Ok(Json(n)) => format!("{method} {n}"),
            Err(error) => format!("{method}, but {error}"),
        }
    }
    let app: Router = Router::new()
        .route("/option", get(async |query: Option<Query<Fields>>| format!("{}", query.is_some())))
        .route("/result", get(result))
        .route("/body", post(body));
    for (target, expected) in [
        ("/option?a=1", "true"),
        ("/option?a=b", "false"),
        ("/result?a=1", r#"{"a": 1}"#),
        ("/result?a=b", "no: the query is not valid: invalid digit found in string"),
    ] {
        assert_eq!(crate::get(&app, target), (200, expected.to_owned()));
    }
    let Answer { body, .. } = ask(&app, request("POST", "/body", &[JSON], "7"));
    assert_eq!(body, "POST 7");
    let Answer { body, .. } = ask(&app, request("POST", "/body", &[], "7"));
    assert_eq!(body, "POST, but the content type is not application/json");
}
