//! The loops, their timers and the pool, as the driver wants them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_runtime::{Job, Runtime, Timer};

use crate::pool::Pool;
use crate::reactor::LoopHandle;
use crate::timers::TimerKey;

/// Event loops on threads, and a pool for what blocks.
#[derive(Clone)]
pub struct StdRuntime {
    /// The loop that keeps the timers of threads which are no loops.
    home: LoopHandle,
    pool: Pool,
}

impl StdRuntime {
    pub(crate) fn new(home: LoopHandle, pool: Pool) -> Self {
        Self { home, pool }
    }
}

impl std::fmt::Debug for StdRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StdRuntime")
    }
}

impl Runtime for StdRuntime {
    type Timer = StdTimer;

    fn now(&self) -> Instant {
        self.home.now()
    }

    fn timer(&self) -> StdTimer {
        StdTimer { fallback: self.home.clone(), set: None }
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        self.pool.run(job)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut timer = self.timer();
        let deadline = self.now().saturating_add(duration);
        Box::pin(std::future::poll_fn(move |cx| timer.poll_at(deadline, cx)))
    }
}

/// A timer on the loop it is first polled on.
#[derive(Debug)]
pub struct StdTimer {
    fallback: LoopHandle,
    set: Option<Set>,
}

#[derive(Debug)]
struct Set {
    home: LoopHandle,
    key: TimerKey,
    waker: Waker,
}

impl Timer for StdTimer {
    fn poll_at(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.set.as_ref().is_some_and(|set| set.will_wake(cx.waker(), deadline)) {
            return Poll::Pending;
        }
        self.unset();
        if deadline <= self.fallback.now() {
            return Poll::Ready(());
        }
        let home = LoopHandle::current().unwrap_or_else(|| self.fallback.clone());
        let (key, earliest) = home.timers().insert(deadline, cx.waker().clone());
        if earliest {
            // It may sleep for longer than this.
            home.interrupt();
        }
        self.set = Some(Set { home, key, waker: cx.waker().clone() });
        Poll::Pending
    }
}

impl Set {
    /// Whether this still waits for `deadline`, to wake `waker`. Most calls of a timer end here,
    /// without a look at the clock.
    fn will_wake(&self, waker: &Waker, deadline: Instant) -> bool {
        self.key.0 == deadline && !self.home.timers().may_have_passed(deadline) && self.waker.will_wake(waker)
    }
}

impl StdTimer {
    fn unset(&mut self) {
        if let Some(set) = self.set.take() {
            set.home.timers().remove(set.key);
        }
    }
}

impl Drop for StdTimer {
    fn drop(&mut self) {
        self.unset();
    }
}
