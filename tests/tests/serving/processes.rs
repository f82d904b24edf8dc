//! What concerns a whole process: signals, the service manager, descriptors, threads. Each test runs this
//! program once more, as a child that serves.

use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sinew_app::blocking;
use sinew_system::ServerHandle;
use sinew_tests::raw::{self, Client};
use sinew_tests::{Builder as _, Count, PATIENCE, Serves, Smol, Std, Tokio, eventually};

use crate::parts::{addr, end, free, gated, get_unix, hello, is_closed, wait};

/// What a child says to its parent begins so, because the harness of the tests says things, too.
const MARK: &str = "> ";

fn say(text: impl std::fmt::Display) {
    // Not `println`, which the harness keeps to itself. The new line before it ends what the harness wrote.
    let _ = write!(io::stdout(), "\n{MARK}{text}\n").and_then(|()| io::stdout().flush());
}

/// A child of an adapter that does `what`, after `script` in the shell that becomes it.
fn command<A: Serves>(what: &str, script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{script}\nexec \"$@\""), "sh"]);
    command.arg(env::current_exe().unwrap());
    command.args(["processes::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("SINEW_CHILD", format!("{} {what}", A::NAME)).stdin(Stdio::piped()).stdout(Stdio::piped());
    for variable in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET"] {
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

    /// The next thing that the child says.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the child has ended");
            if let Some(said) = line.trim_end().strip_prefix(MARK) {
                return said.to_owned();
            }
        }
    }

    fn addr(&mut self) -> SocketAddr {
        self.line().parse().expect("the address of the child")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, which is to be a good one.
    fn ends(mut self) {
        drop(self.stdin.take());
        // Longer than anything in it.
        let give_up = Instant::now() + PATIENCE + Duration::from_secs(5);
        while Instant::now() < give_up {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the child does not end");
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
    match what.split_once(' ').expect("an adapter and what to do") {
        ("tokio", what) => child_of::<Tokio>(what),
        ("smol", what) => child_of::<Smol>(what),
        ("std", what) => child_of::<Std>(what),
        other => panic!("{other:?} is no adapter"),
    }
}

fn child_of<A: Serves>(what: &str) {
    match what {
        "signals" => until_signals::<A>(),
        "two servers" => two_servers::<A>(),
        "manager" => for_the_manager::<A>(),
        "descriptors" => without_descriptors::<A>(),
        "threads" => and_its_threads::<A>(),
        "start" => half_started::<A>(),
        "crowd" => a_crowd::<A>(),
        other => panic!("{other} is nothing that a child does"),
    }
}

fn wait_for_release() {
    assert_eq!(io::stdin().read(&mut [0]).unwrap(), 0);
}

// Signals.

fn until_signals<A: Serves>() {
    let (app, gate, waiting) = gated();
    let server = A::local(app).shut_down_on_signals().workers(2).spawn().unwrap();
    say(addr(&server));
    eventually("a handler waits", || waiting.now() == 1);
    say("waiting");
    eventually("the signal has come", || server.is_shutting_down());
    say("told");
    thread::spawn(move || {
        wait_for_release();
        gate.open();
    });
    wait(&server).unwrap();
    say("ended");
}

/// A child whose handler waits, after its first signal; and the client of the handler.
fn signalled<A: Serves>(signal: Signal) -> (Running, Client) {
    let mut child = Running::start(&mut command::<A>("signals", ""));
    let addr = child.addr();
    let mut client = Client::connect(addr);
    client.send(raw::get("/wait"));
    assert_eq!(child.line(), "waiting");
    child.signal(signal);
    assert_eq!(child.line(), "told");
    eventually("nobody listens", || is_closed(addr));
    client.quiet(Duration::from_millis(50));
    (child, client)
}

pub(crate) fn a_first_signal_is_graceful<A: Serves>() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut child, mut client) = signalled::<A>(signal);
        drop(child.stdin.take());
        assert_eq!(client.response().text(), "finished");
        drop(client);
        assert_eq!(child.line(), "ended");
        child.ends();
    }
}

pub(crate) fn a_second_signal_is_not<A: Serves>() {
    for (first, second) in [(Signal::TERM, Signal::TERM), (Signal::INT, Signal::TERM)] {
        let (mut child, mut client) = signalled::<A>(first);
        let start = Instant::now();
        child.signal(second);
        assert_eq!(child.line(), "ended");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        assert_eq!(client.rest().0, b"");
        child.ends();
    }
}

/// One that starts when there was a signal already, for another.
fn two_servers<A: Serves>() {
    let first = A::local(hello()).shut_down_on_signals().spawn().unwrap();
    say(addr(&first));
    wait(&first).unwrap();
    until_signals::<A>();
}

