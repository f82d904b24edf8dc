//! The loop with real sockets, threads and time.

use std::future::poll_fn;
use std::io::{IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant as Clock};

use sinew_runtime::{Io as _, Runtime as _};

use crate::pool::Pool;
use crate::reactor::{EventLoop, LoopHandle};
use crate::runtime::{StdRuntime, StdTimer};
use crate::socket::Socket;

const SOON: Duration = Duration::from_secs(10);

/// A loop on a thread of its own, stopped and waited for at the end.
struct Running(LoopHandle, Receiver<std::io::Result<()>>);

impl Running {
    fn start() -> Self {
        let event_loop = EventLoop::new(Clock::now()).unwrap();
        let handle = event_loop.handle().clone();
        let (end, ended) = channel();
        std::thread::spawn(move || end.send(event_loop.run()).unwrap());
        Self(handle, ended)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(Box::pin(task));
    }

    fn runtime(&self) -> StdRuntime {
        StdRuntime::new(self.0.clone(), Pool::new(1, 1))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop();
        let ended = self.1.recv_timeout(SOON);
        assert!(matches!(ended, Ok(Ok(()))) || std::thread::panicking(), "the loop does not end: {ended:?}");
    }
}

/// Both ends of a connection, the first on the loop.
fn connection(home: &LoopHandle) -> (Socket, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_read_timeout(Some(SOON)).unwrap();
    theirs.set_write_timeout(Some(SOON)).unwrap();
    (Socket::new(mio::net::TcpStream::from_std(ours), home).unwrap(), theirs)
}

