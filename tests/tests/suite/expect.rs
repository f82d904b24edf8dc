//! `Expect: 100-continue` (RFC 9110 §10.1.1): the interim response comes when somebody reads.

use std::time::Duration;

use sinew_app::{Body, Request, Router, post};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Gate};

const HEAD: &str = "HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

/// Long enough to see that nothing comes.
const A_WHILE: Duration = Duration::from_millis(100);

fn app(gate: &Gate) -> Router {
    let gate = gate.clone();
    Router::new()
        .route("/read", post(|body: sinew_app::Bytes| async move { body }))
        .route("/echo", post(|body: Body| async { body }))
        .route("/ignore", post(|| async { "ignored" }))
        .route(
            "/late",
            post(move |request: Request| async move {
                gate.passed().await;
                request.into_body().collect(100).await
            }),
        )
}

/// The 100, then the body, then the answer with the body in it.
fn continues(client: &mut Client) {
    let interim = client.response();
    assert_eq!((interim.status, &interim.fields[..]), (100, &[][..]));
    client.quiet(A_WHILE);
    client.send("hello");
    let response = client.response();
    assert_eq!((response.status, response.text()), (200, "hello"));
    assert!(!response.closes());
}

pub(crate) fn sent_when_the_handler_reads<A: Adapter>() {
    let server = A::start(app(&Gate::default()));
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        client.send(format!("POST /read {HEAD}"));
        continues(&mut client);
    }
}

pub(crate) fn sent_late_when_the_handler_reads_late<A: Adapter>() {
    let gate = Gate::default();
    let server = A::start(app(&gate));
    let mut client = Client::connect(server.addr());
    client.send(format!("POST /late {HEAD}"));
    client.quiet(A_WHILE);
    gate.open();
    continues(&mut client);
}

/// The response begins before a byte of the request's body was asked for: the 100 comes first.
pub(crate) fn sent_for_an_echo<A: Adapter>() {
    let server = A::start(app(&Gate::default()));
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        client.send(format!("POST /echo {HEAD}"));
        assert_eq!(client.response().status, 100);
        let head = client.head();
        assert_eq!((head.status, head.field("content-length")), (200, Some("5")));
        client.quiet(A_WHILE);
        client.send("hello");
        client.send(raw::post("/read", "next"));
        // The rest of the echo, then the next response.
        let mut all = Vec::new();
        while !all.ends_with(b"next") {
            all.extend(client.some());
        }
        assert!(all.starts_with(b"helloHTTP/1.1 200 OK\r\n"), "{:?}", String::from_utf8_lossy(&all));
    }
}

pub(crate) fn not_sent_when_nobody_reads<A: Adapter>() {
    let server = A::start(app(&Gate::default()));
    for path in ["/ignore", "/nowhere"] {
        let mut client = Client::connect(server.addr());
        client.send(format!("POST {path} {HEAD}"));
        let response = client.response();
        assert_eq!(response.status, if path == "/ignore" { 200 } else { 404 });
        // Nobody can tell whether the body comes, so nothing after it would be understood.
        assert!(response.closes());
        client.end();
    }
}

/// A client that does not wait for the 100 gets none when its body was there first.
pub(crate) fn not_sent_when_the_body_is_there<A: Adapter>() {
    let server = A::start(app(&Gate::default()));
    let mut client = Client::connect(server.addr());
    client.send(format!("POST /read {HEAD}hello"));
    let response = client.response();
    assert_eq!((response.status, response.text()), (200, "hello"));
    client.send(raw::post("/read", "next"));
    assert_eq!(client.response().text(), "next");
}

pub(crate) fn not_sent_to_http10<A: Adapter>() {
    let server = A::start(app(&Gate::default()));
    let mut client = Client::connect(server.addr());
    client.send("POST /read HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    client.quiet(A_WHILE);
    client.send("hello");
    let response = client.response();
    assert_eq!((response.status, response.text()), (200, "hello"));
    client.end();
}
