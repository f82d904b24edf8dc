//! What other threads do while the handler is polled, and what the application's own code does from
//! inside of a call.

use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::{block_on, poll_once};
use sinew_app::websocket::CloseCode;
use sinew_app::{WebSocketError, WebSocketSender};

use super::{Driver, text};

/// What `f` returns. It runs on a thread of its own, which may be stuck for ever.
fn in_time<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(f()));
    result.recv_timeout(Duration::from_secs(20)).expect("it is stuck")
}

#[test]
fn a_message_does_not_overtake_one_that_its_sender_has_heard_of() {
    let mut driver = Driver::open(
        |ws| ws,
        |socket| async move {
            let (sender, _receiver) = socket.split();
            for n in 0..3 {
                let other = sender.clone();
                let sent = thread::spawn(move || other.blocking_send(format!("other {n}"))).join();
                assert_eq!(sent.expect("it does not panic"), Ok(()));
                // Short binary messages have a way of their own.
                match n {
                    0 => sender.send("handler").await.expect("it is open"),
                    1 => sender.send(vec![1]).await.expect("it is open"),
                    _ => assert_eq!(poll_once(sender.flush()).await, None, "nothing is written yet"),
                }
            }
            let other = sender.clone();
            let closed = thread::spawn(move || other.close(CloseCode::NORMAL, "")).join();
            assert_eq!(closed.expect("it does not panic"), Ok(()));
            assert_eq!(sender.send("too late").await, Err(WebSocketError::Closed));
        },
    );
    driver.turn();
    let frames: Vec<_> = std::iter::from_fn(|| driver.frame()).map(|(_, payload)| payload).collect();
    let expected: [&[u8]; 6] = [b"other 0", b"handler", b"other 1", &[1], b"other 2", &[3, 232]];
    assert_eq!(frames, expected);
}

/// Memory that looks at the socket when it is freed.
struct Memory(WebSocketSender);

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        b"owned"
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        assert!(self.0.is_open());
    }
}

#[test]
fn the_memory_of_a_message_may_use_the_socket_when_it_is_freed() {
    let frame = in_time(|| {
        let mut driver = Driver::open(
            |ws| ws,
            |socket| async move {
                let (sender, _receiver) = socket.split();
                let message = Bytes::from_owner(Memory(sender.clone()));
                let sent = thread::spawn(move || sender.blocking_send(message)).join();
                assert_eq!(sent.expect("it does not panic"), Ok(()));
                std::future::pending::<()>().await;
            },
        );
        driver.turn();
        driver.frame()
    });
    assert_eq!(frame.map(|(_, payload)| payload), Some(b"owned".to_vec()));
}

/// A task that goes with its last waker, and holds a socket.
struct Holder(WebSocketSender);

impl Wake for Holder {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.try_send("its last word");
    }
}

#[test]
fn a_socket_may_go_with_the_last_waker_of_a_task() {
    // In the turn of its handler, and outside of it.
    let frame = in_time(|| {
        let mut driver = Driver::open(
            |ws| ws,
            |socket| async move {
                let (sender, mut receiver) = socket.split();
                let waker = Waker::from(Arc::new(Holder(sender)));
                let mut recv = std::pin::pin!(receiver.recv());
                assert!(recv.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                drop(waker);
                let _ = recv.await;
            },
        );
        driver.turn();
        driver.turn();
        driver.frame()
    });
    assert_eq!(frame, Some(text("its last word")));
    let frame = in_time(|| {
        let (mut driver, socket) = Driver::with_socket(|ws| ws);
        let (sender, mut receiver) = socket.split();
        let waker = Waker::from(Arc::new(Holder(sender)));
        let mut recv = Box::pin(receiver.recv());
        assert!(recv.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert!(block_on(poll_once(recv)).is_none());
        driver.turn();
        driver.frame()
    });
    assert_eq!(frame, Some(text("its last word")));
}
