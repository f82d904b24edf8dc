//! What the target applications and `ticker` share: the command line, and running on a chosen runtime.
#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZero;

use clap::{Parser, ValueEnum};
use sinew_tokio::Router;

/// The command line of a target application.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// The whole address to listen on, instead of a port of 127.0.0.1
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "port")]
    pub listen: Option<SocketAddr>,
    /// What runs the application
    #[arg(long, value_enum, default_value_t = Runtime::Tokio)]
    pub runtime: Runtime,
    /// Threads that serve connections [default: one for each processor]
    #[arg(long)]
    pub threads: Option<NonZero<usize>>,
}

/// The adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// tokio
    Tokio,
    /// smol
    Smol,
    /// Event loops on plain threads
    Std,
}

/// Serves `app` as the command line asks, until Ctrl-C or SIGTERM; then requests in flight are finished.
///
/// # Errors
/// An [`io::Error`] if the port is taken or the runtime does not start.
pub fn run(app: Router) -> io::Result<()> {
    serve(&Options::parse(), app)
}

/// Serves `app` by those options, until Ctrl-C or SIGTERM; then requests in flight are finished.
///
/// # Errors
/// An [`io::Error`] if the port is taken or the runtime does not start.
pub fn serve(options: &Options, app: Router) -> io::Result<()> {
    let address = options.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, options.port).into());
    let threads = match options.threads {
        Some(threads) => threads.get(),
        None => std::thread::available_parallelism().map_or(1, NonZero::get),
    };
    // The builder is the same on each; it is of another type.
    macro_rules! spawn {
        ($server:expr) => {
            $server.bind(address).workers(threads).shut_down_on_signals().spawn()?
        };
    }
    let server = match options.runtime {
        Runtime::Tokio => spawn!(sinew_tokio::Server::new(app)),
        Runtime::Smol => spawn!(sinew_smol::Server::new(app)),
        Runtime::Std => spawn!(sinew_std::Server::new(app)),
    };
    if let Some(bound) = server.local_addr() {
        println!("listening on http://{bound} ({:?})", options.runtime);
    }
    server.wait()
}
