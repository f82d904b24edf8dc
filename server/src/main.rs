//! `sinew`: serves a directory.
//!
//! | file | what it holds |
//! |---|---|
//! | `args` | the command line |
//! | `listen` | the sockets, and what to say when there is none |
//! | `descriptors` | how many connections the system allows |
//! | `signals` | Ctrl-C and SIGTERM |
//! | `runtimes` | the same service on tokio, smol and plain threads |
//! | `app` | the service: host check, files, log line |
//! | `hosts` | the names that are answered to |
//! | `files` | which file, which part of it, and whether the client has it already |
//! | `path` | from a request target to names below the root |
//! | `root` | the root as a sandbox |
//! | `conditional`, `range` | what RFC 9110 says about validators and ranges |
//! | `listing` | a directory as a page |
//! | `stream` | a file as a body |
//! | `reply` | responses that are a sentence |
//! | `log`, `time` | lines on stderr, points in time as text |
#![forbid(unsafe_code)]

mod app;
mod args;
mod conditional;
mod content;
mod descriptors;
mod files;
mod hosts;
mod listen;
mod listing;
mod log;
mod path;
mod range;
mod reply;
mod root;
mod runtimes;
mod signals;
mod time;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use sinew_runtime::Shutdown;
use sinew_system::{Address, Counts, ListenOptions, ListenSocket, from_service_manager};

use crate::app::App;
use crate::args::{Args, RuntimeName};
use crate::files::Files;
use crate::hosts::Hosts;
use crate::listen::reason;
use crate::log::{Log, printable};
use crate::root::Root;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "sinew: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal. The error is a sentence.
fn run(args: &Args) -> Result<(), String> {
    let root = Root::open(&args.directory).map_err(|error| {
        let path = printable(&args.directory.display().to_string());
        match error.kind() {
            io::ErrorKind::NotFound => format!("the directory {path} does not exist"),
            io::ErrorKind::NotADirectory => format!("{path} is not a directory"),
            _ => format!("the directory {path} cannot be opened: {}", reason(&error)),
        }
    })?;
    let sockets = sockets(args)?;
    let addresses: Vec<Address> = sockets.iter().map(|socket| socket.address().clone()).collect();
    let started = |error: io::Error| format!("cannot start: {}", reason(&error));

    let log = Log::to_stderr(!args.quiet).map_err(started)?;
    let most = descriptors::allow(args.max_connections, &log);
    let shutdown = Shutdown::new();
    signals::install(shutdown.clone(), log.clone()).map_err(started)?;
    let hosts = Hosts::for_addresses(&addresses, &args.allow_host);
    let path = root.path().to_owned();
    let app = App::new(Files::new(root, log.clone()), hosts, log.clone());
    let server = runtimes::start(args, sockets, app, most, &shutdown).map_err(started)?;
    announce(args.runtime, &path, &addresses);

    let served = server.wait();
    log.problem(&sum(&server.counts()));
    log.flush();
    served.map_err(|error| reason(&error))
}

/// Those of the service manager, and those that the command line asks for.
fn sockets(args: &Args) -> Result<Vec<ListenSocket>, String> {
    let inherited = from_service_manager()
        .map_err(|error| format!("the sockets of the service manager cannot be used: {error}"))?;
    let mut sockets: Vec<ListenSocket> = inherited.into_iter().map(|(_, socket)| socket).collect();
    if sockets.is_empty() && args.socket_activation {
        return Err("the service manager passes no sockets, and --socket-activation wants them".to_owned());
    }
    let options = ListenOptions { unix_mode: args.unix_mode, ..ListenOptions::default() };
    for place in args.places(sockets.len()) {
        sockets.push(place.listen(&options)?);
    }
    Ok(sockets)
}

/// Says on stdout what is served and where. Nobody has to read it.
fn announce(runtime: RuntimeName, root: &Path, bound: &[Address]) {
    let places: Vec<String> =
        bound.iter().map(|address| format!("at {}\n", listen::place(address))).collect();
    let text = format!(
        "sinew {} on {}\nserving {}\n{}",
        env!("CARGO_PKG_VERSION"),
        runtime.as_str(),
        printable(&root.display().to_string()),
        places.concat(),
    );
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// What the server has done, as its last line.
fn sum(counts: &Counts) -> String {
    let Counts { requests, requests_rejected, connections_accepted, connections_refused, .. } = counts;
    format!(
        "stopped: {requests} requests answered and {requests_rejected} rejected, \
         {connections_accepted} connections accepted and {connections_refused} of them refused"
    )
}
