//! Pings and pongs: the server answers whatever its handler does, and notices who is gone.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::websocket::{Config, ProtocolError};
use sinew_app::{WebSocket, WebSocketError};
use sinew_tests::raw::Client;
use sinew_tests::websocket::{Frame, PING, PONG, Socket};
use sinew_tests::{Adapter, Gate, PATIENCE};

use crate::websocket::{app, app_with, echo, far};

const SHORT: Duration = Duration::from_millis(300);

pub(crate) fn pings_are_answered_whatever_the_handler_does<A: Adapter>() {
    let gate = Gate::default();
    let server = A::start(app({
        let gate = gate.clone();
        move |mut socket: WebSocket| {
            let gate = gate.clone();
            async move {
                // At first it is busy before it has asked for anything, then between two messages.
                while let Ok(Some(message)) = socket.recv().await {
                    socket.send(message).await.expect("it is open");
                    gate.passed().await;
                }
            }
        }
    }));
    let mut socket = Socket::open(server.addr(), "/");
    socket.send(&Frame::new(PING, "at rest"));
    socket.expect(&Frame::new(PONG, "at rest"));
    socket.send(&Frame::text("go"));
    socket.expect(&Frame::text("go"));
    for payload in ["", "busy", &"x".repeat(125)] {
        socket.send(&Frame::new(PING, payload));
        socket.expect(&Frame::new(PONG, payload));
    }
    // Behind messages that nobody has asked for.
    socket.send_all(&[Frame::text("one"), Frame::text("two"), Frame::new(PING, "behind")]);
    socket.expect(&Frame::new(PONG, "behind"));
    gate.open();
    socket.expect(&Frame::text("one"));
    socket.expect(&Frame::text("two"));
    socket.close();
}

pub(crate) fn several_pings_in_one_segment<A: Adapter>() {
    let server = A::start(app(echo));
    let mut socket = Socket::open(server.addr(), "/");
    let pings: Vec<Frame> = (0..20).map(|n| Frame::new(PING, n.to_string())).collect();
    socket.send_all(&pings);
    for ping in &pings {
        socket.expect(&Frame { opcode: PONG, ..ping.clone() });
    }
    // A pong that nobody asked for is no error, and gets no answer.
    socket.send_all(&[Frame::new(PONG, "alive"), Frame::text("hello")]);
    socket.expect(&Frame::text("hello"));
    socket.close();
}

pub(crate) fn a_silent_client_that_answers_stays<A: Adapter>() {
    let config = Config { ping_interval: SHORT, pong_timeout: SHORT, ..far() };
    let server = A::start(app_with(move |ws| ws.config(config), echo));
    let mut socket = Socket::open(server.addr(), "/");
    let start = Instant::now();
    for _ in 0..4 {
        let ping = socket.frame();
        assert_eq!(ping.opcode, PING, "{ping:?}");
        socket.send(&Frame { opcode: PONG, ..ping });
    }
    assert!(start.elapsed() + Duration::from_millis(50) >= SHORT * 4, "{:?}", start.elapsed());
    socket.send(&Frame::text("alive"));
    socket.expect(&Frame::text("alive"));
    socket.close();
}

pub(crate) fn a_client_that_vanishes_is_noticed<A: Adapter>() {
    let config = Config { ping_interval: SHORT, pong_timeout: SHORT, ..far() };
    let (end, ended) = mpsc::channel();
    let server = A::start(app_with(
        move |ws| ws.config(config),
        move |mut socket: WebSocket| {
            let end = end.clone();
            async move {
                let first = socket.recv().await;
                let told = (first, socket.recv().await, socket.send("late").await);
                end.send(told).expect("the test waits");
            }
        },
    ));
    // The socket stays open, and nothing comes.
    let mut socket = Socket::open(server.addr(), "/");
    let start = Instant::now();
    let error = WebSocketError::Protocol(ProtocolError::PongTimeout);
    let told = ended.recv_timeout(PATIENCE).expect("it is noticed");
    assert!(start.elapsed() + Duration::from_millis(50) >= SHORT * 2, "{:?}", start.elapsed());
    assert_eq!(told, (Err(error), Ok(None), Err(error)));
    let (rest, _) = socket.client().rest();
    assert_eq!(rest, Frame::new(PING, "").unmasked());
}

pub(crate) fn a_client_that_leaves_is_noticed<A: Adapter>() {
    let (end, ended) = mpsc::channel();
    let server = A::start(app_with(
        |ws| ws.config(far()),
        move |mut socket: WebSocket| {
            let end = end.clone();
            async move {
                let mut last = socket.recv().await;
                while let Ok(Some(_)) = last {
                    last = socket.recv().await;
                }
                end.send(last).expect("the test waits");
            }
        },
    ));
    let unexpected = Err(WebSocketError::Protocol(ProtocolError::UnexpectedEnd));
    let gone = Err(WebSocketError::Disconnected);
    for sent in [&[][..], &Frame::text("cut off").masked()[..9], &Frame::text("whole").masked()] {
        // The stream ends without a close frame; the client still reads.
        let mut socket = Socket::open(server.addr(), "/");
        socket.client().send(sent);
        socket.client().finish();
        assert_eq!(ended.recv_timeout(PATIENCE).unwrap(), unexpected);
        socket.client().end();
        // A reset.
        let mut socket = Socket::open(server.addr(), "/");
        socket.client().send(sent);
        thread::sleep(Duration::from_millis(20));
        socket.into_client().reset();
        assert_eq!(ended.recv_timeout(PATIENCE).unwrap(), gone);
    }
}

pub(crate) fn a_ping_flood_nobody_reads_ends<A: Adapter>() {
    let config = Config { write_timeout: SHORT, ..far() };
    let server = A::start(app_with(move |ws| ws.config(config), echo));
    let mut socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
    let pings = Frame::new(PING, "x".repeat(125)).masked().repeat(500);
    let give_up = Instant::now() + PATIENCE;
    // Its answers fill the sockets; then the server waits no longer than that.
    while socket.client().try_send(&pings).is_ok() {
        assert!(Instant::now() < give_up, "the server takes pings for ever");
    }
}

pub(crate) fn the_latest_ping_is_answered_when_there_is_room<A: Adapter>() {
    // A client that reads late: it gets the messages, and the answer to its last ping.
    let body = vec![b'x'; 30_000];
    let server = A::start(app_with(|ws| ws.config(far()).send_buffer(64 << 20), {
        let body = body.clone();
        move |mut socket: WebSocket| {
            let body = body.clone();
            async move {
                for _ in 0..500 {
                    socket.send(body.clone()).await.expect("it is open");
                }
                assert_eq!(socket.recv().await, Ok(None));
            }
        }
    }));
    let mut socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
    thread::sleep(Duration::from_millis(100));
    for n in 0..50 {
        socket.send(&Frame::new(PING, n.to_string()));
        thread::sleep(Duration::from_millis(2));
    }
    let mut messages = 0;
    loop {
        let frame = socket.frame();
        if frame == Frame::new(PONG, "49") {
            break;
        }
        messages += usize::from(frame.payload == body);
        assert!(frame.opcode == PONG || frame.payload == body, "{frame:?}");
    }
    assert_eq!(messages, 500);
    socket.close();
}
