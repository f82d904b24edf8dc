//! The server: accepting connections on tokio, in the caller's runtime or on threads of its own.

use std::future::IntoFuture;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;

use sinew_app::Service;
use sinew_runtime::{Io, JobLimit, Seat, Serving, Shutdown, accept};
use sinew_system::{
    Ending, IntoListenSocket, Launch, ListenSocket, Plan, ServerHandle, Settings, join_all, run_to_end,
};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::listener::Listener;
use crate::{TokioRuntime, TokioSocket};

/// A server of `app` that listens on `listener`: of tokio or of the standard library. Await it, inside a
/// tokio runtime: it ends after a [graceful shutdown](Server::with_graceful_shutdown), or never.
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

impl IntoSocket for tokio::net::TcpListener {
    fn into_socket(self) -> io::Result<ListenSocket> {
        ListenSocket::from_std_tcp(self.into_std()?)
    }
}

#[cfg(unix)]
impl IntoSocket for tokio::net::UnixListener {
    fn into_socket(self) -> io::Result<ListenSocket> {
        ListenSocket::from_std_unix(self.into_std()?)
    }
}

impl IntoSocket for std::net::TcpListener {
    fn into_socket(self) -> io::Result<ListenSocket> {
        self.into_listen_socket()
    }
}

/// A server: where it listens, what it allows, and how it ends.
///
/// Its connections are tasks of the tokio runtime in which it is awaited or spawned, unless
/// [`workers`](Self::workers) gives it threads of its own.
///
/// ```no_run
/// use std::time::Duration;
/// use sinew_tokio::{Router, Server, Timeouts, get};
///
/// #[tokio::main]
/// async fn main() -> std::io::Result<()> {
///     let app = Router::new().route("/", get(|| async { "hello" }));
///     Server::new(app)
///         .bind("[::]:8080")
///         .timeouts(Timeouts { idle: Duration::from_secs(15), ..Timeouts::default() })
///         .max_connections(50_000)
///         .shut_down_on_signals()
///         .await
/// }
/// ```
#[must_use = "a server does nothing unless it is awaited or spawned"]
#[derive(Debug)]
pub struct Server<S> {
    plan: Plan<S>,
}

impl<S: Service> Server<S> {
    /// A server of `app` that listens nowhere yet.
    pub fn new(app: S) -> Self {
        Self { plan: Plan::new(app) }
    }

    sinew_system::server_methods!();

    /// Serves on `threads` threads, each with a runtime, an accept loop and, where the system can spread
    /// connections (`SO_REUSEPORT`), a listening socket of its own. Connections then stay on one thread. One more
    /// thread waits for the end, and runs the signal of the graceful shutdown. The caller's runtime, if there is
    /// one, runs none of it.
    pub fn workers(mut self, threads: usize) -> Self {
        self.plan.settings.workers = Some(threads.max(1));
        self
    }