#[test]
fn a_wake_from_another_thread_ends_the_sleep() {
    let running = Running::start();
    let (waker, wakers) = channel();
    let (done, dones) = channel();
    let mut first = true;
    running.spawn(async move {
        poll_fn(|cx| {
            if std::mem::take(&mut first) {
                waker.send(cx.waker().clone()).unwrap();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        done.send(()).unwrap();
    });
    let waker = wakers.recv_timeout(SOON).unwrap();
    std::thread::sleep(Duration::from_millis(20)); // the loop is asleep by now
    waker.wake_by_ref();
    dones.recv_timeout(SOON).unwrap();
    waker.wake(); // of a task that is gone: nothing happens
}

#[test]
fn no_wake_is_lost_whether_the_loop_sleeps_or_polls() {
    const ROUNDS: u32 = 20_000;
    let running = Running::start();
    let (waker, wakers) = channel();
    let (seen, seens) = channel();
    let goal = Arc::new(AtomicU32::new(0));
    let current = goal.clone();
    let mut last = 0;
    running.spawn(poll_fn(move |cx| {
        let now = current.load(Ordering::Acquire);
        if now == 0 {
            waker.send(cx.waker().clone()).unwrap();
        } else if now != last {
            last = now;
            seen.send(now).unwrap();
        }
        if now == ROUNDS { Poll::Ready(()) } else { Poll::Pending }
    }));
    let waker = wakers.recv_timeout(SOON).unwrap();
    for round in 1..=ROUNDS {
        if round % 2 == 0 {
            waker.wake_by_ref(); // the next one finds the task queued, in its turn, or waiting
        }
        goal.store(round, Ordering::Release);
        waker.wake_by_ref();
        assert_eq!(seens.recv_timeout(SOON), Ok(round));
    }
}

#[test]
fn a_loop_that_has_ended_keeps_nothing_alive() {
    /// A task that panics when it is dropped, and tells before.
    struct Dropped(Sender<()>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
            panic!("on purpose");
        }
    }
    let running = Running::start();
    let handle = running.0.clone();
    let life = handle.life();
    let (waker, wakers) = channel();
    let (gone, gones) = channel();
    for _ in 0..2 {
        let (waker, dropped) = (waker.clone(), Dropped(gone.clone()));
        running.spawn(async move {
            let _dropped = dropped;
            poll_fn(|cx| {
                waker.send(cx.waker().clone()).unwrap();
                Poll::<()>::Pending
            })
            .await;
        });
    }
    let left: Vec<Waker> = (0..2).map(|_| wakers.recv_timeout(SOON).unwrap()).collect();
    drop(running);
    assert_eq!(gones.try_iter().count(), 2, "both tasks are dropped, though both panic");
    left.into_iter().for_each(Waker::wake);
    let (late, lates) = channel::<()>();
    handle.spawn(Box::pin(async move { late.send(()).unwrap() }));
    assert_eq!(lates.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected), "it comes too late");
    drop(handle);
    assert!(life.upgrade().is_none());
}

#[test]
fn a_task_that_panics_takes_nobody_with_it() {
    let running = Running::start();
    running.spawn(async { panic!("on purpose") });
    let (done, dones) = channel();
    running.spawn(async move { done.send(()).unwrap() });
    dones.recv_timeout(SOON).unwrap();
}

#[test]
fn a_task_that_is_always_ready_does_not_starve_the_others() {
    let running = Running::start();
    running.spawn(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    let (done, dones) = channel();
    let runtime = running.runtime();
    running.spawn(async move {
        runtime.sleep(Duration::from_millis(10)).await;
        done.send(()).unwrap();
    });
    dones.recv_timeout(SOON).unwrap();
}

#[test]
fn sleeps_end_in_order_and_never_early() {
    let running = Running::start();
    let (done, dones) = channel();
    let start = Clock::now();
    for millis in [60_u64, 20, 40, 0] {
        let (runtime, done) = (running.runtime(), done.clone());
        running.spawn(async move {
            runtime.sleep(Duration::from_millis(millis)).await;
            done.send((millis, start.elapsed())).unwrap();
        });
    }
    let ends: Vec<(u64, Duration)> = (0..4).map(|_| dones.recv_timeout(SOON).unwrap()).collect();
    assert_eq!(ends.iter().map(|(millis, _)| *millis).collect::<Vec<_>>(), [0, 20, 40, 60]);
    for (millis, elapsed) in ends {
        assert!(elapsed >= Duration::from_millis(millis), "{millis} ms ended after {elapsed:?}");
    }
    assert_eq!(running.0.timers().next(), None);
}

#[test]
fn a_sleep_that_is_dropped_leaves_nothing_behind() {
    let running = Running::start();
    let runtime = running.runtime();
    let (done, dones) = channel();
    running.spawn(async move {
        let mut sleep = runtime.sleep(Duration::from_secs(3_600));
        poll_fn(|cx| {
            assert!(sleep.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(sleep);
        done.send(()).unwrap();
    });
    dones.recv_timeout(SOON).unwrap();
    assert_eq!(running.0.timers().next(), None);
}

/// Wakes a thread that is no loop.
struct Ring(Sender<()>);

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.0.send(()).unwrap();
    }
}

#[test]
fn a_timer_set_on_another_thread_ends_a_longer_sleep() {
    let running = Running::start();
    let runtime = running.runtime();
    let long = runtime.clone();
    running.spawn(async move { long.sleep(Duration::from_secs(3_600)).await });
    std::thread::sleep(Duration::from_millis(20)); // the loop is asleep by now
    let (ring, rings) = channel();
    let waker = Waker::from(Arc::new(Ring(ring)));
    let (mut timer, start) = (StdTimer::default(), Clock::now());
    let deadline = runtime.now().saturating_add(Duration::from_millis(20));
    assert!(runtime.poll_timer(&mut timer, deadline, &mut Context::from_waker(&waker)).is_pending());
    rings.recv_timeout(SOON).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(runtime.poll_timer(&mut timer, deadline, &mut Context::from_waker(&waker)).is_ready());
}

#[test]
fn a_timer_wakes_whom_it_was_polled_for_last_at_the_deadline_given_last() {
    let running = Running::start();
    let runtime = running.runtime();
    let ((first, firsts), (second, seconds)) = (channel(), channel());
    let [first, second] = [first, second].map(|ring| Waker::from(Arc::new(Ring(ring))));
    let mut timer = StdTimer::default();
    let now = runtime.now();
    let soon = now.saturating_add(Duration::from_millis(30));
    for (seconds, waker) in [(3_600, &first), (60, &first), (7_200, &second)] {
        let late = now.saturating_add(Duration::from_secs(seconds));
        for _ in 0..2 {
            assert!(runtime.poll_timer(&mut timer, late, &mut Context::from_waker(waker)).is_pending());
            assert_eq!(running.0.timers().next(), Some(late), "and nothing else is set");
        }
    }
    assert!(runtime.poll_timer(&mut timer, soon, &mut Context::from_waker(&first)).is_pending());
    assert!(runtime.poll_timer(&mut timer, soon, &mut Context::from_waker(&second)).is_pending());
    seconds.recv_timeout(SOON).unwrap();
    assert!(firsts.try_recv().is_err());
    assert_eq!(running.0.timers().next(), None);
}

#[test]
fn a_socket_that_is_dropped_leaves_nothing_behind() {
    let running = Running::start();
    let (ours, mut theirs) = connection(&running.0);
    let _other = connection(&running.0);
    assert_eq!(running.0.source_count(), 2);
    drop(ours);
    assert_eq!(running.0.source_count(), 1);
    assert_eq!(theirs.read(&mut [0; 1]).unwrap(), 0, "the peer sees the end");
}

#[test]
fn ending_the_sending_side_twice_or_without_a_peer_is_no_error() {
    let running = Running::start();
    let (mut ours, mut theirs) = connection(&running.0);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(ours.poll_shutdown_write(&mut cx), Poll::Ready(Ok(()))));
    assert_eq!(theirs.read(&mut [0; 1]).unwrap(), 0);
    drop(theirs);
    assert!(matches!(ours.poll_shutdown_write(&mut cx), Poll::Ready(Ok(()))));
}

#[test]
fn data_that_comes_with_the_end_is_read_before_it() {
    let running = Running::start();
    let (mut ours, mut theirs) = connection(&running.0);
    theirs.write_all(b"last words").unwrap();
    drop(theirs);
    let (done, dones) = channel();
    running.spawn(async move {
        let mut all = Vec::new();
        let mut buf = [0; 4];
        loop {
            let n = poll_fn(|cx| ours.poll_read(cx, &mut buf)).await.unwrap();
            if n == 0 {
                break;
            }
            all.extend_from_slice(&buf[..n]);
        }
        done.send(all).unwrap();
    });
    assert_eq!(dones.recv_timeout(SOON).unwrap(), b"last words");
}

#[test]
fn reads_go_on_after_short_ones_and_after_pauses() {
    let running = Running::start();
    let (mut ours, mut theirs) = connection(&running.0);
    let (got, gots) = channel();
    running.spawn(async move {
        let mut buf = [0; 1024];
        while let Ok(n @ 1..) = poll_fn(|cx| ours.poll_read(cx, &mut buf)).await {
            got.send(buf[..n].to_vec()).unwrap();
        }
    });
    for i in 0..50_u8 {
        theirs.write_all(&[i]).unwrap();
        assert_eq!(gots.recv_timeout(SOON).unwrap(), [i]);
    }
}

#[test]
fn a_write_that_blocks_goes_on_when_the_peer_reads() {
    const SIZE: usize = 32 << 20;
    let running = Running::start();
    let (mut ours, mut theirs) = connection(&running.0);
    running.spawn(async move {
        let piece = vec![7; 1 << 20];
        let mut left = SIZE;
        while left > 0 {
            let part = &piece[..left.min(piece.len())];
            let bufs = [IoSlice::new(&part[..part.len() / 2]), IoSlice::new(&part[part.len() / 2..])];
            left -= poll_fn(|cx| ours.poll_write_vectored(cx, &bufs)).await.unwrap();
        }
        poll_fn(|cx| ours.poll_shutdown_write(cx)).await.unwrap();
    });
    std::thread::sleep(Duration::from_millis(50)); // the socket's buffers are full by now
    let mut all = Vec::new();
    theirs.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), SIZE);
    assert!(all.iter().all(|&byte| byte == 7));
}
