//! The core in other people's loops: `mio_loop` and `io_uring_loop` as processes of their own, over
//! real sockets. Each is stopped by the handle it was started with, and by then has closed every
//! descriptor that it has opened.
//!
//! Where the kernel refuses io_uring, that example says so, and the tests pass over it.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sinew_tests::raw::{self, Client};
use sinew_tests::{PATIENCE, eventually, have_program};

/// The exit status of an example that the system refuses.
const SKIPPED: i32 = 69;

/// Much later than anything here should take, and well under [`PATIENCE`].
const SLACK: Duration = Duration::from_secs(10);

/// A loop that runs. Dropped, it is killed.
struct Running {
    child: Child,
    addr: SocketAddr,
    descriptors: usize,
}

/// Runs a test against each of the examples, one at a time: a process has only so many descriptors.
fn each(args: &[&str], test: impl Fn(&Running)) {
    each_under("exec", args, test);
}

/// The same, with a command of the shell before the one of the example.
fn each_under(shell: &str, args: &[&str], test: impl Fn(&Running)) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone: MutexGuard<'_, ()> = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for executable in ["mio_loop", "io_uring_loop"].map(executable) {
        let Some(running) = Running::start(shell, executable, args) else { continue };
        println!("{executable} as process {}", running.child.id());
        test(&running);
        eventually("all descriptors are closed", || running.open_descriptors() == running.descriptors);
        assert_eq!(raw::request(running.addr, raw::get("/")).text(), "hello\n", "it still serves");
    }
}

/// Where that example is.
fn executable(name: &str) -> &'static str {
    let found = executables().iter().find(|path| path.ends_with(name));
    found.unwrap_or_else(|| panic!("{name} was not built"))
}

