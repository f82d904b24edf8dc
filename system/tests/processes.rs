//! What concerns a whole process: each test runs this program once more, as a child that does one thing.
#![cfg(unix)]

use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sinew_system::service_manager::{Notification, notify, watchdog_interval};
use sinew_system::signals::{Termination, on_termination};
use sinew_system::{
    ListenOptions, ListenSocket, Listener, descriptor_limit, from_service_manager, raise_descriptor_limit,
};
use tempfile::tempdir;

/// What the child says to its parent begins so, because the harness of the tests says things, too.
const MARK: &str = "> ";

fn say(text: impl std::fmt::Display) {
    // Not `println`, which the harness keeps to itself. The new line before it ends what the harness wrote.
    let _ = write!(io::stdout(), "\n{MARK}{text}\n").and_then(|()| io::stdout().flush());
}

/// A child that does `what`, after `script` in the shell that becomes it.
fn command(what: &str, script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{script}\nexec \"$@\""), "sh"]);
    command.arg(env::current_exe().unwrap());
    command.args(["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("SINEW_CHILD", what).stdin(Stdio::piped()).stdout(Stdio::piped());
    for variable in
        ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]
    {
        command.env_remove(variable);
    }
    command
}

/// A child, and what it says. It is killed at the end of the test, unless it has ended.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { stdin: child.stdin.take(), child, lines }
    }

    /// The next thing the child says, or `None` when it has ended.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(said) = line.trim_end().strip_prefix(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    fn all(mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    /// Lets the child go on to its end.
    fn release(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "is run by the other tests, in a process of its own"]
fn child() {
    let what = env::var("SINEW_CHILD").expect("another test to start this one");
    match what.as_str() {
        "unix" => listen_on_a_file(),
        "inherit" => inherit(),
        "notify" => tell(),
        "signals" => wait_for_signals(),
        "limit" => {
            say(descriptor_limit());
            say(raise_descriptor_limit().unwrap());
            say(descriptor_limit());
        }
        other => panic!("{other} is nothing that a child does"),
    }
}

fn wait_for_release() {
    assert_eq!(io::stdin().read(&mut [0]).unwrap(), 0);
}

// A file whose mode is asked for, and what is left of a server that was killed.

fn listen_on_a_file() {
    let unix_mode = env::var("MODE").ok().map(|mode| u32::from_str_radix(&mode, 8).unwrap());
    let options = ListenOptions { unix_mode, ..ListenOptions::default() };
    match ListenSocket::unix(env::var("SOCKET").unwrap(), &options) {
        Ok(_socket) => {
            say("listening");
            wait_for_release();
        }
        Err(error) => say(error.kind()),
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_mode_is_as_asked_whatever_the_umask() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    for (umask, asked, expected) in [
        ("0777", Some("666"), 0o666),
        ("0", Some("600"), 0o600),
        ("027", Some("660"), 0o660),
        ("027", None, 0o750),
        ("0", None, 0o777),
    ] {
        let mut command = command("unix", &format!("umask {umask}"));
        command.env("SOCKET", &path);
        asked.map(|mode| command.env("MODE", mode));
        let mut server = Running::start(&mut command);
        assert_eq!(server.line().unwrap(), "listening");
        assert_eq!(mode(&path), expected, "umask {umask}, {asked:?}");
        server.release();
        assert!(!path.exists());
    }
}

#[test]
fn a_server_that_was_killed_leaves_a_file_that_is_replaced_by_one() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let start = || Running::start(command("unix", "").env("SOCKET", &path));
    let mut first = start();
    assert_eq!(first.line().unwrap(), "listening");
    first.signal(Signal::KILL);
    first.child.wait().unwrap();
    assert!(path.exists());

    let mut starters: Vec<_> = (0..5).map(|_| start()).collect();
    let said: Vec<_> = starters.iter_mut().map(|starter| starter.line().unwrap()).collect();
    assert_eq!(said.iter().filter(|said| *said == "listening").count(), 1, "{said:?}");
    let in_use = io::ErrorKind::AddrInUse.to_string();
    assert_eq!(said.iter().filter(|said| **said == in_use).count(), 4, "{said:?}");
    assert!(UnixStream::connect(&path).is_ok());
    starters.into_iter().for_each(Running::release);
    assert!(!path.exists());
}

// Sockets of a service manager.

