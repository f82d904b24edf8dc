//! Back-pressure on a WebSocket: neither side can make the other hold what it does not take.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::websocket::{Config, ProtocolError};
use sinew_app::{WebSocket, WebSocketError};
use sinew_tests::raw::Client;
use sinew_tests::websocket::{BINARY, Frame, Socket};
use sinew_tests::{Adapter, Count, Gate, PATIENCE, eventually};

use crate::websocket::{app, app_with, far};

/// More than the buffers of the server and of two sockets together.
const BOUND: usize = 8 << 20;

pub(crate) fn a_client_that_never_reads_stops_its_sender<A: Adapter>() {
    let sent = Count::default();
    let server = A::start(app_with(|ws| ws.config(far()), {
        let sent = sent.clone();
        move |socket: WebSocket| {
            let sent = sent.clone();
            async move {
                let body = vec![b'x'; 10_000];
                while socket.send(body.clone()).await.is_ok() {
                    sent.add(body.len());
                }
            }
        }
    }));
    let mut socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
    eventually("it sends", || sent.now() > 0);
    let total = sent.settled();
    assert!(total < BOUND, "{total} bytes were sent to nobody");
    // The client reads, and so it goes on.
    for _ in 0..2 * BOUND / 10_000 {
        assert_eq!(socket.frame().payload.len(), 10_000);
    }
    assert!(sent.now() > total);
    socket.into_client().reset();
}

pub(crate) fn a_client_that_never_reads_is_dropped<A: Adapter>() {
    let write_timeout = Duration::from_millis(400);
    let config = Config { write_timeout, ..far() };
    let (end, ended) = mpsc::channel();
    let server = A::start(app_with(
        move |ws| ws.config(config),
        move |mut socket: WebSocket| {
            let end = end.clone();
            async move {
                let body = vec![b'x'; 10_000];
                let start = Instant::now();
                let error = loop {
                    if let Err(error) = socket.send(body.clone()).await {
                        break error;
                    }
                };
                end.send((error, socket.recv().await, start.elapsed())).expect("the test waits");
            }
        },
    ));
    let _socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
    let (error, last, took) = ended.recv_timeout(PATIENCE).expect("it is dropped");
    assert_eq!(error, WebSocketError::Protocol(ProtocolError::WriteTimeout));
    assert_eq!(last, Err(error));
    assert!(took >= write_timeout, "{took:?}");
}

pub(crate) fn a_flood_nobody_receives_stops<A: Adapter>() {
    // Small messages, and the largest one.
    for frame in [Frame::text(""), Frame::text("flood"), Frame::binary(vec![b'x'; 1 << 20])] {
        let (gate, received) = (Gate::default(), Count::default());
        let server = A::start(app_with(|ws| ws.config(far()), {
            let (gate, received) = (gate.clone(), received.clone());
            move |mut socket: WebSocket| {
                let (gate, received) = (gate.clone(), received.clone());
                async move {
                    gate.passed().await;
                    while let Ok(Some(_)) = socket.recv().await {
                        received.add(1);
                    }
                }
            }
        }));
        let mut socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
        let taken = socket.send_until_stuck(&frame);
        assert!(taken < BOUND, "the server took {taken} bytes that nobody wants");
        // When the handler receives, it goes on, and nothing was lost.
        gate.open();
        let bytes = frame.masked();
        let cut = taken % bytes.len();
        if cut > 0 {
            socket.client().send(&bytes[cut..]);
        }
        let all = taken / bytes.len() + usize::from(cut > 0) + 1;
        socket.send_all([&frame, &Frame::close(1000, "")]);
        socket.expect_close(1000);
        socket.client().end();
        eventually("all of them are received", || received.now() == all);
    }
}

pub(crate) fn a_handler_that_pauses_reads_on<A: Adapter>() {
    // A little more than is read ahead; after each pause all of it is asked for.
    const MESSAGES: usize = 30;
    let gates: Vec<Gate> = (0..3).map(|_| Gate::default()).collect();
    let received = Count::default();
    let server = A::start(app_with(|ws| ws.config(far()), {
        let (gates, received) = (gates.clone(), received.clone());
        move |mut socket: WebSocket| {
            let (gates, received) = (gates.clone(), received.clone());
            async move {
                for gate in gates {
                    gate.passed().await;
                    for _ in 0..MESSAGES {
                        assert!(matches!(socket.recv().await, Ok(Some(_))), "it is open");
                        received.add(1);
                    }
                }
            }
        }
    }));
    let mut socket = Socket::open(server.addr(), "/");
    let frame = Frame::binary(vec![b'x'; 4_000]);
    for (n, gate) in gates.iter().enumerate() {
        socket.send_all(std::iter::repeat_n(&frame, MESSAGES));
        // It is read ahead, up to the bound.
        thread::sleep(Duration::from_millis(50));
        gate.open();
        eventually("all of them are received", || received.now() == (n + 1) * MESSAGES);
    }
    socket.closed(1000);
}

pub(crate) fn a_flush_waits_without_spinning<A: Adapter>() {
    let (sent, polled) = (Count::default(), Count::default());
    let server = A::start(app_with(|ws| ws.config(far()), {
        let (sent, polled) = (sent.clone(), polled.clone());
        move |socket: WebSocket| {
            let (sent, polled) = (sent.clone(), polled.clone());
            let send = async move {
                let body = vec![b'x'; 10_000];
                while socket.send(body.clone()).await.is_ok() && socket.flush().await.is_ok() {
                    sent.add(body.len());
                }
            };
            let mut send = Box::pin(send);
            std::future::poll_fn(move |cx| {
                polled.add(1);
                send.as_mut().poll(cx)
            })
        }
    }));
    let mut socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
    eventually("it sends", || sent.now() > 0);
    eventually("it is stuck", || {
        let before = sent.now();
        thread::sleep(Duration::from_millis(300));
        sent.now() == before
    });
    let (total, before) = (sent.now(), polled.now());
    assert!(total < BOUND, "{total} bytes were sent to nobody");
    thread::sleep(Duration::from_millis(500));
    let polls = polled.now() - before;
    assert!(polls < 20, "polled {polls} times for nothing");
    for _ in 0..BOUND / 10_000 {
        assert_eq!(socket.frame().opcode, BINARY);
    }
    assert!(sent.now() > total);
    socket.into_client().reset();
}

pub(crate) fn both_directions_at_once<A: Adapter>() {
    // Neither side waits for the other one to read before it reads itself.
    const BYTES: usize = 32 << 20;
    let server = A::start(app(crate::websocket::echo));
    let mut socket = Socket::open(server.addr(), "/");
    let mut sender = socket.client().stream().try_clone().expect("a second handle");
    let frame = Frame::binary(vec![b'x'; 16 * 1024]);
    let count = BYTES / frame.payload.len();
    thread::scope(|scope| {
        scope.spawn(|| {
            let bytes = frame.masked();
            for _ in 0..count {
                std::io::Write::write_all(&mut sender, &bytes).expect("the server takes it all");
            }
        });
        for _ in 0..count {
            socket.expect(&frame);
        }
    });
    socket.close();
}
