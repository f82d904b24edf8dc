//! A connection whose socket is a buffer, on a runtime in which no time passes.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sinew_app::Service;
use sinew_proto::Instant;
use sinew_runtime::{ConnectionConfig, Io, Job, Runtime, Serving, Shutdown};

pub(crate) const NOW: Instant = Instant::from_nanos(0);

/// Serves `app` on a connection that gives `first`, if there is one, and then `wire` in each of `times`
/// turns; each is answered with `expected` bytes.
pub(crate) fn turns(app: impl Service, first: Option<&[u8]>, wire: Vec<u8>, expected: usize, times: u32) {
    let serving = Serving::new(Still, app, ConnectionConfig::default(), Shutdown::new());
    let written = Arc::new(AtomicUsize::new(0));
    let ready = first.is_some();
    let io = Buffer { first: first.map(<[u8]>::to_vec), wire, ready, written: written.clone() };
    let mut connection = pin!(serving.connection(io, None));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(connection.as_mut().poll(&mut cx).is_pending());
    let mut total = written.load(Ordering::Relaxed);
    for _ in 0..times {
        assert!(connection.as_mut().poll(&mut cx).is_pending());
        let now = written.load(Ordering::Relaxed);
        assert_eq!(now - total, expected);
        total = now;
    }
}

/// Gives the request, then one batch in each turn.
pub(crate) struct Buffer {
    pub(crate) first: Option<Vec<u8>>,
    pub(crate) wire: Vec<u8>,
    ready: bool,
    written: Arc<AtomicUsize>,
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
        self.written.fetch_add(len, Ordering::Relaxed);
        Poll::Ready(Ok(len))
    }

    fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A runtime in which no time passes.
#[derive(Clone)]
pub(crate) struct Still;

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
