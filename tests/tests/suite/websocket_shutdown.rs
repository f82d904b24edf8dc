//! Graceful shutdown with open WebSockets: each is told 1001, and nobody waits longer than agreed.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::websocket::{CloseCode, Config};
use sinew_app::{WebSocket, WebSocketError};
use sinew_runtime::ConnectionConfig;
use sinew_tests::websocket::{Frame, Socket};
use sinew_tests::{Adapter, Flag, Gate, PATIENCE};

use crate::websocket::{FAR, app, app_with, echo, far};

/// Less than any deadline here, and more than anything takes.
const SOON: Duration = Duration::from_secs(4);

pub(crate) fn every_socket_is_told<A: Adapter>() {
    let server = A::start(app_with(|ws| ws.config(far()), echo));
    let mut sockets: Vec<Socket> = (0..20).map(|_| Socket::open(server.addr(), "/")).collect();
    for socket in &mut sockets {
        socket.send(&Frame::text("open"));
        socket.expect(&Frame::text("open"));
    }
    let start = Instant::now();
    server.signal();
    for socket in sockets {
        assert!(!socket.closed(1001).is_empty(), "the reason is told");
    }
    // All clients have answered: there is nothing to wait for.
    server.stop().expect("a proper end");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

pub(crate) fn clients_that_do_not_answer_are_left<A: Adapter>() {
    let close_timeout = Duration::from_millis(500);
    let config = Config { close_timeout, ..far() };
    let app = app_with(move |ws| ws.config(config), echo);
    let server = A::start_with(app, ConnectionConfig::default(), FAR);
    let mut socket = Socket::open(server.addr(), "/");
    socket.send(&Frame::text("open"));
    socket.expect(&Frame::text("open"));
    let start = Instant::now();
    server.stop().expect("a proper end");
    let took = start.elapsed();
    assert!(took < SOON && took + Duration::from_millis(50) >= close_timeout, "{took:?}");
    socket.expect_close(1001);
}

pub(crate) fn clients_that_do_not_read_are_left<A: Adapter>() {
    // The close frame does not even get out.
    let config = Config { close_timeout: Duration::from_millis(500), ..far() };
    let app = app_with(
        move |ws| ws.config(config),
        |socket: WebSocket| async move { while socket.send(vec![0; 10_000]).await.is_ok() {} },
    );
    let server = A::start_with(app, ConnectionConfig::default(), FAR);
    let _socket = Socket::open_on(sinew_tests::raw::Client::with_small_buffers(server.addr()), "/");
    thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    server.stop().expect("a proper end");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

pub(crate) fn a_handler_finishes_its_work<A: Adapter>() {
    let (gate, (end, ended)) = (Gate::default(), mpsc::channel());
    let server = A::start_with(
        app({
            let gate = gate.clone();
            move |mut socket: WebSocket| {
                let (gate, end) = (gate.clone(), end.clone());
                async move {
                    let last = socket.recv().await;
                    assert_eq!(socket.send("late").await, Err(WebSocketError::Closed));
                    // The connection is gone; it is at work all the same.
                    gate.passed().await;
                    end.send(last).expect("the test waits");
                }
            }
        }),
        ConnectionConfig::default(),
        FAR,
    );
    let socket = Socket::open(server.addr(), "/");
    server.signal();
    socket.closed(1001);
    thread::sleep(Duration::from_millis(100));
    assert!(ended.try_recv().is_err());
    gate.open();
    assert_eq!(ended.recv_timeout(PATIENCE).unwrap(), Ok(None));
    server.stop().expect("a proper end");
}

pub(crate) fn a_handler_without_end_is_dropped<A: Adapter>() {
    let (dropped, entered) = (Flag::default(), Gate::default());
    let drain_timeout = Duration::from_millis(400);
    let server = A::start_with(
        app({
            let (dropped, entered) = (dropped.clone(), entered.clone());
            move |socket: WebSocket| {
                let (dropped, entered) = (dropped.clone(), entered.clone());
                async move {
                    let _dropped = dropped.on_drop();
                    entered.open();
                    std::future::pending::<()>().await;
                    drop(socket);
                }
            }
        }),
        ConnectionConfig::default(),
        drain_timeout,
    );
    let socket = Socket::open(server.addr(), "/");
    entered.pass();
    let start = Instant::now();
    server.signal();
    socket.closed(1001);
    server.stop().expect("a proper end");
    let took = start.elapsed();
    assert!(took < SOON && took + Duration::from_millis(50) >= drain_timeout, "{took:?}");
    assert!(dropped.is_set(), "the handler goes with its connection");
}

pub(crate) fn a_handshake_before_the_signal_is_answered<A: Adapter>() {
    // The connection was accepted; its request arrives with the signal. It is told at once.
    let server = A::start(app(echo));
    for _ in 0..5 {
        Socket::open(server.addr(), "/").close();
    }
    let socket = Socket::open(server.addr(), "/");
    server.signal();
    socket.closed(1001);
    server.stop().expect("a proper end");
}

pub(crate) fn one_that_is_closing_already_is_not_told_again<A: Adapter>() {
    let server = A::start(app(|socket: WebSocket| async move {
        socket.close(CloseCode::new(4000), "enough").expect("it is open");
    }));
    let mut socket = Socket::open(server.addr(), "/");
    assert_eq!(socket.expect_close(4000), "enough");
    server.signal();
    socket.quiet(Duration::from_millis(100));
    socket.send(&Frame::close(1000, ""));
    socket.client().end();
    server.stop().expect("a proper end");
}
