//! tokio's clock, timers and threads, as the driver wants them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_runtime::{Job, JobLimit, Runtime};
use tokio::time::Sleep;

/// The tokio runtime that [`serve`](crate::serve) was polled in.
#[derive(Clone, Debug)]
pub struct TokioRuntime {
    epoch: tokio::time::Instant,
    jobs: JobLimit,
    /// Handlers may ask for time and threads from outside of it.
    handle: tokio::runtime::Handle,
}

impl TokioRuntime {
    /// `limit`: how many blocking jobs may be with tokio's own pool at a time before requests for more are
    /// answered with 503. That pool queues without a bound.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(limit: usize) -> Self {
        Self::of(&tokio::runtime::Handle::current(), JobLimit::new(limit, 0))
    }

    pub(crate) fn of(handle: &tokio::runtime::Handle, jobs: JobLimit) -> Self {
        let handle = handle.clone();
        Self { epoch: tokio::time::Instant::now(), jobs, handle }
    }
}

impl Runtime for TokioRuntime {
    type Timer = TokioTimer;

    fn now(&self) -> Instant {
        Instant::from_nanos(0).saturating_add(self.epoch.elapsed())
    }

    fn poll_timer(&self, timer: &mut TokioTimer, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.epoch + Duration::from_nanos(deadline.as_nanos());
        let sleep = timer.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        if let Some(job) = self.jobs.admit(job)? {
            drop(self.handle.spawn_blocking(job));
        }
        Ok(())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let _context = self.handle.enter();
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A timer on tokio's wheel. It allocates when it is first set.
#[derive(Debug, Default)]
pub struct TokioTimer(Option<Pin<Box<Sleep>>>);
