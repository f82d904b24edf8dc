//! A bound on blocking work, for pools that have none of their own.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Job;

/// Admits a number of jobs at a time, and keeps some more waiting. A clone counts with the original.
///
/// ```
/// use sinew_runtime::JobLimit;
/// let limit = JobLimit::new(1, 1);
/// let first = limit.admit(Box::new(|| ())).ok().flatten().expect("there is a place");
/// assert!(matches!(limit.admit(Box::new(|| ())), Ok(None)), "it waits");
/// assert!(limit.admit(Box::new(|| ())).is_err(), "and no other does");
/// first(); // and what waits
/// assert!(matches!(limit.admit(Box::new(|| ())), Ok(Some(_))));
/// ```
#[derive(Clone)]
pub struct JobLimit(Arc<Places>);

struct Places {
    state: Mutex<State>,
    at_work: usize,
    waiting: usize,
}

#[derive(Default)]
struct State {
    at_work: usize,
    waiting: VecDeque<Job>,
}

impl Places {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one that is at work, or about to be.
struct Place {
    places: Arc<Places>,
    given_back: bool,
}

impl Place {
    /// One that waits takes this place. If there is none, it is given back, in the same moment: one that came
    /// in between would wait for ever.
    fn next(&mut self) -> Option<Job> {
        let mut state = self.places.state();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.at_work -= 1;
            self.given_back = true;
        }
        next
    }
}

impl Drop for Place {
    /// The pool has gone, and did not run the job.
    fn drop(&mut self) {
        if !self.given_back {
            self.places.state().at_work -= 1;
        }
    }
}

impl JobLimit {
    /// At most `at_work` jobs at a time, and `waiting` more that wait for them.
    pub fn new(at_work: usize, waiting: usize) -> Self {
        Self(Arc::new(Places { state: Mutex::default(), at_work, waiting }))
    }

    /// The job with a place of its own, to be given to a pool, where it runs those that have to wait
    /// meanwhile as well; nothing, if it is one that has to wait; or the job back if it cannot even do that.
    pub fn admit(&self, job: Job) -> Result<Option<Job>, Job> {
        let mut state = self.0.state();
        if state.at_work < self.0.at_work {
            state.at_work += 1;
            drop(state);
            let place = Place { places: self.0.clone(), given_back: false };
            return Ok(Some(Box::new(move || work(place, job))));
        }
        if state.waiting.len() < self.0.waiting {
            state.waiting.push_back(job);
            return Ok(None);
        }
        Err(job)
    }
}

fn work(mut place: Place, first: Job) {
    let mut next = Some(first);
    while let Some(job) = next {
        // One that panics has told its waiter by being dropped.
        let _ = catch_unwind(AssertUnwindSafe(job));
        next = place.next();
    }
}

impl fmt::Debug for JobLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at_work, waiting) = {
            let state = self.0.state();
            (state.at_work, state.waiting.len())
        };
        f.debug_struct("JobLimit").field("at_work", &at_work).field("waiting", &waiting).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn admitted(limit: &JobLimit, job: impl FnOnce() + Send + 'static) -> Option<Job> {
        limit.admit(Box::new(job)).unwrap_or_else(|_| panic!("there is no place"))
    }

    #[test]
    fn what_waits_runs_when_its_turn_comes_whatever_the_others_do() {
        let ran = Arc::new(AtomicUsize::new(0));
        let limit = JobLimit::new(1, 2);
        let first = admitted(&limit, || panic!("on purpose")).expect("a place");
        for _ in 0..2 {
            let ran = ran.clone();
            let job = move || {
                ran.fetch_add(1, Ordering::SeqCst);
            };
            assert!(admitted(&limit, job).is_none());
        }
        assert!(limit.admit(Box::new(|| ())).is_err());
        first();
        assert_eq!(ran.load(Ordering::SeqCst), 2);
        assert!(admitted(&limit, || ()).is_some());
    }

    #[test]
    fn a_job_that_is_never_run_gives_its_place_back() {
        let limit = JobLimit::new(1, 0);
        drop(admitted(&limit, || ()));
        assert!(admitted(&limit, || ()).is_some());
        assert!(JobLimit::new(0, 0).admit(Box::new(|| ())).is_err());
    }

    /// Jobs end while others come: each of them runs, and never more than there are places.
    #[test]
    fn none_is_lost_between_one_that_ends_and_one_that_comes() {
        let limit = JobLimit::new(2, usize::MAX);
        let (ran, at_work) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (ran, at_work) = (Arc::new(ran), Arc::new(at_work));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (limit, ran, at_work) = (limit.clone(), ran.clone(), at_work.clone());
                std::thread::spawn(move || {
                    for _ in 0..5_000 {
                        let (ran, at_work) = (ran.clone(), at_work.clone());
                        let job = move || {
                            assert!(at_work.fetch_add(1, Ordering::SeqCst) < 2);
                            at_work.fetch_sub(1, Ordering::SeqCst);
                            ran.fetch_add(1, Ordering::SeqCst);
                        };
                        if let Some(job) = admitted(&limit, job) {
                            job();
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(ran.load(Ordering::SeqCst), 20_000);
    }
}