pub(crate) fn a_second_server_heeds_its_first_signal<A: Serves>() {
    let mut child = Running::start(&mut command::<A>("two servers", ""));
    assert_eq!(raw::request(child.addr(), raw::get("/")).text(), "hello");
    child.signal(Signal::TERM);
    let mut client = Client::connect(child.addr());
    client.send(raw::get("/wait"));
    assert_eq!(child.line(), "waiting");
    child.signal(Signal::TERM);
    assert_eq!(child.line(), "told");
    drop(child.stdin.take());
    assert_eq!(client.response().text(), "finished");
    drop(client);
    assert_eq!(child.line(), "ended");
    child.ends();
}

// The service manager.

fn for_the_manager<A: Serves>() {
    let server = A::server(hello()).service_manager().shut_down_on_signals().workers(2).spawn().unwrap();
    let addresses: Vec<String> = server.local_addrs().iter().map(ToString::to_string).collect();
    say(addresses.join(" "));
    wait(&server).unwrap();
}

pub(crate) fn sockets_of_the_service_manager<A: Serves>() {
    let at = |name| env::temp_dir().join(format!("sinew-{name}-{}-{}", A::NAME, std::process::id()));
    let (socket_path, notify_path) = (at("manager"), at("notify"));
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp_addr = tcp.local_addr().unwrap();
    let unix = UnixListener::bind(&socket_path).unwrap();
    let notify = UnixDatagram::bind(&notify_path).unwrap();
    notify.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut message = [0; 64];
        let n = notify.recv(&mut message).unwrap();
        String::from_utf8(message[..n].to_vec()).unwrap()
    };
    // The shell moves them to the descriptors that a manager gives.
    let script = "exec 3<&0 4<&2 0</dev/null 2>/dev/null\nexport LISTEN_PID=$$ LISTEN_FDS=2";
    let mut command = command::<A>("manager", script);
    command.stdin(OwnedFd::from(tcp)).stderr(OwnedFd::from(unix));
    let mut child = Running::start(command.env("NOTIFY_SOCKET", &notify_path));
    drop(command);
    assert_eq!(told(), "READY=1\n");
    // From that moment on: what was said is true.
    assert_eq!(raw::request(tcp_addr, raw::get("/")).text(), "hello");
    assert!(get_unix(&socket_path, "/").ends_with("hello"));
    assert!(child.line().starts_with(&tcp_addr.to_string()));
    notify.set_nonblocking(true).unwrap();
    assert!(notify.recv(&mut [0; 64]).is_err(), "nothing else is told");
    notify.set_nonblocking(false).unwrap();
    child.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1\n");
    child.ends();
    assert!(socket_path.exists(), "it is the manager's");
    let _ = (fs::remove_file(socket_path), fs::remove_file(notify_path));
}

// Descriptors.

/// Serves with few descriptors, and says what accepting cost: the errors, and the time of the processor.
fn without_descriptors<A: Serves>() {
    let server = A::local(hello()).spawn().unwrap();
    say(addr(&server));
    eventually("descriptors run out", || server.counts().accept_errors > 0);
    let before = (cpu_time(), server.counts().accept_errors);
    thread::sleep(Duration::from_millis(1500));
    let after = (cpu_time(), server.counts().accept_errors);
    say(after.0.saturating_sub(before.0).as_millis());
    say(after.1 - before.1);
    wait_for_release();
    end(&server);
}

/// What this process has used of it.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

pub(crate) fn without_descriptors_it_pauses<A: Serves>() {
    let mut child = Running::start(&mut command::<A>("descriptors", "ulimit -n 64"));
    let addr = child.addr();
    let mut clients: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(addr).unwrap()).collect();
    let millis: u64 = child.line().parse().unwrap();
    let errors: u64 = child.line().parse().unwrap();
    assert!(millis < 200, "{millis} ms of 1500 were spent");
    assert!((1..100).contains(&errors), "{errors} errors");
    // Room again: those who had to wait are served within the longest pause.
    clients.truncate(40);
    let start = Instant::now();
    assert_eq!(raw::request(addr, raw::get("/")).text(), "hello");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    child.ends();
}

// Threads.

/// The names of the threads of this process that begin so.
fn threads(prefix: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with(prefix)).count()
}

