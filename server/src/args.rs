//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// What can be said on the command line.
#[derive(Debug, Parser)]
#[command(name = "sinew", version, about = "Serves a directory over HTTP", after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The directory to serve
    #[arg(default_value = ".")]
    pub(crate) directory: PathBuf,

    /// Port to listen on; 0 takes any free one and prints it
    #[arg(short, long, default_value_t = 8080)]
    pub(crate) port: u16,

    /// Address or name to listen on: 0.0.0.0 or :: opens the directory to the network
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) host: String,

    /// What drives the connections
    #[arg(long, value_enum, default_value_t = RuntimeName::Tokio)]
    pub(crate) runtime: RuntimeName,

    /// Threads that drive connections; one for each processor unless set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Answer to this name too, when listening on a loopback address; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,

    /// No log line for each request
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const AFTER_HELP: &str = "\
On a loopback address only requests for IP addresses, localhost and names without a dot are
answered, so that no web page can read the files through a name of its own (DNS rebinding).

Requests are logged to stderr: time, client, method, target, status, bytes, duration.

Ctrl-C or SIGTERM lets requests in flight finish, for up to 30 seconds, and exits with 0. A second
one exits at once, with 1.";

/// The runtimes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeName {
    /// tokio, with work stealing
    Tokio,
    /// smol
    Smol,
    /// Plain threads, an event loop each
    Std,
}

impl RuntimeName {
    /// As on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::Std => "std",
        }
    }
}

impl Args {
    /// How many threads to start.
    pub(crate) fn threads(&self) -> usize {
        self.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_safe() {
        let args = Args::try_parse_from(["sinew"]).unwrap();
        assert_eq!((args.host.as_str(), args.port, args.runtime), ("127.0.0.1", 8080, RuntimeName::Tokio));
        assert_eq!(args.directory, PathBuf::from("."));
        assert!(Args::try_parse_from(["sinew", "--threads", "0"]).is_err());
    }
}
