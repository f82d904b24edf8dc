//! Steps of work, counted for the tests of linearity (`tests/linearity.rs`). A step is a byte looked
//! at or a call. Without the feature `count-work` nothing is counted, and nothing of this is left in
//! the code.

#[cfg(feature = "count-work")]
thread_local! {
    static STEPS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

/// The steps that this thread has taken so far.
#[cfg(feature = "count-work")]
pub fn steps() -> u64 {
    STEPS.get()
}

#[cfg(feature = "count-work")]
pub(crate) fn step(steps: usize) {
    STEPS.set(STEPS.get().saturating_add(steps as u64));
}

#[cfg(not(feature = "count-work"))]
#[inline(always)]
pub(crate) const fn step(_: usize) {}
