//! A connection of an attempt, and what was heard on it until its end.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, tcp::WriteHalf};
use tokio::time::{Instant, sleep, timeout};

use super::{Complaint, Verdict};
use crate::PATIENCE;
use crate::subject::SHORT;

/// Later than a deadline may be noticed: by a server without optimizations, on a machine that others
/// use, through a client with 2,000 connections.
const SLACK: Duration = Duration::from_secs(5);

/// Who never reads has to be dropped before it was sent this much: buffers of the kernel, and what
/// the server holds.
const MOST_UNREAD: u64 = 8 << 20;

/// Between two pieces of what trickles.
const TRICKLE: Duration = Duration::from_millis(50);

/// What came until the end, and how it ended.
pub(super) struct Heard {
    /// The first bytes.
    pub(super) first: Vec<u8>,
    /// The last ones.
    last: Vec<u8>,
    /// How many there were.
    total: u64,
    reset: bool,
    /// Since the connection was opened.
    took: Duration,
}

pub(super) struct Peer {
    stream: TcpStream,
    /// Read, and not looked at.
    unread: Vec<u8>,
    since: Instant,
}

impl Peer {
    pub(super) async fn connect(addr: SocketAddr) -> Result<Self, Complaint> {
        let socket = TcpSocket::new_v4().map_err(|error| error.to_string())?;
        // Little fits between the two ends, so that who does not read is noticed soon.
        let _ = socket.set_recv_buffer_size(16 * 1024);
        let since = Instant::now();
        let stream = timeout(PATIENCE, socket.connect(addr)).await;
        let stream = stream.map_err(|_| "not accepted")?.map_err(|error| format!("not accepted: {error}"))?;
        let _ = stream.set_nodelay(true);
        Ok(Self { stream, unread: Vec::new(), since })
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Verdict {
        let sent = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        Ok(sent.map_err(|_| "it is not read")?.map_err(|error| format!("not sent: {error}"))?)
    }

    /// Deadlines count from now.
    pub(super) fn restart(&mut self) {
        self.since = Instant::now();
    }

    pub(super) async fn finish(&mut self) -> Verdict {
        Ok(self.stream.shutdown().await.map_err(|error| format!("not half-closed: {error}"))?)
    }

    /// Ends the connection with a reset.
    pub(super) fn reset(self) -> Verdict {
        let linger = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        Ok(linger.map_err(|error| error.to_string())?)
    }

    /// The next bytes of an answer, which are exactly these.
    pub(super) async fn expect(&mut self, expected: &[u8]) -> Verdict {
        while self.unread.len() < expected.len() {
            self.read().await?;
        }
        let bytes: Vec<u8> = self.unread.drain(..expected.len()).collect();
        if bytes == expected { Ok(()) } else { Err(Complaint::Wrong(format!("answered {}", text(&bytes)))) }
    }

    /// A head, up to its empty line.
    pub(super) async fn head(&mut self) -> Result<String, Complaint> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return Ok(text(&self.unread.drain(..end + 4).collect::<Vec<u8>>()));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Verdict {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
        match read.map_err(|_| "no answer")?.map_err(|error| format!("no answer: {error}"))? {
            0 => Err("an end instead of an answer".into()),
            _ => Ok(()),
        }
    }

    /// Reads to the end.
    pub(super) async fn listen(self) -> Result<Heard, Complaint> {
        self.listen_while_sending(&[], Duration::ZERO).await
    }

    /// Reads to the end while a piece is sent now and then.
    pub(super) async fn listen_while_trickling(self, piece: &[u8]) -> Result<Heard, Complaint> {
        self.listen_while_sending(piece, TRICKLE).await
    }

    /// Reads to the end while a piece is sent over and over, with a pause after each.
    pub(super) async fn listen_while_sending(
        mut self,
        piece: &[u8],
        pause: Duration,
    ) -> Result<Heard, Complaint> {
        let since = self.since;
        let unread = std::mem::take(&mut self.unread);
        let (mut reader, writer) = self.stream.split();
        let mut heard =
            Heard { first: Vec::new(), last: Vec::new(), total: 0, reset: false, took: Duration::ZERO };
        heard.take(&unread)?;
        let listen = async {
            let mut bytes = vec![0; 16 * 1024];
            loop {
                match reader.read(&mut bytes).await {
                    Ok(0) => break,
                    Err(_) => {
                        heard.reset = true;
                        break;
                    }
                    Ok(n) => heard.take(&bytes[..n])?,
                }
            }
            Ok::<_, Complaint>(())
        };
        let listened = tokio::select! {
            listened = timeout(PATIENCE, listen) => listened,
            () = repeat(writer, piece, pause) => unreachable!("it goes on for ever"),
        };
        listened.map_err(|_| "the server never ends it")??;
        heard.took = since.elapsed();
        Ok(heard)
    }

    /// Sends a piece over and over and reads nothing: the server has to drop the connection.
    pub(super) async fn send_until_dropped(mut self, piece: &[u8]) -> Verdict {
        let mut sent = 0;
        let send = async {
            while self.stream.write_all(piece).await.is_ok() {
                sent += piece.len();
                // Others need the thread as well.
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(SHORT + SLACK, send).await.map_err(|_| format!("not dropped after {sent} bytes"))?;
        Ok(())
    }

    /// Reads nothing until the write deadline has passed for sure, and then looks at what is there.
    pub(super) async fn neglect(mut self) -> Result<Heard, Complaint> {
        sleep(SHORT * 5).await;
        self.restart();
        self.listen().await
    }
}

/// Sends until the server takes no more, and then waits for ever.
async fn repeat(mut writer: WriteHalf<'_>, piece: &[u8], pause: Duration) {
    if !piece.is_empty() {
        while writer.write_all(piece).await.is_ok() {
            sleep(pause.max(Duration::from_millis(1))).await;
        }
    }
    std::future::pending::<()>().await;
}

impl Heard {
    fn take(&mut self, bytes: &[u8]) -> Verdict {
        const KEPT: usize = 512;
        let room = KEPT - self.first.len();
        self.first.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.last.extend_from_slice(bytes);
        self.last.drain(..self.last.len().saturating_sub(KEPT));
        self.total += bytes.len() as u64;
        if self.total > MOST_UNREAD {
            Err(Complaint::Wrong(format!("{} bytes came, and more", self.total)))
        } else {
            Ok(())
        }
    }

    /// One answer of that status that says that the connection ends, and then the end.
    pub(super) fn refused(self, status: u16) -> Verdict {
        let answer = text(&self.first);
        let answered = answer.starts_with(&format!("HTTP/1.1 {status} "))
            && answer.contains("connection: close\r\n")
            && answer.matches("HTTP/1.1 ").count() == 1;
        if answered && !self.reset {
            Ok(())
        } else {
            Err(Complaint::Wrong(format!("not {status}: {self:?}")))
        }
    }

    /// An answer of that status before the body had come, and then the end.
    pub(super) fn answered_or_late(self, status: u16) -> Verdict {
        if self.first.starts_with(format!("HTTP/1.1 {status} ").as_bytes()) && !self.reset {
            return Ok(());
        }
        self.refused_or_late(status)
    }

    /// The same as [`refused`](Self::refused) of what was sent without end. What did not arrive in time is refused for that.
    pub(super) fn refused_or_late(self, status: u16) -> Verdict {
        if self.first.starts_with(b"HTTP/1.1 408 ") && self.took >= SHORT {
            self.refused(408)?;
            return Err(Complaint::Late);
        }
        self.refused(status)
    }

    /// The same as [`refused`](Self::refused), not before a deadline and soon after it.
    pub(super) fn refused_in_time(self, status: u16) -> Verdict {
        self.in_time()?.refused(status)
    }

    /// Nothing came but the end.
    pub(super) fn nothing(self) -> Verdict {
        if self.total == 0 && !self.reset {
            Ok(())
        } else {
            Err(Complaint::Wrong(format!("more than an end: {self:?}")))
        }
    }

    /// The end came not before a deadline, and soon after it.
    pub(super) fn in_time(self) -> Result<Self, Complaint> {
        if self.took >= SHORT && self.took < SHORT + SLACK {
            Ok(self)
        } else {
            Err(Complaint::Wrong(format!("not in time: {self:?}")))
        }
    }

    /// A body was broken off, not ended.
    pub(super) fn broken_off(&self) -> Verdict {
        let ended = self.last.ends_with(b"\r\n0\r\n\r\n");
        if self.first.starts_with(b"HTTP/1.1 200 ") && !ended {
            Ok(())
        } else {
            Err(Complaint::Wrong(format!("not broken off: {self:?}")))
        }
    }

    /// What stands in the end.
    pub(super) fn ends_with(&self, bytes: &[u8]) -> bool {
        self.last.ends_with(bytes) && !self.reset
    }

    /// The bytes in the middle of which an end may come: any, or none.
    pub(super) fn dropped(self) -> Verdict {
        if self.took < SLACK { Ok(()) } else { Err(Complaint::Wrong(format!("dropped late: {self:?}"))) }
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = if self.reset { "reset" } else { "end" };
        let first = text(&self.first[..self.first.len().min(80)]);
        write!(f, "{} bytes, {first:?}.., {end} after {:?}", self.total, self.took)
    }
}
