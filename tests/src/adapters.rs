//! The three adapters as servers on a free port of the loopback.

use std::future::IntoFuture;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sinew_app::Service;
use sinew_runtime::{ConnectionConfig, Shutdown};

use crate::PATIENCE;

/// Threads of a server that poll connections.
const THREADS: usize = 2;

/// One way to serve an application.
pub trait Adapter {
    /// Its name, in messages and in names of files.
    const NAME: &'static str;

    /// Serves `app` with those limits. After the signal, requests in flight have `drain_timeout`.
    fn start_with(app: impl Service, config: ConnectionConfig, drain_timeout: Duration) -> Running;

    /// Serves `app` with those limits.
    fn start_config(app: impl Service, http1: sinew_proto::Config) -> Running {
        let config = ConnectionConfig { http1, ..ConnectionConfig::default() };
        Self::start_with(app, config, Duration::from_secs(5))
    }

    /// Serves `app` with the default limits.
    fn start(app: impl Service) -> Running {
        Self::start_config(app, sinew_proto::Config::default())
    }
}

/// A server that runs. Dropped, it is shut down gracefully.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    signal: Shutdown,
    ended: mpsc::Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Runs `serve`, which blocks until the signal was given and heeded, on a thread.
    fn new(name: &str, serve: impl FnOnce(TcpListener, Shutdown) -> io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("no port is free");
        let addr = listener.local_addr().expect("a listener has an address");
        let signal = Shutdown::new();
        let (end, ended) = mpsc::channel();
        let given = signal.clone();
        let serve = move || {
            // Nobody listens when a test has given up.
            let _ = end.send(serve(listener, given));
        };
        let thread = thread::Builder::new().name(format!("{name} server")).spawn(serve);
        Self { addr, signal, ended, thread: Some(thread.expect("a thread")) }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Gives the signal to shut down, and does not wait.
    pub fn signal(&self) {
        self.signal.trigger();
    }

    /// Gives the signal, unless it was given, and returns what serving returned.
    ///
    /// # Errors
    /// The one of `serve`; `TimedOut` if it did not end in time.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.signal.trigger();
        match self.ended.recv_timeout(PATIENCE) {
            Ok(result) => {
                thread.join().map_err(|_| io::Error::other("the thread of the server panicked"))?;
                result
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(io::Error::other("the server panicked")),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let result = self.end();
        if !thread::panicking() {
            result.expect("the server did not end well");
        }
    }
}

/// `sinew-tokio`.
#[derive(Debug)]
pub struct Tokio;

impl Adapter for Tokio {
    const NAME: &'static str = "tokio";

    fn start_with(app: impl Service, config: ConnectionConfig, drain_timeout: Duration) -> Running {
        Running::new(Self::NAME, move |listener, signal| {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
            let result = runtime.block_on(async {
                listener.set_nonblocking(true)?;
                sinew_tokio::serve(tokio::net::TcpListener::from_std(listener)?, app)
                    .config(config)
                    .drain(drain_timeout)
                    .with_graceful_shutdown(signal.wait())
                    .await
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
            result
        })
    }
}

/// `sinew-smol`, on an executor of its own.
#[derive(Debug)]
pub struct Smol;

impl Adapter for Smol {
    const NAME: &'static str = "smol";

    fn start_with(app: impl Service, config: ConnectionConfig, drain_timeout: Duration) -> Running {
        Running::new(Self::NAME, move |listener, signal| {
            let executor = Arc::new(smol::Executor::new());
            // Closed when this function returns: then the other thread ends as well.
            let (running, ended) = smol::channel::bounded::<()>(1);
            thread::scope(|scope| {
                let _running = running;
                for _ in 1..THREADS {
                    scope.spawn(|| smol::block_on(executor.run(ended.recv())));
                }
                let listener = smol::net::TcpListener::from(smol::Async::try_from(listener)?);
                let serve = sinew_smol::serve(listener, app)
                    .executor(executor.clone())
                    .config(config)
                    .drain(drain_timeout)
                    .with_graceful_shutdown(signal.wait());
                smol::block_on(executor.run(serve.into_future()))
            })
        })
    }
}

/// `sinew-std`.
#[derive(Debug)]
pub struct Std;

impl Adapter for Std {
    const NAME: &'static str = "std";

    fn start_with(app: impl Service, config: ConnectionConfig, drain_timeout: Duration) -> Running {
        Running::new(Self::NAME, move |listener, signal| {
            sinew_std::serve(listener, app)
                .workers(THREADS)
                .config(config)
                .drain(drain_timeout)
                .with_graceful_shutdown(signal.wait())
                .run()
        })
    }
}