/// Has cargo build the examples, with the features of the whole workspace: under `cargo test
/// --workspace` they are there already. Returns where they are.
fn executables() -> &'static [String] {
    static EXECUTABLES: OnceLock<Vec<String>> = OnceLock::new();
    EXECUTABLES.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        cargo.args(["build", "--quiet", "--workspace", "--message-format=json"]);
        cargo.args(["--example", "mio_loop", "--example", "io_uring_loop", "--example", "fetch"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
        assert!(output.status.success(), "cargo cannot build the examples");
        let messages = String::from_utf8(output.stdout).expect("text");
        let paths =
            messages.lines().filter_map(|line| line.split_once(r#""executable":""#)?.1.split('"').next());
        let paths: Vec<String> = paths.map(str::to_owned).collect();
        assert_eq!(paths.len(), 3, "{messages}");
        paths
    })
}

impl Running {
    /// Starts it on a free port. `None` if the system refuses it.
    fn start(shell: &str, executable: &str, args: &[&str]) -> Option<Self> {
        let script = format!("{shell} \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, executable, "--port", "0"]).args(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(stdout.lines().next()));
        let line = receiver.recv_timeout(PATIENCE).expect("neither a line nor an end");
        let Some(line) = line else {
            let status = child.wait().expect("it has ended");
            assert_eq!(status.code(), Some(SKIPPED), "{executable}");
            println!("passed over: {executable} says that the system refuses it");
            return None;
        };
        let line = line.expect("text");
        let addr =
            line.strip_prefix("listening on http://").expect("the address").parse().expect("an address");
        let mut running = Self { child, addr, descriptors: 0 };
        assert_eq!(raw::request(addr, raw::get("/")).text(), "hello\n");
        // Nothing is opened after the first connection.
        eventually("it settles", || {
            let before = running.descriptors;
            thread::sleep(Duration::from_millis(50));
            running.descriptors = running.open_descriptors();
            before == running.descriptors
        });
        Some(running)
    }

    fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    fn crowd(&self, count: usize) -> Vec<Client> {
        (0..count).map(|_| self.connect()).collect()
    }

    fn open_descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("its descriptors").count()
    }

    /// The most memory it has ever used.
    fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a high-water mark");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All of them ask, and all of them are answered.
fn greet(clients: &mut [Client]) {
    for client in &mut *clients {
        client.send(raw::get("/"));
    }
    for client in clients {
        assert_eq!(client.response().text(), "hello\n");
    }
}

/// Bytes of which no piece looks like another.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn hundreds_are_answered_while_others_trickle() {
    const LIMIT: Duration = Duration::from_secs(2);
    each(&["--head-timeout-ms", "2000"], |server| {
        let mut slow = server.crowd(100);
        let mut quick = server.crowd(300);
        let start = Instant::now();
        let head = b"GET / HTTP/1.1\r\nHost: test\r\nX: xxxxxxxxxxxxxxxx";
        // A byte now and then, for three quarters of the time that a head may take.
        for byte in head.iter().take_while(|_| start.elapsed() < LIMIT * 3 / 4) {
            for client in &mut slow {
                client.send([*byte]);
            }
            greet(&mut quick);
            thread::sleep(Duration::from_millis(100));
        }
        for client in &mut slow {
            let response = client.response();
            assert_eq!((response.status, response.closes()), (408, true));
            assert!(start.elapsed() >= LIMIT, "too soon: {:?}", start.elapsed());
            client.end();
        }
        assert!(start.elapsed() < LIMIT + SLACK, "too late: {:?}", start.elapsed());
        greet(&mut quick);
    });
}

#[test]
fn pipelined_requests_are_answered_in_order_however_they_arrive() {
    let mut requests = Vec::new();
    for n in 0..16 {
        let text = format!("number {n}");
        requests.extend(match n % 4 {
            0 => raw::get("/").into_bytes(),
            1 => raw::post("/", &text),
            2 => raw::post_chunked("/", text.as_bytes().chunks(3)),
            _ => raw::post("/", ""),
        });
    }
    let check = |client: &mut Client| {
        for n in 0..16 {
            let response = client.response();
            let expected = match n % 4 {
                0 => "hello\n",
                1 | 2 => &format!("number {n}"),
                _ => "",
            };
            assert_eq!((response.status, response.text()), (200, expected), "answer {n}");
        }
    };
    each(&[], |server| {
        let mut whole = server.connect();
        whole.send(&requests);
        check(&mut whole);
        let mut bytes = server.connect();
        bytes.send_pieces(requests.chunks(1));
        check(&mut bytes);
        // Who ends its side is answered all the same.
        let mut ended = server.connect();
        ended.send(&requests);
        ended.finish();
        check(&mut ended);
        ended.end();
    });
}

/// What servers are compared by.
#[test]
fn the_answer_that_is_measured_is_whole() {
    each(&[], |server| {
        let response = raw::request(server.addr, raw::get("/plaintext"));
        assert_eq!((response.status, response.text()), (200, "Hello, World!"));
        assert_eq!(response.field("content-type"), Some("text/plain"));
        assert_eq!(response.field("server"), Some("sinew"));
        assert!(response.field("date").is_some_and(|date| date.ends_with(" GMT")), "no date");
    });
}

/// More of them than a loop answers before it looks after others; and nothing comes to wake it again.
#[test]
fn thousands_of_pipelined_requests_are_all_answered() {
    const COUNT: usize = 20_000;
    each(&[], |server| {
        let mut client = server.connect();
        client.send(raw::get("/"));
        let one = client.some().len();
        let mut sender = client.stream().try_clone().expect("a second handle");
        let requests = raw::get("/").repeat(COUNT);
        let sending = thread::spawn(move || std::io::Write::write_all(&mut sender, requests.as_bytes()));
        let mut total = 0;
        while total < one * COUNT {
            total += client.some().len();
        }
        assert_eq!(total, one * COUNT);
        sending.join().expect("no panic").expect("the server takes it all");
    });
}

#[test]
fn a_large_body_comes_back_to_a_slow_reader_in_little_memory() {
    let body = noise(8 << 20);
    each(&[], |server| {
        let before = server.peak_kib();
        for chunked in [false, true] {
            let mut client = Client::with_small_buffers(server.addr);
            let mut sender = client.stream().try_clone().expect("a second handle");
            let request =
                if chunked { raw::post_chunked("/", body.chunks(100_000)) } else { raw::post("/", &body) };
            let sending = thread::spawn(move || std::io::Write::write_all(&mut sender, &request));
            // Until it is stuck: neither side has room for it all.
            thread::sleep(Duration::from_millis(300));
            assert!(!sending.is_finished(), "the server takes what nobody reads");
            if chunked {
                assert!(client.response().body == body, "other bytes came back");
            } else {
                assert_eq!(client.head().field("content-length"), Some(&*body.len().to_string()));
                let mut back = client.buffered();
                let mut piece = vec![0; 64 * 1024];
                while back.len() < body.len() {
                    thread::sleep(Duration::from_micros(200));
                    let count = client.stream().read(&mut piece).expect("more of it");
                    assert!(count > 0, "it ends after {} bytes", back.len());
                    back.extend_from_slice(&piece[..count]);
                }
                assert!(back == body, "other bytes came back");
            }
            sending.join().expect("no panic").expect("the server takes it all");
        }
        let grown = server.peak_kib() - before;
        assert!(grown < 4 * 1024, "it took {grown} KiB");
    });
}

#[test]
fn curl_does_not_wait_for_its_100() {
    if !have_program("curl") {
        return;
    }
    let body = noise(4 << 20);
    let file = format!("{}/embedding", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&file, &body).expect("a file");
    each(&[], |server| {
        let start = Instant::now();
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "30", "--http1.1"])
            .args(["-H", "Expect: 100-continue", "--expect100-timeout", "15", "-T", &file])
            .arg(format!("http://{}/file", server.addr))
            .output()
            .expect("curl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == body, "other bytes came back: {}", output.stdout.len());
        assert!(start.elapsed() < SLACK, "it waited: {:?}", start.elapsed());
    });
    fs::remove_file(&file).expect("the file is ours");
}

