//! smol's timers and its thread pool for blocking work, as the driver wants them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_runtime::{Job, JobLimit, Runtime, Timer};

/// The reactor of `async-io` and the pool of `blocking`, both of the process.
#[derive(Clone, Debug)]
pub struct SmolRuntime {
    epoch: std::time::Instant,
    jobs: JobLimit,
}

impl SmolRuntime {
    /// `limit`: how many blocking jobs may run or wait at a time before requests for more are
    /// answered with 503. The pool's own queue has no bound.
    pub fn new(limit: usize) -> Self {
        Self { epoch: std::time::Instant::now(), jobs: JobLimit::new(limit) }
    }
}

impl Runtime for SmolRuntime {
    type Timer = SmolTimer;

    fn now(&self) -> Instant {
        Instant::from_nanos(0).saturating_add(self.epoch.elapsed())
    }

    fn timer(&self) -> SmolTimer {
        SmolTimer { epoch: self.epoch, timer: None }
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        smol::unblock(self.jobs.admit(job)?).detach();
        Ok(())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            smol::Timer::after(duration).await;
        })
    }
}

/// A timer of `async-io`, registered when it is first set.
#[derive(Debug)]
pub struct SmolTimer {
    epoch: std::time::Instant,
    timer: Option<(Instant, smol::Timer)>,
}

impl Timer for SmolTimer {
    fn poll_at(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.epoch + Duration::from_nanos(deadline.as_nanos());
        let (set, timer) = self.timer.get_or_insert_with(|| (deadline, smol::Timer::at(at)));
        if *set != deadline {
            *set = deadline;
            timer.set_at(at);
        }
        match Pin::new(timer).poll(cx) {
            Poll::Ready(_) => {
                // A timer that has fired stays pending for ever after.
                self.timer = None;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
