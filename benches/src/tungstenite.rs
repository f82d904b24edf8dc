//! What tungstenite makes of the same messages, over a stream in memory.

use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};

use ::tungstenite::protocol::{Role, WebSocketConfig};
use ::tungstenite::{Message, WebSocket};

use crate::websocket::{BATCH, BUFFER, is_text, text, texts, written_bytes};
use crate::workloads::Operation;

/// Gives what there is, takes everything.
struct Memory {
    wire: Vec<u8>,
    at: usize,
    written: usize,
    /// Where what is written stays, if it has to be looked at.
    bytes: Option<Vec<u8>>,
}

impl Read for Memory {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.wire[self.at..];
        if rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

impl Write for Memory {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.written += black_box(buf).len();
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(buf);
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn server(wire: Vec<u8>) -> WebSocket<Memory> {
    let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    let memory = Memory { wire, at: 0, written: 0, bytes: None };
    WebSocket::from_raw_socket(memory, Role::Server, Some(config))
}

/// Messages of text, from reads of [`BUFFER`] bytes.
pub(crate) fn read(size: usize) -> Operation {
    let text = text(size);
    let mut server = server(texts(size));
    Box::new(move || {
        server.get_mut().at = 0;
        for _ in 0..BATCH {
            match server.read().expect("valid frames") {
                Message::Text(received) => is_text(&received, &text),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(server.get_ref().at, server.get_ref().wire.len());
    })
}

/// Messages of text to a client. When there are [`BUFFER`] bytes of them they leave.
pub(crate) fn written(size: usize) -> Operation {
    let expected = written_bytes(size);
    let message = Message::text(text(size));
    let mut server = server(Vec::new());
    let mut write = move |keep: bool| {
        server.get_mut().written = 0;
        server.get_mut().bytes = keep.then(Vec::new);
        for _ in 0..BATCH {
            server.write(black_box(&message).clone()).expect("an open connection");
        }
        server.flush().expect("a stream that takes everything");
        (server.get_ref().written, server.get_mut().bytes.take())
    };
    // The same bytes as ours, to the last.
    assert!(write(true).1.as_deref() == Some(&expected[..]));
    Box::new(move || assert_eq!(write(false).0, expected.len()))
}
