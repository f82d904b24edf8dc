//! The token that tells of a client that is gone, without a driver: both of its ends.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures_lite::future::{block_on, poll_once};
use sinew_app::{ClientWatch, Disconnect, Gone, Router, get};

use crate::{ask, request};

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn without_a_driver_nobody_goes() {
    let app = Router::new().route(
        "/",
        get(|disconnect: Disconnect| async move {
            assert!(!disconnect.is_gone() && !disconnect.is_lost());
            assert_eq!(poll_once((&disconnect).into_future()).await, None);
            assert_eq!(poll_once(disconnect.lost()).await, None);
        }),
    );
    assert_eq!(ask(&app, request("GET", "/", &[], "")).status, 200);
}

#[test]
fn an_end_and_then_the_answer() {
    let mut watch = ClientWatch::new();
    let token = watch.begin();
    assert_eq!(token.gone(), None);
    watch.ended();
    assert_eq!((token.gone(), token.is_gone(), token.is_lost()), (Some(Gone::Ended), true, false));
    assert_eq!(block_on(token.clone().into_future()), Gone::Ended);
    assert_eq!(block_on(poll_once(token.lost())), None);
    watch.settle(Gone::Answered);
    assert_eq!(block_on(token.lost()), Gone::Answered);
    // What becomes of the client afterwards is another request's concern.
    drop(watch);
    assert_eq!((token.gone(), token.is_lost()), (Some(Gone::Answered), false));
}

#[test]
fn each_request_has_its_own() {
    let mut watch = ClientWatch::new();
    let first = watch.begin();
    watch.settle(Gone::Answered);
    let second = watch.begin();
    assert_eq!((first.gone(), second.gone()), (Some(Gone::Answered), None));
    watch.ended();
    // Nobody holds the second any more, but what it has told is not the third's.
    drop(second);
    watch.settle(Gone::Answered);
    let third = watch.begin();
    assert_eq!(third.gone(), None);
    // Begun while one is at work: that one can only be lost.
    let fourth = watch.begin();
    assert_eq!((third.gone(), fourth.gone()), (Some(Gone::Lost), None));
    drop(watch);
    assert_eq!(fourth.gone(), Some(Gone::Lost));
}

#[test]
fn a_driver_that_is_dropped_wakes_everybody() {
    let mut watch = ClientWatch::new();
    let token = watch.begin();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let token = token.clone();
            thread::spawn(move || block_on(token.into_future()))
        })
        .collect();
    drop(watch);
    for thread in waiting {
        assert_eq!(thread.join().expect("it ends"), Gone::Lost);
    }
}

/// However often a task asks, it is woken once, and not at all when it has stopped waiting.
#[test]
fn who_stops_waiting_is_forgotten() {
    let mut watch = ClientWatch::new();
    let token = watch.begin();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    {
        let mut stays = pin!((&token).into_future());
        for _ in 0..3 {
            assert_eq!(stays.as_mut().poll(&mut cx), Poll::Pending);
            let mut leaves = pin!((&token).into_future());
            assert_eq!(leaves.as_mut().poll(&mut cx), Poll::Pending);
        }
        watch.ended();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!(stays.as_mut().poll(&mut cx), Poll::Ready(Gone::Ended));
    }
    watch.settle(Gone::Lost);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    // One waker for the test, one for its task.
    drop(waker);
    assert_eq!(Arc::strong_count(&woken), 1);
}
