//! The two traits that an adapter implements: a byte stream and the runtime around it.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::fs::File;
use std::io::{self, IoSlice};

use sinew_proto::Instant;

/// A byte stream in both directions, without blocking.
///
/// Every method returns `Pending` only after it has arranged for the task of `cx` to be woken.
pub trait Io: Unpin + Send + 'static {
    /// Reads into `buf` and returns how many bytes, zero at the end of the stream. `buf` is never
    /// empty. A count below `buf.len()` tells nothing about what comes next.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some of `bufs`, in order, and returns how many bytes.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Ends the sending side: the peer reads an end of stream after the last byte. Reading goes on.
    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Sends up to `len` bytes of `file`, from `offset` on, without reading them into this process,
    /// and returns how many; zero means that the file ends there. `len` is never zero. The place in
    /// the file that its other users see stays where it is.
    ///
    /// The default cannot: it returns an error of the kind `Unsupported`. So may any call, after which
    /// this file is read and written. A stream that changes the bytes, as encryption does, leaves it
    /// at that. See [`sendfile`](crate::sendfile) for Linux.
    fn poll_sendfile(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let _ = (cx, file, offset, len);
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// Has the peer see a reset, not an end of stream, when this is dropped, which follows at once. What
    /// was written and has not arrived may be lost. Called when a response is broken off: one that ends
    /// with the connection would else look complete.
    ///
    /// Does nothing unless implemented: right for a transport that has no reset.
    fn abort(&mut self) {}

    /// Whether the stream is known to have failed although nobody reads or writes: a reset has arrived,
    /// say. Asked once a second while a request is at work and nothing is read. Never blocks. A failure
    /// may be told once only.
    ///
    /// `false` unless implemented: a failure is then noticed by the next read or write.
    fn has_failed(&mut self) -> bool {
        false
    }
}

/// What a connection needs from the runtime it lives in, next to its socket.
pub trait Runtime: Clone + Send + Sync + Unpin + 'static {
    /// A timer that can be set again and again; the default is not set. A connection that is at work has
    /// one, and so has the accept loop, for all that wait for a request.
    type Timer: Default + Unpin + Send + 'static;

    /// The time since an epoch that stays the same for the life of the runtime. Monotonic; what another
    /// thread is told may be a little earlier.
    fn now(&self) -> Instant;

    /// Ready once the clock has reached `deadline`; else the task of `cx` is woken then. A call with
    /// another deadline sets the timer anew.
    fn poll_timer(&self, timer: &mut Self::Timer, deadline: Instant, cx: &mut Context<'_>) -> Poll<()>;

    /// Runs `job` on a thread where it may block. Gives it back if the pool and its queue are full.
    fn offload(&self, job: Job) -> Result<(), Job>;

    /// A future that completes after `duration`.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Work that may block.
pub type Job = Box<dyn FnOnce() + Send + 'static>;
