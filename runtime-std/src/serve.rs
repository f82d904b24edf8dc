//! Accepting connections, and ending.

use std::future::poll_fn;
use std::io;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Poll, ready};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sinew_app::Service;
use sinew_runtime::{Backoff, ConnectionConfig, Runtime, Serving, Shutdown, concerns_one_connection};

use crate::pool::Pool;
use crate::reactor::{EventLoop, LoopHandle};
use crate::runtime::StdRuntime;
use crate::socket::{Listener, Socket};

/// At most this many connections that wait to be accepted are still served after the signal.
const LAST_CONNECTIONS: usize = 4_096;

/// How long dropped connections, and then threads, may take to go.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves `app` on the connections that `listener` accepts, once [`run`](Serve::run) is called.
pub fn serve<S: Service>(listener: std::net::TcpListener, app: S) -> Serve<S> {
    Serve {
        listener,
        app,
        threads: thread::available_parallelism().map_or(1, NonZero::get),
        blocking_threads: 64,
        blocking_queue: 1_024,
        config: ConnectionConfig::default(),
        drain_timeout: Duration::from_secs(30),
        signal: Box::pin(std::future::pending()),
    }
}

/// A server that is about to run. See [`serve`].
#[must_use = "a server does nothing unless it is run"]
pub struct Serve<S> {
    listener: std::net::TcpListener,
    app: S,
    threads: usize,
    blocking_threads: usize,
    blocking_queue: usize,
    config: ConnectionConfig,
    drain_timeout: Duration,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S: Service> Serve<S> {
    /// Threads with an event loop, the one that calls [`run`](Self::run) included; one for each
    /// processor unless set, at least one.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Most threads for blocking handlers; 64 unless set. They start when needed.
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.blocking_threads = threads;
        self
    }

    /// Most blocking handlers that may wait for a thread; 1,024 unless set. One more gets a 503.
    pub fn blocking_queue(mut self, jobs: usize) -> Self {
        self.blocking_queue = jobs;
        self
    }

    /// Limits, deadlines and buffers of the connections.
    pub fn config(mut self, config: ConnectionConfig) -> Self {
        self.config = config;
        self
    }

    /// When `signal` completes, no connection is accepted any more, idle ones are closed, and
    /// requests in flight are finished. [`Shutdown::wait`] is such a future.
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

    /// Serves on this thread and the others, until a graceful shutdown is complete, or for ever.
    ///
    /// # Errors
    /// An [`io::Error`] if an event queue or a thread cannot be had, or if the signal panicked: then
    /// connections are dropped at once.
    pub fn run(self) -> io::Result<()> {
        let epoch = Instant::now();
        let first = EventLoop::new(epoch)?;
        let others = (1..self.threads).map(|_| EventLoop::new(epoch)).collect::<io::Result<Vec<_>>>()?;
        let loops: Vec<LoopHandle> =
            [&first].into_iter().chain(&others).map(|each| each.handle().clone()).collect();

        let pool = Pool::new(self.blocking_threads, self.blocking_queue);
        let runtime = StdRuntime::new(first.handle().clone(), pool);
        let serving = Serving::new(runtime, self.app, self.config, Shutdown::new());
        let listener = Listener::new(self.listener, first.handle())?;
        let (drained, supervised) = mpsc::channel();
        let stop = StopAll(loops.clone());
        let (signal, timeout) = (self.signal, self.drain_timeout);
        first.handle().spawn(Box::pin(async move {
            supervise(listener, serving, signal, timeout, &stop.0).await;
            // Somebody waits for it below, unless loop 0 has failed.
            let _ = drained.send(());
        }));

        let mut threads = Vec::new();
        for each in others {
            let name = format!("sinew-loop-{}", threads.len() + 1);
            match thread::Builder::new().name(name).spawn(move || each.run()) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    loops.iter().for_each(LoopHandle::stop);
                    join(threads);
                    return Err(error);
                }
            }
        }
        let result = first.run();
        loops.iter().for_each(LoopHandle::stop);
        join(threads);
        result?;
        supervised.try_recv().map_err(|_| io::Error::other("the signal for the graceful shutdown panicked"))
    }
}

/// Stops the loops when it is dropped: when all is drained, but also when the signal panics.
struct StopAll(Vec<LoopHandle>);

impl Drop for StopAll {
    fn drop(&mut self) {
        self.0.iter().for_each(LoopHandle::stop);
    }
}