fn inherit() {
    for _ in 0..2 {
        match from_service_manager() {
            Err(error) => {
                say(format!("error: {error}"));
                assert_eq!(
                    io::Error::from(error).kind(),
                    io::ErrorKind::InvalidData,
                    "what is wrong is the environment"
                );
            }
            Ok(sockets) => {
                say(sockets.len());
                for (name, socket) in sockets {
                    let name = name.as_deref().unwrap_or("no name");
                    say(format!("{name} {} {}", socket.address(), flags(socket.listener())));
                    greet(socket.listener());
                }
            }
        }
    }
    say(["LISTEN_PID", "LISTEN_FDS"].iter().filter(|name| env::var_os(name).is_some()).count());
}

fn flags(listener: &Listener) -> String {
    let of = |descriptor: std::os::fd::BorrowedFd<'_>| {
        let inherited = !rustix::io::fcntl_getfd(descriptor).unwrap().contains(rustix::io::FdFlags::CLOEXEC);
        let blocks = !rustix::fs::fcntl_getfl(descriptor).unwrap().contains(rustix::fs::OFlags::NONBLOCK);
        format!("inherited={inherited} blocks={blocks}")
    };
    use std::os::fd::AsFd as _;
    match listener {
        Listener::Tcp(listener) => of(listener.as_fd()),
        Listener::Unix(listener) => of(listener.as_fd()),
    }
}

/// Says hello to the one who has connected before.
fn greet(listener: &Listener) {
    match listener {
        Listener::Tcp(listener) => listener.accept().unwrap().0.write_all(b"hello").unwrap(),
        Listener::Unix(listener) => listener.accept().unwrap().0.write_all(b"hello").unwrap(),
    }
}

/// A child whose descriptors 3 and 4 are those, as its service manager would start it.
fn with_descriptors(script: &str, third: impl Into<OwnedFd>, fourth: impl Into<OwnedFd>) -> Vec<String> {
    let move_them = "exec 3<&0 4>&2 0</dev/null 2>/dev/null; export LISTEN_PID=$$ LISTEN_FDS=2";
    let mut command = command("inherit", &format!("{move_them}; {script}"));
    command.stdin(Stdio::from(third.into())).stderr(Stdio::from(fourth.into()));
    Running::start(&mut command).all()
}

fn a_tcp_socket() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn sockets_come_from_the_service_manager() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let (tcp, unix) = (a_tcp_socket(), UnixListener::bind(&path).unwrap());
    let address = tcp.local_addr().unwrap();
    let mut clients = (TcpStream::connect(address).unwrap(), UnixStream::connect(&path).unwrap());
    let said = with_descriptors("export LISTEN_FDNAMES=web:control", tcp, unix);
    let expected = [
        "2",
        &format!("web {address} inherited=false blocks=false"),
        &format!("control unix:{} inherited=false blocks=false", path.display()),
        "0",
        "0",
    ];
    assert_eq!(said, expected);
    let mut greetings = [String::new(), String::new()];
    clients.0.read_to_string(&mut greetings[0]).unwrap();
    clients.1.read_to_string(&mut greetings[1]).unwrap();
    assert_eq!(greetings, ["hello", "hello"]);
    assert!(path.exists(), "the file is the manager's");
}

#[test]
fn sockets_need_no_names() {
    for (names, expected) in [("", ["no name", "no name"]), ("export LISTEN_FDNAMES=:b:c", ["no name", "b"])]
    {
        let sockets = [a_tcp_socket(), a_tcp_socket()];
        let addresses = [&sockets[0], &sockets[1]].map(|socket| socket.local_addr().unwrap());
        let _clients = addresses.map(|address| TcpStream::connect(address).unwrap());
        let [third, fourth] = sockets;
        let said = with_descriptors(names, third, fourth);
        assert_eq!(said.len(), 5, "{said:?}");
        for (line, name) in said[1..3].iter().zip(expected) {
            assert!(line.starts_with(&format!("{name} 127.0.0.1:")), "{line}");
        }
    }
}

/// What is said when the variables are like this, and the variables that are left.
#[test]
fn variables_are_checked() {
    for (script, expected) in [
        // For another process, or for nobody.
        ("export LISTEN_PID=1", ["0", "0", "2"]),
        ("unset LISTEN_PID", ["0", "0", "1"]),
        ("unset LISTEN_FDS", ["0", "0", "1"]),
        ("export LISTEN_FDS=0", ["0", "0", "0"]),
        // Garbage.
        ("export LISTEN_PID=x", ["error: LISTEN_PID is not a valid number"; 2].with("2")),
        ("export LISTEN_PID=", ["error: LISTEN_PID is not a valid number"; 2].with("2")),
        ("export LISTEN_PID=+$$", ["error: LISTEN_PID is not a valid number"; 2].with("2")),
        ("export LISTEN_FDS=-1", ["error: LISTEN_FDS is not a valid number"; 2].with("2")),
        ("export LISTEN_FDS=2x", ["error: LISTEN_FDS is not a valid number"; 2].with("2")),
        ("export LISTEN_FDS=4294967295", ["error: LISTEN_FDS is not a valid number"; 2].with("2")),
        ("export LISTEN_FDS=99999999999", ["error: LISTEN_FDS is not a valid number"; 2].with("2")),
        ("export LISTEN_FDS_FIRST_FD=0", ["error: LISTEN_FDS_FIRST_FD is not a valid number"; 2].with("2")),
    ] {
        assert_eq!(with_descriptors(script, a_tcp_socket(), a_tcp_socket()), expected, "{script}");
    }
}

