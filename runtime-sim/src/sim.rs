//! A simulation: it polls tasks in an order that follows from the seed, and lets time pass when there is
//! nothing else to do.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_proto::sim::Random;
use sinew_runtime::Job;

use crate::runtime::Sleep;
use crate::stream;
use crate::task::{self, Label, Tasks};
use crate::world::{Event, TaskWaker, World};
use crate::{Network, SimRuntime, SimStream, Stuck, Task, Why};

/// Polls on one point in time after which a simulation counts as spinning.
const MAX_TURNS: u32 = 200_000;

/// What a simulation is like, next to its seed.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// The network, until [`Sim::set_network`]; [`Network::rough`] unless set.
    pub network: Network,
    /// Blocking jobs at a time before requests for more are answered with 503; 1,024 unless set.
    pub blocking_jobs: usize,
    /// Least and greatest time that a blocking job takes; 0 to 10 ms unless set.
    pub job_time: (Duration, Duration),
    /// Virtual time after which [`Sim::run_until`] gives up; 30 days unless set.
    pub time_limit: Duration,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            network: Network::rough(),
            blocking_jobs: 1_024,
            job_time: (Duration::ZERO, Duration::from_millis(10)),
            time_limit: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// A simulation. A clone is the same one; it ends, and drops its tasks, when the one that
/// [`new`](Self::new) returned is dropped.
///
/// ```
/// use std::time::Duration;
/// use sinew_sim::Sim;
///
/// let sim = Sim::new(42);
/// let task = sim.spawn({
///     let sim = sim.clone();
///     async move { sim.sleep(Duration::from_secs(3600)).await; "an hour later" }
/// });
/// assert_eq!(sim.run_until(task)?, "an hour later");
/// assert_eq!(sim.elapsed(), Duration::from_secs(3600));
/// # Ok::<(), sinew_sim::Stuck>(())
/// ```
pub struct Sim {
    inner: Rc<Inner>,
    owner: bool,
}

struct Inner {
    world: Arc<World>,
    tasks: RefCell<Tasks>,
    runtime: SimRuntime,
    network: RefCell<Network>,
    connections: Cell<u64>,
    job_time: (Duration, Duration),
    time_limit: Duration,
    running: Cell<bool>,
}

impl Sim {
    /// A simulation of which everything follows from `seed`, on a [rough](Network::rough) network.
    pub fn new(seed: u64) -> Self {
        Self::with_config(seed, SimConfig::default())
    }

    /// The same with another network or other limits.
    pub fn with_config(seed: u64, config: SimConfig) -> Self {
        let world = World::new(seed);
        let inner = Inner {
            tasks: RefCell::default(),
            runtime: SimRuntime::new(world.clone(), config.blocking_jobs),
            network: RefCell::new(config.network),
            connections: Cell::new(0),
            job_time: config.job_time,
            time_limit: config.time_limit,
            running: Cell::new(false),
            world,
        };
        Self { inner: Rc::new(inner), owner: true }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.inner.world.seed()
    }

    /// The virtual time. It starts at zero.
    pub fn now(&self) -> Instant {
        self.inner.world.now()
    }

    /// The virtual time since the start.
    pub fn elapsed(&self) -> Duration {
        self.now().saturating_since(Instant::default())
    }

    /// Clock, timers and blocking jobs for whatever wants a [`Runtime`](sinew_runtime::Runtime).
    pub fn runtime(&self) -> SimRuntime {
        self.inner.runtime.clone()
    }

    /// Numbers for the scenario, which follow from the seed.
    pub fn random(&self) -> Random {
        self.inner.world.fork()
    }

    /// A number that tells runs apart: which task ran, what was read and written, where and when. Two
    /// runs of the same program from the same seed have the same. Contents are not part of it, as every
    /// response carries the date of the system.
    pub fn fingerprint(&self) -> u64 {
        self.inner.world.fingerprint()
    }

    /// Prints everything that happens from now on to the standard error.
    pub fn print_trace(&self) {
        self.inner.world.print_trace();
    }

    /// How many tasks have not completed, those of connections and blocking jobs included.
    pub fn tasks(&self) -> usize {
        self.inner.tasks.borrow().len()
    }

