//! How a simulation can fail to reach its end.

use std::fmt;
use std::time::Duration;

use sinew_proto::Instant;

/// The future of [`Sim::run_until`](crate::Sim::run_until) did not complete. Printed, it says the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The seed of the simulation.
    pub seed: u64,
    /// Why nothing comes of it.
    pub why: Why,
    /// When, on the virtual clock.
    pub at: Instant,
    /// Who had not completed, at most 16: the connections by number and the tasks by where they were
    /// spawned.
    pub waiting: Vec<String>,
}

/// See [`Stuck`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// Nothing can run, and nobody waits for a time: nothing will ever happen again.
    Deadlock,
    /// Tasks are polled again and again, and no time passes.
    Spinning,
    /// What comes next is later than [`SimConfig::time_limit`](crate::SimConfig::time_limit).
    TimeLimit,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::Deadlock => "nothing will ever happen again",
            Why::Spinning => "tasks spin, and no time passes",
            Why::TimeLimit => "the time limit has passed",
        };
        let at = Duration::from_nanos(self.at.as_nanos());
        write!(f, "seed {}: {why}, after {at:?} of virtual time", self.seed)?;
        if !self.waiting.is_empty() {
            write!(f, "; waiting: {}", self.waiting.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Stuck {}
