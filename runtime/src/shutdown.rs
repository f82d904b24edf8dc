//! The signal to drain, the signal to give up, and the count of the connections they are for.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::roll::Roll;

/// A signal that is given once and seen by everybody who has a clone.
///
/// ```
/// use sinew_runtime::Shutdown;
/// let shutdown = Shutdown::new();
/// let guard = shutdown.guard();
/// shutdown.trigger();
/// assert!(shutdown.is_triggered());
/// assert_eq!(shutdown.live(), 1);
/// drop(guard);
/// # futures_lite::future::block_on(async {
/// shutdown.wait().await; // given already
/// shutdown.drained().await; // nobody is left
/// # });
/// ```
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// A [`Phase`]; it only grows.
    phase: AtomicU8,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: usize,
    next_key: u64,
    /// Who waits for the signal.
    waiting: HashMap<u64, Waker>,
    /// And who else: the connections of each server.
    rolls: Vec<Weak<Roll>>,
    /// Who waits for the last guard to go.
    draining: HashMap<u64, Waker>,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It has not.
    Running,
    /// What is in flight is finished, nothing else is begun.
    Draining,
    /// What is in flight is dropped.
    Aborted,
}

impl State {
    fn next_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }
}

impl Shutdown {
    /// A signal that was not given yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal to drain. A second time changes nothing.
    pub fn trigger(&self) {
        self.enter(Phase::Draining);
    }

    /// Gives the signal to drop what is still in flight.
    pub fn abort(&self) {
        self.enter(Phase::Aborted);
    }

    fn enter(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::SeqCst);
        // Outside of the lock: a waker may run anything. The entries stay, for the next phase.
        let state = self.state();
        let waiting: Vec<Waker> = state.waiting.values().cloned().collect();
        let rolls: Vec<Arc<Roll>> = state.rolls.iter().filter_map(Weak::upgrade).collect();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        rolls.iter().flat_map(|roll| roll.wakers()).for_each(Waker::wake);
    }

    /// How far the end has come.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::SeqCst) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Aborted,
        }
    }

    /// Whether the signal to drain was given.
    pub fn is_triggered(&self) -> bool {
        self.phase() >= Phase::Draining
    }

    /// Completes when the signal is given.
    pub fn wait(&self) -> Wait {
        Wait { slot: Slot::new(self) }
    }

    /// Counts somebody who has to finish before [`drained`](Self::drained) completes.
    pub fn guard(&self) -> Guard {
        self.join();
        Guard { slot: Slot::new(self) }
    }

    /// Wakes those on a roll as well. Whoever enters it later looks at the phase after that.
    pub(crate) fn enlist(&self, roll: &Arc<Roll>) {
        let mut state = self.state();
        // Now and then, so that it costs no more than the growing does.
        if state.rolls.len() == state.rolls.capacity() {
            state.rolls.retain(|roll| roll.strong_count() > 0);
        }
        state.rolls.push(Arc::downgrade(roll));
    }

    /// One more who has to finish, and says so by [`leave`](Self::leave).
    pub(crate) fn join(&self) {
        self.state().live += 1;
    }

    /// One of them has.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.live -= 1;
        let woken = if state.live == 0 { mem::take(&mut state.draining) } else { HashMap::new() };
        drop(state);
        woken.into_values().for_each(Waker::wake);
    }

    /// How many guards there are.
    pub fn live(&self) -> usize {
        self.state().live
    }

    /// Completes when there is no guard.
    pub fn drained(&self) -> Drained {
        Drained { shutdown: self.clone(), key: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("phase", &self.phase()).field("live", &self.live()).finish()
    }
}

/// A place among those who wait for the signal.
#[derive(Debug)]
struct Slot {
    shutdown: Shutdown,
    /// The entry and the waker in it: the table is touched only when that changes.
    entry: Option<(u64, Waker)>,
}

impl Slot {
    fn new(shutdown: &Shutdown) -> Self {
        Self { shutdown: shutdown.clone(), entry: None }
    }

    /// The phase; the task of `cx` is woken by the next one.
    fn poll(&mut self, cx: &Context<'_>) -> Phase {
        if self.entry.as_ref().is_none_or(|(_, waker)| !waker.will_wake(cx.waker())) {
            let mut state = self.shutdown.state();
            let key = self.entry.as_ref().map_or_else(|| state.next_key(), |(key, _)| *key);
            state.waiting.insert(key, cx.waker().clone());
            self.entry = Some((key, cx.waker().clone()));
        }
        // Looked at after the entry is made: a signal in between wakes the task.
        self.shutdown.phase()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((key, _)) = self.entry {
            self.shutdown.state().waiting.remove(&key);
        }
    }
}

/// See [`Shutdown::wait`].
#[derive(Debug)]
pub struct Wait {
    slot: Slot,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.slot.poll(cx) >= Phase::Draining { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Somebody who has to finish. See [`Shutdown::guard`].
#[derive(Debug)]
pub struct Guard {
    slot: Slot,
}

impl Guard {
    /// How far the end has come; the task of `cx` is woken when it comes nearer.
    pub fn poll_phase(&mut self, cx: &Context<'_>) -> Phase {
        self.slot.poll(cx)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.slot.shutdown.leave();
    }
}

/// See [`Shutdown::drained`].
#[derive(Debug)]
pub struct Drained {
    shutdown: Shutdown,
    key: Option<u64>,
}

impl Future for Drained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shutdown = self.shutdown.clone();
        let mut state = shutdown.state();
        if state.live == 0 {
            return Poll::Ready(());
        }
        let key = *self.key.get_or_insert_with(|| state.next_key());
        state.draining.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shutdown.state().draining.remove(&key);
        }
    }
}
