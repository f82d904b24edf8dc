//! A WebSocket in halves, in the hands of several threads, and in handlers that block.

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sinew_app::{Router, WebSocketError, WebSocketUpgrade, get};
use sinew_tests::raw::Client;
use sinew_tests::websocket::{Frame, Socket};
use sinew_tests::{Adapter, Count, Gate, PATIENCE, eventually};

use crate::websocket::{app, app_with, far};

/// A route whose handler blocks.
fn blocking<F>(f: F) -> Router
where
    F: Fn(sinew_app::BlockingWebSocket) + Clone + Send + Sync + 'static,
{
    let open = move |ws: WebSocketUpgrade| {
        let f = f.clone();
        async move { ws.config(far()).on_upgrade_blocking(f) }
    };
    Router::new().route("/", get(open))
}

pub(crate) fn halves_on_two_threads<A: Adapter>() {
    // One thread receives, another one sends what it is given.
    let server = A::start(app(|socket| async move {
        let (sender, mut receiver) = socket.split();
        let (give, take) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(Some(message)) = receiver.blocking_recv() {
                give.send(message).expect("the other thread takes it");
            }
        });
        thread::spawn(move || {
            for message in take {
                sender.blocking_send(message).expect("it is open");
            }
        });
        // The handler is done long before its halves are.
    }));
    let mut socket = Socket::open(server.addr(), "/");
    for round in 0..200 {
        let frames: Vec<Frame> = (0..10).map(|n| Frame::text(format!("{round}, {n}"))).collect();
        socket.send_all(&frames);
        for frame in &frames {
            socket.expect(frame);
        }
    }
    let large = Frame::binary(vec![b'x'; 1 << 20]);
    for _ in 0..10 {
        socket.send(&large);
        socket.expect(&large);
    }
    socket.close();
}

pub(crate) fn halves_in_one_handler<A: Adapter>() {
    // Both at once in one task: sending does not wait for receiving, nor the other way round.
    let server = A::start(app(|socket| async move {
        let (sender, mut receiver) = socket.split();
        let send = async move {
            for n in 0..2_000 {
                sender.send(n.to_string()).await.expect("it is open");
            }
        };
        let receive = async move {
            let mut count = 0;
            while let Ok(Some(_)) = receiver.recv().await {
                count += 1;
            }
            assert_eq!(count, 2_000);
        };
        smol::future::zip(send, receive).await;
    }));
    let mut socket = Socket::open(server.addr(), "/");
    for n in 0..2_000 {
        socket.send(&Frame::text(n.to_string()));
    }
    for n in 0..2_000 {
        socket.expect(&Frame::text(n.to_string()));
    }
    socket.close();
}

pub(crate) fn a_sender_on_many_threads<A: Adapter>() {
    const THREADS: usize = 8;
    const MESSAGES: usize = 500;
    let server = A::start(app(|socket| async move {
        let (sender, _receiver) = socket.split();
        for thread in 0..THREADS {
            let sender = sender.clone();
            thread::spawn(move || {
                for n in 0..MESSAGES {
                    // Some are copied, others are sent as they are.
                    let filler = "x".repeat(n % 7 * 3_000);
                    sender.blocking_send(format!("{thread} {n} {filler}")).expect("it is open");
                }
            });
        }
    }));
    let mut socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
    let mut next: HashMap<usize, usize> = HashMap::new();
    for _ in 0..THREADS * MESSAGES {
        let frame = socket.frame();
        let text = std::str::from_utf8(&frame.payload).expect("a message as it was sent");
        let mut parts = text.split(' ');
        let thread = parts.next().unwrap().parse().unwrap();
        let n: usize = parts.next().unwrap().parse().unwrap();
        let filler = parts.next().unwrap();
        assert!(filler.len() == n % 7 * 3_000 && filler.bytes().all(|byte| byte == b'x'), "{frame:?}");
        let expected = next.entry(thread).or_default();
        assert_eq!(n, *expected, "thread {thread}");
        *expected += 1;
    }
    // All handles are gone.
    socket.closed(1000);
}

