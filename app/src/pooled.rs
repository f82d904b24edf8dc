//! Memory that goes from one request to the next one of the same thread.
//!
//! What lies behind one pointer is passed on for the price of that pointer, and a handler passes its
//! request and its response on many times. The pool makes the pointer itself free of charge.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// How many of a kind a thread keeps.
const KEPT: usize = 8;

/// What a thread keeps of one kind.
pub(crate) type Pool<T> = RefCell<Vec<Box<T>>>;

/// Something whose memory is used again.
pub(crate) trait Reuse: Default + 'static {
    /// Lends the pool of this thread, unless the thread ends.
    fn pool<T>(lend: impl FnOnce(&Pool<Self>) -> T) -> Option<T>;

    /// Drops what it holds. Memory that is worth it may stay.
    fn clear(&mut self);
}

/// A `T` behind a pointer, whose memory comes from the pool of this thread and goes back to that of the
/// thread where it is dropped.
pub(crate) struct Pooled<T: Reuse>(Option<Box<T>>);

impl<T: Reuse> Pooled<T> {
    /// One that holds nothing.
    pub(crate) fn new() -> Self {
        let kept = T::pool(|pool| pool.borrow_mut().pop());
        Self(Some(kept.flatten().unwrap_or_default()))
    }
}

impl<T: Reuse> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().expect("it is there until it is dropped")
    }
}

impl<T: Reuse> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect("it is there until it is dropped")
    }
}

impl<T: Reuse> Drop for Pooled<T> {
    fn drop(&mut self) {
        let Some(mut value) = self.0.take() else {
            return;
        };
        // What it holds may be the application's, whose `Drop` may do anything: not while the pool is
        // borrowed.
        value.clear();
        let _ = T::pool(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < KEPT {
                pool.push(value);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static WORDS: Pool<Word> = const { RefCell::new(Vec::new()) };
    }

    #[derive(Default)]
    struct Word {
        text: String,
        /// Dropped in the middle of `clear`.
        other: Option<Pooled<Word>>,
    }

    impl Reuse for Word {
        fn pool<T>(lend: impl FnOnce(&Pool<Self>) -> T) -> Option<T> {
            WORDS.try_with(lend).ok()
        }

        fn clear(&mut self) {
            self.text.clear();
            self.other = None;
        }
    }

    fn kept() -> usize {
        WORDS.with_borrow(Vec::len)
    }

    #[test]
    fn memory_is_used_again_and_nothing_else() {
        let mut word = Pooled::<Word>::new();
        word.text.push_str("hello");
        let memory = word.text.as_ptr();
        drop(word);
        let again = Pooled::<Word>::new();
        assert_eq!((again.text.as_str(), again.text.as_ptr()), ("", memory));
        assert_eq!(kept(), 0);
    }

    #[test]
    fn one_may_hold_another() {
        let mut word = Pooled::<Word>::new();
        word.other = Some(Pooled::new());
        drop(word);
        assert_eq!(kept(), 2);
    }

    #[test]
    fn only_a_few_are_kept() {
        drop((0..20).map(|_| Pooled::<Word>::new()).collect::<Vec<_>>());
        assert_eq!(kept(), KEPT);
    }

    #[test]
    fn it_goes_to_the_thread_that_drops_it() {
        let word = Pooled::<Word>::new();
        let there = std::thread::spawn(move || {
            drop(word);
            kept()
        });
        assert_eq!((there.join().unwrap(), kept()), (1, 0));
    }

    /// In a thread that ends, the pool may be gone before what is dropped.
    #[test]
    fn a_pool_that_is_gone_is_no_harm() {
        struct Last(#[expect(dead_code, reason = "it is there to be dropped")] Pooled<Word>);
        thread_local! {
            static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
        }
        let ended = std::thread::spawn(|| {
            LAST.set(Some(Last(Pooled::new())));
            drop(Pooled::<Word>::new());
        });
        assert!(ended.join().is_ok());
    }
}