fn and_its_threads<A: Serves>() {
    for abort in [false, true] {
        let (app, gate, waiting) = gated();
        let app = app.route("/block", blocking::get(|| "blocked"));
        let server = A::local(app).workers(3).spawn().unwrap();
        assert_eq!(raw::request(addr(&server), raw::get("/block")).text(), "blocked");
        let mut client = Client::connect(addr(&server));
        client.send(raw::get("/wait"));
        eventually("the handler waits", || waiting.now() == 1);
        // Three that serve and one that waits for the end.
        eventually("each has its name", || threads(A::THREADS) == 4);
        if abort {
            server.abort();
        } else {
            server.shut_down();
            gate.open();
            assert_eq!(client.response().text(), "finished");
            drop(client);
        }
        wait(&server).unwrap();
        // The one that has told it is about to go.
        eventually("its threads have ended", || threads(A::THREADS) == 0);
        if A::NAME == "std" {
            eventually("so has the pool", || threads("sinew-blocking") == 0);
        }
    }
    if A::NAME == "std" {
        connections_with_a_thread_each();
    }
}

fn connections_with_a_thread_each() {
    let server = sinew_std::Server::new(hello()).bind("127.0.0.1:0").thread_per_connection(8);
    let server: ServerHandle = server.spawn().unwrap();
    let clients = [(); 8].map(|()| Client::connect(addr(&server)));
    eventually("a thread for each", || threads("sinew-connectio") == 8);
    drop(clients);
    eventually("none is left", || threads("sinew-connectio") == 0);
    let _client = Client::connect(addr(&server));
    eventually("a thread", || threads("sinew-connectio") == 1);
    end(&server);
    eventually("none is left", || threads("sinew-") == 0);
}

pub(crate) fn threads_end_with_the_server<A: Serves>() {
    Running::start(&mut command::<A>("threads", "")).ends();
}

const CROWD: usize = 10_000;

/// Serves many, and says how many threads it has: before, and when all are there.
fn a_crowd<A: Serves>() {
    sinew_system::raise_descriptor_limit().unwrap();
    let server = A::local(hello()).workers(2).shut_down_on_signals().spawn().unwrap();
    assert_eq!(raw::request(addr(&server), raw::get("/")).text(), "hello");
    say(threads(""));
    say(addr(&server));
    eventually("all are there", || server.counts().connections_open == CROWD as u64);
    say(threads(""));
    wait(&server).unwrap();
    assert_eq!((server.counts().connections_open, server.counts().accept_errors), (0, 0));
}

/// Connections that stay open cost no thread, and none of them is forgotten.
pub(crate) fn ten_thousand_that_stay<A: Serves>() {
    // One crowd at a time: both sides need a descriptor for each.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let limit = sinew_system::raise_descriptor_limit().unwrap();
    assert!(limit > CROWD as u64 + 1_000, "this needs more descriptors than {limit}");
    let mut child = Running::start(&mut command::<A>("crowd", ""));
    let before = child.line();
    let addr = child.addr();
    let request = |client: &mut Client| {
        client.send(raw::get("/"));
        assert_eq!(client.response().text(), "hello");
    };
    let connect = |_| {
        let mut client = Client::connect(addr);
        request(&mut client);
        client
    };
    let mut crowd: Vec<Client> = (0..CROWD).map(connect).collect();
    assert_eq!(child.line(), before);
    crowd.iter_mut().step_by(100).for_each(request);
    child.signal(Signal::TERM);
    crowd.iter_mut().for_each(Client::end);
    drop(crowd);
    child.ends();
}

/// A start that runs out of something half-way: nothing of it is left.
fn half_started<A: Serves>() {
    let free = free();
    let started = Count::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // What a library keeps for the process is there by then.
    end(&A::local(hello()).workers(1).spawn().unwrap());
    eventually("its threads have ended", || threads(A::THREADS) == 0);
    let before = threads("");
    for workers in [40, 60, 80, 400] {
        let app = hello();
        // Inside of a runtime: what is left over is dropped there.
        let spawned =
            runtime.block_on(async { A::server(app).bind(&free.to_string()).workers(workers).spawn() });
        let Err(_) = spawned else {
            let server = spawned.unwrap();
            end(&server);
            started.add(1);
            continue;
        };
        eventually("nobody listens", || is_closed(free));
        // Threads that have no name yet are among them.
        eventually("its threads have ended", || threads("") == before);
    }
    assert!(started.now() < 4, "none has failed");
    // With room it starts after all.
    let server = A::server(hello()).bind(&free.to_string()).workers(2).spawn().unwrap();
    assert_eq!(raw::request(free, raw::get("/")).text(), "hello");
    end(&server);
    drop(runtime);
}

pub(crate) fn half_a_start_leaves_nothing<A: Serves>() {
    Running::start(&mut command::<A>("start", "ulimit -n 200")).ends();
    // Threads run out: their stacks are larger than what the process may have.
    let script = "export RUST_MIN_STACK=100000000; ulimit -v 4000000";
    Running::start(&mut command::<A>("start", script)).ends();
}
