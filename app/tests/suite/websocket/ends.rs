//! Deadlines, and the ways a connection ends.

use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_lite::future::block_on;
use sinew_app::WebSocketError;
use sinew_app::websocket::ProtocolError;
use sinew_proto::http1::CloseAction;

use super::{CLOSE, Driver, FAR, PING, PONG, TEXT, Task, close, frame, poll, text};

#[test]
fn a_silent_peer_is_asked_and_then_dropped() {
    let (mut driver, mut socket) = Driver::with_socket(|ws| ws);
    assert_eq!(driver.due(), Some(Duration::from_secs(30)));
    driver.pass(Duration::from_millis(29_999));
    assert_eq!(driver.frame(), None);
    driver.pass(Duration::from_millis(1));
    assert_eq!(driver.frame(), Some((PING, Vec::new())));
    assert_eq!(driver.due(), Some(Duration::from_secs(20)));
    // Anything is an answer.
    driver.pass(Duration::from_millis(19_999));
    driver.receive(frame(PONG, b""));
    assert_eq!(driver.due(), Some(Duration::from_secs(30)));
    driver.pass(Duration::from_secs(30));
    assert_eq!(driver.frame(), Some((PING, Vec::new())));
    driver.pass(Duration::from_secs(20));
    assert_eq!(driver.protocol.close_action(), CloseAction::Abort);
    assert_eq!(driver.due(), None);
    let error = WebSocketError::Protocol(ProtocolError::PongTimeout);
    assert_eq!(block_on(socket.recv()), Err(error));
    assert_eq!(block_on(socket.send("late")), Err(error));
    assert_eq!(driver.frame(), None);
}

#[test]
fn a_ping_of_ours_does_not_wait_for_room() {
    let (mut driver, socket) = Driver::with_socket(|ws| ws);
    driver.room = 100;
    block_on(socket.send("x".repeat(100_000))).unwrap();
    driver.turn();
    // A slow reader, which takes something now and then.
    for seconds in [20, 10] {
        driver.room = 100;
        driver.pass(Duration::from_secs(seconds));
    }
    driver.room = FAR;
    driver.turn();
    assert_eq!(driver.frame().unwrap().1.len(), 100_000);
    assert_eq!(driver.frame(), Some((PING, Vec::new())));
}

#[test]
fn a_peer_that_does_not_read_is_dropped() {
    let (mut driver, socket) = Driver::with_socket(|ws| ws);
    driver.room = 10;
    block_on(socket.send("x".repeat(100_000))).unwrap();
    driver.turn();
    let task = Task::new();
    let mut flush = std::pin::pin!(socket.flush());
    assert!(poll(flush.as_mut(), &task).is_pending());
    let mut send = std::pin::pin!(socket.send("more"));
    assert!(poll(send.as_mut(), &task).is_pending());
    // As long as it takes something, it has time.
    for _ in 0..3 {
        driver.room = 1;
        driver.pass(Duration::from_millis(29_999));
        driver.receive(frame(PONG, b""));
    }
    assert!(!task.take());
    driver.pass(Duration::from_secs(30));
    assert_eq!(driver.protocol.close_action(), CloseAction::Abort);
    assert!(task.take());
    let error = WebSocketError::Protocol(ProtocolError::WriteTimeout);
    assert_eq!(poll(flush, &task), Poll::Ready(Err(error)));
    assert_eq!(poll(send, &task), Poll::Ready(Err(error)));
}

#[test]
fn a_peer_that_does_not_close_is_left() {
    let (mut driver, mut socket) = Driver::with_socket(|ws| ws);
    socket.close(sinew_app::websocket::CloseCode::NORMAL, "").unwrap();
    assert!(driver.task.take());
    driver.turn();
    assert_eq!(driver.frame(), Some((CLOSE, close(1000))));
    assert_eq!(driver.due(), Some(Duration::from_secs(5)));
    // What it sends until then is received, and gives it no more time.
    driver.pass(Duration::from_secs(4));
    driver.receive(frame(TEXT, b"still here"));
    assert_eq!(block_on(socket.recv()), Ok(Some("still here".into())));
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.protocol.close_action(), CloseAction::Abort);
    driver.protocol.disconnected();
    assert_eq!(block_on(socket.recv()), Err(WebSocketError::Disconnected));
    assert_eq!(block_on(socket.recv()), Ok(None));
}

