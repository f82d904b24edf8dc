//! Bodies of requests and responses: streamed, unread, broken off.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sinew_app::{Body, BodyError, BodySender, Response, Router, StatusCode, any, get, post};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, eventually};
use smol::stream;

fn app() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: Body| async { body }))
        .route("/ignore", post(|| async { "ignored" }))
}

fn stream_of<const N: usize>(
    items: [Result<&'static str, BodyError>; N],
) -> impl stream::Stream<Item = Result<&'static str, BodyError>> {
    stream::iter(items)
}

pub(crate) fn a_small_unread_body_is_thrown_away<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    let body = vec![b'x'; 100 * 1024];
    for path in ["/nowhere", "/ignore", "/nowhere"] {
        let status = if path == "/ignore" { 200 } else { 404 };
        // Length and chunks; the body in the same write as its head, or after the answer.
        client.send(raw::post(path, &body));
        assert_eq!(client.response().status, status);
        client.send(raw::post_chunked(path, body.chunks(5_000)));
        assert_eq!(client.response().status, status);
        let request = raw::post(path, &body);
        let (head, rest) = request.split_at(request.len() - body.len());
        client.send(head);
        assert_eq!(client.response().status, status);
        client.send(rest);
        client.send(raw::get("/"));
        assert_eq!(client.response().text(), "hello");
    }
}

pub(crate) fn a_huge_unread_body_closes<A: Adapter>() {
    let server = A::start(app());
    let head = "POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 10000000000\r\n\r\n";
    // The client waits for the answer before it sends the body.
    let mut client = Client::connect(server.addr());
    client.send(head);
    assert_eq!(client.response().status, 404);
    client.end();
    // It has sent some, and goes on while the answer is on its way: that must not be lost to a
    // reset, so the server reads on for a while.
    let mut client = Client::connect(server.addr());
    client.send([head.as_bytes(), &vec![b'x'; 1 << 20][..]].concat());
    assert_eq!(client.response().status, 404);
    client.end();
    // The same in chunks, whose sum nobody knows beforehand.
    let mut client = Client::connect(server.addr());
    client.send("POST /nowhere HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("100000\r\n");
    client.send(vec![b'x'; 1 << 20]);
    assert_eq!(client.response().status, 404);
    client.end();
}

pub(crate) fn a_body_is_never_a_request<A: Adapter>() {
    let smuggled = Count::default();
    let app = app().route("/smuggled", {
        let smuggled = smuggled.clone();
        any(move || async move {
            smuggled.add(1);
            "smuggled"
        })
    });
    let server = A::start(app);
    let inner = raw::get("/smuggled");
    for path in ["/ignore", "/nowhere", "/echo", "/"] {
        for method in ["POST", "GET", "DELETE"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{inner}",
                inner.len()
            );
            let mut client = Client::connect(server.addr());
            client.send(request + &raw::get("/"));
            client.response();
            assert_eq!(client.response().text(), "hello", "after {method} {path}");
        }
    }
    assert_eq!(smuggled.now(), 0);
}

pub(crate) fn an_echo_in_every_framing<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    for size in [0, 1, 1_000, 70_000, 1_000_000] {
        let body: Vec<u8> = (0..size).map(|i: u32| i.to_le_bytes()[i as usize % 3]).collect();
        for request in [raw::post("/echo", &body), raw::post_chunked("/echo", body.chunks(30_011))] {
            // It answers while it reads: both have to go on at once.
            let mut sender = client.stream().try_clone().unwrap();
            let sending = std::thread::spawn(move || std::io::Write::write_all(&mut sender, &request));
            let response = client.response();
            sending.join().unwrap().unwrap();
            assert!(response.body == body, "{size} bytes became {}", response.body.len());
        }
    }
}

/// A route whose body the test fills.
fn controlled() -> (Router, Arc<Mutex<Option<BodySender>>>) {
    let (sender, body) = Body::channel(1024);
    let body = Arc::new(Mutex::new(Some(body)));
    let take = move || {
        let body = body.lock().unwrap().take();
        async move { body.unwrap() }
    };
    (app().route("/controlled", get(take)), Arc::new(Mutex::new(Some(sender))))
}

pub(crate) fn each_piece_goes_out_at_once<A: Adapter>() {
    let (app, sender) = controlled();
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/controlled"));
    assert_eq!(client.head().field("transfer-encoding"), Some("chunked"));
    let sender = sender.lock().unwrap().take().unwrap();
    for piece in ["one", "two", "three"] {
        // Sent only now: the one before has been read.
        sender.blocking_send(piece).unwrap();
        assert_eq!(client.chunk(), piece.as_bytes());
    }
    client.quiet(Duration::from_millis(50));
    sender.finish();
    assert_eq!(client.chunk(), b"");
    client.send(raw::get("/"));
    assert_eq!(client.response().text(), "hello");
}

