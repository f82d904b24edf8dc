//! The server: event loops on threads, and connections on them.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use sinew_app::Service;
use sinew_runtime::{Seat, Serving, accept};
use sinew_system::{
    Ending, IntoListenSocket, Launch, ListenSocket, Plan, ServerHandle, SocketFile, join_all,
};

use crate::pool::Pool;
use crate::reactor::{EventLoop, LoopHandle};
use crate::runtime::StdRuntime;
use crate::socket::sealed::Stream as _;
use crate::socket::{Accept, Listener, Socket, Stream};

/// A server of `app` that listens on `listener`. It serves once it is [run](Server::run) or
/// [spawned](Server::spawn).
pub fn serve<S: Service>(listener: impl IntoListenSocket, app: S) -> Server<S> {
    Server::new(app).listen(listener)
}

/// A server: where it listens, what it allows, and how it ends.
///
/// ```no_run
/// use std::time::Duration;
/// use sinew_std::{Router, Server, Timeouts, get};
///
/// fn main() -> std::io::Result<()> {
///     let app = Router::new().route("/", get(|| async { "hello" }));
///     Server::new(app)
///         .bind("[::]:8080")
///         .timeouts(Timeouts { idle: Duration::from_secs(15), ..Timeouts::default() })
///         .max_connections(50_000)
///         .shut_down_on_signals()
///         .run()
/// }
/// ```
#[must_use = "a server does nothing unless it is run or spawned"]
#[derive(Debug)]
pub struct Server<S> {
    plan: Plan<S>,
    thread_each: bool,
}

impl<S: Service> Server<S> {
    /// A server of `app` that listens nowhere yet.
    pub fn new(app: S) -> Self {
        Self { plan: Plan::new(app), thread_each: false }
    }

    sinew_system::server_methods!();

    /// Threads with an event loop; one for each processor unless set, at least one. The first one accepts, and
    /// gives the connections to all of them in turn. One more thread waits for the end, and runs the signal of
    /// the graceful shutdown. Of no effect with [`thread_per_connection`](Self::thread_per_connection).
    pub fn workers(mut self, threads: usize) -> Self {
        self.plan.settings.workers = Some(threads.max(1));
        self
    }

    /// Gives each connection a thread, with an event loop of its own, so that every handler may block as it
    /// likes. At most `connections` at a time; this is [`max_connections`](Self::max_connections).
    ///
    /// It costs a thread and three descriptors for each connection, and about twice the time for a small
    /// request. `blocking` handlers alone do not need it.
    pub fn thread_per_connection(mut self, connections: usize) -> Self {
        self.thread_each = true;
        self.max_connections(connections)
    }

    /// Starts it on threads of its own, and returns once it listens.
    ///
    /// # Errors
    /// If it cannot listen, or an event queue or a thread cannot be had.
    pub fn spawn(mut self) -> io::Result<ServerHandle> {
        let settings = &mut self.plan.settings;
        // All listening sockets are with the first loop, which spreads connections evenly over the others.
        let workers = settings.workers.take();
        let workers = if self.thread_each { Some(1) } else { workers };
        let workers = workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get));
        let (handle, launch) = self.plan.launch()?;
        start(launch, workers, self.thread_each)?;
        Ok(handle)
    }

    /// Serves until the end, while this thread waits.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn); or if an event queue fails, or the signal for the shutdown panicked: then
    /// connections are dropped at once.
    pub fn run(self) -> io::Result<()> {
        self.spawn()?.wait()
    }
}

fn start<S: Service>(mut launch: Launch<S>, workers: usize, thread_each: bool) -> io::Result<()> {
    let ending = Ending::new(launch.control.clone());
    let epoch = Instant::now();
    let loops = (0..workers).map(|_| EventLoop::new(epoch)).collect::<io::Result<Vec<_>>>()?;
    // One that no connection is on: a handler that blocks its loop for ever shall not keep the server from
    // ending. It keeps the timers of threads that are no loops, too.
    let overseer = EventLoop::new(epoch)?;
    let handles: Arc<[LoopHandle]> = loops.iter().map(|each| each.handle().clone()).collect();
    let Some(first) = handles.first() else { return Ok(()) };

    // Running first: a loop that never runs would keep its tasks, and they their listening sockets.
    let named = |name: &str| thread::Builder::new().name(format!("sinew-loop-{name}"));
    let stop = StopAll(loops.iter().chain([&overseer]).map(|each| each.handle().clone()).collect());
    let (report, reported) = std::sync::mpsc::channel();
    let mut threads = Vec::new();
    for (index, each) in loops.into_iter().enumerate() {
        // Without one of them the others do not go on.
        let (stop, report) = (StopAll(stop.0.clone()), report.clone());
        threads.push(named(&index.to_string()).spawn(move || {
            let _stop = stop;
            if let Err(error) = each.run() {
                // Somebody waits for it below.
                let _ = report.send(Err(error));
            }
        })?);
    }

    let pool = Pool::new(launch.settings.blocking_threads, launch.settings.blocking_queue);
    let runtime = StdRuntime::new(overseer.handle().clone(), pool);
    let serving = launch.serving(runtime.clone());
    let homes = if thread_each { Homes::Threads(epoch) } else { Homes::Loops(handles.clone(), 0) };
    for socket in std::mem::take(&mut launch.sockets) {
        listen(socket, &serving, launch.settings.nodelay, &homes, first)?;
    }
    drop(serving);
    named("end").spawn(move || {
        overseer.handle().spawn(Box::pin(async move {
            let _stop = stop;
            let _ = report.send(launch.oversee(runtime).await);
        }));
        let result = overseer.run();
        join_all(threads);
        let lost = || Err(io::Error::other("the server has ended before it was told to"));
        ending.with(result.and_then(|()| reported.try_recv().unwrap_or_else(|_| lost())));
    })?;
    Ok(())
}

