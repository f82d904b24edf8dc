//! A connection whose socket is a buffer, on a runtime in which no time passes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sinew_app::Service;
use sinew_proto::Instant;
use sinew_runtime::{ConnectionConfig, Io, Job, Runtime, Serving, Shutdown};

use crate::workloads::Operation;

pub(crate) const NOW: Instant = Instant::from_nanos(0);

/// Serves `app` on a connection that gives `first`, if there is one, and then `wire` in each turn.
/// `check` looks at the answer to the first turn; the answers to all others are of the same size.
pub(crate) fn turns(
    app: impl Service,
    first: Option<&[u8]>,
    wire: Vec<u8>,
    check: impl FnOnce(&mut [u8]),
) -> Operation {
    let serving = Serving::new(Still, app, ConnectionConfig::default(), Shutdown::new());
    let written = Arc::new(Written::default());
    let ready = first.is_some();
    let io = Buffer { first: first.map(<[u8]>::to_vec), wire, ready, written: written.clone() };
    let mut connection = Box::pin(serving.connection(io, None));
    let counted = written.clone();
    let mut turn = move || {
        let before = counted.len.load(Ordering::Relaxed);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(connection.as_mut().poll(&mut cx).is_pending());
        counted.len.load(Ordering::Relaxed) - before
    };
    turn();
    written.keep.store(true, Ordering::Relaxed);
    let expected = turn();
    written.keep.store(false, Ordering::Relaxed);
    let mut bytes = std::mem::take(&mut *written.bytes.lock().expect("nobody panicked"));
    assert_eq!(bytes.len(), expected);
    check(&mut bytes);
    Box::new(move || assert_eq!(turn(), expected))
}

/// What went into a socket.
#[derive(Default)]
struct Written {
    len: AtomicUsize,
    /// Whether the bytes are kept too.
    keep: AtomicBool,
    bytes: Mutex<Vec<u8>>,
}

/// Gives `first`, then `wire` once in each turn.
struct Buffer {
    first: Option<Vec<u8>>,
    wire: Vec<u8>,
    ready: bool,
    written: Arc<Written>,
}

impl Io for Buffer {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.ready, false) {
            self.ready = true;
            return Poll::Pending;
        }
        if let Some(first) = self.first.take() {
            buf[..first.len()].copy_from_slice(&first);
            return Poll::Ready(Ok(first.len()));
        }
        buf[..self.wire.len()].copy_from_slice(&self.wire);
        Poll::Ready(Ok(self.wire.len()))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.written.len.fetch_add(len, Ordering::Relaxed);
        if self.written.keep.load(Ordering::Relaxed) {
            let mut bytes = self.written.bytes.lock().expect("nobody panicked");
            for buf in bufs {
                bytes.extend_from_slice(buf);
            }
        }
        Poll::Ready(Ok(len))
    }

    fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A runtime in which no time passes.
#[derive(Clone)]
struct Still;

impl Runtime for Still {
    type Timer = ();

    fn now(&self) -> Instant {
        NOW
    }

    fn poll_timer(&self, (): &mut (), _: Instant, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        Err(job)
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}
