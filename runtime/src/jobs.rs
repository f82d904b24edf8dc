//! A bound on blocking work, for pools that have none of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Job;

/// Admits a number of jobs at a time. A clone counts with the original.
///
/// ```
/// use sinew_runtime::JobLimit;
/// let limit = JobLimit::new(1);
/// let first = limit.admit(Box::new(|| ())).ok().expect("there is a place");
/// assert!(limit.admit(Box::new(|| ())).is_err());
/// first();
/// assert!(limit.admit(Box::new(|| ())).is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct JobLimit(Arc<Places>);

#[derive(Debug)]
struct Places {
    taken: AtomicUsize,
    limit: usize,
}

/// Given back when the job has run, has panicked, or is dropped.
struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

impl JobLimit {
    /// At most `limit` jobs, those that wait for a thread included.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Places { taken: AtomicUsize::new(0), limit }))
    }

    /// The job with a place of its own, to be given to a pool; or the job back if there is none.
    pub fn admit(&self, job: Job) -> Result<Job, Job> {
        let before = self.0.taken.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.0.clone());
        if before >= self.0.limit {
            return Err(job);
        }
        Ok(Box::new(move || {
            let _place = place;
            job();
        }))
    }
}
