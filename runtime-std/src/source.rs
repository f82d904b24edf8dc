//! Readiness of one registered socket, between the loop that hears of it and the task that waits.
//!
//! Invariant: events are edges, so a bit that is cleared without looking would never be set again. A
//! bit is therefore cleared *before* the system call that may find nothing, and set again if that
//! call did not empty (or fill) the socket: an edge in between is kept.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A direction of a socket, as a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read = 1,
    Write = 2,
}

/// The peer has closed or the socket has failed: reading never blocks again.
const READ_CLOSED: u8 = 4;

#[derive(Debug)]
pub(crate) struct Source {
    ready: AtomicU8,
    wakers: Mutex<[Option<Waker>; 2]>,
}

impl Source {
    /// A source that may be ready: the first system call will tell.
    pub(crate) fn new() -> Self {
        let ready = Direction::Read as u8 | Direction::Write as u8;
        Self { ready: AtomicU8::new(ready), wakers: Mutex::new([None, None]) }
    }

    /// What the loop has heard.
    pub(crate) fn notice(&self, event: &mio::event::Event) {
        let closed = event.is_read_closed() || event.is_error();
        let readable = event.is_readable() || closed;
        let writable = event.is_writable() || event.is_write_closed() || event.is_error();
        let mut bits = 0;
        if readable {
            bits |= Direction::Read as u8;
        }
        if writable {
            bits |= Direction::Write as u8;
        }
        if closed {
            bits |= READ_CLOSED;
        }
        self.ready.fetch_or(bits, Ordering::AcqRel);
        let mut wakers = self.wakers();
        let reader = if readable { wakers[0].take() } else { None };
        let writer = if writable { wakers[1].take() } else { None };
        drop(wakers);
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }

    /// Ready if it is worth a try; the bit is then cleared, and the caller says by
    /// [`set_ready`](Self::set_ready) if there may be more.
    pub(crate) fn poll_take(&self, direction: Direction, cx: &Context<'_>) -> Poll<()> {
        if self.take(direction) {
            return Poll::Ready(());
        }
        let slot = match direction {
            Direction::Read => 0,
            Direction::Write => 1,
        };
        self.wakers()[slot] = Some(cx.waker().clone());
        // An edge after the first look and before the waker was there.
        if self.take(direction) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn take(&self, direction: Direction) -> bool {
        self.ready.fetch_and(!(direction as u8), Ordering::AcqRel) & direction as u8 != 0
    }

    pub(crate) fn set_ready(&self, direction: Direction) {
        self.ready.fetch_or(direction as u8, Ordering::AcqRel);
    }

    /// Whether reading never blocks again.
    pub(crate) fn is_read_closed(&self) -> bool {
        self.ready.load(Ordering::Acquire) & READ_CLOSED != 0
    }

    fn wakers(&self) -> MutexGuard<'_, [Option<Waker>; 2]> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
