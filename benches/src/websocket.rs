//! WebSocket: masks, messages read and written, and echo in the core alone and through driver and
//! handler over a socket that is a buffer.

use std::hint::black_box;

use sinew_app::{Response, Router, WebSocketUpgrade, get};
use sinew_proto::websocket::{Config, Connection, Event, Message, MessageKind};

use crate::buffer::{NOW, turns};
use crate::workloads::Operation;

/// Messages of one operation.
pub(crate) const BATCH: usize = 32;

/// How much is read at once, and how much is written together.
pub(crate) const BUFFER: usize = 128 * 1024;

/// A text of so many bytes, as applications send it: ASCII.
pub(crate) fn text(size: usize) -> String {
    r#"{"id":4711,"event":"price","text":"ends here"},"#.chars().cycle().take(size).collect()
}

/// `BATCH` times that text, as a client sends it.
pub(crate) fn texts(size: usize) -> Vec<u8> {
    let text = text(size);
    frames(BATCH, |client, out| client.send(Message::Text(&text), out).expect("an open connection"))
}

fn binary(size: usize) -> Vec<u8> {
    (0..size).map(|i| i.to_le_bytes()[0]).collect()
}

/// `BATCH` binary messages of `size` bytes, as a client sends them.
fn batch(size: usize) -> Vec<u8> {
    let payload = binary(size);
    frames(BATCH, |client, out| client.send(Message::Binary(&payload), out).expect("an open connection"))
}

fn client() -> Connection {
    let mut key = 0x37fa_213d_u32;
    let mask = Box::new(move || {
        key = key.rotate_left(7);
        key.to_be_bytes()
    });
    Connection::client(&Config::default(), mask, NOW)
}

fn server() -> Connection {
    Connection::server(&Config::default(), NOW)
}

fn frames(count: usize, mut send: impl FnMut(&mut Connection, &mut Vec<u8>)) -> Vec<u8> {
    let mut client = client();
    let mut out = Vec::new();
    for _ in 0..count {
        send(&mut client, &mut out);
    }
    out
}

/// The mask of one payload, put on and taken off by turns: it is the same.
pub(crate) fn mask(size: usize) -> Operation {
    let fragment = client().fragment(MessageKind::Binary, size as u64, true).expect("an open connection");
    let mut payload = vec![0; size];
    let mut masked = false;
    Box::new(move || {
        let mut fragment = fragment;
        fragment.mask(black_box(&mut payload));
        masked = !masked;
        // No byte of the key is zero. To look at all of them costs more than the mask.
        assert!([payload.first(), payload.last()].iter().all(|byte| (*byte != Some(&0)) == masked));
    })
}

/// Messages of text, from reads of [`BUFFER`] bytes.
pub(crate) fn read(size: usize) -> Operation {
    let wire = texts(size);
    let text = text(size);
    let mut server = server();
    let mut buffer = vec![0; BUFFER];
    Box::new(move || {
        let (mut rest, mut kept, mut messages) = (black_box(&wire[..]), 0, 0);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(buffer.len() - kept));
            rest = after;
            let filled = kept + piece.len();
            buffer[kept..filled].copy_from_slice(piece);
            let mut at = 0;
            loop {
                let step = server.poll(&mut buffer[at..filled], NOW).expect("valid frames");
                at += step.consumed;
                match step.event {
                    Event::Text(received) => {
                        is_text(&received, &text);
                        messages += 1;
                    }
                    Event::NeedInput => break,
                    other => panic!("{other:?}"),
                }
            }
            buffer.copy_within(at..filled, 0);
            kept = filled - at;
        }
        assert_eq!((messages, kept), (BATCH, 0));
    })
}

/// To compare all of a long text would cost as much as to read it.
#[inline]
pub(crate) fn is_text(received: &str, expected: &str) {
    let [received, expected] =
        [received, expected].map(|text| (text.len(), &text.as_bytes()[text.len() - 16..]));
    assert_eq!(received, expected);
}

/// Messages of text to a client. When there are [`BUFFER`] bytes of them they leave.
pub(crate) fn written(size: usize) -> Operation {
    let text = text(size);
    let expected = written_bytes(size).len();
    let mut server = server();
    let mut out = Vec::new();
    Box::new(move || {
        let mut left = 0;
        for _ in 0..BATCH {
            server.send(Message::Text(black_box(&text)), &mut out).expect("an open connection");
            if out.len() >= BUFFER {
                left += black_box(&out).len();
                out.clear();
            }
        }
        left += black_box(&out).len();
        out.clear();
        assert_eq!(left, expected);
    })
}

/// What a server writes for `BATCH` times that text.
pub(crate) fn written_bytes(size: usize) -> Vec<u8> {
    let text = text(size);
    let mut out = Vec::new();
    for _ in 0..BATCH {
        Message::Text(&text).write_plain(&mut out);
    }
    out
}

/// Echo in the core alone.
pub(crate) fn core(size: usize) -> Operation {
    let wire = batch(size);
    let mut server = server();
    let (mut input, mut out) = (Vec::new(), Vec::new());
    Box::new(move || {
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
    })
}

/// Driver, session and handler: each turn of the connection is one read and one write.
pub(crate) fn driver(size: usize) -> Operation {
    let payload = binary(size);
    echo(batch(size), move |event| match event {
        Event::Binary(received) => assert!(*received == payload[..]),
        other => panic!("{other:?}"),
    })
}

/// The same with a text of 64 KiB in each turn, most of it not ASCII.
pub(crate) fn long_text() -> Operation {
    let text: String = "αβγ日本語🦀 and ascii ".chars().cycle().take(33_000).collect();
    let wire = frames(1, |client, out| client.send(Message::Text(&text), out).expect("an open connection"));
    echo(wire, move |event| match event {
        Event::Text(received) => assert!(received == text),
        other => panic!("{other:?}"),
    })
}

/// `check`: of each message that comes back.
fn echo(wire: Vec<u8>, check: impl Fn(Event<'_>)) -> Operation {
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
    let sent = wire.len();
    turns(app, Some(request), wire, |output| {
        let (mut client, mut at, mut messages) = (client(), 0, 0);
        while at < output.len() {
            let step = client.poll(&mut output[at..], NOW).expect("valid frames");
            check(step.event);
            at += step.consumed;
            messages += 1;
        }
        // Nothing is lost but the masks.
        assert_eq!(at, sent - 4 * messages);
    })
}
