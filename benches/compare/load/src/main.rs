//! The command line of the client: one run, one line of JSON.
#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use load::drive::{self, Plan};
use load::request::request;

/// Loads one server on this machine and prints what it answered
#[derive(Debug, Parser)]
struct Options {
    /// The port on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// The server's process, for its CPU time
    #[arg(long)]
    pid: Option<u32>,
    /// What is asked for
    #[arg(long, default_value = "/plaintext")]
    path: String,
    /// Bytes in the body of each response
    #[arg(long, default_value_t = 13)]
    expect: u64,
    /// Connections
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Requests sent at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    depth: u32,
    /// POST with that many bytes instead of GET
    #[arg(long, default_value_t = 0)]
    body: usize,
    /// Send the fields of a browser
    #[arg(long)]
    browser: bool,
    /// Seconds before it counts
    #[arg(long, default_value_t = 0.2)]
    warm_up: f64,
    /// Seconds that count
    #[arg(long, default_value_t = 1.0)]
    secs: f64,
    /// Never sleep: the server has nobody to wake
    #[arg(long)]
    spin: bool,
}

fn run(options: &Options) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let seconds = |seconds| Duration::try_from_secs_f64(seconds).map_err(io::Error::other);
    let plan = Plan {
        address,
        pid: options.pid,
        connections: usize::try_from(options.connections).map_err(io::Error::other)?,
        request: request(&address.to_string(), &options.path, options.body, options.browser),
        depth: options.depth,
        body: options.expect,
        warm_up: seconds(options.warm_up)?,
        time: seconds(options.secs)?,
        spin: options.spin,
    };
    Ok(serde_json::to_string(&drive::run(&plan)?)?)
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