    /// The network for connections that are made from now on.
    pub fn set_network(&self, network: Network) {
        self.inner.network.replace(network);
    }

    pub(crate) fn delay(&self) -> Duration {
        let delay = self.inner.network.borrow().faults.delay;
        self.inner.world.between(delay)
    }

    /// Completes after `duration` on the virtual clock.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.inner.runtime.sleep_until(self.now().saturating_add(duration))
    }

    /// What `future` returns, or `None` if it takes longer than `duration` on the virtual clock. It is
    /// dropped then.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        let (mut future, mut sleep) = (pin!(future), pin!(self.sleep(duration)));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(value));
            }
            sleep.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    /// Runs a future as a task of its own. It need not be `Send`: there is one thread.
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> Task<T> {
        let (task, run) = Task::new(future);
        self.spawn_as(Label::Spawned(Location::caller()), run);
        task
    }

    pub(crate) fn spawn_as(&self, label: Label, future: std::pin::Pin<Box<dyn Future<Output = ()>>>) {
        self.inner.tasks.borrow_mut().spawn(&self.inner.world, label, future);
    }

    /// The two ends of a new connection, client and server, without a server: to test a protocol.
    pub fn pair(&self) -> (SimStream, SimStream) {
        let number = self.inner.connections.get() + 1;
        self.inner.connections.set(number);
        stream::pair(&self.inner.world, self.inner.network.borrow().clone(), number)
    }

    /// Runs the simulation until `future` completes. Other tasks stay as they are then, and go on in the
    /// next call.
    ///
    /// # Errors
    /// [`Stuck`] if it never will.
    ///
    /// # Panics
    /// As a task panics (the driver catches those of handlers), and inside of a task of the same
    /// simulation.
    pub fn run_until<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        assert!(!self.inner.running.replace(true), "run_until inside of its own simulation");
        // Also after a panic.
        let _running = SetOnDrop(&self.inner.running);
        let world = &self.inner.world;
        let id = self.inner.tasks.borrow_mut().next_id();
        let turns = TaskWaker::new(id, world.clone());
        let waker = Waker::from(turns.clone());
        let mut future = pin!(future);
        let limit = Instant::default().saturating_add(self.inner.time_limit);
        let mut polls = 0;
        waker.wake_by_ref();
        loop {
            self.begin_jobs();
            let spurious_one_in = self.inner.network.borrow().spurious_one_in;
            match world.next_task() {
                Some(next) if next == id => {
                    turns.begin_turn();
                    world.note(Event::Poll, id, 0);
                    if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return Ok(value);
                    }
                }
                Some(next) => task::poll(&self.inner.tasks, world, next, spurious_one_in),
                None => {
                    polls = 0;
                    match world.advance(limit) {
                        Some(Ok(())) => {}
                        Some(Err(_)) => return Err(self.stuck(Why::TimeLimit)),
                        None => return Err(self.stuck(Why::Deadlock)),
                    }
                }
            }
            polls += 1;
            if polls > MAX_TURNS {
                return Err(self.stuck(Why::Spinning));
            }
        }
    }

    fn stuck(&self, why: Why) -> Stuck {
        let waiting = self.inner.tasks.borrow().labels();
        Stuck { seed: self.seed(), why, at: self.now(), waiting }
    }

    /// Makes tasks of the blocking jobs that were asked for.
    fn begin_jobs(&self) {
        for job in self.inner.world.take_jobs() {
            let sleep = self.sleep(self.inner.world.between(self.inner.job_time));
            let world = self.inner.world.clone();
            let run = async move {
                sleep.await;
                world.note(Event::Job, 0, 0);
                run(job);
            };
            self.spawn_as(Label::Job, Box::pin(run));
        }
    }
}

/// A job that panics ends, as it would in a pool: nobody else is harmed.
fn run(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

struct SetOnDrop<'a>(&'a Cell<bool>);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Clone for Sim {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), owner: false }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if self.owner {
            let tasks = self.inner.tasks.borrow_mut().close();
            drop(tasks);
            self.inner.world.clear();
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.seed())
            .field("elapsed", &self.elapsed())
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}
