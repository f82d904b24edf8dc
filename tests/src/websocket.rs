//! A WebSocket client that sends the frames it is told to, and reads those of a server (RFC 6455 §5).
//!
//! [`WsClient`](crate::ws_client::WsClient) is the core's own client; this one knows nothing of it, and
//! says what no client should. Waits and panics as [`raw`](crate::raw) does.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::raw::{Client, Response};

/// Opcodes (RFC 6455 §5.2).
pub const CONTINUATION: u8 = 0x0;
/// A text message.
pub const TEXT: u8 = 0x1;
/// A binary message.
pub const BINARY: u8 = 0x2;
/// The connection closes.
pub const CLOSE: u8 = 0x8;
/// Are you there?
pub const PING: u8 = 0x9;
/// I am.
pub const PONG: u8 = 0xa;

/// The key of every handshake here, and the answer to it (RFC 6455 §1.3).
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// See [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A length in the next two bytes, or in the next eight.
const LEN_16: u8 = 0x7e;
const LEN_64: u8 = 0x7f;

/// One that shows wrong turns: four different bytes.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame, unmasked.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// The first reserved bit: the message is compressed (RFC 7692 §6).
    pub compressed: bool,
    /// Four bits.
    pub opcode: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame that is a message by itself, or a control frame.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin: true, compressed: false, opcode, payload: payload.into() }
    }

    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(TEXT, text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(BINARY, bytes)
    }

    /// A close frame.
    pub fn close(code: u16, reason: &str) -> Self {
        Self::new(CLOSE, [&code.to_be_bytes()[..], reason.as_bytes()].concat())
    }

    /// The same, to be followed by others of its message.
    pub fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    /// Code and reason of a close frame.
    pub fn close_reason(&self) -> (u16, &str) {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        let (code, reason) = self.payload.split_first_chunk().expect("a close frame with a code");
        (u16::from_be_bytes(*code), std::str::from_utf8(reason).expect("a reason in UTF-8"))
    }

    /// The bytes that a client sends.
    pub fn masked(&self) -> Vec<u8> {
        let masked = self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key);
        self.header(0x80).into_iter().chain(MASK).chain(masked).collect()
    }

    /// The bytes that a server sends, and a client must not.
    pub fn unmasked(&self) -> Vec<u8> {
        self.header(0).into_iter().chain(self.payload.iter().copied()).collect()
    }

    fn header(&self, masked: u8) -> Vec<u8> {
        let first = u8::from(self.fin) << 7 | u8::from(self.compressed) << 6 | self.opcode;
        let len = self.payload.len();
        let mut header = vec![first];
        match (u8::try_from(len), u16::try_from(len)) {
            (Ok(len @ ..=125), _) => header.push(masked | len),
            (_, Ok(len)) => {
                header.push(masked | LEN_16);
                header.extend(len.to_be_bytes());
            }
            _ => {
                header.push(masked | LEN_64);
                header.extend((len as u64).to_be_bytes());
            }
        }
        header
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(self.payload.get(..200).unwrap_or(&self.payload));
        write!(f, "Frame({:#x}, fin {}, rsv1 {}, ", self.opcode, self.fin, self.compressed)?;
        write!(f, "{} bytes: {shown:?})", self.payload.len())
    }
}

/// The request for a WebSocket at `path`, with more field lines.
pub fn handshake(path: &str, fields: &[(&str, &str)]) -> String {
    let more: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{}\r\n",
        more.concat()
    )
}

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket(Client);

impl Socket {
    /// Opens one at `path`.
    pub fn open(addr: SocketAddr, path: &str) -> Self {
        Self::open_on(Client::connect(addr), path)
    }

    /// Opens one on a connection.
    pub fn open_on(client: Client, path: &str) -> Self {
        Self::open_with(client, path, &[]).0
    }

    /// Opens one with more field lines. Returns the response, too.
    pub fn open_with(mut client: Client, path: &str, fields: &[(&str, &str)]) -> (Self, Response) {
        client.send(handshake(path, fields));
        let response = client.head();
        let socket = Self::after(client, &response);
        (socket, response)
    }

    /// What a connection has become with that response.
    pub fn after(client: Client, response: &Response) -> Self {
        assert_eq!(response.status, 101, "{response:?}");
        assert_eq!(response.field("sec-websocket-accept"), Some(ACCEPT));
        assert!(response.field("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")));
        assert!(response.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
        Self(client)
    }

    /// The connection below.
    pub fn client(&mut self) -> &mut Client {
        &mut self.0
    }

    /// The connection below, and nothing else.
    pub fn into_client(self) -> Client {
        self.0
    }

    /// Sends a frame.
    pub fn send(&mut self, frame: &Frame) {
        self.0.send(frame.masked());
    }

    /// Sends frames in one write.
    pub fn send_all<'f>(&mut self, frames: impl IntoIterator<Item = &'f Frame>) {
        let bytes: Vec<u8> = frames.into_iter().flat_map(Frame::masked).collect();
        self.0.send(bytes);
    }

    /// The next frame, whatever it is.
    pub fn frame(&mut self) -> Frame {
        self.try_frame().expect("no frame")
    }

    /// The same, from a server that may be gone.
    ///
    /// # Errors
    /// The one of the socket; `UnexpectedEof` at the end.
    pub fn try_frame(&mut self) -> io::Result<Frame> {
        let start = self.0.exactly(2)?;
        let (first, second) = (start[0], start[1]);
        assert_eq!(first & 0x30, 0, "a reserved bit");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let len = match second {
            LEN_16 => self.0.exactly(2)?.into_iter().fold(0, |len, byte| len << 8 | usize::from(byte)),
            LEN_64 => self.0.exactly(8)?.into_iter().fold(0, |len, byte| len << 8 | usize::from(byte)),
            len => usize::from(len),
        };
        assert!(second != LEN_16 || len > 125, "not the shortest form");
        assert!(second != LEN_64 || len > 0xffff, "not the shortest form");
        let payload = self.0.exactly(len)?;
        Ok(Frame { fin: first & 0x80 != 0, compressed: first & 0x40 != 0, opcode: first & 0x0f, payload })
    }

    /// The next frame is this one.
    pub fn expect(&mut self, frame: &Frame) {
        let next = self.frame();
        assert!(next == *frame, "{next:?} instead of {frame:?}");
    }

    /// The next frame closes, with that code. Returns the reason.
    pub fn expect_close(&mut self, code: u16) -> String {
        let frame = self.frame();
        let (told, reason) = frame.close_reason();
        assert_eq!(told, code, "{reason}");
        reason.to_owned()
    }

    /// The server has closed with that code: answers, and the connection ends.
    pub fn closed(mut self, code: u16) -> String {
        let reason = self.expect_close(code);
        self.send(&Frame::close(code, ""));
        self.0.end();
        reason
    }

    /// Closes, and the server answers and ends the connection.
    pub fn close(mut self) {
        self.send(&Frame::close(1000, "done"));
        self.expect_close(1000);
        self.0.end();
    }

    /// Nothing comes within that time.
    pub fn quiet(&mut self, time: Duration) {
        self.0.quiet(time);
    }

    /// Writes frames like that one until the server has taken none for a second. Returns how many
    /// bytes it took.
    pub fn send_until_stuck(&mut self, frame: &Frame) -> usize {
        let bytes = frame.masked();
        let frames = bytes.repeat((64 * 1024 / bytes.len()).max(1));
        self.0.write_until_stuck(&frames)
    }
}
