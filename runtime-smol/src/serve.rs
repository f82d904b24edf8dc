//! Accepting connections, and ending.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use sinew_app::Service;
use sinew_runtime::{Backoff, Connection, ConnectionConfig, Serving, Shutdown, concerns_one_connection};
use smol::net::{TcpListener, TcpStream};

use crate::{FuturesIo, SmolRuntime};

/// Blocking jobs that may run or wait at a time: the pool's 500 threads and as many in its queue.
const BLOCKING_JOBS: usize = 1_024;

/// At most this many connections that wait to be accepted are still served after the signal.
const LAST_CONNECTIONS: usize = 4_096;

/// How long dropped connections may take to go.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// Something that gives sockets, one after another.
pub trait Listener: Send + 'static {
    /// What it gives.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next socket and the address of its client. The future may be dropped without losing one.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;
}

/// smol's own listener: sockets get `TCP_NODELAY`.
impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        // An answer in one piece should not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        Ok((stream, Some(peer)))
    }
}

/// Serves `app` on the connections that `listener` accepts. Await it: it ends after a
/// [graceful shutdown](Serve::with_graceful_shutdown), or never.
pub fn serve<L: Listener, S: Service>(listener: L, app: S) -> Serve<L, S> {
    Serve {
        listener,
        app,
        executor: None,
        config: ConnectionConfig::default(),
        drain_timeout: Duration::from_secs(30),
        signal: Box::pin(std::future::pending()),
    }
}

/// A server that is about to run. See [`serve`].
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<L, S> {
    listener: L,
    app: S,
    executor: Option<Arc<smol::Executor<'static>>>,
    config: ConnectionConfig,
    drain_timeout: Duration,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<L: Listener, S: Service> Serve<L, S> {
    /// Runs connections as tasks of `executor`, not of smol's global one.
    pub fn executor(mut self, executor: Arc<smol::Executor<'static>>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// Limits, deadlines and buffers of the connections.
    pub fn config(mut self, config: ConnectionConfig) -> Self {
        self.config = config;
        self
    }

    /// When `signal` completes, no connection is accepted any more, idle ones are closed, and
    /// requests in flight are finished.
    pub fn with_graceful_shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.signal = Box::pin(signal);
        self
    }

    /// How long requests in flight may take after the signal; 30 s unless set. After it their
    /// connections are dropped.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    async fn run(self) -> io::Result<()> {
        let shutdown = Shutdown::new();
        let serving = SmolServing::new(self.app, self.config, shutdown.clone());
        let mut listener = self.listener;
        let serve_one = |stream, peer| {
            let connection = serving.connection(stream, peer);
            match &self.executor {
                Some(executor) => executor.spawn(connection).detach(),
                None => smol::spawn(connection).detach(),
            }
        };
        let mut signal = self.signal;
        let mut backoff = Backoff::default();
        let mut pause = Duration::ZERO;
        loop {
            let accept = async {
                if !pause.is_zero() {
                    smol::Timer::after(pause).await;
                }
                Some(listener.accept().await)
            };
            // The signal first: it wins over a queue of connections without end.
            let accepted = smol::future::or(
                async {
                    signal.as_mut().await;
                    None
                },
                accept,
            );
            match accepted.await {
                None => break,
                Some(Ok((stream, peer))) => {
                    backoff.reset();
                    pause = Duration::ZERO;
                    serve_one(stream, peer);
                }
                Some(Err(error)) if concerns_one_connection(&error) => {}
                // Out of descriptors or memory: connections that end will give some back.
                Some(Err(_)) => pause = backoff.pause(),
            }
        }
        // Clients that have connected already may have sent a request already.
        for _ in 0..LAST_CONNECTIONS {
            match smol::future::poll_once(listener.accept()).await {
                Some(Ok((stream, peer))) => serve_one(stream, peer),
                _ => break,
            }
        }
        drop(listener);
        shutdown.trigger();
        if within(self.drain_timeout, shutdown.drained()).await.is_none() {
            shutdown.abort();
            // A connection ends in its next turn, unless its handler blocks the thread.
            let _ = within(ABORT_TIMEOUT, shutdown.drained()).await;
        }
        Ok(())
    }
}

async fn within<T>(timeout: Duration, future: impl Future<Output = T>) -> Option<T> {
    smol::future::or(async { Some(future.await) }, async {
        smol::Timer::after(timeout).await;
        None
    })
    .await
}

impl<L: Listener, S: Service> IntoFuture for Serve<L, S> {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<L, S> std::fmt::Debug for Serve<L, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A service for sockets that somebody else accepts, of any library that speaks `futures_io`.
///
/// ```no_run
/// use sinew_smol::{ConnectionConfig, Router, Shutdown, SmolServing};
///
/// async fn serve_one(app: Router, socket: smol::net::TcpStream) {
///     let serving = SmolServing::new(app, ConnectionConfig::default(), Shutdown::new());
///     serving.connection(socket, None).await;
/// }
/// ```
#[derive(Debug)]
pub struct SmolServing<S>(Arc<Serving<SmolRuntime, S>>);

impl<S> Clone for SmolServing<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Service> SmolServing<S> {
    /// A service whose connections drain when `shutdown` is triggered.
    pub fn new(app: S, config: ConnectionConfig, shutdown: Shutdown) -> Self {
        Self(Serving::new(SmolRuntime::new(BLOCKING_JOBS), app, config, shutdown))
    }

    /// The future that serves one connection to its end.
    pub fn connection<T>(
        &self,
        socket: T,
        peer: Option<SocketAddr>,
    ) -> Connection<FuturesIo<T>, SmolRuntime, S>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.0.connection(FuturesIo(socket), peer)
    }
}
