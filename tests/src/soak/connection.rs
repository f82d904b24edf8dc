//! A connection of a client: requests out, answers in, and whether any of one has come.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::websocket::Frame;

pub(super) struct Connection {
    stream: TcpStream,
    /// Read, and not looked at.
    unread: Vec<u8>,
    /// Before it was asked for.
    pub(super) opened: Instant,
    sent: Instant,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) closes: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// A close before any byte of it, after a request whose first piece was sent then.
    Silently(Instant),
    /// A part of it came, or nothing at all in time.
    Halfway(String),
}

impl Connection {
    pub(super) async fn open(addr: SocketAddr) -> Result<Self, (String, Instant)> {
        let opened = Instant::now();
        let stream = match timeout(PATIENCE, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err((error.to_string(), Instant::now())),
            Err(_) => return Err(("it is not accepted in time".to_owned(), opened)),
        };
        let _ = stream.set_nodelay(true);
        Ok(Self { stream, unread: Vec::new(), opened, sent: opened })
    }

    /// Sends all of it. Returns when its first piece had been sent.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<Instant, ()> {
        self.sent = Instant::now();
        timeout(PATIENCE, self.stream.write_all(bytes)).await.map_err(drop)?.map_err(drop)?;
        self.sent = Instant::now();
        Ok(self.sent)
    }

    pub(super) fn note_sent(&mut self) {
        self.sent = Instant::now();
    }

    /// Sends what is taken at once.
    pub(super) async fn begin(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes).await
    }

    /// A request, of any length, and its answer, which may begin before the request has ended.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Broken> {
        let first = self.stream.write(request).await;
        let sent = Instant::now();
        let Ok(first) = first else { return Err(Broken::Silently(sent)) };
        let rest = &request[first..];
        if rest.is_empty() {
            return self.answer(sent).await;
        }
        let (mut reader, mut writer) = self.stream.split();
        let mut unread = std::mem::take(&mut self.unread);
        let read = read_answer(&mut reader, &mut unread, sent);
        let write = async {
            // If it fails, reading does as well, and says what was heard.
            let _ = writer.write_all(rest).await;
            std::future::pending::<()>().await;
        };
        let answer = tokio::select! {
            answer = read => answer,
            () = write => unreachable!("it goes on for ever"),
        };
        self.unread = unread;
        answer
    }

    /// The answer to what was sent.
    pub(super) async fn answer(&mut self, sent: Instant) -> Result<Answer, Broken> {
        read_answer(&mut self.stream, &mut self.unread, sent).await
    }

    /// The head of an answer.
    pub(super) async fn head(&mut self, sent: Instant) -> Result<String, Broken> {
        let patience = Instant::now() + PATIENCE;
        read_head(&mut self.stream, &mut self.unread, sent, patience).await
    }

    /// The next frame, of at most 64 KiB.
    pub(super) async fn frame(&mut self) -> Result<Frame, String> {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some((frame, len)) = parse_frame(&self.unread) {
                self.unread.drain(..len);
                return Ok(frame);
            }
            fill(&mut self.stream, &mut self.unread, patience).await?;
        }
    }

    /// Ends it with a reset.
    pub(super) fn reset(self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

fn parse_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (start, len) = match second {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        len => (2, usize::from(len)),
    };
    let payload = bytes.get(start..start + len)?.to_vec();
    Some((Frame::new(first & 0x0f, payload), start + len))
}

/// One read.
async fn fill<R: AsyncReadExt + Unpin>(
    reader: &mut R,
    unread: &mut Vec<u8>,
    patience: Instant,
) -> Result<(), String> {
    let left = patience.saturating_duration_since(Instant::now());
    match timeout(left, reader.read_buf(unread)).await {
        Err(_) => Err(format!("nothing in {PATIENCE:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(0)) => Err("an end".to_owned()),
        Ok(Ok(_)) => Ok(()),
    }
}

async fn read_head<R: AsyncReadExt + Unpin>(
    reader: &mut R,
    unread: &mut Vec<u8>,
    sent: Instant,
    patience: Instant,
) -> Result<String, Broken> {
    loop {
        if let Some(end) = unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head: Vec<u8> = unread.drain(..end + 4).collect();
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
        if let Err(what) = fill(reader, unread, patience).await {
            let closed = unread.is_empty() && Instant::now() < patience;
            let halfway = || Broken::Halfway(format!("{what} after {} bytes of a head", unread.len()));
            return Err(if closed { Broken::Silently(sent) } else { halfway() });
        }
    }
}

async fn read_answer<R: AsyncReadExt + Unpin>(
    reader: &mut R,
    unread: &mut Vec<u8>,
    sent: Instant,
) -> Result<Answer, Broken> {
    let patience = Instant::now() + PATIENCE;
    let head = read_head(reader, unread, sent, patience).await?;
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| Broken::Halfway(format!("no status: {head:?}")))?;
    let field = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name));
    let closes = field("connection: ") == Some("close");
    let broken = |what: String| Broken::Halfway(format!("{what} in the body after {head:?}"));
    let mut body = Vec::new();
    if field("transfer-encoding: ") == Some("chunked") {
        loop {
            let size = loop {
                if let Some(end) = unread.windows(2).position(|bytes| bytes == b"\r\n") {
                    let line: Vec<u8> = unread.drain(..end + 2).collect();
                    let digits = String::from_utf8_lossy(&line[..end]).into_owned();
                    break usize::from_str_radix(&digits, 16).map_err(|_| broken(digits))?;
                }
                fill(reader, unread, patience).await.map_err(broken)?;
            };
            while unread.len() < size + 2 {
                fill(reader, unread, patience).await.map_err(broken)?;
            }
            body.extend(unread.drain(..size));
            if unread.drain(..2).ne(*b"\r\n") {
                return Err(broken("a chunk that does not end".to_owned()));
            }
            if size == 0 {
                return Ok(Answer { status, body, closes });
            }
        }
    }
    let length = field("content-length: ").and_then(|length| length.parse::<usize>().ok());
    let length = length.ok_or_else(|| broken("no length".to_owned()))?;
    while unread.len() < length {
        fill(reader, unread, patience).await.map_err(broken)?;
    }
    body.extend(unread.drain(..length));
    Ok(Answer { status, body, closes })
}