#[test]
fn an_end_with_close_frames_is_none_even_if_it_is_seen_late() {
    for payload in [Vec::new(), close(1000), [close(4000), b"bye".to_vec()].concat()] {
        let (mut driver, mut socket) = Driver::with_socket(|ws| ws);
        driver.receive([frame(TEXT, b"last"), frame(CLOSE, &payload)].concat());
        driver.protocol.end_of_input();
        driver.turn();
        // The last message might be answered; not for ever.
        assert_eq!(driver.protocol.close_action(), CloseAction::None);
        assert_eq!(driver.due(), Some(Duration::from_secs(1)));
        driver.pass(Duration::from_secs(1));
        assert_eq!(driver.protocol.close_action(), CloseAction::AfterFlush);
        driver.protocol.disconnected();
        assert_eq!(block_on(socket.recv()), Ok(Some("last".into())));
        assert_eq!(block_on(socket.recv()), Ok(None));
        assert_eq!(socket.close_reason().is_none(), payload.is_empty());
        assert_eq!(block_on(socket.send("late")), Err(WebSocketError::Closed));
        assert_eq!(block_on(socket.flush()), Ok(()));
    }
    // The peer has closed, but did not take what it was sent.
    let (mut driver, mut socket) = Driver::with_socket(|ws| ws);
    driver.room = 0;
    block_on(socket.send("lost")).unwrap();
    driver.receive(frame(CLOSE, b""));
    driver.protocol.disconnected();
    assert_eq!(block_on(socket.flush()), Err(WebSocketError::Disconnected));
    assert_eq!(block_on(socket.recv()), Err(WebSocketError::Disconnected));
}

