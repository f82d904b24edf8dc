//! A socket with what waits on both sides of it, and its one timer: what every protocol needs.

use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};
use std::mem;

use bytes::Bytes;
use sinew_proto::http1::CloseAction;
use sinew_proto::{Config, Instant, SendQueue};

use crate::roll::NEVER;
use crate::scratch::Scratch;
use crate::{Io, Runtime};

/// Bytes that are read for a connection in one turn, about, before others of its thread get theirs.
pub(crate) const TURN_BYTES: usize = 256 * 1024;

/// How many slices one write takes.
const SLICES: usize = 16;

pub(crate) struct Transport<I, R: Runtime> {
    /// Gone when the connection is over.
    io: Option<I>,
    /// In memory of its own: an idle connection has none.
    alarm: Option<Box<Alarm<R>>>,
    /// What is kept between turns; most often nothing. In a turn it is in the [`Scratch`].
    backlog: Option<Box<Backlog>>,
    pub(crate) end_of_input: bool,
    write_shut: bool,
}

struct Alarm<R: Runtime> {
    timer: R::Timer,
    /// What the timer is set to, or `NEVER`. Not later than the next deadline; often earlier.
    armed: Instant,
}

#[derive(Default)]
struct Backlog {
    tail: Vec<u8>,
    output: SendQueue<Bytes>,
}

impl<I: Io, R: Runtime> Transport<I, R> {
    pub(crate) fn new(io: I) -> Self {
        Self { io: Some(io), alarm: None, backlog: None, end_of_input: false, write_shut: false }
    }

    /// Makes a turn of this connection with the buffers of the thread.
    pub(crate) fn turn<T>(&mut self, config: &Config, turn: impl FnOnce(&mut Self, &mut Scratch) -> T) -> T {
        let mut scratch = Scratch::take(config);
        if let Some(mut backlog) = self.backlog.take() {
            mem::swap(&mut scratch.tail, &mut backlog.tail);
            if !backlog.output.is_empty() {
                mem::swap(&mut scratch.output, &mut backlog.output);
            }
        }
        let result = turn(self, &mut scratch);
        if !scratch.tail.is_empty() || !scratch.output.is_empty() {
            let mut backlog = Box::<Backlog>::default();
            mem::swap(&mut scratch.tail, &mut backlog.tail);
            if !scratch.output.is_empty() {
                mem::swap(&mut scratch.output, &mut backlog.output);
            }
            self.backlog = Some(backlog);
        }
        scratch.give_back();
        result
    }

    /// Drops the socket, and what waits on both sides of it.
    pub(crate) fn disconnect(&mut self) {
        self.io = None;
        self.backlog = None;
    }

    /// Drops the socket so that the peer sees a reset.
    pub(crate) fn abort(&mut self) {
        if let Some(io) = &mut self.io {
            io.abort();
        }
        self.io = None;
    }

    /// Whether output is kept from the last turn.
    pub(crate) fn has_output(&self) -> bool {
        self.backlog.as_ref().is_some_and(|backlog| !backlog.output.is_empty())
    }

    /// Whether the socket has failed, as far as can be told without reading or writing.
    pub(crate) fn has_failed(&mut self) -> bool {
        self.io.as_mut().is_some_and(Io::has_failed)
    }

    /// Whether the sending side is ended, so that only the peer is waited for.
    pub(crate) fn is_write_shut(&self) -> bool {
        self.write_shut
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.io.is_some()
    }

    /// Writes until nothing is left or the peer takes no more. Returns whether it took anything.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, output: &mut SendQueue<Bytes>) -> io::Result<bool> {
        let mut progress = false;
        let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        while !output.is_empty() {
            let written = match output.contiguous() {
                Some(bytes) => io.poll_write_vectored(cx, &[IoSlice::new(bytes)]),
                None => write_slices(io, cx, output),
            };
            match written {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    output.consume(n);
                    progress = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(progress)
    }

    /// The socket, unless it is gone.
    pub(crate) fn io(&mut self) -> Option<&mut I> {
        self.io.as_mut()
    }

    /// Reads into the buffer of the thread, behind a copy of the tail. Returns how much was read: zero
    /// is the end.
    pub(crate) fn read(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<io::Result<usize>> {
        let tail = scratch.tail.len();
        let buffer = scratch.input_after_tail();
        let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let n = ready!(io.poll_read(cx, &mut buffer[tail..]))?;
        self.end_of_input |= n == 0;
        Poll::Ready(Ok(n))
    }

    /// Ends what is to be ended. `Ready` when the socket can be dropped. `flushed`: nothing waits to be
    /// written.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>, action: CloseAction, flushed: bool) -> Poll<()> {
        match action {
            CloseAction::None => Poll::Pending,
            CloseAction::Abort => {
                if let Some(io) = &mut self.io {
                    io.abort();
                }
                Poll::Ready(())
            }
            CloseAction::AfterFlush if flushed => Poll::Ready(()),
            CloseAction::AfterFlush => Poll::Pending,
            CloseAction::Linger => {
                let Some(io) = &mut self.io else {
                    return Poll::Ready(());
                };
                if flushed && !self.write_shut {
                    match ready!(io.poll_shutdown_write(cx)) {
                        Ok(()) => self.write_shut = true,
                        Err(_) => return Poll::Ready(()),
                    }
                }
                Poll::Pending
            }
        }
    }

    /// Nothing waits for the timer. One that is set may fire for nothing, and is given up after that.
    pub(crate) fn rest(&mut self, now: Instant) {
        if self.alarm.as_ref().is_some_and(|alarm| alarm.armed <= now || alarm.armed == NEVER) {
            self.alarm = None;
        }
    }

    /// Keeps the timer at or before the next deadline. `Ready` when that has passed.
    pub(crate) fn poll_timer(&mut self, cx: &mut Context<'_>, due: Option<Instant>, runtime: &R) -> Poll<()> {
        let Some(due) = due else {
            return Poll::Pending;
        };
        let new = || Box::new(Alarm { timer: R::Timer::default(), armed: NEVER });
        let Alarm { timer, armed } = &mut **self.alarm.get_or_insert_with(new);
        loop {
            // A timer that is set too early fires once for nothing, which is cheaper than setting
            // it anew for every request.
            *armed = due.min(*armed);
            ready!(runtime.poll_timer(timer, *armed, cx));
            *armed = NEVER;
            if due <= runtime.now() {
                return Poll::Ready(());
            }
        }
    }
}

/// One write of several slices.
fn write_slices<I: Io>(
    io: &mut I,
    cx: &mut Context<'_>,
    output: &SendQueue<Bytes>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut count = 0;
    for (slot, slice) in slices.iter_mut().zip(output.slices()) {
        *slot = IoSlice::new(slice);
        count += 1;
    }
    io.poll_write_vectored(cx, &slices[..count])
}
