//! The same server on tokio, smol and plain threads.

use std::io;

use sinew_runtime::Shutdown;
use sinew_system::{ConnectionConfig, ListenSocket, Overload, ServerHandle};

use crate::app::App;
use crate::args::{Args, OverloadName, RuntimeName};

/// Serves until `shutdown` is triggered, and tells the service manager. The sockets do not share their
/// ports, so that a second server on a port is an error: the threads share the sockets.
macro_rules! spawn {
    ($adapter:ident, $app:expr, $sockets:expr, $most:expr, $args:expr, $shutdown:expr) => {{
        let config = config($args, &$app);
        $sockets
            .into_iter()
            .fold($adapter::Server::new($app), |server, socket| server.listen(socket))
            .service_manager()
            .config(config)
            .max_connections($most)
            .max_connections_per_address($args.max_connections_per_address.unwrap_or(usize::MAX))
            .overload(overload($args.overload))
            .drain($args.drain_timeout)
            .workers($args.threads())
            .with_graceful_shutdown($shutdown.wait())
            .spawn()
    }};
}

/// Starts the server that the command line asks for, with at most `most` connections.
pub(crate) fn start(
    args: &Args,
    sockets: Vec<ListenSocket>,
    app: App,
    most: usize,
    shutdown: &Shutdown,
) -> io::Result<ServerHandle> {
    match args.runtime {
        RuntimeName::Tokio => spawn!(sinew_tokio, app, sockets, most, args, shutdown),
        RuntimeName::Smol => spawn!(sinew_smol, app, sockets, most, args, shutdown),
        RuntimeName::Std => spawn!(sinew_std, app, sockets, most, args, shutdown),
    }
}

/// The settings of connections.
fn config(args: &Args, app: &App) -> ConnectionConfig {
    let mut config = app.connection_config();
    config.http1.idle_timeout = args.idle_timeout;
    config.http1.write_timeout = args.write_timeout;
    config
}

fn overload(name: OverloadName) -> Overload {
    match name {
        OverloadName::Wait => Overload::Wait,
        OverloadName::Refuse => Overload::Refuse,
    }
}
