//! The example `production` as a process: what its page promises.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use sinew_tests::{PATIENCE, eventually, raw};

/// A service that runs. Dropped, it is killed.
struct Service {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Service {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(executable());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a line").expect("text")
    }

    fn terminate(&self) {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn executable() -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo.args(["build", "--quiet", "--workspace", "--message-format=json", "--example", "production"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo cannot build the example");
    let messages = String::from_utf8(output.stdout).expect("text");
    let path = messages.lines().find_map(|line| line.split_once(r#""executable":""#)?.1.split('"').next());
    path.expect("an executable").to_owned()
}

#[test]
fn the_health_check_fails_before_the_service_stops() {
    let path = std::env::temp_dir().join(format!("sinew-production-{}", std::process::id()));
    let file = path.to_str().expect("text");
    let mut service = Service::start(&["--listen", "127.0.0.1:0", "--notice", "2", "--socket", file]);
    let line = service.line();
    let addr: SocketAddr = line.strip_prefix("listening on ").expect("where").parse().expect("an address");
    assert_eq!(service.line(), format!("listening on unix:{file}"));

    assert_eq!(raw::request(addr, raw::get("/hello/you")).text(), "Hello, you!\n");
    assert_eq!(raw::request(addr, raw::get("/health")).status, 200);
    let metrics = raw::request(addr, raw::get("/metrics"));
    for line in
        ["# TYPE sinew_requests_total counter", "sinew_requests_total 3", "sinew_connections_refused_total 0"]
    {
        assert!(metrics.text().lines().any(|found| found == line), "{line} in {}", metrics.text());
    }
    assert_eq!(path.metadata().expect("the socket").permissions().mode() & 0o777, 0o660);
    let mut proxy = UnixStream::connect(&path).expect("the socket");
    proxy.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    proxy.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("it takes it");
    let mut answer = String::new();
    proxy.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    service.terminate();
    // Still served, but the load balancer is to look elsewhere.
    eventually("the health check fails", || raw::request(addr, raw::get("/health")).status == 503);
    assert_eq!(raw::request(addr, raw::get("/hello/you")).status, 200);
    assert!(service.line().starts_with("Counts {"));
    assert!(service.child.wait().expect("it runs").success());
    assert!(TcpStream::connect(addr).is_err() && !path.exists());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut service = Service::start(&["--listen", "127.0.0.1:0", "--notice", "600"]);
    let line = service.line();
    let addr: SocketAddr = line.strip_prefix("listening on ").expect("where").parse().expect("an address");
    service.terminate();
    eventually("the health check fails", || raw::request(addr, raw::get("/health")).status == 503);
    service.terminate();
    assert!(service.line().starts_with("Counts {"));
    assert!(service.child.wait().expect("it runs").success());
}
