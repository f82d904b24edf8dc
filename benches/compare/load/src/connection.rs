//! One connection: a batch of requests goes out, its responses come in, then the next batch.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::response::{Judge, Place};

/// A connection, which is not waited for.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Bytes of the batch that are sent.
    sent: usize,
    /// Responses to the batch that are still to come.
    owed: u32,
    /// When the batch was begun.
    begun: Instant,
    place: Place,
    /// The part of a response that has to be given again.
    kept: Vec<u8>,
}

/// What came in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    /// Responses that ended.
    pub responses: u32,
    /// When the batch was begun that ended with them, if it did.
    pub batch: Option<Instant>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            sent: 0,
            owed: 0,
            begun: Instant::now(),
            place: Place::default(),
            kept: Vec::new(),
        })
    }

    /// The socket, to watch it.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Begins a batch, of that many requests.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn begin(&mut self, batch: &[u8], requests: u32, now: Instant) -> io::Result<bool> {
        (self.sent, self.owed, self.begun) = (0, requests, now);
        self.send(batch)
    }

    /// Sends more of the batch, and says whether that was all of it.
    ///
    /// # Errors
    /// What the system says, but that the socket takes no more.
    pub fn send(&mut self, batch: &[u8]) -> io::Result<bool> {
        while self.sent < batch.len() {
            match self.stream.write(&batch[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads once, into `buffer`, which all connections share.
    ///
    /// # Errors
    /// What the system says; that the server closed; that a response is wrong, or that nobody asked for it.
    pub fn receive(&mut self, buffer: &mut [u8], judge: &mut Judge) -> io::Result<Received> {
        let kept = self.kept.len();
        buffer[..kept].copy_from_slice(&self.kept);
        let filled = match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => return Err(io::Error::other("the server closed a connection")),
            Ok(read) => kept + read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Received::default()),
            Err(error) => return Err(error),
        };
        let (done, responses) = judge.read(&mut self.place, &buffer[..filled]).map_err(io::Error::other)?;
        self.kept.clear();
        self.kept.extend_from_slice(&buffer[done..filled]);
        match self.owed.checked_sub(responses) {
            Some(owed) => self.owed = owed,
            None => return Err(io::Error::other("more responses than requests")),
        }
        let ended = responses > 0 && self.owed == 0;
        if ended && !(self.kept.is_empty() && self.place == Place::default()) {
            return Err(io::Error::other("bytes behind the last response"));
        }
        Ok(Received { responses, batch: ended.then_some(self.begun) })
    }
}