trait With {
    fn with(self, last: &'static str) -> [&'static str; 3];
}

impl With for [&'static str; 2] {
    fn with(self, last: &'static str) -> [&'static str; 3] {
        [self[0], self[1], last]
    }
}

#[test]
fn descriptors_are_checked() {
    let null = || fs::File::options().read(true).write(true).open("/dev/null").unwrap();
    let wrong = |number: u32| format!("error: descriptor {number} is not a stream socket that listens");
    #[cfg(target_os = "linux")]
    let connected = UnixStream::pair().unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let cases = [
        (with_descriptors("", null(), a_tcp_socket()), 3),
        (with_descriptors("", a_tcp_socket(), null()), 4),
        (with_descriptors("", datagrams, a_tcp_socket()), 3),
        (with_descriptors("", UnixDatagram::unbound().unwrap(), a_tcp_socket()), 3),
        (with_descriptors("exec 4>&-", a_tcp_socket(), null()), 4),
        (with_descriptors("export LISTEN_FDS=4096", a_tcp_socket(), null()), 4),
        #[cfg(target_os = "linux")]
        (with_descriptors("", connected.0, connected.1), 3),
    ];
    for (index, (said, number)) in cases.into_iter().enumerate() {
        assert_eq!(said, [wrong(number), "0".into(), "0".into()], "case {index}");
    }
}

// What is told to the service manager.

fn tell() {
    use Notification::{Ready, Reloading, Status, Stopping, Watchdog};
    for notification in [Ready, Reloading, Status("two\nlines"), Watchdog, Stopping] {
        match notify(notification) {
            Ok(told) => say(told),
            Err(error) => say(error.kind()),
        }
    }
    say(format!("{:?}", watchdog_interval()));
}

/// What arrives at `manager` is what was told.
fn told(manager: &UnixDatagram) {
    manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    assert_eq!(next(), "READY=1\n");
    let reloading = next();
    let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
    let micros: u64 = micros.parse().unwrap();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = u64::try_from(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).unwrap();
    assert!(micros <= now && now - micros < 60_000_000, "{micros} at {now}");
    assert_eq!(next(), "STATUS=two lines\n");
    assert_eq!(next(), "WATCHDOG=1\n");
    assert_eq!(next(), "STOPPING=1\n");
}

#[test]
fn a_manager_with_a_file_is_told() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let said = Running::start(command("notify", "").env("NOTIFY_SOCKET", &path)).all();
    assert_eq!(said, ["true", "true", "true", "true", "true", "None"]);
    told(&manager);
}

#[cfg(target_os = "linux")]
#[test]
fn a_manager_without_a_file_is_told() {
    let name = format!("sinew-system-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    let said = Running::start(command("notify", "").env("NOTIFY_SOCKET", format!("@{name}"))).all();
    assert_eq!(said, ["true", "true", "true", "true", "true", "None"]);
    told(&manager);
}

#[test]
fn without_a_manager_nobody_is_told() {
    assert_eq!(Running::start(&mut command("notify", "")).all()[..5], ["false"; 5]);
    let empty = Running::start(command("notify", "").env("NOTIFY_SOCKET", "")).all();
    assert_eq!(empty[..5], ["false"; 5]);
}

#[test]
fn a_manager_that_cannot_be_reached_is_an_error() {
    let directory = tempdir().unwrap();
    let gone = directory.path().join("gone");
    for (variable, kind) in [
        (gone.to_str().unwrap(), io::ErrorKind::NotFound),
        ("relative", io::ErrorKind::InvalidInput),
        ("vsock:2:9999", io::ErrorKind::InvalidInput),
    ] {
        let said = Running::start(command("notify", "").env("NOTIFY_SOCKET", variable)).all();
        assert_eq!(said[..5], [(); 5].map(|()| kind.to_string()), "{variable}");
    }
}

#[test]
fn a_manager_that_does_not_read_blocks_nobody() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("notify");
    let _manager = UnixDatagram::bind(&path).unwrap();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(&[0; 64], &path).is_ok() {}
    let said = Running::start(command("notify", "").env("NOTIFY_SOCKET", &path)).all();
    // Linux has a bound for the queue; BSDs tell of the same in other words.
    assert_eq!(said.len(), 6);
    assert!(said[..5].iter().all(|said| said != "false"));
    if cfg!(target_os = "linux") {
        assert_eq!(said[..5], [(); 5].map(|()| io::ErrorKind::WouldBlock.to_string()));
    }
}