/// Waits for threads to end, but not for one whose handler blocks it for ever.
fn join(threads: Vec<JoinHandle<io::Result<()>>>) {
    let give_up = Instant::now() + ABORT_TIMEOUT;
    for thread in threads {
        while !thread.is_finished() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            // A loop that failed has closed its connections; the others went on.
            let _ = thread.join();
        }
    }
}

/// Accepts until the signal, and drains.
async fn supervise<S: Service>(
    listener: Listener,
    serving: Arc<Serving<StdRuntime, S>>,
    signal: Pin<Box<dyn Future<Output = ()> + Send>>,
    drain_timeout: Duration,
    loops: &[LoopHandle],
) {
    accept(listener, &serving, signal, loops).await;
    let shutdown = serving.shutdown();
    shutdown.trigger();
    if !drained_within(drain_timeout, &serving).await {
        shutdown.abort();
        // A connection ends in its next turn, unless its handler blocks the thread.
        drained_within(ABORT_TIMEOUT, &serving).await;
    }
}

async fn accept<S: Service>(
    listener: Listener,
    serving: &Arc<Serving<StdRuntime, S>>,
    mut signal: Pin<Box<dyn Future<Output = ()> + Send>>,
    loops: &[LoopHandle],
) {
    /// Connections accepted in one turn, before the loop serves those it has.
    const BATCH: usize = 64;

    let mut backoff = Backoff::default();
    let mut pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
    let mut next = loops.iter().cycle();
    let mut serve_one = |stream: mio::net::TcpStream, peer| {
        // An answer in one piece should not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        // Registering fails when the kernel has no memory left: then the client sees a close.
        if let Some((home, Ok(socket))) = next.next().map(|home| (home, Socket::new(stream, home))) {
            home.spawn(Box::pin(serving.connection(socket, Some(peer))));
        }
    };
    poll_fn(|cx| {
        for _ in 0..BATCH {
            // The signal first: it wins over a queue of connections without end.
            if signal.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if let Some(sleep) = &mut pause {
                ready!(sleep.as_mut().poll(cx));
                pause = None;
            }
            match ready!(listener.poll_accept(cx)) {
                Ok((stream, peer)) => {
                    backoff.reset();
                    serve_one(stream, peer);
                }
                Err(error) if concerns_one_connection(&error) => {}
                // Out of descriptors or memory: connections that end will give some back.
                Err(_) => pause = Some(serving.runtime().sleep(backoff.pause())),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    // Clients that have connected already may have sent a request already.
    for (stream, peer) in std::iter::from_fn(|| listener.accept_now().ok()).take(LAST_CONNECTIONS) {
        serve_one(stream, peer);
    }
}

/// Whether every connection ended in time.
async fn drained_within<S: Service>(timeout: Duration, serving: &Serving<StdRuntime, S>) -> bool {
    let mut drained = Box::pin(serving.shutdown().drained());
    let mut timeout = serving.runtime().sleep(timeout);
    poll_fn(|cx| {
        if drained.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        timeout.as_mut().poll(cx).map(|()| false)
    })
    .await
}

impl<S> std::fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_app::{Router, get};
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    const SOON: Duration = Duration::from_secs(10);

    /// Runs a server until `signal`; the receiver gets what `run` returns.
    fn start(
        signal: impl Future<Output = ()> + Send + 'static,
    ) -> (SocketAddr, mpsc::Receiver<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(|| async { "hello" }));
        let (end, ends) = mpsc::channel();
        let server = serve(listener, app).threads(2).with_graceful_shutdown(signal);
        thread::spawn(move || end.send(server.run()).unwrap());
        (addr, ends)
    }

    #[test]
    fn every_loop_serves_and_the_signal_ends_all() {
        let signal = Shutdown::new();
        let (addr, ends) = start(signal.wait());
        for _ in 0..4 {
            let mut client = TcpStream::connect(addr).unwrap();
            client.set_read_timeout(Some(SOON)).unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        }
        signal.trigger();
        assert!(ends.recv_timeout(SOON).unwrap().is_ok());
        assert!(TcpStream::connect(addr).is_err(), "nobody listens any more");
    }

    #[test]
    fn a_signal_that_panics_ends_the_server_with_an_error() {
        let (_, ends) = start(async { panic!("on purpose") });
        assert!(ends.recv_timeout(SOON).unwrap().is_err());
    }
}
