//! Readiness of one registered socket, between the loop that hears of it and the task that waits.
//!
//! Invariant: events are edges, so a fact that is forgotten without looking would never be told again. It
//! is therefore forgotten *before* the system call that may find nothing, and told again if that call did
//! not empty (or fill) the socket: an edge in between is kept.
//!
//! The loop keeps a [`Source`] for each socket in one table, and the socket a [`Readiness`] of what it has
//! taken from there: the table is looked at only by who would have to wait.

use std::mem;
use std::task::Waker;

/// A direction of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What may be tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    read: bool,
    write: bool,
    /// The peer has closed or the socket has failed: reading never blocks again.
    read_closed: bool,
}

impl Readiness {
    fn of(event: &mio::event::Event) -> Self {
        let read_closed = event.is_read_closed() || event.is_error();
        Self {
            read: event.is_readable() || read_closed,
            write: event.is_writable() || event.is_write_closed() || event.is_error(),
            read_closed,
        }
    }

    fn add(&mut self, other: Self) {
        self.read |= other.read;
        self.write |= other.write;
        self.read_closed |= other.read_closed;
    }

    /// Whether it is worth a try, which is forgotten with the answer.
    pub(crate) fn take(&mut self, direction: Direction) -> bool {
        match direction {
            Direction::Read => mem::take(&mut self.read),
            Direction::Write => mem::take(&mut self.write),
        }
    }

    pub(crate) fn set(&mut self, direction: Direction) {
        match direction {
            Direction::Read => self.read = true,
            Direction::Write => self.write = true,
        }
    }

    /// Whether reading never blocks again.
    pub(crate) fn is_read_closed(self) -> bool {
        self.read_closed
    }
}

/// A socket, as its loop knows it. Small, because there is one for each connection.
#[derive(Debug)]
pub(crate) struct Source {
    /// Of the task that has the socket; both directions are one task's.
    waker: Option<Waker>,
    /// What was heard and not taken.
    heard: Readiness,
    reads: bool,
    writes: bool,
}

impl Source {
    /// A source that may be ready: the first system call will tell.
    pub(crate) fn new() -> Self {
        let heard = Readiness { read: true, write: true, read_closed: false };
        Self { waker: None, heard, reads: false, writes: false }
    }

    /// What the loop has heard. Returns whom to wake.
    pub(crate) fn notice(&mut self, event: &mio::event::Event) -> Option<Waker> {
        let heard = Readiness::of(event);
        self.heard.add(heard);
        if (heard.read && self.reads) || (heard.write && self.writes) {
            (self.reads, self.writes) = (false, false);
            return self.waker.clone();
        }
        None
    }

    /// Moves what was heard to `readiness`. If that does not do for `direction`, the task is woken when it
    /// does. Returns a waker that is not needed any more.
    pub(crate) fn wait(
        &mut self,
        readiness: &mut Readiness,
        direction: Direction,
        waker: &Waker,
    ) -> Option<Waker> {
        readiness.add(mem::take(&mut self.heard));
        match direction {
            Direction::Read if readiness.read => return None,
            Direction::Write if readiness.write => return None,
            Direction::Read => self.reads = true,
            Direction::Write => self.writes = true,
        }
        if self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return None;
        }
        self.waker.replace(waker.clone())
    }
}
