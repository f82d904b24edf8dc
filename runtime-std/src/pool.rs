//! Threads for what blocks.
//!
//! Invariant: at most `max_threads` jobs run and at most `max_queued` wait; one more is given back.
//! Threads start when there is work and leave after ten idle seconds.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sinew_runtime::Job;

/// How long a thread waits for work before it leaves.
const IDLE: Duration = Duration::from_secs(10);

/// A bounded pool. A clone is the same pool; when the last one is dropped, what is queued still runs.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Owner>);

struct Owner(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    max_threads: usize,
    max_queued: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// Threads that will take a job that is queued now: they wait for one, or are about to start.
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(max_threads: usize, max_queued: usize) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            max_threads: max_threads.max(1),
            max_queued,
        };
        Self(Arc::new(Owner(Arc::new(shared))))
    }

    /// Runs `job` on a thread of the pool, or gives it back if there is no place for it.
    pub(crate) fn run(&self, job: Job) -> Result<(), Job> {
        let shared = &self.0.0;
        let mut state = shared.lock();
        let has_taker = state.idle > state.queue.len();
        if has_taker {
            state.queue.push_back(job);
            drop(state);
            shared.work.notify_one();
            return Ok(());
        }
        if state.threads < shared.max_threads {
            let own = shared.clone();
            let builder = thread::Builder::new().name("sinew-blocking".to_owned());
            if builder.spawn(move || own.worker()).is_ok() {
                state.threads += 1;
                state.idle += 1;
                state.queue.push_back(job);
                return Ok(());
            }
        }
        let waiting = state.queue.len() - state.idle;
        // A queue with nobody to work it off would never move.
        if state.threads == 0 || waiting >= shared.max_queued {
            return Err(job);
        }
        state.queue.push_back(job);
        Ok(())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worker(&self) {
        let mut state = self.lock();
        state.idle -= 1;
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                // A job that panics has told its waiter by being dropped.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.lock();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (woken, timeout) =
                self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn what_does_not_fit_is_given_back() {
        let pool = Pool::new(2, 1);
        let (hold, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let (started, starts) = mpsc::channel();
        for _ in 0..2 {
            let (held, started) = (held.clone(), started.clone());
            let job: Job = Box::new(move || {
                started.send(()).unwrap();
                let _ = held.lock().unwrap().recv_timeout(SOON);
            });
            assert!(pool.run(job).is_ok());
        }
        starts.recv_timeout(SOON).unwrap();
        starts.recv_timeout(SOON).unwrap();
        let (done, dones) = mpsc::channel();
        let queued = done.clone();
        assert!(pool.run(Box::new(move || queued.send(1).unwrap())).is_ok());
        let refused = pool.run(Box::new(move || done.send(2).unwrap()));
        hold.send(()).unwrap();
        hold.send(()).unwrap();
        assert_eq!(dones.recv_timeout(SOON), Ok(1));
        let Err(job) = refused else { panic!("a third job waits in a queue for one") };
        assert!(pool.run(job).is_ok());
        assert_eq!(dones.recv_timeout(SOON), Ok(2));
    }

    #[test]
    fn a_thread_that_is_about_to_start_takes_no_place_in_the_queue() {
        for _ in 0..50 {
            let pool = Pool::new(4, 1);
            let gate = Arc::new(Mutex::new(()));
            let closed = gate.lock().unwrap();
            let taken = (0..6).filter(|_| {
                let gate = gate.clone();
                pool.run(Box::new(move || drop(gate.lock().unwrap()))).is_ok()
            });
            assert_eq!(taken.count(), 5);
            drop(closed);
        }
    }

    #[test]
    fn a_panic_ends_neither_the_pool_nor_its_count() {
        let pool = Pool::new(1, 10);
        for _ in 0..5 {
            assert!(pool.run(Box::new(|| panic!("on purpose"))).is_ok());
        }
        let (done, dones) = mpsc::channel();
        assert!(pool.run(Box::new(move || done.send(()).unwrap())).is_ok());
        dones.recv_timeout(SOON).unwrap();
        assert_eq!(pool.0.0.lock().threads, 1);
    }

    #[test]
    fn what_is_queued_when_the_pool_goes_still_runs() {
        let pool = Pool::new(1, 100);
        let (done, dones) = mpsc::channel();
        for i in 0..50 {
            let done = done.clone();
            assert!(pool.run(Box::new(move || done.send(i).unwrap())).is_ok());
        }
        drop(pool);
        let all: Vec<i32> = (0..50).map(|_| dones.recv_timeout(SOON).unwrap()).collect();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
    }
}
