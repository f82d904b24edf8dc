//! Starting, stopping, and what is said when that fails.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use crate::harness::{RUNTIMES, SOON, Server, Site, command, count, read_head, wait};

/// Runs to its end: exit code, stdout, stderr.
fn run(root: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut child = command(root, args).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let code = wait(&mut child).code();
    let mut texts = [String::new(), String::new()];
    out.read_to_string(&mut texts[0]).unwrap();
    err.read_to_string(&mut texts[1]).unwrap();
    let [out, err] = texts;
    (code, out, err)
}

#[test]
#[cfg(unix)]
fn a_signal_lets_requests_finish() {
    const LEN: u64 = 64 * 1024 * 1024;
    let site = Site::new();
    site.sparse("large", LEN);
    for (runtime, signal) in RUNTIMES.into_iter().flat_map(|runtime| [(runtime, "TERM"), (runtime, "INT")]) {
        let mut server = Server::start(&site.root(), &["--runtime", runtime]);
        // A connection that waits for nothing must not hold things up.
        let mut idle = server.connect();
        idle.write_all(format!("GET /a.txt HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).as_bytes())
            .unwrap();
        read_head(&mut idle);
        let mut stream = server.send("GET", "/large", "");
        read_head(&mut stream);
        server.signal(signal);
        server.wait_for_stderr("stopping");
        assert_eq!(count(&mut stream), LEN, "{runtime}");
        // Or the server would wait for us to close first, for a while (RFC 9112 §9.6).
        drop(stream);
        assert_eq!(server.exit_code(), Some(0), "{runtime}: {}", server.stderr());
        assert!(TcpStream::connect(&server.address).is_err());
    }
}

#[test]
#[cfg(unix)]
fn a_second_signal_ends_at_once() {
    let site = Site::new();
    site.sparse("large", 64 * 1024 * 1024);
    for runtime in RUNTIMES {
        let mut server = Server::start(&site.root(), &["--runtime", runtime]);
        let mut stream = server.send("GET", "/large", "");
        read_head(&mut stream);
        server.signal("TERM");
        server.wait_for_stderr("stopping");
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(1), "{runtime}");
    }
}

#[test]
fn a_busy_port_is_one_sentence() {
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for runtime in RUNTIMES {
        let (code, out, err) = run(&site.root(), &["--runtime", runtime, "--port", &port]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{runtime}");
        assert!(err.starts_with(&format!("sinew: port {port} of 127.0.0.1 is in use already")), "{err}");
        assert!(err.lines().count() == 1 && !err.contains("os error") && !err.contains("panicked"), "{err}");
    }
}

#[test]
fn a_directory_that_cannot_be_served_is_one_sentence() {
    let site = Site::new();
    for (path, expected) in [("none", "does not exist"), ("a.txt", "is not a directory")] {
        let (code, out, err) = run(&site.root().join(path), &["--port", "0"]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{path}");
        assert!(err.starts_with("sinew: ") && err.contains(expected) && err.lines().count() == 1, "{err}");
    }
}

#[test]
fn help_and_version() {
    let (code, out, _) = run(Path::new("."), &["--version"]);
    assert_eq!((code, out), (Some(0), format!("sinew {}\n", env!("CARGO_PKG_VERSION"))));
    let (code, out, _) = run(Path::new("."), &["--help"]);
    assert_eq!(code, Some(0));
    for expected in ["--port", "--host", "--runtime", "--threads", "--allow-host", "--quiet", "8080", "tokio"]
    {
        assert!(out.contains(expected), "{expected} in {out}");
    }
    assert_eq!(run(Path::new("."), &["--runtime", "none"]).0, Some(2));
}

/// Closed, or never read until it is full: a pipe of the log costs lines, not answers.
#[test]
fn nobody_has_to_read_the_log() {
    let site = Site::new();
    for (runtime, closed) in RUNTIMES.into_iter().flat_map(|runtime| [(runtime, true), (runtime, false)]) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child =
            command(&site.root(), &["--runtime", runtime, "--port", &port.to_string()]).spawn().unwrap();
        let pipes = (child.stdout.take(), child.stderr.take());
        let kept = (!closed).then_some(pipes);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let answered = (0..200).filter(|_| answers(port)).count();
        let _ = child.kill();
        let _ = child.wait();
        drop(kept);
        assert_eq!(answered, 200, "{runtime} {closed}");
    }
}

/// Asks with a long target, to fill the log.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let head =
        format!("GET /a.txt?{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "x".repeat(1000));
    let mut answer = String::new();
    stream.set_read_timeout(Some(SOON)).is_ok()
        && stream.write_all(head.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.ends_with("0123456789")
}
