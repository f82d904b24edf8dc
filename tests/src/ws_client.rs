//! A WebSocket client: the core's own [`Connection::client`] around a blocking socket.
//!
//! It shows what a handler's peer sees. That the core is right is for other tests to say. Every wait is
//! bounded by [`PATIENCE`]; methods without a `Result` panic, which fails the test.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant as StdInstant};

use sinew_proto::http1::client::{Event as HttpEvent, Request};
use sinew_proto::http1::{BodyPlan, Client};
use sinew_proto::websocket::{ClientHandshake, CloseCode, Config, Connection, Event, Message};
use sinew_proto::{FieldLines, FieldTable, Instant, StatusCode};
use socket2::{Domain, Socket, Type};

use crate::PATIENCE;

/// One connection.
#[derive(Debug)]
pub struct WsClient {
    stream: TcpStream,
    core: Connection,
    /// Read from the socket, not yet looked at.
    input: Vec<u8>,
    epoch: StdInstant,
}

/// What came. Pings are answered and not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// The server has closed: the code, and its reason. The answer is sent.
    Close(CloseCode, String),
}

impl WsClient {
    /// Opens a WebSocket.
    pub fn connect(addr: SocketAddr, target: &str) -> Self {
        Self::over(socket(addr, None), target, &[]).expect("it is refused")
    }

    /// The same with a small buffer in the kernel, so that pressure is felt soon.
    pub fn with_small_buffers(addr: SocketAddr, target: &str) -> Self {
        Self::over(socket(addr, Some(16 * 1024)), target, &[]).expect("it is refused")
    }

    /// Asks for a WebSocket with more fields.
    ///
    /// # Errors
    /// The status of another answer.
    pub fn try_connect(addr: SocketAddr, target: &str, fields: &[(&str, &str)]) -> Result<Self, StatusCode> {
        Self::over(socket(addr, None), target, fields)
    }

    fn over(mut stream: TcpStream, target: &str, fields: &[(&str, &str)]) -> Result<Self, StatusCode> {
        let http = sinew_proto::Config::default();
        let (mut client, mut table) = (Client::new(&http), FieldTable::new(&http));
        let handshake = ClientHandshake::new(*b"the sample nonce");
        let mut lines = FieldLines::new();
        for (name, value) in [("host", "test")].iter().chain(fields) {
            lines.append(name, value).expect("a valid field");
        }
        handshake.write_fields(&mut lines);
        let mut out = Vec::new();
        client.request(&Request::new("GET", target, &lines), BodyPlan::Empty, &mut out).expect("a request");
        stream.write_all(&out).expect("the server takes it");

        let epoch = StdInstant::now();
        let now = Instant::from_nanos(0);
        let mut input = Vec::new();
        loop {
            let step = client.poll(&input, &mut table, now).expect("a valid response");
            let consumed = step.consumed;
            let upgraded = match step.event {
                HttpEvent::Response(response) if response.status() != StatusCode::SWITCHING_PROTOCOLS => {
                    return Err(response.status());
                }
                HttpEvent::Response(response) => {
                    handshake.verify(&response).expect("a valid handshake");
                    false
                }
                HttpEvent::NeedInput => {
                    assert!(fill(&mut stream, &mut input).expect("a response"), "no response");
                    false
                }
                HttpEvent::Upgraded => true,
                other => panic!("{other:?}"),
            };
            input.drain(..consumed);
            if upgraded {
                let core = Connection::client(&Config::default(), Box::new(mask), now);
                return Ok(Self { stream, core, input, epoch });
            }
        }
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn now(&self) -> Instant {
        let nanos = self.epoch.elapsed().as_nanos();
        Instant::from_nanos(u64::try_from(nanos).expect("some years"))
    }

    /// Sends a message.
    pub fn send(&mut self, message: Message<'_>) {
        let mut out = Vec::new();
        self.core.send(message, &mut out).expect("it is open");
        self.stream.write_all(&out).expect("the server takes it");
    }

    /// Sends text.
    pub fn say(&mut self, text: &str) {
        self.send(Message::Text(text));
    }

    /// Sends a close frame without a code. What comes after is received still.
    pub fn close(&mut self) {
        let mut out = Vec::new();
        self.core.close(None, self.now(), &mut out).expect("it is open");
        self.stream.write_all(&out).expect("the server takes it");
    }

    /// What comes next. `None` at the end of the connection.
    pub fn recv(&mut self) -> Option<Incoming> {
        self.try_recv().expect("nothing comes")
    }

    /// The same from a server that may have broken off.
    ///
    /// # Errors
    /// The one of the socket.
    pub fn try_recv(&mut self) -> io::Result<Option<Incoming>> {
        loop {
            let now = self.now();
            let step = self.core.poll(&mut self.input, now).expect("a server that keeps the rules");
            let (consumed, mut more) = (step.consumed, true);
            let incoming = match step.event {
                Event::Text(text) => Some(Incoming::Text(text.into_owned())),
                Event::Binary(bytes) => Some(Incoming::Binary(bytes.into_owned())),
                Event::Close(frame) => Some(match frame {
                    Some(frame) => Incoming::Close(frame.code, frame.reason.to_owned()),
                    None => Incoming::Close(CloseCode::NO_STATUS, String::new()),
                }),
                Event::NeedInput | Event::Closed => {
                    more = false;
                    None
                }
                Event::Ping(_) | Event::Pong(_) | Event::Piece { .. } => None,
            };
            self.input.drain(..consumed);
            let mut out = Vec::new();
            if self.core.write_control(now, &mut out) {
                // A server that has closed need not take it.
                let _ = self.stream.write_all(&out);
            }
            if incoming.is_some() {
                return Ok(incoming);
            }
            if !more && !fill(&mut self.stream, &mut self.input)? {
                return Ok(None);
            }
        }
    }

    /// The next text message.
    pub fn text(&mut self) -> String {
        match self.recv() {
            Some(Incoming::Text(text)) => text,
            other => panic!("no text: {other:?}"),
        }
    }

    /// Nothing comes within that time.
    pub fn quiet(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).expect("a timeout");
        let came = self.try_recv();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let silent = came
            .as_ref()
            .is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
        assert!(silent, "not quiet: {came:?}");
    }
}

fn socket(addr: SocketAddr, buffer: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).expect("a socket");
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes).expect("a small buffer");
    }
    socket.connect_timeout(&addr.into(), PATIENCE).expect("cannot connect");
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("nodelay");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// One read. `false` at the end.
fn fill(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 16 * 1024];
    let n = stream.read(&mut piece)?;
    input.extend_from_slice(&piece[..n]);
    Ok(n > 0)
}

/// Masks for which nobody needs to be unpredictable.
fn mask() -> [u8; 4] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(0x9e37_79b9, Ordering::Relaxed).to_be_bytes()
}
