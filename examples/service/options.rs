//! The command line of `mio_loop` and `io_uring_loop`.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use clap::Parser;
use sinew_proto::Config;

#[derive(Parser)]
pub(crate) struct Options {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// How long the head of a request may take to arrive
    #[arg(long, value_name = "MS")]
    head_timeout_ms: Option<u64>,
    /// How long a connection may wait for a request
    #[arg(long, value_name = "MS")]
    idle_timeout_ms: Option<u64>,
    /// How long a client may take nothing of its answer
    #[arg(long, value_name = "MS")]
    write_timeout_ms: Option<u64>,
}

impl Options {
    /// Binds the port, and says on stdout which one it is.
    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        println!("listening on http://{}", listener.local_addr()?);
        Ok(listener)
    }

    pub(crate) fn config(&self) -> Config {
        let millis = |given: Option<u64>, default| given.map_or(default, Duration::from_millis);
        let default = Config::default();
        Config {
            head_timeout: millis(self.head_timeout_ms, default.head_timeout),
            idle_timeout: millis(self.idle_timeout_ms, default.idle_timeout),
            write_timeout: millis(self.write_timeout_ms, default.write_timeout),
            ..default
        }
    }
}
