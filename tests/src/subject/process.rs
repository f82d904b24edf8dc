//! A server as a process: starting it, measuring it, ending it.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::DRAIN;
use crate::PATIENCE;

/// A server that runs. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    addr: SocketAddr,
}

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Resident memory in KiB, less what is mapped from files.
    pub anonymous_kib: u64,
}

impl Process {
    /// Starts the program `soak` as a server with those arguments of [`serve`](super::serve), the last
    /// one left out, on a free port.
    ///
    /// # Errors
    /// The one of the system, or that the server did not say where it listens.
    pub fn start(program: &str, runtime: &str, deadlines: &str) -> io::Result<Self> {
        Self::start_command(Command::new(program), runtime, deadlines, "127.0.0.1:0", Stdio::null())
    }

    /// The same with a limit of open descriptors.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_limited(program: &str, runtime: &str, deadlines: &str, files: u32) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), program]);
        Self::start_command(command, runtime, deadlines, "127.0.0.1:0", Stdio::null())
    }

    /// The same at an address that others may listen on.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_at(program: &str, runtime: &str, deadlines: &str, addr: SocketAddr) -> io::Result<Self> {
        Self::start_command(Command::new(program), runtime, deadlines, &addr.to_string(), Stdio::null())
    }

    /// The same on a listener that the server inherits.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn start_on(
        program: &str,
        runtime: &str,
        deadlines: &str,
        listener: &TcpListener,
    ) -> io::Result<Self> {
        let listener = OwnedFd::from(listener.try_clone()?);
        Self::start_command(Command::new(program), runtime, deadlines, "inherited", listener.into())
    }

    fn start_command(
        mut command: Command,
        runtime: &str,
        deadlines: &str,
        listen: &str,
        stdin: Stdio,
    ) -> io::Result<Self> {
        command.args(["serve", runtime, deadlines, listen]).stdin(stdin).stdout(Stdio::piped());
        // What was freed goes back to the system, so that what is held shows in what is resident.
        command.envs([("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "131072")]);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(BufReader::new(stdout).lines().next()));
        let line = receiver.recv_timeout(PATIENCE).ok().flatten().transpose()?.unwrap_or_default();
        let addr = line.strip_prefix("listening on ").and_then(|addr| addr.parse().ok());
        let mut process = Self { child, addr: ([127, 0, 0, 1], 0).into() };
        process.addr = addr.ok_or_else(|| io::Error::other(format!("it does not listen: {line:?}")))?;
        Ok(process)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it holds now.
    ///
    /// # Errors
    /// That it is gone.
    pub fn footprint(&self) -> io::Result<Footprint> {
        let proc = format!("/proc/{}", self.id());
        let status = fs::read_to_string(format!("{proc}/status"))?;
        let number = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
            value.and_then(|value| value.parse::<u64>().ok()).ok_or(io::ErrorKind::InvalidData)
        };
        Ok(Footprint {
            descriptors: fs::read_dir(format!("{proc}/fd"))?.count(),
            threads: fs::read_dir(format!("{proc}/task"))?.count(),
            anonymous_kib: number("RssAnon:")?,
        })
    }

    /// For how long its threads have run, and how long they could have but had no processor.
    fn scheduled(&self) -> io::Result<(Duration, Duration)> {
        let (mut ran, mut waited) = (0, 0);
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let mut nanos = text.split_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
            ran += nanos.next().unwrap_or(0);
            waited += nanos.next().unwrap_or(0);
        }
        Ok((Duration::from_nanos(ran), Duration::from_nanos(waited)))
    }

    /// How many times longer everything in it takes, while something happens, because others have the
    /// processors: 1 if it has one whenever it wants.
    ///
    /// # Errors
    /// That it is gone.
    pub fn slowed_during<T>(&self, happens: impl FnOnce() -> T) -> io::Result<(f64, T)> {
        let before = self.scheduled()?;
        let result = happens();
        let after = self.scheduled()?;
        let ran = after.0.saturating_sub(before.0).as_secs_f64().max(0.001);
        let waited = after.1.saturating_sub(before.1).as_secs_f64();
        Ok(((ran + waited) / ran, result))
    }

    /// The time that it computes while something happens.
    ///
    /// # Errors
    /// That it is gone.
    pub fn computed_during(&self, happens: impl FnOnce()) -> io::Result<Duration> {
        let before = self.scheduled()?.0;
        happens();
        Ok(self.scheduled()?.0.saturating_sub(before))
    }

    /// Sends SIGTERM, and does not wait.
    ///
    /// # Errors
    /// That it cannot be sent.
    pub fn terminate(&self) -> io::Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("the signal was not sent")) }
    }

    /// Waits for its end, as long as a drain may take.
    ///
    /// # Errors
    /// `TimedOut` if it does not end.
    pub fn ended(&mut self) -> io::Result<ExitStatus> {
        let give_up = Instant::now() + DRAIN + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > give_up {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
