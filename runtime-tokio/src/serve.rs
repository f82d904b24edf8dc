//! The server: accepting connections on tokio, in the caller's runtime or on threads of its own.

use std::future::IntoFuture;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;

use sinew_app::Service;
use sinew_runtime::{Io, Seat, Serving, Shutdown, accept};
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
    /// connections (`SO_REUSEPORT`), a listening socket of its own. Connections then stay on one thread. The
    /// caller's runtime, if there is one, runs none of it.
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

fn jobs(settings: &Settings) -> usize {
    settings.blocking_threads.saturating_add(settings.blocking_queue)
}

/// All of it as tasks of the runtime that is there.
fn spawn_here<S: Service>(mut launch: Launch<S>, handle: &Handle) -> io::Result<()> {
    let runtime = TokioRuntime::new(jobs(&launch.settings));
    let serving = launch.serving(runtime.clone());
    for socket in std::mem::take(&mut launch.sockets) {
        spawn_accept(socket, &serving, launch.settings.nodelay, handle)?;
    }
    let ending = Ending::new(launch.control.clone());
    handle.spawn(async move { ending.with(launch.oversee(runtime).await) });
    Ok(())
}

/// A thread for each worker. The first one is told when to end, and tells the others.
fn spawn_workers<S: Service>(mut launch: Launch<S>, workers: usize) -> io::Result<()> {
    let ending = Ending::new(launch.control.clone());
    let built = launch.split(workers)?.into_iter().map(|sockets| worker(&launch, sockets));
    let mut built = built.collect::<io::Result<Vec<_>>>()?.into_iter().enumerate();
    let Some((_, (tokio, runtime))) = built.next() else { return Ok(()) };
    let stop = Shutdown::new();
    let others = built
        .map(|(index, (tokio, _))| {
            let stop = stop.wait();
            named(index).spawn(move || run(tokio, stop))
        })
        .collect::<io::Result<Vec<_>>>()?;
    named(0).spawn(move || {
        let result = run(tokio, launch.oversee(runtime));
        stop.trigger();
        join_all(others);
        ending.with(result);
    })?;
    Ok(())
}

/// The runtime of one worker, with its accept loops.
fn worker<S: Service>(launch: &Launch<S>, sockets: Vec<ListenSocket>) -> io::Result<(Runtime, TokioRuntime)> {
    let settings = &launch.settings;
    let threads = settings.blocking_threads.max(1);
    let tokio = Builder::new_current_thread().max_blocking_threads(threads).enable_all().build()?;
    let runtime = {
        let _context = tokio.enter();
        TokioRuntime::new(jobs(settings))
    };
    let serving = launch.serving(runtime.clone());
    for socket in sockets {
        spawn_accept(socket, &serving, settings.nodelay, tokio.handle())?;
    }
    Ok((tokio, runtime))
}

fn named(index: usize) -> thread::Builder {
    thread::Builder::new().name(format!("sinew-tokio-{index}"))
}

fn run<T>(tokio: Runtime, end: impl Future<Output = T>) -> T {
    let result = tokio.block_on(end);
    // Not dropped: that would wait for a job that blocks for ever.
    tokio.shutdown_background();
    result
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
    tokio::spawn(seat.connection(TokioSocket::from(stream)));
}
