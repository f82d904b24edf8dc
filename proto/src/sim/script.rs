//! Bytes written by hand, played at given times.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Peer, Read, Socket, Write};
use crate::Instant;

/// A peer that plays a script and keeps what it receives: a hostile client, or an answer that no
/// server would give. It is done when the script is over and the other end has closed.
///
/// ```
/// use core::time::Duration;
/// use sinew_proto::sim::Script;
/// // A request that trickles in.
/// let mut slow = Script::new();
/// for byte in b"GET / HTTP/1.1\r\n" {
///     slow = slow.bytes(&[*byte]).pause(Duration::from_secs(1));
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: VecDeque<Step>,
    resumes: Option<Instant>,
    received: Vec<u8>,
    ended: Option<Read>,
    deaf: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    Pause(Duration),
    Finish,
    Reset,
}

impl Script {
    /// A script without steps: it only reads.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends these bytes.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.steps.push_back(Step::Bytes(bytes.to_vec()));
        self
    }

    /// Waits.
    pub fn pause(mut self, time: Duration) -> Self {
        self.steps.push_back(Step::Pause(time));
        self
    }

    /// Ends its output.
    pub fn finish(mut self) -> Self {
        self.steps.push_back(Step::Finish);
        self
    }

    /// Breaks the connection.
    pub fn reset(mut self) -> Self {
        self.steps.push_back(Step::Reset);
        self
    }

    /// Never reads.
    pub fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// What was received so far.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// How the other end closed, once it has: [`Read::End`] or [`Read::Reset`].
    pub fn closed_by(&self) -> Option<Read> {
        self.ended
    }
}

impl Peer for Script {
    fn turn(&mut self, socket: &mut Socket<'_>) {
        let now = socket.now();
        while let Some(step) = self.steps.front_mut() {
            match step {
                Step::Bytes(bytes) => match socket.write(bytes) {
                    Write::Taken(len) => drop(bytes.drain(..len)),
                    Write::Reset => bytes.clear(),
                    Write::Blocked => break,
                },
                Step::Pause(time) => {
                    if *self.resumes.get_or_insert(now.saturating_add(*time)) > now {
                        break;
                    }
                    self.resumes = None;
                }
                Step::Finish => socket.finish(),
                Step::Reset => {
                    socket.reset();
                    self.ended = Some(Read::Reset);
                }
            }
            if !matches!(self.steps.front(), Some(Step::Bytes(bytes)) if !bytes.is_empty()) {
                self.steps.pop_front();
            }
        }
        let mut buffer = [0; 1024];
        while self.ended.is_none() && !self.deaf {
            match socket.read(&mut buffer) {
                Read::Bytes(len) => self.received.extend_from_slice(buffer.get(..len).unwrap_or_default()),
                Read::Blocked => break,
                closed => self.ended = Some(closed),
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.resumes
    }

    fn is_done(&self) -> bool {
        self.steps.is_empty() && (self.ended.is_some() || self.deaf)
    }
}
