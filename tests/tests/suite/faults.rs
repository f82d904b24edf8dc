//! What goes wrong in an application or on a wire stays where it is.

use std::future;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use sinew_app::{Body, BodyError, Handle, Request, Response, ResponseFuture, Router, Service, get, post};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, Flag, eventually};
use smol::stream;

/// A panic without its message on stderr.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("on purpose"))
}

pub(crate) fn a_panic_is_a_500<A: Adapter>() {
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/first",
            get(|| async {
                if true {
                    panic_quietly()
                }
            }),
        )
        .route(
            "/later",
            get(|handle: Handle| async move {
                handle.sleep(Duration::from_millis(1)).await;
                panic_quietly();
                #[expect(unreachable_code, reason = "it tells what the handler would return")]
                ""
            }),
        );
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    for _ in 0..10 {
        client.send(raw::get("/first") + &raw::get("/later") + &raw::get("/"));
        assert_eq!(client.response().status, 500);
        assert_eq!(client.response().status, 500);
        assert_eq!(client.response().text(), "hello");
    }
}

/// A service that panics before there is a future.
struct Panics;

impl Service for Panics {
    fn call(&self, request: Request) -> ResponseFuture {
        if request.path() == "/panic" {
            panic_quietly();
        }
        Response::default().into()
    }
}

pub(crate) fn a_panic_of_the_service_is_a_500<A: Adapter>() {
    let server = A::start(Panics);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/panic") + &raw::get("/"));
    assert_eq!(client.response().status, 500);
    assert_eq!(client.response().status, 200);
}

pub(crate) fn a_panic_of_a_body_breaks_off<A: Adapter>() {
    let panicking = || {
        stream::unfold(0, |n| async move {
            if n == 2 {
                panic_quietly();
            }
            Some((Ok::<_, BodyError>("piece"), n + 1))
        })
    };
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/panic", get(move || async move { Body::from_stream(panicking()) }));
    let server = A::start(app);
    let mut other = Client::connect(server.addr());
    other.send(raw::get("/"));
    assert_eq!(other.response().text(), "hello");
    for _ in 0..4 {
        let mut client = Client::connect(server.addr());
        client.send(raw::get("/panic") + &raw::get("/"));
        let (bytes, _) = client.rest();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("\r\n0\r\n") && !text.contains("hello"), "{text:?}");
        // Neither the others nor those to come notice.
        other.send(raw::get("/"));
        assert_eq!(other.response().text(), "hello");
    }
}

pub(crate) fn a_half_closed_connection_is_answered<A: Adapter>() {
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: Body| async { body }))
        .route(
            "/slow",
            get(|handle: Handle| async move {
                handle.sleep(Duration::from_millis(50)).await;
                "slow"
            }),
        );
    let server = A::start(app);
    let requests = [
        (raw::get("/slow").into_bytes(), vec!["slow"]),
        (raw::post("/echo", "body"), vec!["body"]),
        ((raw::get("/slow") + &raw::get("/")).into_bytes(), vec!["slow", "hello"]),
    ];
    for (request, answers) in requests {
        let mut client = Client::connect(server.addr());
        client.send(request);
        client.finish();
        for answer in answers {
            assert_eq!(client.response().text(), answer);
        }
        client.end();
    }
}

pub(crate) fn a_reset_drops_the_handler<A: Adapter>() {
    let (started, dropped) = (Count::default(), Flag::default());
    let app = Router::new().route("/", {
        let (started, dropped) = (started.clone(), dropped.clone());
        get(move || async move {
            let _guard = dropped.on_drop();
            started.add(1);
            future::pending::<()>().await;
        })
    });
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    eventually("the handler waits", || started.now() == 1);
    client.reset();
    let reset = Instant::now();
    eventually("the handler is dropped", || dropped.is_set());
    assert!(reset.elapsed() < Duration::from_secs(5), "after {:?}", reset.elapsed());
}

pub(crate) fn a_reset_ends_the_upload<A: Adapter>() {
    let (started, dropped) = (Count::default(), Flag::default());
    let app = Router::new().route("/", {
        let (started, dropped) = (started.clone(), dropped.clone());
        post(move |mut body: Body| async move {
            let _guard = dropped.on_drop();
            while let Ok(Some(piece)) = body.chunk().await {
                started.add(piece.len());
            }
        })
    });
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello");
    eventually("the handler reads", || started.now() == 5);
    client.reset();
    eventually("the handler is dropped", || dropped.is_set());
}

/// Bytes that are no HTTP at all, and connections that end in the middle of it.
pub(crate) fn garbage_harms_nobody<A: Adapter>() {
    let app = Router::new().route("/", get(|| async { "hello" }));
    let server = A::start(app);
    // A plain generator: what it gives does not matter, but it is the same every time.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let valid = raw::post("/", "body");
    for round in 0..60 {
        let mut bytes = valid.clone();
        for _ in 0..=random() % 3 {
            let at = usize::try_from(random()).unwrap() % bytes.len();
            bytes[at] = random().to_le_bytes()[0];
        }
        bytes.truncate(usize::try_from(random()).unwrap() % bytes.len() + 1);
        let mut client = Client::connect(server.addr());
        client.send(&bytes);
        if round % 2 == 0 {
            client.finish();
            let (answer, _) = client.rest();
            assert!(answer.starts_with(b"HTTP/1.1 ") || answer.is_empty(), "to {bytes:?}: {answer:?}");
        } else {
            client.reset();
        }
    }
    assert_eq!(raw::request(server.addr(), raw::get("/")).text(), "hello");
}
