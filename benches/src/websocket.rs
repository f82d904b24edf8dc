//! WebSocket echo: in the core alone, and through driver and handler over a socket that is a buffer.

use std::hint::black_box;

use sinew_app::{Response, Router, WebSocketUpgrade, get};
use sinew_proto::websocket::{Config, Connection, Event, Message};

use crate::buffer::{NOW, turns};

/// Messages of one read.
pub(crate) const BATCH: usize = 32;

/// `BATCH` binary messages of `size` bytes, as a client sends them.
fn batch(size: usize) -> Vec<u8> {
    frames(BATCH, |client, out| {
        let payload: Vec<u8> = (0..size).map(|i| i.to_le_bytes()[0]).collect();
        client.send(Message::Binary(&payload), out).expect("an open connection");
    })
}

/// One text message of 64 KiB, most of it not ASCII.
fn text() -> Vec<u8> {
    let text: String = "αβγ日本語🦀 and ascii ".chars().cycle().take(33_000).collect();
    frames(1, |client, out| client.send(Message::Text(&text), out).expect("an open connection"))
}

fn frames(count: usize, mut send: impl FnMut(&mut Connection, &mut Vec<u8>)) -> Vec<u8> {
    let mut key = 0x37fa_213d_u32;
    let mask = Box::new(move || {
        key = key.rotate_left(7);
        key.to_be_bytes()
    });
    let mut client = Connection::client(&Config::default(), mask, NOW);
    let mut out = Vec::new();
    for _ in 0..count {
        send(&mut client, &mut out);
    }
    out
}

/// The core alone.
pub(crate) fn core(size: usize, times: u32) {
    let wire = batch(size);
    let mut server = Connection::server(&Config::default(), NOW);
    let (mut input, mut out) = (Vec::new(), Vec::new());
    for _ in 0..times {
        input.clear();
        input.extend_from_slice(&wire);
        out.clear();
        let (mut at, mut messages) = (0, 0);
        loop {
            let step = server.poll(&mut input[at..], NOW).expect("valid frames");
            at += step.consumed;
            match step.event {
                Event::Binary(payload) => {
                    messages += 1;
                    server.send(Message::Binary(&payload), &mut out).expect("an open connection");
                }
                Event::NeedInput => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((messages, black_box(&out).len()), (BATCH, wire.len() - 4 * BATCH));
    }
}

/// Driver, session and handler: each turn of the connection is one read and one write.
pub(crate) fn driver(size: usize, times: u32) {
    echo(batch(size), 4 * BATCH, times);
}

/// The same with a long text in each turn.
pub(crate) fn long_text(times: u32) {
    echo(text(), 4, times);
}

/// `masks`: the bytes of the wire that do not come back.
fn echo(wire: Vec<u8>, masks: usize, times: u32) {
    async fn handler(ws: WebSocketUpgrade) -> Response {
        ws.on_upgrade(|mut socket| async move {
            while let Ok(Some(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        })
    }
    let app = Router::new().route("/", get(handler));
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let expected = wire.len() - masks;
    turns(app, Some(request), wire, expected, times);
}