    /// Starts it, and returns once it listens. Without [`workers`](Self::workers) this is to be called in a
    /// tokio runtime, and the server ends with that.
    ///
    /// # Errors
    /// If it cannot listen, a thread cannot be had, or there is no runtime.
    pub fn spawn(self) -> io::Result<ServerHandle> {
        let workers = self.plan.settings.workers;
        let runtime =
            if workers.is_none() { Some(Handle::try_current().map_err(io::Error::other)?) } else { None };
        let (handle, launch) = self.plan.launch()?;
        match (workers, runtime) {
            (None, Some(runtime)) => spawn_here(launch, &runtime)?,
            (workers, _) => spawn_workers(launch, workers.unwrap_or(1))?,
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

fn jobs(settings: &Settings) -> JobLimit {
    JobLimit::new(settings.blocking_threads.max(1), settings.blocking_queue)
}

/// All of it as tasks of the runtime that is there.
fn spawn_here<S: Service>(mut launch: Launch<S>, handle: &Handle) -> io::Result<()> {
    let ending = Ending::new(launch.control.clone());
    let runtime = TokioRuntime::of(handle, jobs(&launch.settings));
    let serving = launch.serving(runtime.clone());
    for socket in std::mem::take(&mut launch.sockets) {
        spawn_accept(socket, &serving, launch.settings.nodelay, handle)?;
    }
    handle.spawn(async move { ending.with(launch.oversee(runtime).await) });
    Ok(())
}

/// A thread for each worker, and one that waits for the end: a handler that blocks a worker for ever shall not
/// keep the server from ending.
fn spawn_workers<S: Service>(mut launch: Launch<S>, workers: usize) -> io::Result<()> {
    let ending = Ending::new(launch.control.clone());
    let sockets = launch.split(workers)?;
    let jobs = jobs(&launch.settings);
    let workers =
        sockets.into_iter().map(|sockets| worker(&launch, &jobs, sockets)).collect::<io::Result<Vec<_>>>()?;
    let overseer = Background::new(Builder::new_current_thread().enable_all())?;
    let stop = StopWorkers(Shutdown::new());
    let threads = workers
        .into_iter()
        .enumerate()
        .map(|(index, worker)| {
            let stop = stop.0.wait();
            named(&index.to_string()).spawn(move || worker.run(stop))
        })
        .collect::<io::Result<Vec<_>>>()?;
    named("end").spawn(move || {
        let runtime = TokioRuntime::of(overseer.handle(), JobLimit::new(0, 0));
        let result = overseer.run(launch.oversee(runtime));
        drop(stop);
        join_all(threads);
        ending.with(result);
    })?;
    Ok(())
}

/// Ends the workers when it is dropped, also because one of them could not be had.
struct StopWorkers(Shutdown);

impl Drop for StopWorkers {
    fn drop(&mut self) {
        self.0.trigger();
    }
}

/// The runtime of one worker, with its accept loops.
fn worker<S: Service>(
    launch: &Launch<S>,
    jobs: &JobLimit,
    sockets: Vec<ListenSocket>,
) -> io::Result<Background> {
    let settings = &launch.settings;
    let threads = settings.blocking_threads.max(1);
    let tokio = Background::new(Builder::new_current_thread().max_blocking_threads(threads).enable_all())?;
    let serving = launch.serving(TokioRuntime::of(tokio.handle(), jobs.clone()));
    for socket in sockets {
        spawn_accept(socket, &serving, settings.nodelay, tokio.handle())?;
    }
    Ok(tokio)
}

fn named(name: &str) -> thread::Builder {
    thread::Builder::new().name(format!("sinew-tokio-{name}"))
}

/// A runtime that ends without waiting for a job that blocks for ever. So it may end inside of another one.
struct Background(Option<Runtime>);

impl Background {
    fn new(builder: &mut Builder) -> io::Result<Self> {
        builder.build().map(|runtime| Self(Some(runtime)))
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until it is dropped")
    }

    fn handle(&self) -> &Handle {
        self.runtime().handle()
    }

    fn run<T>(self, end: impl Future<Output = T>) -> T {
        self.runtime().block_on(end)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn spawn_accept<S: Service>(
    socket: ListenSocket,
    serving: &Arc<Serving<TokioRuntime, S>>,
    nodelay: bool,
    handle: &Handle,
) -> io::Result<()> {
    let _context = handle.enter();
    match Listener::new(socket, nodelay)? {
        Listener::Tcp(tcp) => handle.spawn(accept(tcp, serving.clone(), serve_one)),
        #[cfg(unix)]
        Listener::Unix(unix) => handle.spawn(accept(unix, serving.clone(), serve_one)),
    };
    Ok(())
}

fn serve_one<T, S: Service>(stream: T, seat: Seat<TokioRuntime, S>)
where
    TokioSocket<T>: From<T> + Io,
{
    // A task is aligned to 128 bytes, for which the C library's allocator takes 160 more than it has, in holes
    // that a connection fits into: in memory of its own it costs less than inside of the task.
    tokio::spawn(Box::pin(seat.connection(TokioSocket::from(stream))));
}
