//! What all connections of a server share.

use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Context;
use core::time::Duration;
use std::sync::Arc;

use sinew_app::{Handle, Host, Service};
use sinew_proto::{Config, RecvError};

use crate::counters::Counters;
use crate::gate::Place;
use crate::roll::{Membership, Roll};
use crate::{Connection, Counts, Gate, Io, Job, Phase, Runtime, Shutdown};

/// How connections behave, next to the application.
#[derive(Clone, Default)]
pub struct ConnectionConfig {
    /// Limits and deadlines of the protocol.
    pub http1: Config,
    /// How many bytes of a request body may wait for their handler before the driver stops reading.
    /// At least one read is taken.
    pub body_buffer: BodyBuffer,
    /// Called for every request that was refused before it reached the application, or broken off
    /// for the client's fault.
    pub on_rejected: Option<OnRejected>,
    /// What becomes of a handler whose client is gone.
    pub on_disconnect: OnDisconnect,
}

/// What becomes of a handler whose client is gone. A [`Disconnect`](sinew_app::Disconnect) tells it in
/// any case.
///
/// Only a future can be dropped: a function on a thread of its own (a `blocking` handler) runs to its
/// end whatever stands here, and gets errors from the bodies it reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDisconnect {
    /// The handler is dropped at its next `await` when the connection is lost: a reset, an error of the
    /// socket, a body that breaks a rule of HTTP or its deadline. A client that has ended its sending
    /// side alone is answered.
    #[default]
    CancelWhenLost,
    /// It is dropped as well, and so is a response body on its way, when the client ends its side: then
    /// most clients are gone. One that only ends its sending side gets no answer, nor do requests it has
    /// sent behind that one.
    CancelWhenEnded,
    /// The handler runs to its end, and its response is thrown away. The request body, if it was not
    /// complete, ends in an error; a response body on its way is dropped. The connection counts as live
    /// until then: a graceful shutdown waits for it, up to its drain timeout, which drops it after all.
    Finish,
}

/// See [`ConnectionConfig::on_rejected`].
pub type OnRejected = Arc<dyn Fn(&Rejected) + Send + Sync>;

/// A number of bytes; 64 KiB unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyBuffer(pub usize);

impl Default for BodyBuffer {
    fn default() -> Self {
        Self(64 * 1024)
    }
}

/// A connection that ends because its client broke a rule or missed a deadline.
#[derive(Clone, Copy, Debug)]
pub struct Rejected {
    /// The client.
    pub peer: Option<SocketAddr>,
    /// The rule.
    pub error: RecvError,
    /// Whether an answer with [`RecvError::status`] was sent.
    pub answered: bool,
}

impl fmt::Debug for ConnectionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionConfig")
            .field("http1", &self.http1)
            .field("body_buffer", &self.body_buffer)
            .field("on_disconnect", &self.on_disconnect)
            .finish_non_exhaustive()
    }
}

/// A service on a runtime, with the signal that drains it. An adapter makes one and gives it each
/// accepted socket.
pub struct Serving<R, S> {
    pub(crate) runtime: R,
    pub(crate) service: S,
    pub(crate) config: ConnectionConfig,
    pub(crate) handle: Handle,
    pub(crate) gate: Gate,
    pub(crate) counters: Counters,
    /// No other has it in this process.
    pub(crate) number: u64,
    pub(crate) roll: Arc<Roll>,
    shutdown: Shutdown,
}

/// Those that were given out, and zero.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

impl<R: Runtime, S: Service> Serving<R, S> {
    /// A service on a runtime.
    pub fn new(runtime: R, service: S, config: ConnectionConfig, shutdown: Shutdown) -> Arc<Self> {
        Self::behind(Gate::default(), runtime, service, config, shutdown)
    }

    /// A service whose connections are counted by a gate that others may share.
    pub fn behind(
        gate: Gate,
        runtime: R,
        service: S,
        config: ConnectionConfig,
        shutdown: Shutdown,
    ) -> Arc<Self> {
        let handle = Handle::new(Arc::new(RuntimeHost(runtime.clone(), shutdown.clone())));
        let counters = Counters::default();
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let roll = Arc::default();
        shutdown.enlist(&roll);
        Arc::new(Self { runtime, service, config, handle, gate, counters, number, roll, shutdown })
    }

    /// The future that serves one connection from its first byte to its close, whatever the gate says. It
    /// counts as live in [`shutdown`](Self::shutdown) until it is dropped.
    pub fn connection<I: Io>(self: &Arc<Self>, io: I, peer: Option<SocketAddr>) -> Connection<I, R, S> {
        Seat::new(self.clone(), self.gate.enter_anyway(), peer).connection(io)
    }

    /// What this has done, without the connections that are open: the [`Gate`] knows them.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// The runtime.
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// The signal that drains, and the count of live connections.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

impl<R, S> fmt::Debug for Serving<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving")
            .field("config", &self.config)
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}

/// What a connection that was let in gives back when it is dropped.
pub(crate) struct Member<R, S> {
    pub(crate) serving: Arc<Serving<R, S>>,
    pub(crate) place: Place,
    pub(crate) membership: Membership,
}

impl<R, S> Member<R, S> {
    /// How far the end has come; the task of `cx` is woken when it comes nearer.
    pub(crate) fn poll_phase(&mut self, cx: &Context<'_>) -> Phase {
        self.membership.poll(&self.serving.roll, cx);
        // Looked at after the entry is made: a signal in between wakes the task.
        self.serving.shutdown.phase()
    }
}

impl<R, S> Drop for Member<R, S> {
    fn drop(&mut self) {
        self.membership.leave(&self.serving.roll);
        self.serving.gate.leave(self.place);
        self.serving.shutdown.leave();
    }
}

/// The place of a connection that was let in. It counts as live until it, or the connection that it is
/// made into, is dropped.
pub struct Seat<R, S> {
    member: Member<R, S>,
    peer: Option<SocketAddr>,
}

impl<R: Runtime, S: Service> Seat<R, S> {
    pub(crate) fn new(serving: Arc<Serving<R, S>>, place: Place, peer: Option<SocketAddr>) -> Self {
        serving.shutdown.join();
        Self { member: Member { serving, place, membership: Membership::NONE }, peer }
    }

    /// The future that serves the connection from its first byte to its close.
    pub fn connection<I: Io>(self, io: I) -> Connection<I, R, S> {
        Connection::new(io, self.member, self.peer)
    }
}

impl<R, S> fmt::Debug for Seat<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// A runtime as handlers see it, and the signal that drains.
struct RuntimeHost<R>(R, Shutdown);

impl<R: Runtime> Host for RuntimeHost<R> {
    fn offload(&self, job: Job) -> Result<(), Job> {
        self.0.offload(job)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.sleep(duration)
    }

    fn draining(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.1.wait())
    }

    fn is_draining(&self) -> bool {
        self.1.is_triggered()
    }
}