/// Stops the loops when it is dropped: when all is drained, or when something has failed.
struct StopAll(Arc<[LoopHandle]>);

impl Drop for StopAll {
    fn drop(&mut self) {
        self.0.iter().for_each(LoopHandle::stop);
    }
}

/// Accepts connections of a socket, as a task of `home`.
fn listen<S: Service>(
    socket: ListenSocket,
    serving: &Arc<Serving<StdRuntime, S>>,
    nodelay: bool,
    homes: &Homes,
    home: &LoopHandle,
) -> io::Result<()> {
    let (listener, file) = socket.into_parts();
    match listener {
        sinew_system::Listener::Tcp(listener) => {
            listen_on(mio::net::TcpListener::from_std(listener), file, serving, nodelay, homes, home)
        }
        #[cfg(unix)]
        sinew_system::Listener::Unix(listener) => {
            listen_on(mio::net::UnixListener::from_std(listener), file, serving, nodelay, homes, home)
        }
    }
}

fn listen_on<L: Accept, S: Service>(
    listener: L,
    file: SocketFile,
    serving: &Arc<Serving<StdRuntime, S>>,
    nodelay: bool,
    homes: &Homes,
    home: &LoopHandle,
) -> io::Result<()> {
    let listener = Listener::new(listener, file, home)?;
    let mut homes = homes.clone();
    home.spawn(Box::pin(accept(listener, serving.clone(), move |stream: L::Stream, seat| {
        if nodelay {
            stream.set_nodelay();
        }
        homes.serve(stream, seat);
    })));
    Ok(())
}

/// Where connections live.
#[derive(Clone)]
enum Homes {
    /// On one loop after the other; the number of the last one.
    Loops(Arc<[LoopHandle]>, usize),
    /// Each on a thread of its own. All clocks begin then.
    Threads(Instant),
}

impl Homes {
    /// Whatever fails here, for want of memory, descriptors or threads: the client sees a close.
    fn serve<T: Stream, S: Service>(&mut self, stream: T, seat: Seat<StdRuntime, S>) {
        match self {
            Self::Loops(loops, last) => {
                *last = (*last + 1) % loops.len();
                let home = &loops[*last];
                if let Ok(socket) = Socket::new(stream, home) {
                    home.spawn(Box::pin(seat.connection(socket)));
                }
            }
            Self::Threads(epoch) => {
                let epoch = *epoch;
                let serve = move || serve_alone(stream, seat, epoch);
                let _ = thread::Builder::new().name("sinew-connection".to_owned()).spawn(serve);
            }
        }
    }
}

/// Serves one connection on this thread.
fn serve_alone<T: Stream, S: Service>(
    stream: T,
    seat: Seat<StdRuntime, S>,
    epoch: Instant,
) -> io::Result<()> {
    let own = EventLoop::new(epoch)?;
    let socket = Socket::new(stream, own.handle())?;
    let stop = StopAll([own.handle().clone()].into());
    own.handle().spawn(Box::pin(async move {
        let _stop = stop;
        seat.connection(socket).await;
    }));
    own.run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_app::{Router, get};
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::mpsc;
    use std::time::Duration;

    use sinew_runtime::Shutdown;

    const SOON: Duration = Duration::from_secs(10);

    /// Runs a server until `signal`; the receiver gets what `run` returns.
    fn start(
        signal: impl Future<Output = ()> + Send + 'static,
    ) -> (SocketAddr, mpsc::Receiver<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(|| async { "hello" }));
        let (end, ends) = mpsc::channel();
        let server = serve(listener, app).workers(2).with_graceful_shutdown(signal);
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

    /// There is one for each connection, idle or not: what it needs now and then lies elsewhere.
    #[test]
    fn a_connection_is_small() {
        let size = size_of::<sinew_runtime::Connection<Socket, StdRuntime, Router>>();
        // With assertions, mio keeps a number in each socket.
        let most = if cfg!(debug_assertions) { 144 } else { 136 };
        assert!(size <= most, "{size}");
    }

    #[test]
    fn a_signal_that_panics_ends_the_server_with_an_error() {
        let (_, ends) = start(async { panic!("on purpose") });
        assert!(ends.recv_timeout(SOON).unwrap().is_err());
    }
}
