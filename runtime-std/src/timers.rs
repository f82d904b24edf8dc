//! The deadlines of one event loop.
//!
//! Invariant: an entry is here exactly while somebody waits for it. Whoever sets an entry removes it,
//! by waiting to its end or by being dropped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use sinew_proto::Instant;

/// Names an entry: its deadline, and a number that tells equal deadlines apart.
pub(crate) type TimerKey = (Instant, u64);

#[derive(Debug, Default)]
pub(crate) struct Timers {
    state: Mutex<State>,
    /// Nanoseconds: no entry with a later deadline was ever taken out as due.
    passed: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<TimerKey, Waker>,
    next_number: u64,
}

impl Timers {
    /// Adds an entry. The second value tells whether it is now the earliest one.
    pub(crate) fn insert(&self, deadline: Instant, waker: Waker) -> (TimerKey, bool) {
        let mut state = self.state();
        state.next_number += 1;
        let key = (deadline, state.next_number);
        state.entries.insert(key, waker);
        (key, state.entries.first_key_value().is_some_and(|(first, _)| *first == key))
    }

    pub(crate) fn remove(&self, key: TimerKey) {
        self.state().entries.remove(&key);
    }

    /// Whether entries with this deadline may have been woken. Costs less than asking the clock.
    pub(crate) fn may_have_passed(&self, deadline: Instant) -> bool {
        deadline.as_nanos() <= self.passed.load(Ordering::Acquire)
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.state().entries.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Takes out what is due, for the caller to wake.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<Waker> {
        let mut state = self.state();
        if state.entries.first_key_value().is_none_or(|((deadline, _), _)| *deadline > now) {
            return Vec::new();
        }
        self.passed.fetch_max(now.as_nanos(), Ordering::AcqRel);
        let later = state.entries.split_off(&(now, u64::MAX));
        std::mem::replace(&mut state.entries, later).into_values().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn only_what_is_due_is_taken_and_nothing_is_left_of_what_was_removed() {
        let timers = Timers::default();
        let (late, first) = timers.insert(at(30), Waker::noop().clone());
        assert!(first);
        assert!(timers.insert(at(10), Waker::noop().clone()).1);
        assert!(!timers.insert(at(10), Waker::noop().clone()).1);
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.take_due(at(9)).len(), 0);
        assert!(!timers.may_have_passed(at(10)));
        assert_eq!(timers.take_due(at(10)).len(), 2);
        assert!(timers.may_have_passed(at(10)));
        assert!(!timers.may_have_passed(at(30)));
        assert_eq!(timers.next(), Some(at(30)));
        timers.remove(late);
        assert_eq!(timers.next(), None);
        assert_eq!(timers.take_due(at(u64::MAX)).len(), 0);
    }
}
