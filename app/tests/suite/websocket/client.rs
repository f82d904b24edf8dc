//! The other side: the handshake of a client, and its ends.

use std::task::Poll;
use std::time::Duration;

use futures_lite::future::block_on;
use sinew_app::websocket::{ConnectError, WebSocketClient, WebSocketConnect};
use sinew_proto::http1::CloseAction;
use sinew_proto::{Instant, RecvError, SendQueue};

use super::{Driver, FAR, Task, poll};

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
     sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn begin(terms: impl FnOnce(WebSocketClient) -> WebSocketClient) -> (Driver, WebSocketConnect) {
    let client = terms(WebSocketClient::new("ws://test/").unwrap());
    // The nonce of RFC 6455 §1.3, and then keys.
    let entropy =
        |bytes: &mut [u8]| bytes.iter_mut().zip(b"the sample nonce").for_each(|(to, from)| *to = *from);
    let (protocol, connect) = client.begin(Box::new(entropy)).unwrap();
    let driver = Driver {
        protocol,
        input: Vec::new(),
        output: SendQueue::new(),
        room: FAR,
        peer: std::collections::VecDeque::new(),
        now: Instant::from_nanos(1_000_000_000),
        task: Task::new(),
    };
    (driver, connect)
}

#[test]
fn what_stands_behind_the_answer_is_the_first_message() {
    let (mut driver, connect) = begin(|client| client);
    driver.turn();
    let request = Vec::from(std::mem::take(&mut driver.peer));
    assert!(request.starts_with(b"GET / HTTP/1.1\r\n") && request.ends_with(b"\r\n\r\n"));
    let (half, rest) = AGREED.split_at(40);
    driver.receive(half);
    driver.receive([rest.as_bytes(), b"\x81\x05hello\x88\x00"].concat());
    let mut socket = block_on(connect).unwrap();
    assert_eq!(block_on(socket.recv()), Ok(Some("hello".into())));
    assert_eq!(block_on(socket.recv()), Ok(None));
    // The close frame is answered, and the server ends the connection.
    driver.turn();
    assert_eq!(driver.peer.pop_front(), Some(0x80 | super::CLOSE));
    assert_eq!(driver.protocol.close_action(), CloseAction::None);
    driver.protocol.end_of_input();
    driver.turn();
    assert_eq!(driver.protocol.close_action(), CloseAction::AfterFlush);
}

#[test]
fn an_answer_that_refuses_ends_the_connection_whatever_its_body() {
    let (mut driver, connect) = begin(|client| client);
    driver.receive("HTTP/1.1 404 Not Found\r\ncontent-length: 1000000\r\n\r\nnot all of it");
    assert_eq!(driver.protocol.close_action(), CloseAction::Abort);
    assert!(driver.input.is_empty());
    let refused = block_on(connect);
    assert!(matches!(&refused, Err(ConnectError::Refused(status)) if status.as_u16() == 404), "{refused:?}");
}

#[test]
fn a_server_has_a_limited_time_for_all_of_its_answer() {
    let (mut driver, connect) = begin(|client| client.handshake_timeout(Duration::from_secs(3)));
    driver.turn();
    assert_eq!(driver.due(), Some(Duration::from_secs(3)));
    // Neither pieces nor interim responses buy more.
    driver.pass(Duration::from_secs(2));
    driver.receive("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 1");
    assert_eq!(driver.due(), Some(Duration::from_secs(1)));
    assert_eq!(driver.protocol.close_action(), CloseAction::None);
    driver.pass(Duration::from_secs(1));
    assert_eq!(driver.protocol.close_action(), CloseAction::Abort);
    let late = block_on(connect);
    assert!(matches!(late, Err(ConnectError::Protocol(RecvError::ResponseTimeout))), "{late:?}");
}

#[test]
fn nobody_waits_any_more() {
    // Before the first turn, while the answer is awaited, and when it is there.
    let (mut driver, connect) = begin(|client| client);
    drop(connect);
    driver.turn();
    assert_eq!(driver.protocol.close_action(), CloseAction::Abort);

    let (mut driver, connect) = begin(|client| client);
    driver.turn();
    driver.task.take();
    drop(connect);
    assert!(driver.task.take());
    driver.turn();
    assert_eq!(driver.protocol.close_action(), CloseAction::Abort);

    let (mut driver, connect) = begin(|client| client);
    driver.receive(AGREED);
    driver.task.take();
    driver.peer.clear();
    drop(connect);
    assert!(driver.task.take());
    driver.turn();
    assert_eq!(driver.peer.pop_front(), Some(0x80 | super::CLOSE));
}

#[test]
fn the_end_of_the_connection_is_told_to_who_waits() {
    let (mut driver, connect) = begin(|client| client);
    driver.turn();
    let task = Task::new();
    let mut connect = std::pin::pin!(connect);
    assert!(poll(connect.as_mut(), &task).is_pending());
    drop(driver);
    assert!(task.take());
    assert!(matches!(poll(connect, &task), Poll::Ready(Err(ConnectError::Disconnected))));
}
