//! tokio's clock, timers and threads, as the driver wants them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_runtime::{Job, JobLimit, Runtime, Timer};
use tokio::time::Sleep;

/// The tokio runtime that [`serve`](crate::serve) was polled in.
#[derive(Clone, Debug)]
pub struct TokioRuntime {
    epoch: tokio::time::Instant,
    jobs: JobLimit,
}

impl TokioRuntime {
    /// `limit`: how many blocking jobs may run or wait at a time before requests for more are
    /// answered with 503. tokio's own pool queues without a bound.
    pub fn new(limit: usize) -> Self {
        Self { epoch: tokio::time::Instant::now(), jobs: JobLimit::new(limit) }
    }

    fn at(&self, instant: Instant) -> tokio::time::Instant {
        self.epoch + Duration::from_nanos(instant.as_nanos())
    }
}

impl Runtime for TokioRuntime {
    type Timer = TokioTimer;

    fn now(&self) -> Instant {
        Instant::from_nanos(0).saturating_add(self.epoch.elapsed())
    }

    fn timer(&self) -> TokioTimer {
        TokioTimer { runtime: self.clone(), sleep: None }
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        drop(tokio::task::spawn_blocking(self.jobs.admit(job)?));
        Ok(())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A timer on tokio's wheel. It allocates when it is first set.
#[derive(Debug)]
pub struct TokioTimer {
    runtime: TokioRuntime,
    sleep: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Timer for TokioTimer {
    fn poll_at(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.runtime.at(deadline);
        let (set, sleep) =
            self.sleep.get_or_insert_with(|| (deadline, Box::pin(tokio::time::sleep_until(at))));
        if *set != deadline {
            *set = deadline;
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}
