//! What the target applications and `ticker` share: the command line, and running on a chosen runtime.
#![forbid(unsafe_code)]

use std::future::IntoFuture as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use sinew_tokio::{ConnectionConfig, Router};

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

/// Serves `app` as the command line asks, until the process is killed.
///
/// # Errors
/// An [`io::Error`] if the port is taken or the runtime does not start.
pub fn run(app: Router) -> io::Result<()> {
    serve(&Options::parse(), app)
}

/// Serves `app` by those options, until the process is killed.
///
/// # Errors
/// An [`io::Error`] if the port is taken or the runtime does not start.
pub fn serve(options: &Options, app: Router) -> io::Result<()> {
    let address = options.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, options.port).into());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{} ({:?})", listener.local_addr()?, options.runtime);
    let threads = match options.threads {
        Some(threads) => threads.get(),
        None => std::thread::available_parallelism().map_or(1, NonZero::get),
    };
    let config = ConnectionConfig::default();
    match options.runtime {
        Runtime::Tokio => {
            let mut builder = match threads {
                1 => tokio::runtime::Builder::new_current_thread(),
                _ => tokio::runtime::Builder::new_multi_thread(),
            };
            builder.worker_threads(threads).enable_all().build()?.block_on(async {
                listener.set_nonblocking(true)?;
                let listener = tokio::net::TcpListener::from_std(listener)?;
                sinew_tokio::serve(listener, app).config(config).await
            })
        }
        Runtime::Smol => {
            let executor = Arc::new(smol::Executor::new());
            for _ in 1..threads {
                let executor = executor.clone();
                std::thread::spawn(move || smol::block_on(executor.run(std::future::pending::<()>())));
            }
            let listener = smol::net::TcpListener::from(smol::Async::new(listener)?);
            let server = sinew_smol::serve(listener, app).executor(executor.clone()).config(config);
            smol::block_on(executor.run(server.into_future()))
        }
        Runtime::Std => sinew_std::serve(listener, app).workers(threads).config(config).run(),
    }
}