#[test]
fn the_client_of_the_core_fetches_pages() {
    each(&[], |running| {
        let addr = running.addr.to_string();
        let pages = ["/", "/a", "/b?c", "/"];
        let output = Command::new(executable("fetch")).arg(&addr).args(pages).output().expect("it starts");
        let heads = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{heads}");
        assert_eq!(heads.matches("HTTP/1.1 200 OK").count(), pages.len(), "{heads}");
        assert_eq!(output.stdout, b"hello\n".repeat(pages.len()));
    });
}

#[test]
fn a_malformed_request_is_told_so_and_the_connection_ends() {
    each(&[], |server| {
        for request in [
            "GET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
        ] {
            let mut client = server.connect();
            // What follows is read and thrown away: a reset would take the answer away.
            client.send([request.as_bytes(), &vec![b'x'; 500_000]].concat());
            let response = client.response();
            assert_eq!((response.status, response.closes()), (400, true), "{request:?}");
            for _ in 0..3 {
                thread::sleep(Duration::from_millis(20));
                client.send("more of it");
            }
            client.end();
        }
        // An error in a body that is on its way back: the answer is broken off, not ended.
        let mut client = server.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        assert_eq!((client.head().status, client.chunk()), (200, b"abc".to_vec()));
        client.send("x\r\n");
        assert_eq!(client.rest().0, b"");
        let mut client = server.connect();
        client.send("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 501);
    });
}

#[test]
fn silent_connections_are_closed() {
    const LIMIT: Duration = Duration::from_millis(500);
    each(&["--idle-timeout-ms", "500"], |server| {
        let start = Instant::now();
        let mut silent = server.crowd(100);
        let mut served = server.connect();
        served.send(raw::get("/"));
        assert_eq!(served.response().status, 200);
        for client in &mut silent {
            client.end();
        }
        served.end();
        assert!(start.elapsed() >= LIMIT && start.elapsed() < LIMIT + SLACK, "{:?}", start.elapsed());
    });
}

#[test]
fn who_never_reads_is_dropped() {
    each(&["--write-timeout-ms", "500"], |server| {
        let mut clients: Vec<Client> = (0..20).map(|_| Client::with_small_buffers(server.addr)).collect();
        let head = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n";
        let zeros = [0; 16 * 1024];
        for client in &mut clients {
            client.send(head);
            client.stream().set_nonblocking(true).expect("not to wait");
        }
        let start = Instant::now();
        let mut gone = 0;
        while gone < clients.len() {
            assert!(start.elapsed() < SLACK, "{gone} are gone");
            gone = 0;
            for client in &mut clients {
                let result = std::io::Write::write(&mut client.stream(), &zeros);
                gone +=
                    usize::from(result.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock));
            }
            thread::sleep(Duration::from_millis(5));
        }
        // They are still there on our side, and not on the server's.
        eventually("they are dropped", || server.open_descriptors() == server.descriptors);
    });
}

#[test]
fn running_out_of_descriptors_ends_nothing() {
    each_under("ulimit -n 40; exec", &[], |server| {
        let mut crowd = server.crowd(60);
        eventually("it has no more descriptors", || server.open_descriptors() >= 40);
        crowd[0].send(raw::get("/"));
        assert_eq!(crowd[0].response().text(), "hello\n", "who is in, is served");
        let mut last = server.connect();
        last.send(raw::get("/"));
        last.quiet(Duration::from_millis(300));
        drop(crowd);
        assert_eq!(last.response().text(), "hello\n", "who waited, is served");
    });
}