pub(crate) fn a_known_length_is_told<A: Adapter>() {
    let app = Router::new()
        .route("/sized", get(|| async { Body::from_sized_stream(6, stream_of([Ok("one"), Ok("two")])) }))
        .route("/full", get(|| async { "onetwo" }))
        .route("/none", get(|| async {}));
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    for (path, length) in [("/sized", "6"), ("/full", "6"), ("/none", "0")] {
        client.send(raw::get(path));
        let response = client.response();
        assert_eq!(response.field("content-length"), Some(length), "{path}");
        assert_eq!(response.field("transfer-encoding"), None, "{path}");
        assert_eq!(response.text(), if length == "6" { "onetwo" } else { "" }, "{path}");
    }
}

pub(crate) fn a_failing_body_breaks_off<A: Adapter>() {
    let failing = || stream_of([Ok("one"), Err(BodyError::other("no more"))]);
    let app = app()
        .route("/chunked", get(move || async move { Body::from_stream(failing()) }))
        .route("/sized", get(move || async move { Body::from_sized_stream(9, failing()) }))
        .route(
            "/dropped",
            get(|| async {
                let (sender, body) = Body::channel(10);
                sender.send("one").await.unwrap();
                body
            }),
        );
    let server = A::start(app);
    for path in ["/chunked", "/sized", "/dropped"] {
        let mut client = Client::connect(server.addr());
        client.send(raw::get(path) + &raw::get("/"));
        let (bytes, _) = client.rest();
        let text = String::from_utf8(bytes).unwrap();
        // Whatever got through is no complete response, and nothing comes after it.
        assert!(!text.contains("\r\n0\r\n"), "{path}: {text:?}");
        assert!(!text.contains("hello"), "{path}: {text:?}");
        assert_eq!(raw::request(server.addr(), raw::get("/")).text(), "hello");
    }
}

pub(crate) fn a_body_against_its_length_breaks_off<A: Adapter>() {
    let sized = |length| get(move || async move { Body::from_sized_stream(length, stream_of([Ok("four")])) });
    let app = app().route("/short", sized(5)).route("/long", sized(3));
    let server = A::start(app);
    for path in ["/short", "/long"] {
        let mut client = Client::connect(server.addr());
        client.send(raw::get(path) + &raw::get("/"));
        let (bytes, _) = client.rest();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("hello"), "{path}: {text:?}");
        assert_eq!(text.matches("HTTP/1.1").count(), usize::from(!text.is_empty()), "{path}: {text:?}");
    }
}

pub(crate) fn framing_fields_of_the_application_are_refused<A: Adapter>() {
    let with = |name: &'static str, value: &'static str| {
        get(move || async move { Response::new(StatusCode::OK, "hello").with_header(name, value).unwrap() })
    };
    let app = app()
        .route("/length", with("content-length", "7"))
        .route("/list", with("content-length", "5, 5"))
        .route("/encoding", with("transfer-encoding", "chunked"))
        .route("/agrees", with("content-length", "5"));
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    for path in ["/length", "/list", "/encoding"] {
        client.send(raw::get(path));
        assert_eq!(client.response().status, 500, "{path}");
    }
    client.send(raw::get("/agrees"));
    assert_eq!(client.response().text(), "hello");
}

pub(crate) fn a_broken_upload_reaches_the_handler<A: Adapter>() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let begun = Count::default();
    let app = Router::new().fallback({
        let (seen, begun) = (seen.clone(), begun.clone());
        move |mut body: Body| {
            let (seen, begun) = (seen.clone(), begun.clone());
            async move {
                // Read by a thread of its own: the handler is dropped when its client is wrong.
                std::thread::spawn(move || {
                    let mut read = Vec::new();
                    let result = loop {
                        match smol::block_on(body.chunk()) {
                            Ok(Some(piece)) => {
                                begun.add(1);
                                read.extend_from_slice(&piece);
                            }
                            Ok(None) => break Ok(read),
                            Err(error) => break Err(error),
                        }
                    };
                    seen.lock().unwrap().push(result);
                });
                std::future::pending::<()>().await;
            }
        }
    });
    let server = A::start(app);
    let head = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

    let upload = |n| {
        let mut client = Client::connect(server.addr());
        client.send(head);
        eventually("the handler reads", || begun.now() == n);
        client
    };

    let mut wrong = upload(1);
    wrong.send("x\r\n");
    assert_eq!(wrong.response().status, 400);
    wrong.end();

    let mut ended = upload(2);
    ended.finish();
    assert_eq!(ended.response().status, 400);
    ended.end();

    upload(3).reset();

    eventually("every upload ended", || seen.lock().unwrap().len() == 3);
    for result in seen.lock().unwrap().iter() {
        assert!(result.is_err(), "taken for complete: {result:?}");
    }
}
