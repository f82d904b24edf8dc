//! smol's timers and its thread pool for blocking work, as the driver wants them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_runtime::{Job, Runtime, Timer};

/// The reactor of `async-io` and the pool of `blocking`, both of the process.
#[derive(Clone, Debug)]
pub struct SmolRuntime {
    epoch: std::time::Instant,
    blocking: Arc<Blocking>,
}

#[derive(Debug)]
struct Blocking {
    running: AtomicUsize,
    limit: usize,
}

impl SmolRuntime {
    /// `limit`: how many blocking jobs may run or wait at a time before requests for more are
    /// answered with 503. The pool's own queue has no bound.
    pub fn new(limit: usize) -> Self {
        let blocking = Arc::new(Blocking { running: AtomicUsize::new(0), limit });
        Self { epoch: std::time::Instant::now(), blocking }
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
        /// Counts down also when the job panics.
        struct Place(Arc<Blocking>);

        impl Drop for Place {
            fn drop(&mut self) {
                self.0.running.fetch_sub(1, Ordering::AcqRel);
            }
        }

        let before = self.blocking.running.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.blocking.clone());
        if before >= self.blocking.limit {
            return Err(job);
        }
        smol::unblock(move || {
            let _place = place;
            job();
        })
        .detach();
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
