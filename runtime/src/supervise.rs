//! From the signal to the end of a server.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Runtime, Shutdown};

/// How long connections that are dropped may take to go.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// What ends a server, unless somebody else does.
pub type Signal = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits for `signal`, or for `shutdown` to be triggered by somebody else; then drains: what is in
/// flight has `drain_timeout`. After it, or when `shutdown` says so, it is dropped. `on_drain` is called
/// when draining begins.
///
/// # Errors
/// If the signal panics: then everything is dropped at once.
pub async fn supervise<R: Runtime>(
    runtime: R,
    shutdown: Shutdown,
    mut signal: Signal,
    drain_timeout: Duration,
    on_drain: impl FnOnce(),
) -> io::Result<()> {
    let mut told = shutdown.wait();
    let waited = poll_fn(|cx| {
        if Pin::new(&mut told).poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        match catch_unwind(AssertUnwindSafe(|| signal.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(io::Error::other("the signal for the graceful shutdown panicked"))),
        }
    })
    .await;
    shutdown.trigger();
    on_drain();
    if waited.is_err() || !drained_within(drain_timeout, &runtime, &shutdown).await {
        shutdown.abort();
        // A connection ends in its next turn, unless its handler blocks the thread.
        drained_within(ABORT_TIMEOUT, &runtime, &shutdown).await;
    }
    waited
}

/// Whether everybody ended in time.
async fn drained_within<R: Runtime>(timeout: Duration, runtime: &R, shutdown: &Shutdown) -> bool {
    let mut drained = shutdown.drained();
    let mut timeout = runtime.sleep(timeout);
    poll_fn(|cx| {
        if Pin::new(&mut drained).poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        timeout.as_mut().poll(cx).map(|()| false)
    })
    .await
}
