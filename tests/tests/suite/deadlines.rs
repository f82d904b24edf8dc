//! Deadlines against peers that are slow on purpose. Lower bounds are exact, upper ones generous.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Body, BodyError, Bytes, Handle, Router, get, post};
use sinew_proto::Config;
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Flag, PATIENCE, Running, eventually};
use smol::stream;

/// The deadline that a test is about. All others are far away.
const SHORT: Duration = Duration::from_millis(400);

fn far() -> Config {
    let far = Duration::from_secs(600);
    Config {
        head_timeout: far,
        idle_timeout: far,
        body_grace: far,
        write_timeout: far,
        linger_timeout: far,
        ..Config::default()
    }
}

fn app() -> Router {
    Router::new().route("/", get(|| async { "hello" })).route("/read", post(|body: Bytes| async { body }))
}

/// Calls `f`, which ends when the deadline has passed, while others are served.
fn after_the_deadline(server: &Running, f: impl FnOnce()) {
    let (addr, stop) = (server.addr(), Flag::default());
    let start = Instant::now();
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            while !stop.is_set() {
                assert_eq!(raw::request(addr, raw::get("/")).text(), "hello");
                thread::sleep(Duration::from_millis(20));
            }
        });
        let stop = stop.on_drop();
        f();
        drop(stop);
        others.join().expect("the others are served");
    });
    let took = start.elapsed();
    assert!(took >= SHORT, "too soon: {took:?}");
    assert!(took < PATIENCE, "too late: {took:?}");
}

/// Calls `f` while a byte is sent every few milliseconds.
fn while_it_trickles(client: &mut Client, f: impl FnOnce(&mut Client)) {
    let stop = Flag::default();
    let mut sender = client.stream().try_clone().expect("a second handle");
    thread::scope(|scope| {
        let _stop = stop.on_drop();
        scope.spawn(|| {
            while !stop.is_set() && sender.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        f(client);
    });
}

pub(crate) fn a_head_without_end<A: Adapter>() {
    let server = A::start_config(app(), Config { head_timeout: SHORT, ..far() });
    let mut client = Client::connect(server.addr());
    after_the_deadline(&server, || {
        client.send("GET / HTTP/1.1\r\nHost: te");
        let response = client.response();
        assert_eq!(response.status, 408);
        assert!(response.closes());
        client.end();
    });
}

/// One byte at a time does not push the deadline back.
pub(crate) fn a_head_that_trickles<A: Adapter>() {
    let server = A::start_config(app(), Config { head_timeout: SHORT, ..far() });
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    assert_eq!(client.response().text(), "hello");
    after_the_deadline(&server, || {
        client.send("GET / HTTP/1.1\r\nHost: test\r\nA: ");
        while_it_trickles(&mut client, |client| {
            assert_eq!(client.response().status, 408);
            client.end();
        });
    });
}

pub(crate) fn idle_closes_without_a_word<A: Adapter>() {
    let server = A::start_config(app(), Config { idle_timeout: SHORT, ..far() });
    // One that was never used, and one between two requests.
    after_the_deadline(&server, || Client::connect(server.addr()).end());
    after_the_deadline(&server, || {
        let mut used = Client::connect(server.addr());
        used.send(raw::get("/"));
        assert_eq!(used.response().text(), "hello");
        used.end();
    });
}

pub(crate) fn a_body_that_trickles<A: Adapter>() {
    let config = Config { body_grace: SHORT, body_min_rate: 1_000, ..far() };
    let server = A::start_config(app(), config);
    for head in ["Content-Length: 1000000\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1000000\r\nx"] {
        let mut client = Client::connect(server.addr());
        after_the_deadline(&server, || {
            client.send(format!("POST /read HTTP/1.1\r\nHost: test\r\n{head}"));
            while_it_trickles(&mut client, |client| {
                let response = client.response();
                assert_eq!(response.status, 408);
                assert!(response.closes());
                client.end();
            });
        });
    }
}

/// Nothing that the client does is late while a handler is at work.
pub(crate) fn a_handler_has_all_the_time<A: Adapter>() {
    let config = Config {
        head_timeout: SHORT,
        idle_timeout: SHORT,
        body_grace: SHORT,
        write_timeout: SHORT,
        linger_timeout: SHORT,
        ..Config::default()
    };
    let app = Router::new().route(
        "/",
        post(|handle: Handle| async move {
            handle.sleep(SHORT * 2).await;
            "done"
        }),
    );
    let server = A::start_config(app, config);
    let mut client = Client::connect(server.addr());
    client.send(raw::post("/", "body"));
    assert_eq!(client.response().text(), "done");
}

/// A client that the server does not listen to is not slow.
pub(crate) fn a_held_body_is_not_slow<A: Adapter>() {
    let app = Router::new().route(
        "/",
        post(|handle: Handle, body: Body| async move {
            handle.sleep(SHORT * 2).await;
            body.collect(16 << 20).await.map(|body| body.len().to_string())
        }),
    );
    let server = A::start_config(app, Config { body_grace: SHORT, body_min_rate: 1 << 20, ..far() });
    let mut client = Client::connect(server.addr());
    client.send(raw::post("/", vec![b'x'; 4 << 20]));
    assert_eq!(client.response().text(), (4 << 20).to_string());
}

pub(crate) fn a_reader_that_stops<A: Adapter>() {
    let dropped = Flag::default();
    let app = app().route("/endless", {
        let dropped = dropped.clone();
        get(move || {
            let guard = dropped.on_drop();
            let body = stream::unfold(guard, |guard| async {
                Some((Ok::<_, BodyError>(Bytes::from(vec![b'x'; 64 * 1024])), guard))
            });
            async { Body::from_stream(body) }
        })
    });
    let server = A::start_config(app, Config { write_timeout: SHORT, ..far() });
    let mut client = Client::with_small_buffers(server.addr());
    after_the_deadline(&server, || {
        client.send(raw::get("/endless"));
        eventually("the body is dropped", || dropped.is_set());
    });
    // What had been sent is there; the rest is not, and not its end.
    let (bytes, _) = client.rest();
    assert!(!bytes.ends_with(b"\r\n0\r\n\r\n"));
}

/// After its last answer a connection reads on for a while, but not for ever.
pub(crate) fn a_peer_that_lingers<A: Adapter>() {
    let server = A::start_config(app(), Config { linger_timeout: SHORT, ..far() });
    let mut client = Client::connect(server.addr());
    after_the_deadline(&server, || {
        client.send("GET / HTTP/1.1\r\n\r\n");
        assert_eq!(client.response().status, 400);
        client.end();
        // The server has closed its side and takes what comes, until it has waited long enough.
        eventually("the server closes", || {
            thread::sleep(Duration::from_millis(10));
            client.try_send("more").is_err()
        });
    });
}
