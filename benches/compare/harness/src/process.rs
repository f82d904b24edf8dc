//! Processes: started on chosen cores, ended by their number whatever happens.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::servers::{Programs, Server};

/// How long a server may take until it accepts connections.
const START: Duration = Duration::from_secs(5);
/// How often it is looked whether something is over.
const GLANCE: Duration = Duration::from_millis(5);

/// Which cores there are, and whether somebody wants us to stop.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cores: Vec<usize>,
    all: CpuSet,
    interrupted: Arc<AtomicBool>,
}

/// Where a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the first core.
    Server,
    /// On the second core, or on the only one.
    Client,
    /// On these two.
    Both,
    /// Wherever.
    Anywhere,
}

impl Machine {
    /// Looks at the machine and from now on listens to SIGINT, SIGTERM and SIGHUP.
    pub(crate) fn look() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let cores = (0..CpuSet::MAX_CPU).filter(|&core| all.is_set(core)).collect();
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            signal_hook::flag::register(signal.as_raw(), Arc::clone(&interrupted))?;
        }
        Ok(Self { cores, all, interrupted })
    }

    /// Cores that we may use.
    pub(crate) fn cores(&self) -> usize {
        self.cores.len()
    }

    /// Raises the limit of descriptors as far as it goes, for us and what we start, and returns it.
    pub(crate) fn raise_descriptors() -> io::Result<u64> {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
        Ok(maximum.unwrap_or(u64::MAX))
    }

    /// Starts a process. It is in a group of its own, so that Ctrl-C reaches us first.
    pub(crate) fn start(&self, mut command: Command, place: Place) -> io::Result<Running> {
        self.check()?;
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let set = self.set(place);
        // The child inherits it.
        sched_setaffinity(None, &set)?;
        let child = command.stdin(Stdio::null()).spawn();
        sched_setaffinity(None, &self.all)?;
        let child = child.map_err(|error| io::Error::other(format!("{command:?}: {error}")))?;
        Ok(Running { child: Some(child) })
    }

    fn set(&self, place: Place) -> CpuSet {
        let (first, second) = (self.cores.first(), self.cores.get(1).or(self.cores.first()));
        let chosen = match place {
            Place::Server => [first, None],
            Place::Client => [second, None],
            Place::Both => [first, second],
            Place::Anywhere => return self.all,
        };
        let mut set = CpuSet::new();
        chosen.into_iter().flatten().for_each(|&core| set.set(core));
        set
    }

    /// Fails if somebody wants us to stop.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.interrupted.load(Ordering::Relaxed) { Err(io::Error::other(Interrupted)) } else { Ok(()) }
    }

    /// Waits, unless somebody wants us to stop.
    pub(crate) fn sleep(&self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.check()?;
            thread::sleep(GLANCE.min(time));
        }
        Ok(())
    }
}

/// Somebody wants us to stop.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Whether an error is that.
pub(crate) fn is_interrupt(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<Interrupted>())
}

/// A process that is ended with this value.
#[derive(Debug)]
pub(crate) struct Running {
    /// There until its output is taken.
    child: Option<Child>,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) -> io::Result<()> {
        match self.child.as_ref().map(Pid::from_child) {
            Some(pid) => Ok(kill_process(pid, Signal::INT)?),
            None => Ok(()),
        }
    }

    /// Waits for its end and takes what it said, which must be little.
    pub(crate) fn output(mut self, machine: &Machine, most: Duration) -> io::Result<Output> {
        let end = Instant::now() + most;
        while self.ended().is_none() {
            if Instant::now() > end {
                return Err(io::Error::other(format!("did not end within {} s", most.as_secs())));
            }
            machine.sleep(GLANCE)?;
        }
        self.child.take().ok_or(io::Error::other("no process"))?.wait_with_output()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server that accepts connections.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) server: Server,
    pub(crate) port: u16,
    running: Running,
}

impl Serving {
    pub(crate) fn start(
        machine: &Machine,
        programs: &Programs,
        server: Server,
        threads: usize,
        place: Place,
    ) -> io::Result<Self> {
        let port = free_port()?;
        let mut command = programs.command(server, port, threads);
        command.stdout(Stdio::null());
        let mut serving = Self { server, port, running: machine.start(command, place)? };
        let end = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(why) = serving.crash() {
                return Err(io::Error::other(why));
            }
            if Instant::now() > end {
                return Err(io::Error::other(format!("{} does not listen", server.name)));
            }
            machine.sleep(GLANCE)?;
        }
        Ok(serving)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// What went wrong: that it ended, if it did, and otherwise `error`.
    pub(crate) fn explain(&mut self, error: io::Error) -> io::Error {
        match self.crash() {
            Some(why) if !is_interrupt(&error) => io::Error::other(why),
            _ => error,
        }
    }

    /// That it ended, which it should not, and how.
    pub(crate) fn crash(&mut self) -> Option<String> {
        self.running.ended().map(|status| format!("{} ended: {status}", self.server.name))
    }
}

/// A port that was free just now, below those from which the system serves clients: one of these may be taken at
/// any moment.
fn free_port() -> io::Result<u16> {
    let first = 10_000 + u16::try_from(std::process::id() % 10_000).unwrap_or(0);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (first..first + 10_000).find(free).ok_or(io::Error::other("no port is free"))
}
