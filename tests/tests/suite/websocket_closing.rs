//! How a WebSocket ends: by either side, by a handler that is done or panics, or not at all.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::websocket::{CloseCode, Config};
use sinew_app::{CloseReason, Message, WebSocket, WebSocketError};
use sinew_tests::raw::Client;
use sinew_tests::websocket::{BINARY, CLOSE, Frame, Socket};
use sinew_tests::{Adapter, Gate, PATIENCE, Running};

use crate::websocket::{app, app_with, echo, far};

/// How a connection has ended, as its handler sees it.
type End = (Result<Option<Message>, WebSocketError>, Option<CloseReason>);

/// Receives until the end and tells about it; before that it waits at the gate.
fn told(gate: &Gate) -> (impl Fn(WebSocket) -> Told + Clone + Send + Sync + 'static, mpsc::Receiver<End>) {
    let (end, ended) = mpsc::channel();
    let gate = gate.clone();
    let tell = move |mut socket: WebSocket| -> Told {
        let (end, gate) = (end.clone(), gate.clone());
        Box::pin(async move {
            gate.passed().await;
            let last = loop {
                let next = socket.recv().await;
                if !matches!(next, Ok(Some(_))) {
                    break next;
                }
            };
            end.send((last, socket.close_reason())).expect("the test waits");
        })
    };
    (tell, ended)
}

type Told = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn open_gate() -> Gate {
    let gate = Gate::default();
    gate.open();
    gate
}

fn still_serves(server: &Running) {
    let mut socket = Socket::open(server.addr(), "/");
    socket.expect(&Frame::text("hello"));
}

pub(crate) fn the_client_closes<A: Adapter>() {
    let (handler, ended) = told(&open_gate());
    let server = A::start(app(handler));
    for (code, reason) in [(1000, "done"), (1001, ""), (3000, "grüße"), (4999, &*"x".repeat(123))] {
        let mut socket = Socket::open(server.addr(), "/");
        socket.send_all(&[Frame::text("last words"), Frame::close(code, reason)]);
        socket.expect_close(code);
        socket.client().end();
        let expected = CloseReason { code: CloseCode::new(code), reason: reason.to_owned() };
        assert_eq!(ended.recv_timeout(PATIENCE).unwrap(), (Ok(None), Some(expected)));
    }
    // Without a code: the answer has none, either.
    let mut socket = Socket::open(server.addr(), "/");
    socket.send(&Frame::new(CLOSE, ""));
    socket.expect(&Frame::new(CLOSE, ""));
    socket.client().end();
    assert_eq!(ended.recv_timeout(PATIENCE).unwrap(), (Ok(None), None));
}

pub(crate) fn a_handler_that_is_late_sees_how_it_ended<A: Adapter>() {
    for (code, close) in [(Some(1000), Frame::close(1000, "")), (None, Frame::new(CLOSE, ""))] {
        let gate = Gate::default();
        let (handler, ended) = told(&gate);
        let server = A::start(app(handler));
        let mut socket = Socket::open(server.addr(), "/");
        socket.send_all(&[Frame::text("unread"), close]);
        assert_eq!(socket.frame().opcode, CLOSE, "answered while the handler does something else");
        socket.client().end();
        drop(socket);
        thread::sleep(Duration::from_millis(100));
        gate.open();
        let (last, reason) = ended.recv_timeout(PATIENCE).unwrap();
        assert_eq!((last, reason.map(|reason| reason.code.as_u16())), (Ok(None), code));
    }
}

pub(crate) fn the_server_closes<A: Adapter>() {
    let (end, ended) = mpsc::channel();
    let server = A::start(app(move |mut socket: WebSocket| {
        let end = end.clone();
        async move {
            socket.send("before").await.expect("it is open");
            socket.close(CloseCode::new(4000), "goodbye").expect("it is open");
            assert_eq!(socket.send("after").await, Err(WebSocketError::Closed));
            assert_eq!(socket.close(CloseCode::NORMAL, ""), Err(WebSocketError::Closed));
            let mut received = Vec::new();
            while let Ok(Some(message)) = socket.recv().await {
                received.push(message);
            }
            end.send((received, socket.close_reason())).expect("the test waits");
        }
    }));
    let mut socket = Socket::open(server.addr(), "/");
    socket.expect(&Frame::text("before"));
    assert_eq!(socket.expect_close(4000), "goodbye");
    // What the client still has to say is received; nothing is sent any more.
    socket.send(&Frame::text("one"));
    socket.quiet(Duration::from_millis(50));
    socket.send_all(&[Frame::text("two"), Frame::close(1000, "me too")]);
    socket.client().end();
    let (received, reason) = ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(received, [Message::from("one"), Message::from("two")]);
    assert_eq!(reason.unwrap().reason, "me too");
}

pub(crate) fn what_may_not_be_sent_is_refused<A: Adapter>() {
    let server = A::start(app(|socket: WebSocket| async move {
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(socket.close(CloseCode::new(code), ""), Err(WebSocketError::InvalidClose), "{code}");
        }
        let long = socket.close(CloseCode::NORMAL, "x".repeat(124));
        assert_eq!(long, Err(WebSocketError::InvalidClose));
        socket.send("it is open").await.expect("nothing was closed");
        socket.close(CloseCode::NORMAL, "x".repeat(123)).expect("it fits");
    }));
    let mut socket = Socket::open(server.addr(), "/");
    socket.expect(&Frame::text("it is open"));
    assert_eq!(socket.closed(1000), "x".repeat(123));
}