#[test]
fn the_watchdog_has_an_interval() {
    for (script, expected) in [
        ("export WATCHDOG_USEC=2500000", "Some(2.5s)"),
        ("export WATCHDOG_USEC=2500000 WATCHDOG_PID=$$", "Some(2.5s)"),
        ("export WATCHDOG_USEC=2500000 WATCHDOG_PID=1", "None"),
        ("export WATCHDOG_USEC=0", "None"),
        ("export WATCHDOG_USEC=x", "None"),
    ] {
        assert_eq!(Running::start(&mut command("notify", script)).all()[5], expected, "{script}");
    }
}

// Signals.

fn wait_for_signals() {
    let first = Termination::new().unwrap();
    let second = first.next();
    let late = second.clone();
    // One panics, and the others are told nevertheless.
    on_termination(|_| panic!("on purpose")).unwrap();
    on_termination(|count| {
        say(format!("signal {count}"));
        if count == 1 {
            // One more, from within.
            on_termination(|count| say(format!("nested {count}"))).unwrap();
        }
        if count == 3 {
            std::process::exit(7);
        }
    })
    .unwrap();
    let dropped = thread::spawn({
        let first = first.clone();
        move || {
            let poll_once = futures_lite::future::poll_once(first);
            assert_eq!(futures_lite::future::block_on(poll_once), None);
        }
    });
    dropped.join().unwrap();
    let waiting = thread::spawn(move || {
        futures_lite::future::block_on(second);
        say("second");
    });
    say(format!("ready {}", first.signals()));
    futures_lite::future::block_on(first.clone());
    say(format!("first {}", first.signals()));
    // Nothing is lost for who comes late.
    futures_lite::future::block_on(Termination::new().unwrap());
    waiting.join().unwrap();
    futures_lite::future::block_on(late);
    say(format!("end {}", first.signals()));
    loop {
        thread::park();
    }
}

#[test]
fn signals_are_counted() {
    let mut server = Running::start(&mut command("signals", "exec 2>/dev/null"));
    let id = Pid::from_child(&server.child);
    let mut next = |count: usize| {
        let mut lines: Vec<_> = (0..count).map(|_| server.line().unwrap()).collect();
        lines.sort();
        lines
    };
    assert_eq!(next(1), ["ready 0"]);
    kill_process(id, Signal::TERM).unwrap();
    assert_eq!(next(2), ["first 1", "signal 1"]);
    // It does not end the process.
    kill_process(id, Signal::INT).unwrap();
    assert_eq!(next(4), ["end 2", "nested 2", "second", "signal 2"]);
    kill_process(id, Signal::INT).unwrap();
    assert_eq!(next(1), ["signal 3"]);
    assert_eq!(server.child.wait().unwrap().code(), Some(7));
}

/// The line of `/proc/PID/status` about a set of signals, and whether SIGHUP is in it.
#[cfg(target_os = "linux")]
fn has_hangup(pid: u32, line: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let set = status.lines().find_map(|all| all.strip_prefix(line)).unwrap().trim();
    u64::from_str_radix(set, 16).unwrap() & 1 << (Signal::HUP.as_raw() - 1) != 0
}

#[test]
#[cfg(target_os = "linux")]
fn hangups_are_left_alone() {
    let mut server = Running::start(&mut command("signals", ""));
    assert_eq!(server.line().unwrap(), "ready 0");
    let (child, own) = (server.child.id(), std::process::id());
    assert!(!has_hangup(child, "SigCgt:"), "nobody waits for it");
    assert_eq!(
        has_hangup(child, "SigIgn:"),
        has_hangup(own, "SigIgn:"),
        "it is ignored under nohup, and only there"
    );
}

// Descriptors.

#[test]
fn the_descriptor_limit_is_raised_to_what_is_allowed() {
    let said = Running::start(&mut command("limit", "ulimit -Sn 64; ulimit -Hn 200")).all();
    assert_eq!(said, ["64", "200", "200"]);
    let said = Running::start(&mut command("limit", "ulimit -n 100")).all();
    assert_eq!(said, ["100", "100", "100"]);
}
