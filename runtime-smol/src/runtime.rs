//! smol's timers and its thread pool for blocking work, as the driver wants them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_runtime::{Job, JobLimit, Runtime};

/// The reactor of `async-io` and the pool of `blocking`, both of the process.
#[derive(Clone, Debug)]
pub struct SmolRuntime {
    epoch: std::time::Instant,
    jobs: JobLimit,
}

impl SmolRuntime {
    /// `limit`: how many blocking jobs may be with the pool at a time before requests for more are answered
    /// with 503. The pool's own queue has no bound.
    pub fn new(limit: usize) -> Self {
        Self::of(JobLimit::new(limit, 0))
    }

    pub(crate) fn of(jobs: JobLimit) -> Self {
        Self { epoch: std::time::Instant::now(), jobs }
    }
}

impl Runtime for SmolRuntime {
    type Timer = SmolTimer;

    fn now(&self) -> Instant {
        Instant::from_nanos(0).saturating_add(self.epoch.elapsed())
    }

    fn poll_timer(&self, timer: &mut SmolTimer, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.epoch + Duration::from_nanos(deadline.as_nanos());
        let (set, inner) = &mut **timer.0.get_or_insert_with(|| Box::new((deadline, smol::Timer::at(at))));
        if *set != deadline {
            *set = deadline;
            inner.set_at(at);
        }
        ready!(Pin::new(inner).poll(cx));
        // A timer that has fired stays pending for ever after.
        timer.0 = None;
        Poll::Ready(())
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        if let Some(job) = self.jobs.admit(job)? {
            smol::unblock(job).detach();
        }
        Ok(())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            smol::Timer::after(duration).await;
        })
    }
}

/// A timer of `async-io`. It allocates when it is first set.
#[derive(Debug, Default)]
pub struct SmolTimer(Option<Box<(Instant, smol::Timer)>>);
