//! The server: accepting connections on smol, as tasks of an executor or on threads of its own.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::thread;

use futures_io::{AsyncRead, AsyncWrite};
use sinew_app::Service;
use sinew_runtime::{Connection, ConnectionConfig, Io, JobLimit, Seat, Serving, Shutdown, accept};
use sinew_system::{
    Ending, IntoListenSocket, Launch, ListenSocket, Plan, ServerHandle, Settings, join_all, run_to_end,
};
use smol::{Executor, Task};

use crate::listener::Listener;
use crate::set::Set;
use crate::{FuturesIo, SmolRuntime, SmolSocket};

/// A server of `app` that listens on `listener`: of smol or of the standard library. Await it: it ends
/// after a [graceful shutdown](Server::with_graceful_shutdown), or never.
pub fn serve<S: Service>(listener: impl IntoSocket, app: S) -> Server<S> {
    let mut server = Server::new(app);
    server.plan.listener(listener.into_socket());
    server
}

/// What [`serve`] can be given.
pub trait IntoSocket {
    /// The socket; an error is told when the server starts.
    ///
    /// # Errors
    /// What the system says.
    fn into_socket(self) -> io::Result<ListenSocket>;
}

impl IntoSocket for smol::net::TcpListener {
    fn into_socket(self) -> io::Result<ListenSocket> {
        // One that is being accepted from elsewhere keeps its own descriptor.
        let listener = Arc::<smol::Async<std::net::TcpListener>>::from(self);
        listener.get_ref().try_clone()?.into_listen_socket()
    }
}

#[cfg(unix)]
impl IntoSocket for smol::net::unix::UnixListener {
    fn into_socket(self) -> io::Result<ListenSocket> {
        let listener = Arc::<smol::Async<std::os::unix::net::UnixListener>>::from(self);
        listener.get_ref().try_clone()?.into_listen_socket()
    }
}

impl IntoSocket for std::net::TcpListener {
    fn into_socket(self) -> io::Result<ListenSocket> {
        self.into_listen_socket()
    }
}

/// A server: where it listens, what it allows, and how it ends.
///
/// Its connections are tasks of smol's global executor, or of [another one](Self::executor), unless
/// [`workers`](Self::workers) gives it threads of its own.
///
/// ```no_run
/// use std::time::Duration;
/// use sinew_smol::{Router, Server, Timeouts, get};
///
/// fn main() -> std::io::Result<()> {
///     let app = Router::new().route("/", get(|| async { "hello" }));
///     let server = Server::new(app)
///         .bind("[::]:8080")
///         .timeouts(Timeouts { idle: Duration::from_secs(15), ..Timeouts::default() })
///         .max_connections(50_000)
///         .shut_down_on_signals();
///     smol::block_on(server.into_future())
/// }
/// # use std::future::IntoFuture;
/// ```
#[must_use = "a server does nothing unless it is awaited or spawned"]
#[derive(Debug)]
pub struct Server<S> {
    plan: Plan<S>,
    executor: Option<Arc<Executor<'static>>>,
}

impl<S: Service> Server<S> {
    /// A server of `app` that listens nowhere yet.
    pub fn new(app: S) -> Self {
        Self { plan: Plan::new(app), executor: None }
    }

    sinew_system::server_methods!();

    /// Runs connections as tasks of `executor`, not of smol's global one. Somebody has to run it, and to keep
    /// it: the server ends with it.
    pub fn executor(mut self, executor: Arc<Executor<'static>>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// Serves on `threads` threads, each with an executor, an accept loop and, where the system can spread
    /// connections (`SO_REUSEPORT`), a listening socket of its own. Connections then stay on one thread. One more
    /// thread waits for the end, and runs the signal of the graceful shutdown. An
    /// [`executor`](Self::executor) that was given runs none of it.
    pub fn workers(mut self, threads: usize) -> Self {
        self.plan.settings.workers = Some(threads.max(1));
        self
    }

    /// Starts it, and returns once it listens.
    ///
    /// # Errors
    /// If it cannot listen, or a thread cannot be had.
    pub fn spawn(self) -> io::Result<ServerHandle> {
        let workers = self.plan.settings.workers;
        let (handle, launch) = self.plan.launch()?;
        match workers {
            None => spawn_here(launch, &Spawner::new(self.executor.as_ref()))?,
            Some(workers) => spawn_workers(launch, workers)?,
        }
        Ok(handle)
    }
}

/// Serves until the end. Dropped before, the server shuts down gracefully by itself.
impl<S: Service> IntoFuture for Server<S> {
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { run_to_end(self.spawn()?).await })
    }
}

