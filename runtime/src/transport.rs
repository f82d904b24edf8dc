//! A socket with what waits on both sides of it, and its one timer: what every protocol needs.

use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

use bytes::Bytes;
use sinew_proto::http1::CloseAction;
use sinew_proto::{Instant, SendQueue};

use crate::scratch::Scratch;
use crate::{Io, Runtime, Timer};

/// How many slices one write takes.
const SLICES: usize = 16;

pub(crate) struct Transport<I, R: Runtime> {
    /// Gone when the connection is over.
    io: Option<I>,
    timer: R::Timer,
    /// What the timer is set to. Not later than the next deadline; often earlier.
    armed: Option<Instant>,
    /// Input that was not consumed.
    pub(crate) tail: Vec<u8>,
    pub(crate) output: SendQueue<Bytes>,
    pub(crate) end_of_input: bool,
    write_shut: bool,
}

impl<I: Io, R: Runtime> Transport<I, R> {
    pub(crate) fn new(io: I, runtime: &R) -> Self {
        Self {
            io: Some(io),
            timer: runtime.timer(),
            armed: None,
            tail: Vec::new(),
            output: SendQueue::new(),
            end_of_input: false,
            write_shut: false,
        }
    }

    /// Drops the socket, and what waits on both sides of it.
    pub(crate) fn disconnect(&mut self) {
        self.io = None;
        self.tail = Vec::new();
        self.output = SendQueue::new();
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.io.is_some()
    }

    /// Writes until nothing is left or the peer takes no more. Returns whether it took anything.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut progress = false;
        let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        while !self.output.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slot, slice) in slices.iter_mut().zip(self.output.slices()) {
                *slot = IoSlice::new(slice);
                count += 1;
            }
            match io.poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    self.output.consume(n);
                    progress = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(progress)
    }

    /// Reads into the buffer of the thread, behind a copy of the tail. Returns how much was read: zero
    /// is the end.
    pub(crate) fn read(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<io::Result<usize>> {
        let tail = self.tail.len();
        let buffer = scratch.input_after(&self.tail);
        let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let n = ready!(io.poll_read(cx, &mut buffer[tail..]))?;
        self.end_of_input |= n == 0;
        Poll::Ready(Ok(n))
    }

    /// Keeps what was not consumed. An idle connection owns no buffer.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.tail.clear();
        self.tail.extend_from_slice(rest);
        if self.tail.is_empty() {
            self.tail = Vec::new();
        }
    }

    /// Ends what is to be ended. `Ready` when the socket can be dropped.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>, action: CloseAction) -> Poll<()> {
        match action {
            CloseAction::None => Poll::Pending,
            CloseAction::Abort => Poll::Ready(()),
            CloseAction::AfterFlush if self.output.is_empty() => Poll::Ready(()),
            CloseAction::AfterFlush => Poll::Pending,
            CloseAction::Linger => {
                let Some(io) = &mut self.io else {
                    return Poll::Ready(());
                };
                if self.output.is_empty() && !self.write_shut {
                    match ready!(io.poll_shutdown_write(cx)) {
                        Ok(()) => self.write_shut = true,
                        Err(_) => return Poll::Ready(()),
                    }
                }
                Poll::Pending
            }
        }
    }

    /// Keeps the timer at or before the next deadline. `Ready` when that has passed.
    pub(crate) fn poll_timer(&mut self, cx: &mut Context<'_>, due: Option<Instant>, runtime: &R) -> Poll<()> {
        let Some(due) = due else {
            return Poll::Pending;
        };
        loop {
            // A timer that is set too early fires once for nothing, which is cheaper than setting
            // it anew for every request.
            let armed = self.armed.map_or(due, |armed| armed.min(due));
            self.armed = Some(armed);
            ready!(self.timer.poll_at(armed, cx));
            self.armed = None;
            if due <= runtime.now() {
                return Poll::Ready(());
            }
        }
    }
}