pub(crate) fn a_handler_that_returns_closes<A: Adapter>() {
    let server = A::start(app(|socket: WebSocket| async move {
        for n in 0..100 {
            socket.send(n.to_string()).await.expect("it is open");
        }
    }));
    let mut socket = Socket::open(server.addr(), "/");
    for n in 0..100 {
        socket.expect(&Frame::text(n.to_string()));
    }
    assert_eq!(socket.closed(1000), "");
}

pub(crate) fn a_panic_closes_with_1011<A: Adapter>() {
    let server = A::start(app(|mut socket: WebSocket| async move {
        socket.send("hello").await.expect("it is open");
        let message = socket.recv().await;
        if message == Ok(Some(Message::from("in halves"))) {
            let (_sender, _receiver) = socket.split();
            panic!("on purpose");
        }
        panic!("on purpose: {message:?}");
    }));
    for text in ["whole", "in halves"] {
        let mut socket = Socket::open(server.addr(), "/");
        socket.expect(&Frame::text("hello"));
        socket.send(&Frame::text(text));
        socket.closed(1011);
        still_serves(&server);
    }
}

pub(crate) fn a_panic_before_the_first_step_closes_with_1011<A: Adapter>() {
    // In the function that makes the future. The others run on the same threads.
    let server = A::start(app(|socket: WebSocket| {
        assert!(socket.protocol().is_some(), "on purpose");
        async move { drop(socket) }
    }));
    for _ in 0..4 {
        Socket::open(server.addr(), "/").closed(1011);
    }
}

pub(crate) fn a_client_that_does_not_answer_a_close<A: Adapter>() {
    let close_timeout = Duration::from_millis(400);
    let config = Config { close_timeout, ..far() };
    let (end, ended) = mpsc::channel();
    let server = A::start(app_with(
        move |ws| ws.config(config),
        move |mut socket: WebSocket| {
            let end = end.clone();
            async move {
                socket.close(CloseCode::NORMAL, "").expect("it is open");
                end.send(socket.recv().await).expect("the test waits");
            }
        },
    ));
    let mut socket = Socket::open(server.addr(), "/");
    let start = Instant::now();
    socket.expect_close(1000);
    let (rest, _) = socket.client().rest();
    let took = start.elapsed();
    assert!(rest.is_empty() && took < PATIENCE, "{took:?}");
    assert!(took + Duration::from_millis(50) >= close_timeout, "{took:?}");
    assert_eq!(ended.recv_timeout(PATIENCE).unwrap(), Err(WebSocketError::Disconnected));
}

pub(crate) fn all_that_was_sent_goes_before_the_close<A: Adapter>() {
    const MESSAGES: usize = 400;
    // More than sockets hold: part of it waits when the client closes, or the handler does.
    let body = vec![b'x'; 50_000];
    for client_closes in [false, true] {
        let (gate, (end, sent)) = (Gate::default(), mpsc::channel());
        let server = A::start(app_with(|ws| ws.send_buffer(64 << 20), {
            let (body, gate) = (body.clone(), gate.clone());
            move |mut socket: WebSocket| {
                let (body, gate, end) = (body.clone(), gate.clone(), end.clone());
                async move {
                    for n in 0..MESSAGES {
                        socket.send(body.clone()).await.expect("it is open");
                        if n == MESSAGES / 2 {
                            // Half of it is in the hands of the driver, half is not.
                            end.send(()).expect("the test waits");
                            gate.passed().await;
                        }
                    }
                    end.send(()).expect("the test waits");
                    if client_closes {
                        assert_eq!(socket.recv().await, Ok(None));
                    }
                }
            }
        }));
        let mut socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
        sent.recv_timeout(PATIENCE).expect("the first half is sent");
        // The driver is stuck with it.
        thread::sleep(Duration::from_millis(100));
        gate.open();
        sent.recv_timeout(PATIENCE).expect("the second half is sent");
        if client_closes {
            socket.send(&Frame::close(1000, ""));
            thread::sleep(Duration::from_millis(100));
        }
        let mut messages = 0;
        let last = loop {
            let frame =
                socket.try_frame().unwrap_or_else(|error| panic!("{error} after {messages} messages"));
            if frame.opcode != BINARY {
                break frame;
            }
            assert_eq!(frame.payload, body);
            messages += 1;
        };
        assert_eq!((messages, last.close_reason().0), (MESSAGES, 1000), "client closes: {client_closes}");
        if !client_closes {
            socket.send(&Frame::close(1000, ""));
        }
        socket.client().end();
    }
}

pub(crate) fn closing_and_closed_at_once<A: Adapter>() {
    // Both sides close at the same time: each sees the other's frame, and there is no second one.
    let gate = Gate::default();
    let server = A::start(app({
        let gate = gate.clone();
        move |socket: WebSocket| {
            let gate = gate.clone();
            async move {
                gate.passed().await;
                let _ = socket.close(CloseCode::new(3001), "server");
            }
        }
    }));
    for _ in 0..20 {
        let mut socket = Socket::open(server.addr(), "/");
        gate.open();
        socket.send(&Frame::close(3002, "client"));
        let frame = socket.frame();
        let (code, _) = frame.close_reason();
        // The server's own frame, or its answer to ours.
        assert!(code == 3001 || code == 3002 || code == 1000, "{code}");
        socket.client().end();
    }
    let server = A::start(app(echo));
    Socket::open(server.addr(), "/").close();
}