pub(crate) fn a_slow_thread_receives_all<A: Adapter>() {
    // The client is always ahead: the driver stops reading again and again, and goes on again.
    const MESSAGES: usize = 20_000;
    let received = Count::default();
    let server = A::start(app_with(|ws| ws.config(far()), {
        let received = received.clone();
        move |socket| {
            let received = received.clone();
            async move {
                let (sender, mut receiver) = socket.split();
                thread::spawn(move || {
                    while let Ok(Some(message)) = receiver.blocking_recv() {
                        received.add(1);
                        if received.now() % 100 == 0 {
                            // Wakes the driver at a moment when it may be full.
                            sender.blocking_send(message).expect("it is open");
                        }
                    }
                });
            }
        }
    }));
    let mut socket = Socket::open(server.addr(), "/");
    let mut writer = socket.client().stream().try_clone().expect("a second handle");
    let frame = Frame::binary(vec![b'x'; 500]);
    thread::scope(|scope| {
        scope.spawn(|| {
            let bytes = frame.masked().repeat(100);
            for _ in 0..MESSAGES / 100 {
                std::io::Write::write_all(&mut writer, &bytes).expect("the server takes it all");
            }
        });
        for _ in 0..MESSAGES / 100 {
            socket.expect(&frame);
        }
    });
    assert_eq!(received.now(), MESSAGES);
    socket.close();
}

pub(crate) fn a_handler_that_blocks<A: Adapter>() {
    let server = A::start(blocking(|mut socket| {
        while let Ok(Some(message)) = socket.recv() {
            assert_ne!(message.as_text(), Some("panic"), "on purpose");
            if message.as_text() == Some("return") {
                return;
            }
            socket.send(message).expect("it is open");
            socket.flush().expect("it is open");
        }
    }));
    let mut sockets: Vec<Socket> = (0..8).map(|_| Socket::open(server.addr(), "/")).collect();
    for socket in &mut sockets {
        for len in [0, 5, 200, 70_000] {
            socket.send(&Frame::binary(vec![b'x'; len]));
            socket.expect(&Frame::binary(vec![b'x'; len]));
        }
    }
    for (n, mut socket) in sockets.into_iter().enumerate() {
        match n % 3 {
            0 => socket.close(),
            1 => {
                socket.send(&Frame::text("return"));
                socket.closed(1000);
            }
            _ => {
                socket.send(&Frame::text("panic"));
                socket.closed(1011);
            }
        }
    }
    let mut socket = Socket::open(server.addr(), "/");
    socket.send(&Frame::text("alive"));
    socket.expect(&Frame::text("alive"));
}

pub(crate) fn a_thread_that_sends_to_nobody_waits<A: Adapter>() {
    let sent = Count::default();
    let server = A::start(blocking({
        let sent = sent.clone();
        move |socket| {
            while socket.send(vec![b'x'; 10_000]).is_ok() {
                sent.add(10_000);
            }
            sent.add(1);
        }
    }));
    let socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/");
    eventually("it sends", || sent.now() > 0);
    let total = sent.settled();
    assert!(total < 8 << 20, "{total} bytes were sent to nobody");
    // It is freed when the client goes.
    socket.into_client().reset();
    eventually("its thread is free", || sent.now() % 10_000 == 1);
}

pub(crate) fn blocked_threads_are_freed_by_the_end<A: Adapter>() {
    // The server drops the connection because its client answers nothing: who waits is told.
    let (end, ended) = mpsc::channel();
    let gate = Gate::default();
    let routes = blocking({
        let gate = gate.clone();
        move |mut socket| {
            gate.open();
            let first = socket.recv();
            end.send(first).expect("the test waits");
        }
    });
    let server =
        A::start_with(routes, sinew_runtime::ConnectionConfig::default(), Duration::from_millis(300));
    let mut socket = Socket::open(server.addr(), "/");
    gate.pass();
    // Nobody answers the close frame.
    server.stop().expect("the drain timeout ends it");
    let last = ended.recv_timeout(PATIENCE).expect("nobody waits for ever");
    assert_eq!(last, Err(WebSocketError::Disconnected));
    socket.expect_close(1001);
}

/// Only this adapter has a pool of its own, and so a limit to set.
#[test]
fn a_full_pool_closes_with_1013() {
    let gate = Gate::default();
    let waiting = Count::default();
    let routes = blocking({
        let (gate, waiting) = (gate.clone(), waiting.clone());
        move |_socket| {
            waiting.add(1);
            gate.pass();
        }
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let signal = sinew_runtime::Shutdown::new();
    let given = signal.clone();
    let server = thread::spawn(move || {
        sinew_std::serve(listener, routes)
            .blocking_threads(1)
            .blocking_queue(1)
            .with_graceful_shutdown(given.wait())
            .run()
    });
    let running = Socket::open(addr, "/");
    eventually("the thread is taken", || waiting.now() == 1);
    let queued = Socket::open(addr, "/");
    let refused = Socket::open(addr, "/");
    assert!(!refused.closed(1013).is_empty(), "the reason is told");
    gate.open();
    running.closed(1000);
    queued.closed(1000);
    signal.trigger();
    server.join().expect("no panic").expect("a proper end");
}
