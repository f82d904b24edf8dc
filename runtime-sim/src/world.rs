//! The clock, the timers, the queue of runnable tasks and the numbers that decide: what a simulation
//! shares with every socket and runtime in it.
//!
//! Invariant: what happens next depends on the seed and the program alone. Which of several wakes came
//! first must not matter, because tables with an order of their own (a `HashMap` of wakers) wake too: so
//! the queue is ordered by numbers that follow from seed, task and turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use sinew_proto::Instant;
use sinew_proto::sim::Random;
use sinew_runtime::Job;

/// A task of a simulation, in the order in which they were spawned.
pub(crate) type TaskId = u64;

/// A timer that is set: when, and which one of that moment.
pub(crate) type Alarm = (Instant, u64);

/// What happened, for the trace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Poll,
    Time,
    Connect,
    Read,
    ReadEnd,
    ReadReset,
    Write,
    WriteReset,
    Finish,
    Reset,
    Close,
    Job,
}

pub(crate) struct World {
    seed: u64,
    trace: AtomicBool,
    state: Mutex<State>,
}

struct State {
    now: Instant,
    timers: BTreeMap<Alarm, Waker>,
    next_alarm: u64,
    ready: BTreeSet<(u64, TaskId)>,
    jobs: Vec<Job>,
    random: Random,
    fingerprint: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let state = State {
            now: Instant::default(),
            timers: BTreeMap::new(),
            next_alarm: 0,
            ready: BTreeSet::new(),
            jobs: Vec::new(),
            random: Random::new(seed),
            fingerprint: seed,
        };
        Arc::new(Self { seed, trace: AtomicBool::new(false), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn now(&self) -> Instant {
        self.state().now
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.state().fingerprint
    }

    /// Prints everything that happens from now on.
    pub(crate) fn print_trace(&self) {
        self.trace.store(true, Ordering::Relaxed);
    }

    /// Something happened: it becomes part of the fingerprint. Contents do not, as a response carries
    /// the date of the system.
    pub(crate) fn note(&self, event: Event, who: u64, how_much: u64) {
        let now = {
            let mut state = self.state();
            for part in [state.now.as_nanos(), event as u64, who, how_much] {
                state.fingerprint = Random::new(state.fingerprint ^ part).next_u64();
            }
            state.now
        };
        if self.trace.load(Ordering::Relaxed) {
            let at = Duration::from_nanos(now.as_nanos());
            eprintln!("{at:>12.6?} {event:?} of {who}: {how_much}");
        }
    }

    /// Another generator, for whoever needs many numbers.
    pub(crate) fn fork(&self) -> Random {
        self.state().random.fork()
    }

    /// `true` once in `of` times; never for 0.
    pub(crate) fn one_in(&self, of: u64) -> bool {
        of > 0 && self.state().random.chance(1, of)
    }

    /// How many of `len` bytes to take: 1 to `most`; all of them if `most` is 0.
    pub(crate) fn part(&self, len: usize, most: usize) -> usize {
        if most == 0 {
            return len;
        }
        let part = self.state().random.below(most as u64);
        len.min(usize::try_from(part).map_or(most, |part| part + 1))
    }

    pub(crate) fn between(&self, (least, most): (Duration, Duration)) -> Duration {
        self.state().random.between(least, most)
    }

    /// Has `waker` woken at that time.
    pub(crate) fn set_alarm(&self, at: Instant, waker: Waker) -> Alarm {
        let mut state = self.state();
        state.next_alarm += 1;
        let alarm = (at, state.next_alarm);
        state.timers.insert(alarm, waker);
        alarm
    }

    /// The same alarm for another waker. Nothing if it has gone off.
    pub(crate) fn redirect_alarm(&self, alarm: Alarm, waker: &Waker) -> bool {
        match self.state().timers.get_mut(&alarm) {
            Some(set) => {
                set.clone_from(waker);
                true
            }
            None => false,
        }
    }

    pub(crate) fn cancel_alarm(&self, alarm: Alarm) {
        let waker = self.state().timers.remove(&alarm);
        drop(waker);
    }

    pub(crate) fn queue_job(&self, job: Job) {
        self.state().jobs.push(job);
    }

    pub(crate) fn take_jobs(&self) -> Vec<Job> {
        std::mem::take(&mut self.state().jobs)
    }

    /// The runnable task whose turn it is.
    pub(crate) fn next_task(&self) -> Option<TaskId> {
        self.state().ready.pop_first().map(|(_, id)| id)
    }

    /// Lets time pass until the next alarm, and wakes whoever waits for that moment. `None` if nobody
    /// waits for a time; an error if it is later than `limit`.
    pub(crate) fn advance(&self, limit: Instant) -> Option<Result<(), Instant>> {
        let mut woken = Vec::new();
        let now = {
            let mut state = self.state();
            let (at, _) = *state.timers.first_key_value()?.0;
            if at > limit {
                return Some(Err(at));
            }
            let now = state.now.max(at);
            state.now = now;
            let later = state.timers.split_off(&(now, u64::MAX));
            woken.extend(std::mem::replace(&mut state.timers, later).into_values());
            now
        };
        self.note(Event::Time, 0, now.as_nanos());
        woken.into_iter().for_each(Waker::wake);
        Some(Ok(()))
    }

    /// Forgets who waits: the simulation is over.
    pub(crate) fn clear(&self) {
        let (timers, jobs) = {
            let mut state = self.state();
            (std::mem::take(&mut state.timers), std::mem::take(&mut state.jobs))
        };
        drop((timers, jobs));
    }
}

/// Puts a task into the queue.
pub(crate) struct TaskWaker {
    id: TaskId,
    world: Arc<World>,
    queued: AtomicBool,
    turns: AtomicU64,
}

impl TaskWaker {
    pub(crate) fn new(id: TaskId, world: Arc<World>) -> Arc<Self> {
        Arc::new(Self { id, world, queued: AtomicBool::new(false), turns: AtomicU64::new(0) })
    }

    /// The task is about to be polled: what wakes it from now on counts.
    pub(crate) fn begin_turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.queued.store(false, Ordering::Relaxed);
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            let turn = self.turns.load(Ordering::Relaxed);
            // As good as a shuffle, and the same whoever was woken first.
            let mut random = Random::new(self.world.seed ^ (self.id << 32));
            let mut random = Random::new(random.next_u64() ^ turn);
            self.world.state().ready.insert((random.next_u64(), self.id));
        }
    }
}
