//! Starting servers and talking to them in plain bytes.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const RUNTIMES: [&str; 3] = ["tokio", "smol", "std"];

/// For anything that is to happen soon.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A directory to serve, with `secret` beside it.
pub(crate) struct Site(TempDir);

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("sub/deep")).unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("a.txt"), "0123456789").unwrap();
        std::fs::write(root.join("sub/b.html"), "<p>b").unwrap();
        Self(dir)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    /// A file that takes no room on the disk.
    pub(crate) fn sparse(&self, name: &str, len: u64) {
        std::fs::File::create(self.root().join(name)).unwrap().set_len(len).unwrap();
    }
}

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) greeting: String,
    stderr: Arc<Mutex<String>>,
}

pub(crate) fn command(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew"));
    command.arg(root).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts a server on a free port and waits for its URL.
    pub(crate) fn start(root: &Path, args: &[&str]) -> Self {
        Self::spawn(&mut command(root, &[&["--port", "0"], args].concat()), 1)
    }

    /// Starts a server and waits until it has told of so many places. The first URL is its address.
    pub(crate) fn spawn(command: &mut Command, places: usize) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = lines(child.stdout.take().unwrap());
        let stderr = Arc::new(Mutex::new(String::new()));
        let (text, pipe) = (stderr.clone(), lines_of_stderr(&mut child));
        std::thread::spawn(move || {
            while let Ok(line) = pipe.recv() {
                *text.lock().unwrap() += &(line + "\n");
            }
        });
        let mut server = Self { child, address: String::new(), greeting: String::new(), stderr };
        while server.places().len() < places {
            let line = lines.recv_timeout(SOON).unwrap_or_else(|_| panic!("{}", server.stderr()));
            server.greeting += &(line + "\n");
        }
        let url = server.places().into_iter().find_map(|place| place.strip_prefix("http://"));
        let address = url.and_then(|url| Some(url.split_once('/')?.0.to_owned()));
        server.address = address.unwrap_or_default();
        server
    }

    /// Where it says that it can be found.
    pub(crate) fn places(&self) -> Vec<&str> {
        self.greeting.lines().filter_map(|line| line.strip_prefix("at ")).collect()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        stream
    }

    /// Sends a request and leaves the answer to be read.
    pub(crate) fn send(&self, method: &str, target: &str, fields: &str) -> TcpStream {
        let mut stream = self.connect();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{fields}\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    /// Sends a request and reads the answer to the end of the connection.
    pub(crate) fn ask(&self, method: &str, target: &str, fields: &str) -> Answer {
        Answer::read(self.send(method, target, fields))
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this process and no other.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// The exit code, once the process has ended.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        wait(&mut self.child).code()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits for a text on stderr.
    pub(crate) fn wait_for_stderr(&self, text: &str) {
        let deadline = Instant::now() + SOON;
        while !self.stderr().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("the process did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn lines_of_stderr(child: &mut Child) -> Receiver<String> {
    lines(child.stderr.take().unwrap())
}

/// A response, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(mut stream: impl Read) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes.split_off(end) }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Reads the head byte by byte, so that the body is still to be read.
pub(crate) fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Reads to the end and counts.
pub(crate) fn count(stream: &mut TcpStream) -> u64 {
    std::io::copy(stream, &mut std::io::sink()).unwrap()
}