#[test]
fn halves_may_go_in_every_order() {
    enum Part {
        Sender(#[expect(dead_code, reason = "held")] sinew_app::WebSocketSender),
        Receiver(#[expect(dead_code, reason = "held")] sinew_app::WebSocketReceiver),
    }
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (mut driver, socket) = Driver::with_socket(|ws| ws);
        let (sender, receiver) = socket.split();
        let mut parts =
            [Some(Part::Sender(sender.clone())), Some(Part::Sender(sender)), Some(Part::Receiver(receiver))];
        for (n, part) in order.into_iter().enumerate() {
            driver.receive([frame(TEXT, b"unread"), frame(PING, b"open?")].concat());
            assert_eq!(driver.frame(), Some((PONG, b"open?".to_vec())), "{order:?}");
            driver.task.take();
            parts[part] = None;
            if n == 2 {
                assert!(driver.task.take(), "the driver was not woken: {order:?}");
            }
            driver.turn();
        }
        assert_eq!(driver.frame(), Some((CLOSE, close(1000))), "{order:?}");
    }
}

#[test]
fn whoever_holds_the_socket_learns_that_its_driver_is_gone() {
    let (driver, socket) = Driver::with_socket(|ws| ws.send_buffer(1));
    block_on(socket.send("fills the buffer")).unwrap();
    let task = Task::new();
    let (sender, mut receiver) = socket.split();
    let thread = thread::spawn(move || receiver.blocking_recv());
    let mut send = std::pin::pin!(sender.send("waits"));
    assert!(poll(send.as_mut(), &task).is_pending());
    drop(driver);
    assert!(task.take());
    assert_eq!(poll(send, &task), Poll::Ready(Err(WebSocketError::Disconnected)));
    assert_eq!(thread.join().unwrap(), Err(WebSocketError::Disconnected));
    assert!(!sender.is_open());
    let (driver, mut socket) = Driver::with_socket(|ws| ws);
    drop(driver);
    assert_eq!(block_on(socket.recv()), Err(WebSocketError::Disconnected));
}

#[test]
fn nothing_is_kept_after_the_end() {
    let (mut driver, mut socket) = Driver::with_socket(|ws| ws.max_message_bytes(10));
    driver.receive(frame(TEXT, b"more than ten bytes"));
    assert_eq!(block_on(socket.recv()), Err(WebSocketError::Protocol(ProtocolError::FrameTooLarge)));
    assert_eq!(
        driver.frame().map(|(opcode, payload)| (opcode, payload[..2].to_vec())),
        Some((CLOSE, close(1009)))
    );
    // It waits for the peer to end, and throws away what still comes.
    assert_eq!(driver.protocol.close_action(), CloseAction::Linger);
    for _ in 0..10 {
        assert!(driver.protocol.wants_read(driver.now));
        driver.receive(vec![0; 16 * 1024]);
        assert!(driver.input.is_empty());
    }
    driver.protocol.end_of_input();
    driver.turn();
    assert_eq!(driver.protocol.close_action(), CloseAction::AfterFlush);
}

#[test]
fn the_end_waits_for_what_is_not_in_the_hands_of_the_driver() {
    let (mut driver, socket) = Driver::with_socket(|ws| ws);
    driver.room = 0;
    block_on(socket.send("with the driver")).unwrap();
    driver.turn();
    block_on(socket.send("still here")).unwrap();
    driver.receive(frame(CLOSE, &close(1000)));
    assert_eq!(driver.protocol.close_action(), CloseAction::None);
    driver.room = FAR;
    driver.turn();
    assert_eq!(driver.frame(), Some(text("with the driver")));
    assert_eq!(driver.frame(), Some(text("still here")));
    assert_eq!(driver.frame(), Some((CLOSE, close(1000))));
    assert_eq!(driver.protocol.close_action(), CloseAction::Linger);
}

#[test]
fn nothing_is_written_behind_the_close_frame_of_an_error() {
    // The error is found while the handler has its turn; it goes on sending.
    let mut driver = Driver::open(
        |ws| ws,
        |mut socket| async move {
            let error = socket.recv().await;
            assert_eq!(error, Err(WebSocketError::Protocol(ProtocolError::NotMasked)));
            assert!(socket.send("late").await.is_err(), "it is closed");
        },
    );
    driver.turn();
    driver.receive([0x81, 0]);
    assert_eq!(
        driver.frame().map(|(opcode, payload)| (opcode, payload[..2].to_vec())),
        Some((CLOSE, close(1002)))
    );
    assert_eq!(driver.frame(), None);
}

#[test]
fn what_broke_a_rule_is_told_even_if_the_connection_goes_first() {
    let (mut driver, mut socket) = Driver::with_socket(|ws| ws);
    driver.receive([frame(TEXT, b"before"), vec![0x81, 0]].concat());
    driver.protocol.disconnected();
    assert_eq!(block_on(socket.recv()), Ok(Some("before".into())));
    assert_eq!(block_on(socket.recv()), Err(WebSocketError::Protocol(ProtocolError::NotMasked)));
    assert_eq!(block_on(socket.recv()), Ok(None));
}

#[test]
fn a_socket_that_goes_with_a_panic_tells_so() {
    let (mut driver, socket) = Driver::with_socket(|ws| ws);
    let panics = thread::spawn(move || {
        let _socket = socket;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(panics.join().is_err());
    driver.turn();
    assert_eq!(driver.frame(), Some((CLOSE, close(1011))));
}

#[test]
fn a_slow_reader_gets_what_stands_before_the_close_frame() {
    let (mut driver, socket) = Driver::with_socket(|ws| ws);
    driver.room = 0;
    block_on(socket.send("x".repeat(1000))).unwrap();
    drop(socket);
    driver.turn();
    for _ in 0..10 {
        driver.room = 100;
        driver.pass(Duration::from_millis(4999));
        assert_eq!(driver.protocol.close_action(), CloseAction::None);
    }
    driver.room = FAR;
    driver.turn();
    assert_eq!(driver.frame().unwrap().1.len(), 1000);
    assert_eq!(driver.frame(), Some((CLOSE, close(1000))));
    // From then on it has to answer.
    assert_eq!(driver.due(), Some(Duration::from_secs(5)));
    driver.pass(Duration::from_secs(5));
    assert_eq!(driver.protocol.close_action(), CloseAction::Abort);
}
