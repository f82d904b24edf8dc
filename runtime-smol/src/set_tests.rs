//! The event set with real sockets, on an executor of one thread: what a test does between two waits happens
//! before the set hears of anything.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use sinew_runtime::Io as _;
use smol::{Executor, Task, Timer, future};

use crate::SmolSocket;
use crate::serve::Spawner;
use crate::set::Set;

const SOON: Duration = Duration::from_secs(10);

type Socket = SmolSocket<TcpStream>;

/// Runs what `test` makes of a set to its end: as a task, which nothing polls but what wakes it.
fn with_set<T, F>(test: impl FnOnce(Arc<Executor<'static>>, Arc<Set>) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let executor = Arc::new(Executor::new());
    let set = Set::new(&Spawner::new(Some(&executor))).unwrap();
    let test = executor.spawn(test(executor.clone(), set));
    let limit = async {
        Timer::after(SOON).await;
        panic!("it does not end");
    };
    smol::block_on(executor.run(future::or(test, limit)))
}

/// Both ends of a connection, the first in the set.
fn connection(set: &Arc<Set>) -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (set.socket(ours).unwrap(), theirs)
}

async fn read(socket: &mut Socket) -> io::Result<Vec<u8>> {
    let mut buf = [0; 64];
    let n = poll_fn(|cx| socket.poll_read(cx, &mut buf)).await?;
    Ok(buf[..n].to_vec())
}

async fn write(socket: &mut Socket, bytes: &[u8]) {
    let bufs = [IoSlice::new(bytes)];
    assert_eq!(poll_fn(|cx| socket.poll_write_vectored(cx, &bufs)).await.unwrap(), bytes.len());
}

/// Has the task wait for the socket, in vain.
async fn begin_to_wait(socket: &mut Socket) {
    let mut buf = [0; 64];
    let begun = poll_fn(|cx| Poll::Ready(socket.poll_read(cx, &mut buf).is_pending())).await;
    assert!(begun, "there is something to read");
}

#[test]
fn reads_go_on_after_short_ones() {
    with_set(|_, set| async move {
        let (mut ours, mut theirs) = connection(&set);
        for i in 0..50_u8 {
            begin_to_wait(&mut ours).await;
            theirs.write_all(&[i]).unwrap();
            assert_eq!(read(&mut ours).await.unwrap(), [i]);
        }
    });
}

#[test]
fn what_comes_between_the_event_and_the_read_is_not_forgotten() {
    with_set(|_, set| async move {
        let (mut ours, mut theirs) = connection(&set);
        begin_to_wait(&mut ours).await;
        theirs.write_all(b"one").unwrap();
        Timer::after(Duration::from_millis(20)).await; // the set has heard of it
        theirs.write_all(b"two").unwrap();
        assert_eq!(read(&mut ours).await.unwrap(), b"onetwo");
        Timer::after(Duration::from_millis(20)).await;
        begin_to_wait(&mut ours).await;
        theirs.write_all(b"three").unwrap();
        assert_eq!(read(&mut ours).await.unwrap(), b"three");
    });
}

#[test]
fn an_end_that_was_told_with_the_last_bytes_is_read_after_them() {
    with_set(|_, set| async move {
        let (mut ours, mut theirs) = connection(&set);
        begin_to_wait(&mut ours).await;
        theirs.write_all(b"last words").unwrap();
        drop(theirs);
        assert_eq!(read(&mut ours).await.unwrap(), b"last words");
        assert_eq!(read(&mut ours).await.unwrap(), b"");
        assert_eq!(read(&mut ours).await.unwrap(), b"");
    });
}

