//! What a server is told before it starts: the one builder of all adapters.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sinew_app::Service;
use sinew_runtime::{Admission, ConnectionConfig, Gate, Runtime, Serving, Signal, supervise};

use crate::control::Control;
use crate::service_manager::{self, Notification};
use crate::{ListenOptions, ListenSocket, ServerHandle, from_service_manager, signals};

/// Everything that is set before a server starts. An adapter wraps one; its methods come from
/// [`server_methods!`](crate::server_methods).
#[doc(hidden)]
pub struct Plan<S> {
    pub app: S,
    pub settings: Settings,
    places: Vec<Place>,
    signal: Signal,
}

/// The settings that an adapter looks at.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: ConnectionConfig,
    pub admission: Admission,
    pub drain: Duration,
    pub workers: Option<usize>,
    pub nodelay: bool,
    pub blocking_threads: usize,
    pub blocking_queue: usize,
    pub listen: ListenOptions,
    pub signals: bool,
}

/// Where to listen, in the order of the calls.
enum Place {
    Tcp(io::Result<Vec<SocketAddr>>),
    #[cfg(unix)]
    Unix(PathBuf),
    Socket(io::Result<ListenSocket>),
    ServiceManager,
}

/// What an adapter runs.
#[doc(hidden)]
pub struct Launch<S> {
    pub sockets: Vec<ListenSocket>,
    pub settings: Settings,
    pub signal: Signal,
    pub control: Arc<Control>,
    app: Arc<S>,
    gate: Gate,
    /// The service manager wants to know.
    announces: bool,
}

impl<S: Service> Plan<S> {
    pub fn new(app: S) -> Self {
        let settings = Settings {
            config: ConnectionConfig::default(),
            admission: Admission::default(),
            drain: Duration::from_secs(30),
            workers: None,
            nodelay: true,
            blocking_threads: 64,
            blocking_queue: 1_024,
            listen: ListenOptions::default(),
            signals: false,
        };
        Self { app, settings, places: Vec::new(), signal: Box::pin(std::future::pending()) }
    }

    pub fn bind(&mut self, address: impl ToSocketAddrs) {
        self.places.push(Place::Tcp(address.to_socket_addrs().map(Iterator::collect)));
    }

    #[cfg(unix)]
    pub fn bind_unix(&mut self, path: PathBuf) {
        self.places.push(Place::Unix(path));
    }

    pub fn listener(&mut self, socket: io::Result<ListenSocket>) {
        self.places.push(Place::Socket(socket));
    }

    pub fn service_manager(&mut self) {
        self.places.push(Place::ServiceManager);
    }

    pub fn until(&mut self, signal: impl Future<Output = ()> + Send + 'static) {
        self.signal = Box::pin(signal);
    }

    /// Listens everywhere it was told to. The server's handle, and what runs it.
    pub fn launch(self) -> io::Result<(ServerHandle, Launch<S>)> {
        let Self { app, mut settings, places, signal } = self;
        // Each worker has a socket of its own then.
        settings.listen.reuse_port |= settings.workers.is_some_and(|workers| workers > 1);
        let mut sockets = Vec::new();
        let announces = places.iter().any(|place| matches!(place, Place::ServiceManager));
        for place in places {
            match place {
                Place::Tcp(addresses) => sockets.push(first_of(&addresses?, &settings.listen)?),
                #[cfg(unix)]
                Place::Unix(path) => sockets.push(ListenSocket::unix(path, &settings.listen)?),
                Place::Socket(socket) => sockets.push(socket?),
                Place::ServiceManager => {
                    sockets.extend(
                        from_service_manager()
                            .map_err(io::Error::other)?
                            .into_iter()
                            .map(|(_, socket)| socket),
                    );
                }
            }
        }
        if sockets.is_empty() {
            let nowhere = "a server needs an address, a socket or a service manager to listen to";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, nowhere));
        }
        let addresses = sockets.iter().map(|socket| socket.address().clone()).collect();
        let gate = Gate::new(settings.admission);
        let control = Arc::new(Control::new(gate.clone()));
        if settings.signals {
            // Of its own, because there may have been signals before, for another server.
            let mut signalled = false;
            let shutdown = control.shutdown().clone();
            let heed = move || {
                if std::mem::replace(&mut signalled, true) { shutdown.abort() } else { shutdown.trigger() }
            };
            signals::on_termination_while(control.life(), heed)?;
        }
        let handle = ServerHandle::new(addresses, control.clone());
        Ok((handle, Launch { sockets, settings, signal, control, app: Arc::new(app), gate, announces }))
    }
}

/// Listens on the first address that can be had: a name may have several.
fn first_of(addresses: &[SocketAddr], options: &ListenOptions) -> io::Result<ListenSocket> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "the host has no address");
    for address in addresses {
        match unshared(*address, options) {
            Ok(socket) => return Ok(socket),
            // Not on to the next one: a server on ::1 beside a stranger on 127.0.0.1 would confuse.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Listens where nobody else does. The sockets of workers share a port with each other; another server of the
/// same user that does the same shall not have half of the connections.
fn unshared(address: SocketAddr, options: &ListenOptions) -> io::Result<ListenSocket> {
    if options.reuse_port && address.port() != 0 {
        drop(ListenSocket::tcp(address, &ListenOptions { reuse_port: false, ..options.clone() })?);
    }
    ListenSocket::tcp(address, options)
}

impl<S: Service> Launch<S> {
    /// What the connections of a worker share. Its figures are part of the server's.
    pub fn serving<R: Runtime>(&self, runtime: R) -> Arc<Serving<R, Arc<S>>> {
        let config = self.settings.config.clone();
        let shutdown = self.control.shutdown().clone();
        let serving = Serving::behind(self.gate.clone(), runtime, self.app.clone(), config, shutdown);
        let counted = serving.clone();
        self.control.count(Box::new(move || counted.counts()));
        serving
    }

    /// The sockets once more for each of `workers`: those made for it get a socket of their own on the
    /// same port, and the system spreads connections over them; the others are shared.
    pub fn split(&mut self, workers: usize) -> io::Result<Vec<Vec<ListenSocket>>> {
        let mut all = Vec::new();
        for _ in 1..workers {
            all.push(self.sockets.iter().map(again).collect::<io::Result<_>>()?);
        }
        all.push(std::mem::take(&mut self.sockets));
        Ok(all)
    }

    /// From now until the server has ended. To be run when connections are being accepted.
    pub fn oversee<R: Runtime>(self, runtime: R) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let Self { settings, signal, control, announces, .. } = self;
        let tell = move |notification| {
            if announces {
                // A service manager that does not listen will find out by itself.
                let _ = service_manager::notify(notification);
            }
        };
        async move {
            tell(Notification::Ready);
            let shutdown = control.shutdown().clone();
            supervise(runtime, shutdown, signal, settings.drain, || tell(Notification::Stopping)).await
        }
    }
}

/// The socket for one more worker: one of its own if it can be had, the same one if not.
fn again(socket: &ListenSocket) -> io::Result<ListenSocket> {
    match socket.same_port_again() {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => socket.try_clone(),
        other => other,
    }
}

impl<S> std::fmt::Debug for Plan<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").field("settings", &self.settings).finish_non_exhaustive()
    }
}
