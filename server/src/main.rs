//! `sinew`: serves a directory.
//!
//! | file | what it holds |
//! |---|---|
//! | `args` | the command line |
//! | `listen` | the socket, and what to say when there is none |
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
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use sinew_runtime::Shutdown;

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
    let listener = listen::bind(&args.host, args.port)?;
    let bound = listener.local_addr().map_err(|error| reason(&error))?;
    let started = |error: io::Error| format!("cannot start: {}", reason(&error));

    let log = Log::to_stderr(!args.quiet).map_err(started)?;
    let shutdown = Shutdown::new();
    signals::install(shutdown.clone(), log.clone()).map_err(started)?;
    announce(args.runtime, root.path(), bound);

    let hosts = Hosts::for_address(bound.ip(), &args.allow_host);
    let app = App::new(Files::new(root, log.clone()), hosts, log.clone());
    let served = runtimes::serve(args.runtime, listener, app, args.threads(), &shutdown);
    log.flush();
    served.map_err(|error| reason(&error))
}

/// Says on stdout what is served and where. Nobody has to read it.
fn announce(runtime: RuntimeName, root: &Path, bound: SocketAddr) {
    let on = if bound.ip().is_unspecified() { format!(" (listening on {bound})") } else { String::new() };
    let text = format!(
        "sinew {} on {}\nserving {}\nat {}{on}\n",
        env!("CARGO_PKG_VERSION"),
        runtime.as_str(),
        printable(&root.display().to_string()),
        listen::url(bound)
    );
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