/// Where tasks go. An executor keeps its tasks, so they do not keep it: when it is dropped, they are, and with
/// them sockets that listen.
#[derive(Clone)]
pub(crate) struct Spawner(Option<Weak<Executor<'static>>>);

impl Spawner {
    /// `None` stands for smol's global executor.
    pub(crate) fn new(executor: Option<&Arc<Executor<'static>>>) -> Self {
        Self(executor.map(Arc::downgrade))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(task) = self.start(task) {
            task.detach();
        }
    }

    /// A task that ends when what this returns is dropped. `None` if the executor is gone.
    pub(crate) fn start(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<Task<()>> {
        match &self.0 {
            Some(executor) => executor.upgrade().map(|executor| executor.spawn(task)),
            None => Some(smol::spawn(task)),
        }
    }
}

fn smol_runtime(settings: &Settings) -> SmolRuntime {
    SmolRuntime::of(JobLimit::new(settings.blocking_threads.max(1), settings.blocking_queue))
}

/// All of it as tasks of an executor that is there.
fn spawn_here<S: Service>(mut launch: Launch<S>, spawner: &Spawner) -> io::Result<()> {
    let ending = Ending::new(launch.control.clone());
    let runtime = smol_runtime(&launch.settings);
    let serving = launch.serving(runtime.clone());
    let sockets = std::mem::take(&mut launch.sockets);
    spawn_accept(sockets, &serving, launch.settings.nodelay, spawner)?;
    spawner.spawn(async move { ending.with(launch.oversee(runtime).await) });
    Ok(())
}

/// A thread for each worker, and one that waits for the end: a handler that blocks a worker for ever shall not
/// keep the server from ending.
fn spawn_workers<S: Service>(mut launch: Launch<S>, workers: usize) -> io::Result<()> {
    let ending = Ending::new(launch.control.clone());
    let runtime = smol_runtime(&launch.settings);
    let mut executors = Vec::new();
    for sockets in launch.split(workers)? {
        let executor = Arc::new(Executor::new());
        let spawner = Spawner::new(Some(&executor));
        let serving = launch.serving(runtime.clone());
        spawn_accept(sockets, &serving, launch.settings.nodelay, &spawner)?;
        executors.push(executor);
    }
    let stop = StopWorkers(Shutdown::new());
    let threads = executors
        .into_iter()
        .enumerate()
        .map(|(index, executor)| {
            let stop = stop.0.wait();
            named(&index.to_string()).spawn(move || smol::block_on(executor.run(stop)))
        })
        .collect::<io::Result<Vec<_>>>()?;
    named("end").spawn(move || {
        let result = smol::block_on(launch.oversee(runtime));
        drop(stop);
        join_all(threads);
        ending.with(result);
    })?;
    Ok(())
}

fn named(name: &str) -> thread::Builder {
    thread::Builder::new().name(format!("sinew-smol-{name}"))
}

/// Ends the workers when it is dropped, also because one of them could not be had.
struct StopWorkers(Shutdown);

impl Drop for StopWorkers {
    fn drop(&mut self) {
        self.0.trigger();
    }
}

/// Accepts from all of `sockets`, with one event set for their connections.
fn spawn_accept<S: Service>(
    sockets: Vec<ListenSocket>,
    serving: &Arc<Serving<SmolRuntime, S>>,
    nodelay: bool,
    spawner: &Spawner,
) -> io::Result<()> {
    let set = Set::new(spawner)?;
    for socket in sockets {
        match Listener::new(socket, nodelay, set.clone())? {
            Listener::Tcp(tcp) => spawner.spawn(accept(tcp, serving.clone(), serve_on(spawner.clone()))),
            #[cfg(unix)]
            Listener::Unix(unix) => spawner.spawn(accept(unix, serving.clone(), serve_on(spawner.clone()))),
        }
    }
    Ok(())
}

fn serve_on<T, S: Service>(spawner: Spawner) -> impl FnMut(SmolSocket<T>, Seat<SmolRuntime, S>)
where
    SmolSocket<T>: Io,
{
    move |socket, seat| spawner.spawn(seat.connection(socket))
}

/// Blocking jobs of a service that may run or wait at a time: the pool's 500 threads and as many in its queue.
const BLOCKING_JOBS: usize = 1_024;

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

    /// The same over a socket as the driver wants it: a [`SmolSocket`] sends files from the kernel.
    pub fn connection_over<I: Io>(&self, io: I, peer: Option<SocketAddr>) -> Connection<I, SmolRuntime, S> {
        self.0.connection(io, peer)
    }
}
