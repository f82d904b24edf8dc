//! A client that sends the bytes it is told to, and reads what a server answers (RFC 9112 §6.3).
//!
//! Every wait is bounded by [`PATIENCE`]. Methods without a `Result` panic, which fails the test.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::PATIENCE;

/// Pause between pieces that should arrive one by one.
const PIECE_PAUSE: Duration = Duration::from_millis(1);

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// Read from the socket, not yet looked at.
    buffer: Vec<u8>,
}

/// A response. Of its body only what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `HTTP/1.1`, nothing else.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// The field lines as received, in order.
    pub fields: Vec<(String, String)>,
    /// The content, without its framing.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the one field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "more than one {name}: {:?}", self.fields);
        first
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is not UTF-8")
    }

    /// Whether the server says that it closes.
    pub fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

impl Client {
    /// Connects.
    pub fn connect(addr: SocketAddr) -> Self {
        Self::new(TcpStream::connect_timeout(&addr, PATIENCE).expect("cannot connect"))
    }

    /// Connects with small buffers in the kernel, so that pressure is felt soon.
    pub fn with_small_buffers(addr: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(64 * 1024).expect("a small buffer");
        socket.set_send_buffer_size(64 * 1024).expect("a small buffer");
        socket.connect_timeout(&addr.into(), PATIENCE).expect("cannot connect");
        Self::new(socket.into())
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, buffer: Vec::new() }
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server does not take it");
    }

    /// The same, to a server that may have closed.
    ///
    /// # Errors
    /// The one of the socket.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends pieces that arrive one after another, as far as that can be had.
    pub fn send_pieces<'p>(&mut self, pieces: impl IntoIterator<Item = &'p [u8]>) {
        for (i, piece) in pieces.into_iter().enumerate() {
            if i > 0 {
                thread::sleep(PIECE_PAUSE);
            }
            self.send(piece);
        }
    }

    /// Writes zeros until the server has taken none for a second. Returns how many it took.
    pub fn send_until_stuck(&mut self) -> usize {
        self.write_until_stuck(&[0; 16 * 1024])
    }

    /// The same with `bytes` over and over again. The last time they may be cut anywhere.
    pub(crate) fn write_until_stuck(&mut self, bytes: &[u8]) -> usize {
        self.stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a timeout");
        let mut total = 0;
        let stuck = loop {
            match self.stream.write(&bytes[total % bytes.len()..]) {
                Ok(n) => total += n,
                Err(error) => break error,
            }
        };
        assert!(is_timeout(&stuck), "{stuck}");
        self.stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        total
    }

    /// Ends the sending side.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the server is gone");
    }

    /// Breaks the connection off: the server gets a reset.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("linger");
    }

    /// The next response, to anything but HEAD.
    pub fn response(&mut self) -> Response {
        self.try_response().expect("no response")
    }

    /// The same, from a server that may have broken off.
    ///
    /// # Errors
    /// The one of the socket; `UnexpectedEof` if the response ends before its end.
    pub fn try_response(&mut self) -> io::Result<Response> {
        let mut response = self.try_head()?;
        if response.status < 200 || matches!(response.status, 204 | 304) {
            return Ok(response);
        }
        let length = response.field("content-length").map(str::to_owned);
        match (response.field("transfer-encoding"), length) {
            (Some("chunked"), None) => loop {
                let chunk = self.try_chunk()?;
                if chunk.is_empty() {
                    break;
                }
                response.body.extend_from_slice(&chunk);
            },
            (None, Some(length)) => response.body = self.exactly(length.parse().expect("a length"))?,
            (None, None) => {
                while self.fill()? {}
                response.body = std::mem::take(&mut self.buffer);
            }
            other => panic!("framing nobody understands: {other:?}"),
        }
        Ok(response)
    }

    /// The head of the next response: all there is of an interim one and of one to HEAD.
    pub fn head(&mut self) -> Response {
        self.try_head().expect("no head")
    }

    fn try_head(&mut self) -> io::Result<Response> {
        let line = self.line()?;
        let (version, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no status line: {line:?}"));
        assert_eq!(version, "HTTP/1.1", "of {line:?}");
        let (status, reason) = rest.split_once(' ').unwrap_or_else(|| panic!("no reason: {line:?}"));
        assert!(!reason.is_empty(), "no reason: {line:?}");
        let mut response = Response {
            version: version.to_owned(),
            status: status.parse().expect("a status"),
            fields: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(response);
            }
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?}"));
            response.fields.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The next chunk of a chunked body; the last one is empty.
    pub fn chunk(&mut self) -> Vec<u8> {
        self.try_chunk().expect("no chunk")
    }

    fn try_chunk(&mut self) -> io::Result<Vec<u8>> {
        let size = self.line()?;
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("no chunk size: {size:?}"));
        let data = self.exactly(size)?;
        assert_eq!(self.line()?, "", "after a chunk");
        Ok(data)
    }

    /// What was read from the socket and not looked at yet.
    pub fn buffered(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// What has come, at least a byte.
    pub fn some(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            self.need_more().expect("nothing comes");
        }
        std::mem::take(&mut self.buffer)
    }

    /// Everything up to the end, and the error if it is no proper one.
    pub fn rest(&mut self) -> (Vec<u8>, Option<io::Error>) {
        let error = loop {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => break None,
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = &error {
            assert!(!is_timeout(error), "it does not end");
        }
        (std::mem::take(&mut self.buffer), error)
    }

    /// The connection ends here: nothing more comes, and the end is no reset.
    pub fn end(&mut self) {
        let (rest, error) = self.rest();
        assert!(rest.is_empty(), "more than expected: {:?}", String::from_utf8_lossy(&rest));
        assert!(error.is_none(), "not a proper end: {error:?}");
    }

    /// Nothing comes within that time.
    pub fn quiet(&mut self, time: Duration) {
        assert!(self.buffer.is_empty(), "more than expected: {:?}", String::from_utf8_lossy(&self.buffer));
        self.stream.set_read_timeout(Some(time)).expect("a timeout");
        let filled = self.fill();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        assert!(
            filled.as_ref().is_err_and(is_timeout),
            "not quiet: {filled:?}, {:?}",
            String::from_utf8_lossy(&self.buffer)
        );
    }

    /// A line without its CRLF.
    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.drain(..at + 2).take(at).collect();
                return String::from_utf8(line).map_err(io::Error::other);
            }
            self.need_more()?;
        }
    }

    /// The next `count` bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.need_more()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn need_more(&mut self) -> io::Result<()> {
        if self.fill()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// One read. `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 * 1024];
        let n = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..n]);
        Ok(n > 0)
    }
}

/// What the socket says when its own timeout has passed.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Sends one request on a connection of its own and returns the response.
pub fn request(addr: SocketAddr, bytes: impl AsRef<[u8]>) -> Response {
    let mut client = Client::connect(addr);
    client.send(bytes);
    client.response()
}

/// `GET path` of HTTP/1.1.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// `POST path` with a body of known length.
pub fn post(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// `POST path` with a chunked body.
pub fn post_chunked<'c>(path: &str, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut bytes =
        format!("POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in chunks {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}
