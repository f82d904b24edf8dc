//! Accepting connections, and ending.

use std::future::{IntoFuture, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use sinew_app::Service;
use sinew_runtime::{Backoff, ConnectionConfig, Serving, Shutdown, concerns_one_connection};
use tokio::net::{TcpListener, TcpStream};

use crate::{TokioIo, TokioRuntime};

/// Blocking jobs that may run or wait at a time: tokio's 512 threads and as many in its queue.
const BLOCKING_JOBS: usize = 1_024;

/// At most this many connections that wait to be accepted are still served after the signal.
const LAST_CONNECTIONS: usize = 4_096;

/// How long dropped connections may take to go.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves `app` on the connections that `listener` accepts. Await it, inside a tokio runtime: it
/// ends after a [graceful shutdown](Serve::with_graceful_shutdown), or never.
pub fn serve<S: Service>(listener: TcpListener, app: S) -> Serve<S> {
    Serve {
        listener,
        app,
        config: ConnectionConfig::default(),
        drain_timeout: Duration::from_secs(30),
        signal: Box::pin(std::future::pending()),
    }
}

/// A server that is about to run. See [`serve`].
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<S> {
    listener: TcpListener,
    app: S,
    config: ConnectionConfig,
    drain_timeout: Duration,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S: Service> Serve<S> {
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
        let serving = Serving::new(TokioRuntime::new(BLOCKING_JOBS), self.app, self.config, shutdown.clone());
        let serve_one = |stream: TcpStream, peer| {
            // An answer in one piece should not wait for an acknowledgement.
            let _ = stream.set_nodelay(true);
            tokio::spawn(serving.connection(TokioIo(stream), Some(peer)));
        };
        let mut signal = self.signal;
        let mut backoff = Backoff::default();
        let mut pause: Option<Pin<Box<tokio::time::Sleep>>> = None;
        loop {
            // The signal first: it wins over a queue of connections without end.
            let accepted = poll_fn(|cx| {
                if signal.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                if let Some(sleep) = &mut pause {
                    ready!(sleep.as_mut().poll(cx));
                    pause = None;
                }
                self.listener.poll_accept(cx).map(Some)
            });
            match accepted.await {
                None => break,
                Some(Ok((stream, peer))) => {
                    backoff.reset();
                    serve_one(stream, peer);
                }
                Some(Err(error)) if concerns_one_connection(&error) => {}
                // Out of descriptors or memory: connections that end will give some back.
                Some(Err(_)) => pause = Some(Box::pin(tokio::time::sleep(backoff.pause()))),
            }
        }
        // Clients that have connected already may have sent a request already. The system is asked
        // directly: the runtime may not have heard of them yet.
        let listener = self.listener.into_std()?;
        for (stream, peer) in std::iter::from_fn(|| listener.accept().ok()).take(LAST_CONNECTIONS) {
            stream.set_nonblocking(true)?;
            serve_one(TcpStream::from_std(stream)?, peer);
        }
        drop(listener);
        shutdown.trigger();
        if tokio::time::timeout(self.drain_timeout, shutdown.drained()).await.is_err() {
            shutdown.abort();
            // A connection ends in its next turn, unless its handler blocks the thread.
            let _ = tokio::time::timeout(ABORT_TIMEOUT, shutdown.drained()).await;
        }
        Ok(())
    }
}

impl<S: Service> IntoFuture for Serve<S> {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<S> std::fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve").field("listener", &self.listener).finish_non_exhaustive()
    }
}
