//! Everybody whom a server serves: how to wake them, and when they want to be reminded.
//!
//! A connection that waits for its next request has one deadline, far away. A timer of the runtime for
//! each of ten thousand of them takes more memory than they do, so they share one: the accept loop's, the
//! [`Clerk`]. A connection that is busy has a timer of its own.
//!
//! Invariant: `queue` holds the keys of those who want to be reminded, as a heap with the earliest first,
//! and each of their entries knows its place in it.

use core::task::{Context, Poll, Waker};
use std::mem;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sinew_proto::Instant;

use crate::Runtime;

/// Later than anything.
pub(crate) const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// Names nobody, and no place in the queue.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct Roll {
    /// [`NEW`], [`ATTENDED`] or [`CLOSED`]; it only grows. Set under the lock.
    attended: AtomicU8,
    /// Reminders up to then were given, in nanoseconds of the clerk's clock. Written under the lock.
    reached: AtomicU64,
    state: Mutex<State>,
}

/// Nobody reminds yet.
const NEW: u8 = 0;
/// There is a clerk.
const ATTENDED: u8 = 1;
/// There was one. A reminder that was asked of it is not given, so no other one may look as if it were.
const CLOSED: u8 = 2;

#[derive(Debug)]
struct State {
    entries: Vec<Entry>,
    /// The first entry of nobody; the others follow in `place`.
    free: u32,
    queue: Vec<u32>,
    clerk: Option<Waker>,
    /// When the clerk looks again.
    next: Instant,
}

impl Default for State {
    fn default() -> Self {
        Self { entries: Vec::new(), free: NONE, queue: Vec::new(), clerk: None, next: NEVER }
    }
}

#[derive(Debug)]
struct Entry {
    waker: Option<Waker>,
    due: Instant,
    /// In the queue, or among the entries of nobody.
    place: u32,
}

impl Roll {
    /// Writes down how to wake somebody, under the key it has or a new one.
    pub(crate) fn enter(&self, key: u32, waker: &Waker) -> u32 {
        let waker = Some(waker.clone());
        let mut state = self.state();
        let key = if key == NONE { state.new_key() } else { key };
        let old = mem::replace(&mut state.entries[key as usize].waker, waker);
        drop(state);
        // Not under the lock: dropping a waker may run anything.
        drop(old);
        key
    }

    /// Forgets somebody.
    pub(crate) fn leave(&self, key: u32) {
        if key == NONE {
            return;
        }
        let mut state = self.state();
        state.unqueue(key);
        let free = mem::replace(&mut state.free, key);
        let entry = &mut state.entries[key as usize];
        entry.place = free;
        let waker = entry.waker.take();
        drop(state);
        drop(waker);
    }

    /// How to wake all of them.
    pub(crate) fn wakers(&self) -> Vec<Waker> {
        self.state().entries.iter().filter_map(|entry| entry.waker.clone()).collect()
    }

    /// Whether a reminder that was promised will be given.
    pub(crate) fn is_attended(&self) -> bool {
        self.attended.load(Ordering::Acquire) == ATTENDED
    }

    /// Whether a reminder for then was given already, whatever time it is where that is asked.
    fn has_reached(&self, due: Instant) -> bool {
        due.as_nanos() <= self.reached.load(Ordering::Acquire)
    }

    /// Wakes somebody then, not any more when it was to be woken before. `false` if there is nobody who
    /// would.
    pub(crate) fn remind(&self, key: u32, due: Instant) -> bool {
        let mut state = self.state();
        if !self.is_attended() || key == NONE {
            return false;
        }
        state.enqueue(key, due);
        let clerk = if due < state.next { state.clerk.clone() } else { None };
        drop(state);
        clerk.into_iter().for_each(Waker::wake);
        true
    }

