//! Random crowds against a list, and a clerk that leaves.

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::task::Wake;

use super::*;
use crate::Job;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counted() -> (Arc<Count>, Waker) {
    let count = Arc::<Count>::default();
    (count.clone(), count.into())
}

/// How often it was woken since the last call.
fn woken(count: &Count) -> usize {
    count.0.swap(0, Ordering::SeqCst)
}

/// A clock that is set by hand.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::SeqCst);
    }
}

impl Runtime for Hand {
    type Timer = ();

    fn now(&self) -> Instant {
        at(self.0.load(Ordering::SeqCst))
    }

    fn poll_timer(&self, (): &mut (), deadline: Instant, _: &mut Context<'_>) -> Poll<()> {
        if deadline <= self.now() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        Err(job)
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// A small generator: the same numbers every time.
fn random(state: &mut u64, below: u32) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % u64::from(below)
}

fn any<T>(state: &mut u64, of: &[T]) -> usize {
    usize::try_from(random(state, u32::try_from(of.len()).unwrap())).unwrap()
}

#[test]
fn whoever_comes_goes_and_asks_is_woken_in_time_and_nobody_else() {
    struct Somebody {
        count: Arc<Count>,
        member: Membership,
        due: Option<u64>,
    }
    for seed in 1..200_u64 {
        let mut state = 0x9e37_79b9_7f4a_7c15 ^ seed;
        let (roll, hand) = (Arc::<Roll>::default(), Hand::default());
        let mut clerk = Clerk::of(&roll).expect("the first");
        assert!(Clerk::<Hand>::of(&roll).is_none(), "one does it for all");
        let (told, waker) = counted();
        let mut cx = Context::from_waker(&waker);
        let (mut crowd, mut now, mut looks) = (Vec::<Somebody>::new(), 0, u64::MAX);
        clerk.poll(&mut cx, &hand);
        for _ in 0..300 {
            match random(&mut state, 8) {
                0..=2 => {
                    let (count, waker) = counted();
                    let mut member = Membership::NONE;
                    member.poll(&roll, &Context::from_waker(&waker));
                    crowd.push(Somebody { count, member, due: None });
                }
                3 if !crowd.is_empty() => {
                    let index = any(&mut state, &crowd);
                    crowd.swap_remove(index).member.leave(&roll);
                }
                4..=6 if !crowd.is_empty() => {
                    let index = any(&mut state, &crowd);
                    let due = now + 1 + random(&mut state, 50);
                    let one = &mut crowd[index];
                    assert!(one.member.poll_reminder(&roll, at(due)).is_pending());
                    // One that comes earlier anyway stays.
                    one.due = Some(one.due.map_or(due, |old| old.min(due)));
                    // The clerk has to look earlier than it would.
                    assert_eq!(woken(&told), usize::from(one.due.is_some_and(|due| due < looks)));
                    clerk.poll(&mut cx, &hand);
                    looks = crowd.iter().filter_map(|one| one.due).min().unwrap_or(u64::MAX);
                }
                _ => {
                    now += random(&mut state, 20);
                    hand.set(now);
                    clerk.poll(&mut cx, &hand);
                    looks = crowd
                        .iter()
                        .filter_map(|one| one.due)
                        .filter(|&due| due > now)
                        .min()
                        .unwrap_or(u64::MAX);
                }
            }
            for one in &mut crowd {
                let expected = usize::from(one.due.is_some_and(|due| due <= now));
                assert_eq!(woken(&one.count), expected, "{:?} at {now}", one.due);
                if expected == 1 {
                    one.due = None;
                }
            }
            assert_eq!(roll.wakers().len(), crowd.len());
        }
        let most = roll.state().entries.len();
        assert!(most <= 120, "{most} entries: the keys of those who left are given out again");
    }
}

#[test]
fn when_the_clerk_leaves_everybody_is_told() {
    let (roll, hand) = (Arc::<Roll>::default(), Hand::default());
    let (count, waker) = counted();
    let cx = Context::from_waker(&waker);
    let mut member = Membership::NONE;
    member.poll(&roll, &cx);
    assert!(member.poll_reminder(&roll, at(9)).is_ready(), "nobody is there yet");
    let mut clerk = Clerk::of(&roll).expect("the first");
    assert!(member.poll_reminder(&roll, at(9)).is_pending());
    clerk.poll(&mut Context::from_waker(Waker::noop()), &hand);
    drop(clerk);
    assert_eq!(woken(&count), 1);
    assert!(member.poll_reminder(&roll, at(9)).is_ready(), "the promise is not kept any more");
    assert!(Clerk::<Hand>::of(&roll).is_none(), "nor by anybody else");
    member.leave(&roll);
    assert_eq!(roll.wakers().len(), 0);
}

/// A runtime may ask the system for the time once a turn of each thread.
#[test]
fn who_believes_that_it_was_woken_too_early_is_woken_again() {
    let (roll, hand) = (Arc::<Roll>::default(), Hand::default());
    let mut clerk = Clerk::of(&roll).expect("the first");
    let (count, waker) = counted();
    let mut member = Membership::NONE;
    member.poll(&roll, &Context::from_waker(&waker));
    assert!(member.poll_reminder(&roll, at(9)).is_pending());
    hand.set(9);
    for _ in 0..3 {
        clerk.poll(&mut Context::from_waker(Waker::noop()), &hand);
        assert_eq!(woken(&count), 1);
        // Where it runs, it is not nine yet.
        assert!(member.poll_reminder(&roll, at(9)).is_pending());
    }
}

#[test]
fn who_moves_to_another_task_is_woken_there() {
    let (roll, hand) = (Arc::<Roll>::default(), Hand::default());
    let mut clerk = Clerk::of(&roll).expect("the first");
    let ((old, first), (new, second)) = (counted(), counted());
    let mut member = Membership::NONE;
    member.poll(&roll, &Context::from_waker(&first));
    assert!(member.poll_reminder(&roll, at(5)).is_pending());
    member.poll(&roll, &Context::from_waker(&second));
    hand.set(5);
    clerk.poll(&mut Context::from_waker(Waker::noop()), &hand);
    assert_eq!((woken(&old), woken(&new)), (0, 1));
    assert_eq!(roll.wakers().len(), 1, "one key");
    member.leave(&roll);
}
