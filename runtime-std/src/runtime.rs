//! The loops, their timers and the pool, as the driver wants them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_runtime::{Job, Runtime};

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

    fn poll_timer(&self, timer: &mut StdTimer, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if timer.set.as_ref().is_some_and(|set| set.will_wake(cx.waker(), deadline)) {
            return Poll::Pending;
        }
        timer.unset();
        if deadline <= self.now() {
            return Poll::Ready(());
        }
        let home = LoopHandle::current().unwrap_or_else(|| self.home.clone());
        let (key, earliest) = home.timers().insert(deadline, cx.waker().clone());
        if earliest {
            // It may sleep for longer than this.
            home.interrupt();
        }
        timer.set = Some(Set { home, key, waker: cx.waker().clone() });
        Poll::Pending
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        self.pool.run(job)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (runtime, mut timer) = (self.clone(), StdTimer::default());
        let deadline = self.now().saturating_add(duration);
        Box::pin(std::future::poll_fn(move |cx| runtime.poll_timer(&mut timer, deadline, cx)))
    }
}

/// A timer on the loop it is first polled on.
#[derive(Debug, Default)]
pub struct StdTimer {
    set: Option<Set>,
}

#[derive(Debug)]
struct Set {
    home: LoopHandle,
    key: TimerKey,
    waker: Waker,
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