    /// Takes out whose time has come.
    fn take_due(&self, now: Instant) -> Vec<Waker> {
        let mut state = self.state();
        // Before anybody is woken: who was, sees it.
        self.reached.fetch_max(now.as_nanos(), Ordering::Release);
        let mut due = Vec::new();
        while let Some(&key) = state.queue.first() {
            if state.entries[key as usize].due > now {
                break;
            }
            state.unqueue(key);
            due.extend(state.entries[key as usize].waker.clone());
        }
        due
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new_key(&mut self) -> u32 {
        let entry = Entry { waker: None, due: NEVER, place: NONE };
        let key = self.free;
        if key == NONE {
            self.entries.push(entry);
            return u32::try_from(self.entries.len() - 1).expect("fewer connections than descriptors");
        }
        self.free = mem::replace(&mut self.entries[key as usize], entry).place;
        key
    }

    fn enqueue(&mut self, key: u32, due: Instant) {
        self.unqueue(key);
        self.entries[key as usize].due = due;
        self.queue.push(key);
        self.rise(self.queue.len() - 1);
    }

    fn unqueue(&mut self, key: u32) {
        let place = mem::replace(&mut self.entries[key as usize].place, NONE);
        if place == NONE {
            return;
        }
        let place = place as usize;
        self.queue.swap_remove(place);
        if place < self.queue.len() {
            let place = self.rise(place);
            self.sink(place);
        }
    }

    fn due(&self, place: usize) -> Instant {
        self.entries[self.queue[place] as usize].due
    }

    /// Moves an entry towards the earliest one as far as it belongs.
    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 && self.due(place) < self.due((place - 1) / 2) {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        self.tell(place);
        place
    }

    /// Moves an entry away from the earliest one as far as it belongs.
    fn sink(&mut self, mut place: usize) {
        loop {
            let below = [2 * place + 1, 2 * place + 2];
            let below = below.into_iter().filter(|&below| below < self.queue.len());
            let Some(earlier) = below.min_by_key(|&below| self.due(below)) else { return };
            if self.due(place) <= self.due(earlier) {
                return;
            }
            self.swap(place, earlier);
            place = earlier;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.queue.swap(a, b);
        self.tell(a);
        self.tell(b);
    }

    /// Tells an entry its place.
    fn tell(&mut self, place: usize) {
        let key = self.queue[place];
        self.entries[key as usize].place = u32::try_from(place).unwrap_or(NONE);
    }
}

/// Reminds those who have asked for it. It is polled with whatever task has it; the first one to be there
/// does it for all.
pub(crate) struct Clerk<R: Runtime> {
    roll: Arc<Roll>,
    timer: R::Timer,
}

impl<R: Runtime> Clerk<R> {
    /// A clerk for a roll that has had none.
    pub(crate) fn of(roll: &Arc<Roll>) -> Option<Self> {
        let _state = roll.state();
        let first = roll.attended.compare_exchange(NEW, ATTENDED, Ordering::AcqRel, Ordering::Relaxed);
        first.is_ok().then(|| Self { roll: roll.clone(), timer: R::Timer::default() })
    }

    /// Wakes whose time has come. The task of `cx` is woken when that of the next one has.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, runtime: &R) {
        while let Some(next) = self.next(cx) {
            if runtime.poll_timer(&mut self.timer, next, cx).is_pending() {
                return;
            }
            self.roll.take_due(runtime.now()).into_iter().for_each(Waker::wake);
        }
    }

    fn next(&self, cx: &Context<'_>) -> Option<Instant> {
        let mut state = self.roll.state();
        if state.clerk.as_ref().is_none_or(|clerk| !clerk.will_wake(cx.waker())) {
            state.clerk = Some(cx.waker().clone());
        }
        let next = state.queue.first().map(|&key| state.entries[key as usize].due);
        state.next = next.unwrap_or(NEVER);
        next
    }
}

/// Whoever was to be reminded has to look after itself from now on.
impl<R: Runtime> Drop for Clerk<R> {
    fn drop(&mut self) {
        let mut state = self.roll.state();
        self.roll.attended.store(CLOSED, Ordering::Release);
        let mut left = Vec::new();
        for key in mem::take(&mut state.queue) {
            let entry = &mut state.entries[key as usize];
            entry.place = NONE;
            left.extend(entry.waker.clone());
        }
        let clerk = state.clerk.take();
        drop(state);
        drop(clerk);
        left.into_iter().for_each(Waker::wake);
    }
}

/// Somebody on a roll, for as long as this is there.
#[derive(Debug)]
pub(crate) struct Membership {
    waker: Option<Waker>,
    /// When the clerk wakes it, or `NEVER`.
    reminder: Instant,
    key: u32,
}

impl Membership {
    pub(crate) const NONE: Self = Self { waker: None, reminder: NEVER, key: NONE };

    /// Has the task of `cx` woken, and no other one.
    #[inline]
    pub(crate) fn poll(&mut self, roll: &Roll, cx: &Context<'_>) {
        if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            self.enter(roll, cx.waker());
        }
    }

    #[cold]
    fn enter(&mut self, roll: &Roll, waker: &Waker) {
        self.key = roll.enter(self.key, waker);
        self.waker = Some(waker.clone());
    }

    /// Has the task woken by `due`. `Pending`: it will be; earlier perhaps, and then for nothing, which is
    /// cheaper than to change the roll with every request. `Ready`: nobody does that.
    #[inline]
    pub(crate) fn poll_reminder(&mut self, roll: &Roll, due: Instant) -> Poll<()> {
        if !roll.is_attended() {
            return Poll::Ready(());
        }
        if self.reminder <= due && !roll.has_reached(self.reminder) {
            return Poll::Pending;
        }
        self.ask(roll, due)
    }

    #[cold]
    fn ask(&mut self, roll: &Roll, due: Instant) -> Poll<()> {
        self.reminder = due;
        // The clerk may have left in this moment.
        if roll.remind(self.key, due) { Poll::Pending } else { Poll::Ready(()) }
    }

    pub(crate) fn leave(&self, roll: &Roll) {
        roll.leave(self.key);
    }
}

#[cfg(test)]
#[path = "roll_tests.rs"]
mod tests;
