//! Clients that break the rules of WebSocket: each is told the code, and so is the handler.

use std::sync::mpsc;
use std::time::Duration;

use sinew_app::websocket::{CloseCode, Config, ProtocolError};
use sinew_app::{Router, WebSocket, WebSocketError};
use sinew_tests::websocket::{BINARY, CLOSE, CONTINUATION, Frame, PING, Socket, TEXT};
use sinew_tests::{Adapter, PATIENCE};

use crate::websocket::{app_with, far};

type End = (Option<WebSocketError>, usize);

/// Tells with which error it has ended, after how many messages.
fn told(config: Config) -> (Router, mpsc::Receiver<End>) {
    let (end, ended) = mpsc::channel();
    let routes = app_with(
        move |ws| ws.config(config),
        move |mut socket: WebSocket| {
            let end = end.clone();
            async move {
                let mut messages = 0;
                let error = loop {
                    match socket.recv().await {
                        Ok(Some(_)) => messages += 1,
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                };
                assert_eq!(socket.recv().await, Ok(None), "the error is told once");
                assert_eq!(socket.send("late").await.err(), error);
                end.send((error, messages)).expect("the test waits");
            }
        },
    );
    (routes, ended)
}

/// Frames that break a rule, behind one message that breaks none.
fn broken() -> Vec<(ProtocolError, Vec<u8>)> {
    let unfinished = |opcode| Frame::new(opcode, "part").unfinished().masked();
    let reserved = |bits: u8| {
        let mut bytes = Frame::text("hello").masked();
        bytes[0] |= bits;
        bytes
    };
    // Lengths that could be shorter; a payload of more than a server is willing to take.
    let length = |bytes: &[u8]| [&[0x82][..], bytes, &[0; 4]].concat();
    vec![
        (ProtocolError::NotMasked, Frame::text("hello").unmasked()),
        (ProtocolError::NotMasked, Frame::new(PING, "").unmasked()),
        (ProtocolError::InvalidUtf8, Frame::new(TEXT, [b'a', 0xff]).masked()),
        (ProtocolError::InvalidUtf8, Frame::new(TEXT, [0xed, 0xa0, 0x80]).masked()),
        // Seen before the message is complete.
        (ProtocolError::InvalidUtf8, Frame::new(TEXT, [b'a', 0xff]).unfinished().masked()),
        // Cut inside of a character at the end of all.
        (ProtocolError::InvalidUtf8, Frame::new(TEXT, [0xe2, 0x82]).masked()),
        (ProtocolError::ReservedBits, reserved(0x40)),
        (ProtocolError::ReservedBits, reserved(0x20)),
        (ProtocolError::ReservedBits, reserved(0x10)),
        (ProtocolError::ReservedOpcode, Frame::new(0x3, "").masked()),
        (ProtocolError::ReservedOpcode, Frame::new(0xb, "").masked()),
        (ProtocolError::FragmentedControl, Frame::new(PING, "").unfinished().masked()),
        (ProtocolError::ControlTooLong, Frame::new(PING, "x".repeat(126)).masked()),
        (ProtocolError::InvalidLength, length(&[0xfe, 0, 125])),
        (ProtocolError::InvalidLength, length(&[0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff])),
        (ProtocolError::InvalidLength, length(&[0xff, 0x80, 0, 0, 0, 0, 1, 0, 0])),
        (ProtocolError::UnexpectedContinuation, Frame::new(CONTINUATION, "").masked()),
        (ProtocolError::ExpectedContinuation, [unfinished(TEXT), Frame::text("").masked()].concat()),
        (ProtocolError::InvalidClosePayload, Frame::new(CLOSE, "x").masked()),
        (ProtocolError::InvalidCloseCode, Frame::close(1005, "").masked()),
        (ProtocolError::InvalidCloseCode, Frame::close(999, "").masked()),
        (ProtocolError::InvalidCloseReason, Frame::new(CLOSE, [3, 232, 0xff]).masked()),
        // Known from the header: no byte of the payload is needed.
        (ProtocolError::FrameTooLarge, length(&[0xff, 0, 0, 0, 0, 0x40, 0, 0, 0])),
        (ProtocolError::FrameTooLarge, length(&[0xff, 0, 0, 0, 0, 0, 0x10, 0, 1])),
        (
            ProtocolError::MessageTooLarge,
            [
                Frame::binary(vec![0; 1 << 19]).unfinished().masked(),
                vec![0x80, 0xff, 0, 0, 0, 0, 0, 8, 0, 1, 0, 0, 0, 0],
            ]
            .concat(),
        ),
        (
            ProtocolError::TooManyFragments,
            [unfinished(BINARY), Frame::new(CONTINUATION, "").unfinished().masked().repeat(4096)].concat(),
        ),
    ]
}

pub(crate) fn broken_rules_are_told<A: Adapter>() {
    let (routes, ended) = told(far());
    let server = A::start(routes);
    for (error, bytes) in broken() {
        for split in [false, true] {
            let mut socket = Socket::open(server.addr(), "/");
            if split && bytes.len() < 1_000 {
                let stream = [Frame::text("valid").masked(), bytes.clone()].concat();
                // From the first wrong byte on it may be told.
                let _ = stream.chunks(1).try_for_each(|piece| socket.client().try_send(piece));
            } else {
                socket.client().send([Frame::text("valid").masked(), bytes.clone()].concat());
            }
            let reason = socket.closed(error.close_code().as_u16());
            assert_eq!(reason, error.message());
            let told = ended.recv_timeout(PATIENCE).expect("the handler is told");
            assert_eq!(told, (Some(error.into()), 1), "split: {split}");
        }
    }
}

pub(crate) fn codes_of_the_standard<A: Adapter>() {
    let (routes, ended) = told(far());
    let server = A::start(routes);
    let cases = [
        (1002, Frame::text("").unmasked()),
        (1007, Frame::new(TEXT, [0xff]).masked()),
        (1009, vec![0x82, 0xff, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (code, bytes) in cases {
        let mut socket = Socket::open(server.addr(), "/");
        socket.client().send(bytes);
        socket.closed(code);
        let (error, _) = ended.recv_timeout(PATIENCE).unwrap();
        assert!(
            matches!(error, Some(WebSocketError::Protocol(error)) if error.close_code() == CloseCode::new(code))
        );
    }
}

pub(crate) fn what_follows_an_error_is_thrown_away<A: Adapter>() {
    // A client that sends a message of many megabytes before it looks at the answer gets to see it.
    let config = Config { max_message_bytes: 1000, max_frame_bytes: 1000, ..far() };
    let (routes, ended) = told(config);
    let server = A::start(routes);
    let mut socket = Socket::open(server.addr(), "/");
    socket.send(&Frame::binary(vec![b'x'; 64 << 20]));
    socket.closed(1009);
    let told = ended.recv_timeout(PATIENCE).expect("the handler is told");
    assert_eq!(told, (Some(ProtocolError::FrameTooLarge.into()), 0));
}

pub(crate) fn a_broken_peer_has_no_more_time_than_another<A: Adapter>() {
    // It does not end the connection, after it was told.
    let close_timeout = Duration::from_millis(300);
    let (routes, _ended) = told(Config { close_timeout, ..far() });
    let server = A::start(routes);
    let mut socket = Socket::open(server.addr(), "/");
    socket.client().send(Frame::text("").unmasked());
    socket.expect_close(1002);
    let start = std::time::Instant::now();
    // It sends on and on; the server throws that away, until it has had enough.
    while socket.client().try_send(Frame::text("more").masked()).is_ok() {
        assert!(start.elapsed() < PATIENCE, "it goes on for ever");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(start.elapsed() + Duration::from_millis(100) >= close_timeout, "{:?}", start.elapsed());
}
