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
use crate::{Phase, Runtime, Seat, Serving};

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
pub async fn accept<L, R, S>(
    mut listener: L,
    serving: Arc<Serving<R, S>>,
    mut spawn: impl FnMut(L::Socket, Seat<R, S>),
) where
    L: Listener,
    R: Runtime,
    S: Service,
{
    let mut guard = serving.shutdown().guard();
    let mut doorman = Doorman { serving, held: None, pause: None, backoff: Backoff::default() };
    poll_fn(|cx| {
        for _ in 0..BATCH {
            // The signal first: it wins over a queue of connections without end.
            if guard.poll_phase(cx) != Phase::Running {
                return Poll::Ready(());
            }
            if let Some((socket, seat)) = ready!(doorman.poll_next(&mut listener, cx)) {
                spawn(socket, seat);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    let counters = &doorman.serving.counters;
    let last = std::iter::from_fn(|| listener.accept_now().ok().inspect(|_| counters.accepted.add_one()));
    for (socket, peer) in doorman.held.take().into_iter().chain(last.take(LAST_CONNECTIONS)) {
        if let Some(seat) = doorman.admit_last(peer) {
            spawn(socket, seat);
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
