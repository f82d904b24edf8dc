//! Graceful shutdown: what is idle closes, what is in flight is finished, `serve` returns.

use std::future;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Body, Bytes, Router, get, post};
use sinew_runtime::ConnectionConfig;
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, Flag, Gate, Running, eventually};

/// Less than the time a server gives what is in flight, and more than anything here takes.
const SOON: Duration = Duration::from_secs(4);

/// A handler behind a gate, and the number of those who are waiting there.
fn gated() -> (Router, Gate, Count) {
    let (gate, waiting) = (Gate::default(), Count::default());
    let wait = {
        let (gate, waiting) = (gate.clone(), waiting.clone());
        move || {
            let (gate, waiting) = (gate.clone(), waiting.clone());
            async move {
                waiting.add(1);
                gate.passed().await;
                "finished"
            }
        }
    };
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/read", post(|body: Bytes| async { body }))
        .route("/wait", get(wait));
    (app, gate, waiting)
}

/// Gives the signal, and waits until the server has heeded it.
fn shut_down(server: &Running) {
    server.signal();
    eventually("the listener is closed", || TcpStream::connect(server.addr()).is_err());
    // The connections are told right after.
    thread::sleep(Duration::from_millis(50));
}

pub(crate) fn idle_connections_close<A: Adapter>() {
    let (app, _gate, _) = gated();
    let server = A::start(app);
    let mut used = Client::connect(server.addr());
    used.send(raw::get("/"));
    assert!(!used.response().closes());
    let mut unused = Client::connect(server.addr());
    // It is accepted by the time that a later one is answered.
    assert_eq!(raw::request(server.addr(), raw::get("/")).text(), "hello");
    let start = Instant::now();
    server.signal();
    used.end();
    unused.end();
    server.stop().unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

pub(crate) fn a_server_without_connections_ends<A: Adapter>() {
    let start = Instant::now();
    A::start(gated().0).stop().unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

pub(crate) fn a_request_in_flight_is_finished<A: Adapter>() {
    let (app, gate, waiting) = gated();
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    // What is pipelined behind it is not begun.
    client.send(raw::get("/wait") + &raw::get("/"));
    eventually("the handler waits", || waiting.now() == 1);
    shut_down(&server);
    client.quiet(Duration::from_millis(20));
    gate.open();
    let response = client.response();
    assert_eq!(response.text(), "finished");
    assert!(response.closes());
    client.end();
    drop(client);
    server.stop().unwrap();
}

pub(crate) fn a_stream_in_flight_is_finished<A: Adapter>() {
    let (sender, body) = Body::channel(1024);
    let body = std::sync::Mutex::new(Some(body));
    let body = std::sync::Arc::new(body);
    let app = Router::new().route(
        "/",
        get(move || {
            let body = body.lock().unwrap().take();
            async move { body.unwrap() }
        }),
    );
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    assert_eq!(client.head().status, 200);
    sender.blocking_send("before").unwrap();
    assert_eq!(client.chunk(), b"before");
    shut_down(&server);
    for _ in 0..3 {
        sender.blocking_send("after").unwrap();
        assert_eq!(client.chunk(), b"after");
    }
    sender.finish();
    assert_eq!(client.chunk(), b"");
    client.end();
    drop(client);
    server.stop().unwrap();
}

pub(crate) fn nobody_is_accepted_afterwards<A: Adapter>() {
    let (app, gate, waiting) = gated();
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/wait"));
    eventually("the handler waits", || waiting.now() == 1);
    // New connections are refused while the handler still waits.
    shut_down(&server);
    gate.open();
    assert_eq!(client.response().text(), "finished");
    client.end();
    drop(client);
    server.stop().unwrap();
}

pub(crate) fn a_handler_without_end_is_dropped<A: Adapter>() {
    let (dropped, waiting) = (Flag::default(), Count::default());
    let app = Router::new().route("/", {
        let (dropped, waiting) = (dropped.clone(), waiting.clone());
        get(move || async move {
            let _guard = dropped.on_drop();
            waiting.add(1);
            future::pending::<()>().await;
        })
    });
    let drain_timeout = Duration::from_millis(200);
    let server = A::start_with(app, ConnectionConfig::default(), drain_timeout);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    eventually("the handler waits", || waiting.now() == 1);
    let start = Instant::now();
    server.stop().unwrap();
    assert!(start.elapsed() >= drain_timeout, "{:?}", start.elapsed());
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(dropped.is_set());
    let (bytes, _) = client.rest();
    assert_eq!(bytes, b"");
}

/// Between the last byte of a request and the signal nothing happens but a system call.
pub(crate) fn a_request_sent_before_the_signal_is_answered<A: Adapter>() {
    for _ in 0..20 {
        let (app, _gate, _) = gated();
        let server = A::start(app);
        let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(server.addr())).collect();
        for client in &mut clients {
            client.send(raw::get("/"));
            assert_eq!(client.response().text(), "hello");
        }
        for client in &mut clients {
            client.send(raw::get("/"));
        }
        server.signal();
        for mut client in clients {
            let response = client.response();
            assert_eq!(response.text(), "hello");
            client.end();
        }
        server.stop().unwrap();
    }
}

/// The same on connections that the server may not have accepted yet.
pub(crate) fn a_connection_made_before_the_signal_is_served<A: Adapter>() {
    for _ in 0..20 {
        let (app, _gate, _) = gated();
        let server = A::start(app);
        let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(server.addr())).collect();
        for client in &mut clients {
            client.send(raw::get("/"));
        }
        server.signal();
        for mut client in clients {
            assert_eq!(client.response().text(), "hello");
            client.end();
        }
        server.stop().unwrap();
    }
}

/// A request whose first byte was there before the signal is waited for.
pub(crate) fn half_a_request_is_finished<A: Adapter>() {
    let (app, _gate, _) = gated();
    let server = A::start(app);
    let request = raw::post("/read", "the whole body");
    // Cut in the head, and in the body.
    let cuts = [10, request.len() - 5];
    let clients = cuts.map(|at| {
        let mut client = Client::connect(server.addr());
        client.send(&request[..at]);
        client
    });
    // They are read by the time that a later one is answered, or soon after.
    assert_eq!(raw::request(server.addr(), raw::get("/")).text(), "hello");
    thread::sleep(Duration::from_millis(100));
    shut_down(&server);
    for (mut client, at) in clients.into_iter().zip(cuts) {
        client.quiet(Duration::from_millis(20));
        client.send(&request[at..]);
        let response = client.response();
        assert_eq!(response.text(), "the whole body");
        assert!(response.closes());
        client.end();
    }
    server.stop().unwrap();
}
