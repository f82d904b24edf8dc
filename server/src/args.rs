//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::listen::Place;

/// What can be said on the command line.
#[derive(Debug, Parser)]
#[command(name = "sinew", version, about = "Serves a directory over HTTP", after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The directory to serve
    #[arg(default_value = ".")]
    pub(crate) directory: PathBuf,

    /// Port to listen on; 0 takes any free one and prints it [default: 8080]
    #[arg(short, long)]
    port: Option<u16>,

    /// Address or name to listen on: 0.0.0.0 or :: opens the directory to the network [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,

    /// Listen here, in place of --host and --port: ADDRESS:PORT or unix:/PATH; can be repeated
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["host", "port"])]
    listen: Vec<Place>,

    /// Permissions of the files of Unix sockets, such as 660; the umask decides unless set
    #[arg(long, value_name = "MODE", value_parser = mode)]
    pub(crate) unix_mode: Option<u32>,

    /// Start only with sockets from the service manager, and listen nowhere else
    #[arg(long, conflicts_with_all = ["host", "port", "listen"])]
    pub(crate) socket_activation: bool,

    /// What drives the connections
    #[arg(long, value_enum, default_value_t = RuntimeName::Tokio)]
    pub(crate) runtime: RuntimeName,

    /// Threads that drive connections; one for each processor unless set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Most connections at a time [default: 16384, or fewer if the limit of descriptors is low]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) max_connections: Option<usize>,

    /// Most connections from one address at a time, or from one /64 of IPv6; no limit unless set
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) max_connections_per_address: Option<usize>,

    /// What becomes of connections over --max-connections
    #[arg(long, value_enum, default_value_t = OverloadName::Wait)]
    pub(crate) overload: OverloadName,

    /// How long a connection may wait for a request; 0 is for ever
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) idle_timeout: Duration,

    /// How long a client may take no byte of an answer; 0 is for ever
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) write_timeout: Duration,

    /// How long requests in flight may take after the signal to end
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) drain_timeout: Duration,

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

Sockets from a service manager (LISTEN_FDS) are used, and it is told when the server is ready
(NOTIFY_SOCKET). With such sockets it listens nowhere else, unless --listen, --host or --port says so.

Times are such as 500ms, 90s, 2m; without a unit they are seconds.

Requests are logged to stderr: time, client, method, target, status, bytes, duration.

Ctrl-C or SIGTERM lets requests in flight finish, for up to --drain-timeout, and exits with 0. A second
one exits at once, with 1. docs/operations.md tells how to run it.";

/// The runtimes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeName {
    /// tokio, a runtime for each thread
    Tokio,
    /// smol, an executor for each thread
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

/// What becomes of connections when there are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverloadName {
    /// They wait until another one ends
    Wait,
    /// They get a 503
    Refuse,
}

impl Args {
    /// How many threads to start.
    pub(crate) fn threads(&self) -> usize {
        self.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
    }

    /// Where to listen, next to `inherited` sockets.
    pub(crate) fn places(&self, inherited: usize) -> Vec<Place> {
        let asked = self.host.is_some() || self.port.is_some();
        if !self.listen.is_empty() || self.socket_activation || (inherited > 0 && !asked) {
            return self.listen.clone();
        }
        let host = self.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned());
        vec![Place::Tcp { host, port: self.port.unwrap_or(8080) }]
    }
}

/// Permissions as `chmod` takes them.
fn mode(text: &str) -> Result<u32, &'static str> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or("permissions are three octal digits, such as 660")
}

fn positive(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("a number of at least 1 is needed")
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_duration(text).map_err(|_| "a time is such as 500ms, 90s or 2m")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["sinew"], args].concat())
    }

    #[test]
    fn the_command_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_safe_and_those_of_the_library() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.places(0), ["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!((args.directory.to_str(), args.runtime), (Some("."), RuntimeName::Tokio));
        let timeouts = sinew_system::Timeouts::default();
        assert_eq!((args.idle_timeout, args.write_timeout), (timeouts.idle, timeouts.write));
        assert_eq!((args.max_connections, args.max_connections_per_address), (None, None));
        let help = Args::command().render_long_help().to_string();
        assert!(help.contains(&sinew_system::Admission::default().max_connections.to_string()));
    }

    #[test]
    fn sockets_of_the_manager_replace_the_default_and_nothing_else() {
        assert_eq!(parse(&[]).unwrap().places(1), []);
        assert_eq!(parse(&["--port", "80"]).unwrap().places(1), ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(parse(&["--listen", "[::]:80"]).unwrap().places(1), ["[::]:80".parse().unwrap()]);
        assert_eq!(parse(&["--socket-activation"]).unwrap().places(0), []);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for args in [
            ["--threads", "0"],
            ["--max-connections", "0"],
            ["--max-connections-per-address", "-1"],
            ["--idle-timeout", "soon"],
            ["--drain-timeout", "-1s"],
            ["--unix-mode", "888"],
            ["--unix-mode", "+77"],
            ["--unix-mode", "1777"],
            ["--listen", "8080"],
        ] {
            assert!(parse(&args).is_err(), "{args:?}");
        }
        assert!(parse(&["--listen", "[::]:80", "--port", "80"]).is_err());
    }

    #[test]
    fn times_have_units_or_are_seconds() {
        for (text, milliseconds) in [("0", 0), ("90", 90_000), ("500ms", 500), ("2m", 120_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }
}
