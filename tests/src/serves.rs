//! The builders of the three adapters behind one trait: their methods have the same names.

use std::io;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use sinew_app::Router;
use sinew_runtime::{ConnectionConfig, Overload};
use sinew_system::{IntoListenSocket, Limits, ServerHandle, Timeouts};

use crate::{Smol, Std, Tokio};

/// An adapter whose servers are made by a builder.
pub trait Serves {
    /// Its name, in messages and in names of files.
    const NAME: &'static str;

    /// How the names of the threads begin that [`Builder::workers`] starts.
    const THREADS: &'static str;

    /// Its builder.
    type Server: Builder;

    /// A server that listens nowhere yet.
    fn server(app: Router) -> Self::Server;

    /// One on a free port of the loopback.
    fn local(app: Router) -> Self::Server {
        Self::server(app).bind("127.0.0.1:0")
    }
}

macro_rules! builder {
    ($($name:ident($argument:ident: $type:ty);)+) => {
        /// What a builder can be told. The methods do what those of the same name do.
        #[allow(missing_docs, reason = "they are documented where they are implemented")]
        pub trait Builder: Sized + Send + 'static {
            $(fn $name(self, $argument: $type) -> Self;)+

            fn listen(self, socket: impl IntoListenSocket) -> Self;

            fn with_graceful_shutdown(self, signal: impl Future<Output = ()> + Send + 'static) -> Self;

            fn service_manager(self) -> Self;

            fn shut_down_on_signals(self) -> Self;

            /// Without [`workers`](Self::workers) on the threads that the adapter has anyway.
            fn spawn(self) -> io::Result<ServerHandle>;
        }

        builder!(@ sinew_tokio::Server<Router>, tokio_spawn; $($name($argument: $type);)+);
        builder!(@ sinew_smol::Server<Router>, Self::spawn; $($name($argument: $type);)+);
        builder!(@ sinew_std::Server<Router>, Self::spawn; $($name($argument: $type);)+);
    };
    (@ $server:ty, $spawn:expr; $($name:ident($argument:ident: $type:ty);)+) => {
        // An inherent method goes before one of a trait with the same name.
        impl Builder for $server {
            $(fn $name(self, $argument: $type) -> Self {
                <$server>::$name(self, $argument)
            })+

            fn listen(self, socket: impl IntoListenSocket) -> Self {
                <$server>::listen(self, socket)
            }

            fn with_graceful_shutdown(self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
                <$server>::with_graceful_shutdown(self, signal)
            }

            fn service_manager(self) -> Self {
                <$server>::service_manager(self)
            }

            fn shut_down_on_signals(self) -> Self {
                <$server>::shut_down_on_signals(self)
            }

            fn spawn(self) -> io::Result<ServerHandle> {
                $spawn(self)
            }
        }
    };
}

builder! {
    bind(address: &str);
    bind_unix(path: PathBuf);
    unix_mode(mode: u32);
    backlog(connections: u32);
    nodelay(nodelay: bool);
    config(config: ConnectionConfig);
    timeouts(timeouts: Timeouts);
    limits(limits: Limits);
    max_connections(connections: usize);
    max_connections_per_address(connections: usize);
    overload(overload: Overload);
    drain(timeout: Duration);
    blocking_threads(threads: usize);
    blocking_queue(jobs: usize);
    workers(threads: usize);
}

fn tokio_spawn(server: sinew_tokio::Server<Router>) -> io::Result<ServerHandle> {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().expect("a runtime")
    });
    let _context = RUNTIME.enter();
    server.spawn()
}

impl Serves for Tokio {
    const NAME: &'static str = "tokio";
    const THREADS: &'static str = "sinew-tokio-";

    type Server = sinew_tokio::Server<Router>;

    fn server(app: Router) -> Self::Server {
        sinew_tokio::Server::new(app)
    }
}

impl Serves for Smol {
    const NAME: &'static str = "smol";
    const THREADS: &'static str = "sinew-smol-";

    type Server = sinew_smol::Server<Router>;

    fn server(app: Router) -> Self::Server {
        sinew_smol::Server::new(app)
    }
}

impl Serves for Std {
    const NAME: &'static str = "std";
    const THREADS: &'static str = "sinew-loop-";

    type Server = sinew_std::Server<Router>;

    fn server(app: Router) -> Self::Server {
        sinew_std::Server::new(app)
    }
}