#[test]
fn a_reset_wakes_and_is_told() {
    with_set(|_, set| async move {
        let (mut ours, theirs) = connection(&set);
        begin_to_wait(&mut ours).await;
        // Closed with something unread, a connection is reset.
        write(&mut ours, b"unread").await;
        assert_eq!(theirs.peek(&mut [0; 1]).unwrap(), 1);
        drop(theirs);
        assert_eq!(read(&mut ours).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn whoever_waits_last_is_woken() {
    with_set(|executor, set| async move {
        let (mut ours, mut theirs) = connection(&set);
        begin_to_wait(&mut ours).await;
        let reader = executor.spawn(async move { read(&mut ours).await.unwrap() });
        Timer::after(Duration::from_millis(20)).await; // it waits
        theirs.write_all(b"moved").unwrap();
        assert_eq!(reader.await, b"moved");
    });
}

#[test]
fn a_write_that_blocks_goes_on_when_the_peer_reads() {
    const SIZE: usize = 32 << 20;
    let sum = with_set(|_, set| async move {
        let (mut ours, mut theirs) = connection(&set);
        let reader = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50)); // the socket's buffers are full by now
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).map(|_| all)
        });
        let piece = vec![7; 1 << 20];
        let mut left = SIZE;
        while left > 0 {
            let bufs = [IoSlice::new(&piece[..left.min(piece.len())])];
            left -= poll_fn(|cx| ours.poll_write_vectored(cx, &bufs)).await.unwrap();
        }
        poll_fn(|cx| ours.poll_shutdown_write(cx)).await.unwrap();
        reader.join().unwrap().unwrap()
    });
    assert_eq!(sum.len(), SIZE);
    assert!(sum.iter().all(|&byte| byte == 7));
}

#[test]
fn a_place_is_given_out_again() {
    with_set(|_, set| async move {
        for _ in 0..3 {
            let (mut ours, mut theirs) = connection(&set);
            let (mut others, _) = connection(&set);
            assert_eq!(set.member_count(), 2);
            begin_to_wait(&mut ours).await;
            theirs.write_all(b"hello").unwrap();
            assert_eq!(read(&mut ours).await.unwrap(), b"hello");
            assert_eq!(read(&mut others).await.unwrap(), b"");
        }
        assert_eq!(set.member_count(), 0);
    });
}

#[test]
fn a_socket_that_cannot_be_a_member_leaves_nothing_behind() {
    with_set(|_, set| async move {
        // What is always ready, as a file is, cannot be waited for.
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(set.socket(file).is_err());
        assert_eq!(set.member_count(), 0);
    });
}

#[test]
fn sockets_that_are_always_busy_do_not_keep_a_timer_waiting() {
    with_set(|executor, set| async move {
        let echoes = Arc::new(AtomicUsize::new(0));
        let mut players = Vec::new();
        for _ in 0..4 {
            let (ours, theirs) = connection(&set);
            theirs.set_nonblocking(true).unwrap();
            let mut theirs = set.socket(theirs).unwrap();
            // The ball.
            write(&mut theirs, b"x").await;
            for mut socket in [ours, theirs] {
                let echoes = echoes.clone();
                players.push(executor.spawn(async move {
                    loop {
                        let ball = read(&mut socket).await.unwrap();
                        write(&mut socket, &ball).await;
                        echoes.fetch_add(1, Ordering::Relaxed);
                    }
                }));
            }
        }
        let mut last = 0;
        for _ in 0..5 {
            Timer::after(Duration::from_millis(10)).await;
            let now = echoes.load(Ordering::Relaxed);
            assert!(now > last, "they play on");
            last = now;
        }
        drop::<Vec<Task<()>>>(players);
    });
}

#[test]
fn the_last_member_ends_the_task() {
    with_set(|executor, set| async move {
        let (mut ours, mut theirs) = connection(&set);
        let life = set.life();
        drop(set);
        begin_to_wait(&mut ours).await;
        theirs.write_all(b"still here").unwrap();
        assert_eq!(read(&mut ours).await.unwrap(), b"still here");
        assert!(life.upgrade().is_some());
        drop((executor, ours));
        while life.upgrade().is_some() {
            future::yield_now().await;
        }
    });
}

#[test]
fn nothing_is_left_of_a_set_whose_executor_is_gone() {
    let executor = Arc::new(Executor::new());
    let set = Set::new(&Spawner::new(Some(&executor))).unwrap();
    let (ours, _theirs) = connection(&set);
    let life = set.life();
    drop((executor, set));
    assert!(life.upgrade().is_some(), "the socket needs it");
    drop(ours);
    assert!(life.upgrade().is_none());
}
