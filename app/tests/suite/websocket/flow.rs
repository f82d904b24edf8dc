//! Back-pressure, reading ahead, order, and who is woken.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_lite::future::{block_on, poll_once};
use sinew_app::Message;
use sinew_app::websocket::Config;

use super::{CLOSE, Driver, FAR, PING, PONG, TEXT, Task, close, frame, poll, text};

#[test]
fn a_sender_waits_behind_its_limit_and_one_message() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let mut driver = Driver::open(
        |ws| ws.send_buffer(1000),
        move |socket| {
            let count = count.clone();
            async move {
                while socket.send("x".repeat(396)).await.is_ok() {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        },
    );
    driver.room = 0;
    // Frames of 400 bytes: 400, 800, 1200.
    driver.turn();
    assert_eq!((sent.load(Ordering::SeqCst), driver.output.len()), (3, 1200));
    driver.room = 1200;
    driver.turn();
    assert_eq!((sent.load(Ordering::SeqCst), driver.output.len()), (6, 1200));
    // It is woken when half of the room is free.
    let (mut driver, socket) = Driver::with_socket(|ws| ws.send_buffer(1000));
    driver.room = 0;
    block_on(socket.send("x".repeat(1196))).unwrap();
    driver.turn();
    let task = Task::new();
    let mut send = std::pin::pin!(socket.send("more"));
    assert!(poll(send.as_mut(), &task).is_pending());
    for (room, woken) in [(300, false), (399, false), (1, true)] {
        driver.room = room;
        driver.turn();
        assert_eq!(task.take(), woken, "{} bytes wait", driver.output.len());
    }
    assert_eq!(poll(send, &task), Poll::Ready(Ok(())));
    // One that is larger than all of the room is taken when there is any.
    let (mut driver, socket) = Driver::with_socket(|ws| ws.send_buffer(1000));
    driver.room = 0;
    assert_eq!(block_on(poll_once(socket.send("x".repeat(1 << 20)))), Some(Ok(())));
    assert_eq!(block_on(poll_once(socket.send("y"))), None);
    driver.turn();
    assert_eq!(block_on(poll_once(socket.send("y"))), None);
    driver.room = FAR;
    driver.turn();
    assert_eq!(block_on(poll_once(socket.send("y"))), Some(Ok(())));
}

#[test]
fn a_sender_is_woken_only_when_there_is_room() {
    for limit in [0, 1, 2, 3, 100] {
        let (mut driver, socket) = Driver::with_socket(move |ws| ws.send_buffer(limit));
        driver.room = 0;
        block_on(socket.send("x".repeat(200))).unwrap();
        driver.turn();
        let task = Task::new();
        let mut send = std::pin::pin!(socket.send("more"));
        assert!(poll(send.as_mut(), &task).is_pending());
        for _ in 0..5 {
            driver.room = 1;
            driver.turn();
            assert!(!task.take(), "woken for nothing with room for {limit}");
        }
        driver.room = FAR;
        driver.turn();
        assert!(task.take());
        assert_eq!(poll(send, &task), Poll::Ready(Ok(())));
    }
}

#[test]
fn what_a_dropped_send_would_have_sent_is_not_sent() {
    let (mut driver, socket) = Driver::with_socket(|ws| ws.send_buffer(10));
    driver.room = 0;
    assert_eq!(block_on(poll_once(socket.send("a longer message"))), Some(Ok(())));
    assert_eq!(block_on(poll_once(socket.send("cancelled"))), None);
    driver.room = FAR;
    driver.turn();
    assert_eq!(block_on(poll_once(socket.send("sent"))), Some(Ok(())));
    driver.turn();
    assert_eq!(driver.frame(), Some(text("a longer message")));
    assert_eq!(driver.frame(), Some(text("sent")));
    assert_eq!(driver.frame(), None);
}

#[test]
fn reading_ahead_is_bounded() {
    for payload in [0, 100, 4_000] {
        let (mut driver, mut socket) = Driver::with_socket(|ws| ws);
        let message = frame(TEXT, "x".repeat(payload).as_bytes());
        let mut sent = 0;
        while driver.protocol.wants_read(driver.now) {
            driver.receive(&message);
            sent += 1;
            assert!(sent * payload < 80_000 && sent < 2_000, "{sent} messages of {payload} bytes");
        }
        // Silence means nothing while nobody listens.
        assert_eq!(driver.due(), None);
        // Room is made: the driver is told, and reads on.
        driver.task.take();
        for _ in 0..sent {
            assert_eq!(block_on(poll_once(socket.recv())).unwrap().unwrap().unwrap().len(), payload);
        }
        assert!(driver.task.take(), "the driver was not woken");
        driver.turn();
        assert!(driver.protocol.wants_read(driver.now));
        assert_eq!(block_on(poll_once(socket.recv())), None);
    }
}

#[test]
fn a_receiver_that_is_dropped_loses_nothing() {
    let (mut driver, mut socket) = Driver::with_socket(|ws| ws);
    let mut received = Vec::new();
    for n in 0..200 {
        // Asked and given up, before and after something has arrived.
        let empty = n % 3 != 1;
        assert!(!empty || block_on(poll_once(socket.recv())).is_none());
        let message = frame(TEXT, n.to_string().as_bytes());
        let (head, rest) = message.split_at(n % message.len());
        driver.receive(head);
        assert!(!empty || block_on(poll_once(socket.recv())).is_none());
        drop(socket.recv());
        driver.receive(rest);
        drop(socket.recv());
        if n % 3 == 0 {
            continue;
        }
        while let Some(message) = block_on(poll_once(socket.recv())) {
            received.push(message.unwrap().unwrap());
        }
        assert_eq!(received.len(), n + 1);
    }
    let expected = (0..received.len()).map(|n| Message::from(n.to_string()));
    assert!(received.iter().cloned().eq(expected));
}

#[test]
fn a_flush_is_woken_once() {
    let (mut driver, socket) = Driver::with_socket(|ws| ws);
    driver.room = 0;
    block_on(socket.send("x".repeat(1000))).unwrap();
    let task = Task::new();
    let mut flush = std::pin::pin!(socket.flush());
    assert!(poll(flush.as_mut(), &task).is_pending());
    for _ in 0..10 {
        driver.room = 100;
        driver.turn();
        assert!(!task.take(), "there is room, but something is still to be written");
    }
    driver.room = FAR;
    driver.turn();
    assert!(task.take());
    assert_eq!(poll(flush, &task), Poll::Ready(Ok(())));
}

#[test]
fn pongs_nobody_reads_are_bounded() {
    let (mut driver, _socket) = Driver::with_socket(|ws| ws);
    driver.room = 0;
    for n in 0..10_000 {
        driver.receive(frame(PING, n.to_string().as_bytes()));
        assert!(driver.output.len() < 32 * 1024, "after {n} pings");
    }
    // The first ones were answered, and the last one is.
    driver.room = FAR;
    driver.turn();
    let mut last = None;
    for n in 0.. {
        let Some((opcode, payload)) = driver.frame() else { break };
        assert_eq!(opcode, PONG);
        assert!(payload == n.to_string().as_bytes() || payload == b"9999");
        last = Some(payload);
    }
    assert_eq!(last, Some(b"9999".to_vec()));
}

/// Turns whenever it is woken, until `done`; a wake that is lost is a failure.
fn drive(
    driver: &mut Driver,
    mut before: impl FnMut(&mut Driver) -> bool,
    mut done: impl FnMut(&mut Driver) -> bool,
) {
    let patience = Duration::from_secs(20);
    loop {
        let more = before(driver);
        driver.turn();
        if done(driver) {
            return;
        }
        let start = std::time::Instant::now();
        while !more && !driver.task.take() {
            thread::park_timeout(patience);
            assert!(start.elapsed() < patience, "nobody wakes the driver");
        }
    }
}

#[test]
fn no_wake_of_a_sender_is_lost() {
    const THREADS: usize = 4;
    const MESSAGES: usize = 5_000;
    let (mut driver, socket) = Driver::with_socket(|ws| ws.send_buffer(200));
    let (sender, _receiver) = socket.split();
    for _ in 0..THREADS {
        let sender = sender.clone();
        thread::spawn(move || {
            for n in 0..MESSAGES {
                sender.blocking_send(n.to_string()).expect("it is open");
            }
        });
    }
    let mut frames = 0;
    drive(
        &mut driver,
        |_| false,
        |driver| {
            while driver.frame().is_some() {
                frames += 1;
            }
            frames == THREADS * MESSAGES
        },
    );
}

#[test]
fn no_wake_of_a_receiver_is_lost() {
    const MESSAGES: usize = 20_000;
    let (mut driver, socket) = Driver::with_socket(|ws| ws.config(Config::default()));
    let (sender, mut receiver) = socket.split();
    let thread = thread::spawn(move || {
        for n in 0..MESSAGES {
            assert_eq!(receiver.blocking_recv(), Ok(Some(n.to_string().into())));
            if n % 16 == 0 {
                // Turns of the driver at moments of all kinds.
                sender.blocking_send("x").expect("it is open");
            }
        }
    });
    let mut fed = 0;
    let feed = |driver: &mut Driver| {
        let wants = driver.protocol.wants_read(driver.now);
        for _ in 0..50 {
            if wants && fed < MESSAGES {
                driver.input.extend(frame(TEXT, fed.to_string().as_bytes()));
                fed += 1;
            }
        }
        // As a socket that has more to read, if it were asked.
        wants && fed < MESSAGES
    };
    drive(&mut driver, feed, |driver| {
        driver.peer.clear();
        thread.is_finished()
            || (driver.protocol.wants_read(driver.now) && {
                driver.task.1.unpark();
                driver.task.0.fetch_add(1, Ordering::SeqCst);
                false
            })
    });
    thread.join().expect("all have arrived, in order");
}

#[test]
fn a_handler_in_two_parts_is_woken_for_both() {
    // Each part is polled only when its own waker was called.
    let mut driver = Driver::open(
        |ws| ws.send_buffer(100),
        |socket| async move {
            let (sender, mut receiver) = socket.split();
            let mut receive = Box::pin(async move {
                while let Ok(Some(message)) = receiver.recv().await {
                    sender.send(message).await.expect("it is open");
                }
            });
            let inner = Task::new();
            inner.0.fetch_add(1, Ordering::SeqCst);
            poll_fn(move |cx| {
                // Woken on behalf of the inner task.
                while inner.take() {
                    if poll(receive.as_mut(), &inner).is_ready() {
                        return Poll::Ready(());
                    }
                }
                let _ = cx;
                Poll::Pending
            })
            .await;
        },
    );
    driver.turn();
    for n in 0..100 {
        driver.receive(frame(TEXT, n.to_string().as_bytes()));
        driver.turn();
        assert_eq!(driver.frame(), Some(text(&n.to_string())));
    }
}

#[test]
fn what_one_thread_sent_goes_before_what_another_sends_later() {
    let mut driver = Driver::open(
        |ws| ws,
        |socket| async move {
            let (sender, _receiver) = socket.split();
            sender.send("first").await.expect("it is open");
            let second = thread::spawn(move || {
                sender.blocking_send("second").expect("it is open");
            });
            second.join().expect("no panic");
        },
    );
    driver.turn();
    for expected in ["first", "second"] {
        assert_eq!(driver.frame(), Some(text(expected)));
    }
}

#[test]
fn connections_that_are_turned_inside_of_a_handler_are_not_mixed() {
    // An executor may run other connections while a handler is polled.
    let (give, take) = mpsc::channel();
    let mut outer = Driver::open(
        |ws| ws,
        move |socket| {
            let give = give.clone();
            async move {
                socket.send("outer, before").await.expect("it is open");
                let mut inner = Driver::open(
                    |ws| ws,
                    |socket| async move {
                        socket.send("inner").await.expect("it is open");
                    },
                );
                inner.turn();
                socket.send("outer, after").await.expect("it is open");
                give.send((inner.frame(), inner.frame(), inner.frame())).expect("the test takes it");
            }
        },
    );
    outer.turn();
    assert_eq!(take.try_recv(), Ok((Some(text("inner")), Some((CLOSE, close(1000))), None)));
    for expected in
        [Some(text("outer, before")), Some(text("outer, after")), Some((CLOSE, close(1000))), None]
    {
        assert_eq!(outer.frame(), expected);
    }
}

#[test]
fn input_that_waits_is_not_moved_for_every_message() {
    let (mut driver, mut socket) = Driver::with_socket(|ws| ws);
    let count = 20_000;
    driver.receive(frame(TEXT, b"x").repeat(count));
    assert!(!driver.protocol.wants_read(driver.now));
    let mut moved = 0;
    for _ in 0..count {
        let before = driver.input.len();
        assert_eq!(block_on(socket.recv()), Ok(Some("x".into())));
        driver.turn();
        moved += if driver.input.len() < before { driver.input.len() } else { 0 };
    }
    assert!(driver.input.is_empty() && driver.protocol.wants_read(driver.now));
    assert!(moved < 50 * 7 * count, "{moved} bytes");
}
