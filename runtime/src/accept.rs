//! The accept loop: it takes in no more than is allowed, neither dies nor spins when accepting fails,
//! and loses nobody who was there before the end.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use sinew_app::Service;

use crate::gate::Entry;
use crate::roll::Clerk;
use crate::{Guard, Phase, Runtime, Seat, Serving};

/// Connections accepted in one turn, before those that are there get theirs.
const BATCH: usize = 64;

/// At most this many connections that wait to be accepted are still served after the signal.
const LAST_CONNECTIONS: usize = 4_096;

/// Something that gives sockets, one after another.
pub trait Listener: Unpin + Send + 'static {
    /// What it gives: something to make an [`Io`](crate::Io) of.
    type Socket: Unpin + Send;

    /// The next socket, and the address of its client if it has one.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Socket, Option<SocketAddr>)>>;

    /// A socket that waits already, whatever the runtime has heard of. The error may be `WouldBlock`.
    fn accept_now(&mut self) -> io::Result<(Self::Socket, Option<SocketAddr>)>;
}

/// Accepts connections until the server drains, and gives each with its [`Seat`] to `spawn`, which makes
/// a [`Connection`](crate::Connection) of the two and runs it. Those who have connected by the time of
/// the signal are served: they may have sent a request already.
///
/// It counts as live from the call on, not from its first turn, and until the listener is closed: a server
/// that has drained has served everybody, and nobody finds it listening.
///
/// It keeps the time for connections that wait for a request, too: with it none of them needs a timer.
pub fn accept<L, R, S, F>(listener: L, serving: Arc<Serving<R, S>>, spawn: F) -> impl Future<Output = ()>
where
    L: Listener,
    R: Runtime,
    S: Service,
    F: FnMut(L::Socket, Seat<R, S>),
{
    let guard = serving.shutdown().guard();
    let doorman = Doorman { serving, held: None, pause: None, backoff: Backoff::default() };
    let entrance = Entrance { listener, doorman, spawn, guard };
    async move {
        let mut entrance = entrance;
        let roll = entrance.doorman.serving.roll.clone();
        let mut clerk = Clerk::of(&roll);
        poll_fn(|cx| {
            if let Some(clerk) = &mut clerk {
                clerk.poll(cx, entrance.doorman.serving.runtime());
            }
            entrance.poll(cx)
        })
        .await;
        drop(clerk);
        entrance.close();
    }
}

/// What an accept loop works with. The guard is the last to be dropped.
struct Entrance<L: Listener, R: Runtime, S, F> {
    listener: L,
    doorman: Doorman<R, S, L::Socket>,
    spawn: F,
    guard: Guard,
}

impl<L, R, S, F> Entrance<L, R, S, F>
where
    L: Listener,
    R: Runtime,
    S: Service,
    F: FnMut(L::Socket, Seat<R, S>),
{
    /// One turn. Ready when the server ends.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..BATCH {
            // The signal first: it wins over a queue of connections without end.
            if self.guard.poll_phase(cx) != Phase::Running {
                return Poll::Ready(());
            }
            if let Some((socket, seat)) = ready!(self.doorman.poll_next(&mut self.listener, cx)) {
                (self.spawn)(socket, seat);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Lets in those who are waiting already, and nobody after them.
    fn close(mut self) {
        let held = self.doorman.held.take();
        let last = std::iter::from_fn(|| self.doorman.accept_last(&mut self.listener));
        for (socket, peer) in held.into_iter().chain(last.take(LAST_CONNECTIONS)) {
            if let Some(seat) = self.doorman.admit_last(peer) {
                (self.spawn)(socket, seat);
            }
        }
    }
}

struct Doorman<R: Runtime, S, T> {
    serving: Arc<Serving<R, S>>,
    /// Accepted when the last place was given to another.
    held: Option<(T, Option<SocketAddr>)>,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    backoff: Backoff,
}

impl<R: Runtime, S: Service, T> Doorman<R, S, T> {
    /// The next connection, if it is let in.
    fn poll_next<L: Listener<Socket = T>>(
        &mut self,
        listener: &mut L,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(T, Seat<R, S>)>> {
        ready!(self.serving.gate.poll_room(cx));
        let (socket, peer) = if let Some(held) = self.held.take() {
            held
        } else {
            match ready!(self.poll_accept(listener, cx)) {
                Ok(accepted) => accepted,
                Err(error) if concerns_one_connection(&error) => return Poll::Ready(None),
                // Out of descriptors or memory: connections that end will give some back.
                Err(_) => {
                    self.serving.counters.accept_errors.add_one();
                    self.pause = Some(self.serving.runtime.sleep(self.backoff.pause()));
                    return Poll::Ready(None);
                }
            }
        };
        match self.serving.gate.enter(peer) {
            Entry::Full => {
                self.held = Some((socket, peer));
                Poll::Ready(None)
            }
            entry => Poll::Ready(self.seat(entry, peer).map(|seat| (socket, seat))),
        }
    }

    fn poll_accept<L: Listener<Socket = T>>(
        &mut self,
        listener: &mut L,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(T, Option<SocketAddr>)>> {
        if let Some(sleep) = &mut self.pause {
            ready!(sleep.as_mut().poll(cx));
            self.pause = None;
        }
        let accepted = ready!(listener.poll_accept(cx));
        if accepted.is_ok() {
            self.backoff.reset();
            self.serving.counters.accepted.add_one();
        }
        Poll::Ready(accepted)
    }

    /// One that waits already; `None` if there is none, or none that can be had.
    fn accept_last<L: Listener<Socket = T>>(&self, listener: &mut L) -> Option<(T, Option<SocketAddr>)> {
        loop {
            match listener.accept_now() {
                Ok(accepted) => {
                    self.serving.counters.accepted.add_one();
                    return Some(accepted);
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(_) => return None,
            }
        }
    }

    /// One that waited when the signal came is served if there is a place, and refused if there is none.
    fn admit_last(&self, peer: Option<SocketAddr>) -> Option<Seat<R, S>> {
        let entry = match self.serving.gate.enter(peer) {
            Entry::Full => self.serving.gate.refuse(),
            entry => entry,
        };
        self.seat(entry, peer)
    }

    fn seat(&self, entry: Entry, peer: Option<SocketAddr>) -> Option<Seat<R, S>> {
        let (Entry::Open(place) | Entry::Refused(place)) = entry else {
            self.serving.counters.refused.add_one();
            return None;
        };
        if place.is_refused() {
            self.serving.counters.refused.add_one();
        }
        Some(Seat::new(self.serving.clone(), place, peer))
    }
}

/// Whether an error of accept is about the connection that was to be accepted, not about the
/// listener: then the next one can be tried at once.
///
/// Anything else, running out of descriptors or memory above all, calls for a [`Backoff`].
pub fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Pauses between failing calls: 50 ms, then twice as long each time, up to a second.
///
/// ```
/// use std::time::Duration;
/// use sinew_runtime::Backoff;
/// let mut backoff = Backoff::default();
/// assert_eq!([backoff.pause(), backoff.pause()], [50, 100].map(Duration::from_millis));
/// backoff.reset();
/// assert_eq!(backoff.pause(), Duration::from_millis(50));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after one more failure.
    pub fn pause(&mut self) -> Duration {
        let pause = Duration::from_millis(50 << self.failures.min(5));
        self.failures = self.failures.saturating_add(1);
        pause.min(Duration::from_secs(1))
    }

    /// A call has succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
