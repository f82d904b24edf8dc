//! The virtual clock, its timers and its blocking jobs, as the driver wants them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_runtime::{Job, JobLimit, Runtime};

use crate::world::{Alarm, World};

/// The runtime of a simulation: its clock and its blocking jobs. See
/// [`Sim::runtime`](crate::Sim::runtime).
#[derive(Clone)]
pub struct SimRuntime {
    world: Arc<World>,
    jobs: JobLimit,
}

impl SimRuntime {
    pub(crate) fn new(world: Arc<World>, jobs: usize) -> Self {
        Self { world, jobs: JobLimit::new(jobs, 0) }
    }

    /// The deadline as a future.
    pub(crate) fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep { runtime: self.clone(), timer: SimTimer::default(), deadline }
    }
}

impl Runtime for SimRuntime {
    type Timer = SimTimer;

    fn now(&self) -> Instant {
        self.world.now()
    }

    fn poll_timer(&self, timer: &mut SimTimer, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if deadline <= self.world.now() {
            timer.stop();
            return Poll::Ready(());
        }
        let kept = timer
            .0
            .as_ref()
            .is_some_and(|(world, alarm)| alarm.0 == deadline && world.redirect_alarm(*alarm, cx.waker()));
        if !kept {
            timer.stop();
            let alarm = self.world.set_alarm(deadline, cx.waker().clone());
            timer.0 = Some((self.world.clone(), alarm));
        }
        Poll::Pending
    }

    /// Runs `job` as a task of the simulation, a little later, on the one thread there is.
    fn offload(&self, job: Job) -> Result<(), Job> {
        if let Some(job) = self.jobs.admit(job)? {
            self.world.queue_job(job);
        }
        Ok(())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.sleep_until(self.now().saturating_add(duration)))
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimRuntime").field("now", &self.world.now()).finish_non_exhaustive()
    }
}

/// A timer on the virtual clock.
#[derive(Default)]
pub struct SimTimer(Option<(Arc<World>, Alarm)>);

impl SimTimer {
    fn stop(&mut self) {
        if let Some((world, alarm)) = self.0.take() {
            world.cancel_alarm(alarm);
        }
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for SimTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimTimer").field(&self.0.as_ref().map(|(_, (at, _))| at)).finish()
    }
}

/// Completes at a time. See [`Sim::sleep`](crate::Sim::sleep).
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    runtime: SimRuntime,
    timer: SimTimer,
    deadline: Instant,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { runtime, timer, deadline } = self.get_mut();
        runtime.poll_timer(timer, *deadline, cx)
    }
}
