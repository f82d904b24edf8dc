//! The options of those who run it: each with a process, and with clients that cause what it is for.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::{Answer, RUNTIMES, SOON, Server, Site, command, read_head};

/// Longer than sockets can hold.
const LARGE: u64 = 64 * 1024 * 1024;

/// A file that does not exist, and its place.
fn socket_file(site: &Site, name: &str) -> (PathBuf, String) {
    let path = site.root().join(name);
    let place = format!("unix:{}", path.display());
    (path, place)
}

fn ask_unix(path: &Path, target: &str) -> Answer {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    Answer::read(stream)
}

/// A request that leaves its connection open.
fn ask_and_stay(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
    stream.read_exact(&mut [0; 10]).unwrap();
    stream
}

/// The server, started by a shell that runs `before`.
fn with_shell(before: &str, root: &Path, args: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before} exec \"$0\" \"$@\"")]).arg(env!("CARGO_BIN_EXE_sinew"));
    shell.arg(root).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

/// The server with a socket from a service manager: descriptor 3.
fn activated(root: &Path, args: &[&str], socket: impl Into<OwnedFd>) -> Command {
    let mut shell = with_shell("exec 3<&0; export LISTEN_PID=$$ LISTEN_FDS=1;", root, args);
    shell.stdin(Stdio::from(socket.into()));
    shell
}

#[test]
fn it_listens_in_several_places() {
    let site = Site::new();
    for runtime in RUNTIMES {
        let (path, place) = socket_file(&site, "socket");
        let args =
            ["--runtime", runtime, "--listen", "127.0.0.1:0", "--listen", &place, "--unix-mode", "600"];
        let args = [&args[..], &["--listen", "localhost:0"]].concat();
        let mut server = Server::spawn(&mut command(&site.root(), &args), 3);
        assert_eq!(server.places()[1], place, "{runtime}");
        assert_eq!(server.get("/a.txt").text(), "0123456789", "{runtime}");
        assert_eq!(ask_unix(&path, "/a.txt").text(), "0123456789", "{runtime}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{runtime}");
        // Through TCP a strange name is still refused.
        let mut stream = server.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(Answer::read(stream).status, 421, "{runtime}");
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{runtime}: {}", server.stderr());
        assert!(!path.exists(), "{runtime}");
    }
}

#[test]
fn curl_finds_it_on_a_unix_socket() {
    let Ok(version) = Command::new("curl").arg("--version").output() else { return };
    assert!(version.status.success());
    let site = Site::new();
    let (path, place) = socket_file(&site, "socket");
    let _server = Server::spawn(&mut command(&site.root(), &["--listen", &place]), 1);
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--unix-socket"]).arg(path).arg("http://anywhere.example/a.txt");
    assert_eq!(curl.output().unwrap().stdout, b"0123456789");
}

#[test]
fn a_file_that_a_killed_server_left_is_replaced() {
    let site = Site::new();
    let (path, place) = socket_file(&site, "socket");
    drop(Server::spawn(&mut command(&site.root(), &["--listen", &place]), 1));
    assert!(path.exists());
    let _server = Server::spawn(&mut command(&site.root(), &["--listen", &place]), 1);
    assert_eq!(ask_unix(&path, "/a.txt").status, 200);
}

#[test]
fn a_second_server_on_a_port_is_an_error() {
    let site = Site::new();
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime, "--threads", "2"]);
        let output =
            command(&site.root(), &["--runtime", runtime, "--listen", &server.address]).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("is in use already"), "{runtime}: {message}");
        assert_eq!(output.status.code(), Some(1), "{runtime}");
    }
}

#[test]
fn the_service_manager_gives_sockets_and_is_told() {
    let site = Site::new();
    let manager = site.root().join("manager");
    for runtime in RUNTIMES {
        let told = UnixDatagram::bind(&manager).unwrap();
        told.set_read_timeout(Some(SOON)).unwrap();
        let hears = |expected: &str| {
            let mut text = [0; 100];
            let n = told.recv(&mut text).unwrap();
            assert_eq!(std::str::from_utf8(&text[..n]).unwrap(), expected, "{runtime}");
        };
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        // It waits in the queue of the socket while there is no server yet.
        let mut early = TcpStream::connect(address).unwrap();
        early.write_all(b"GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let args = ["--runtime", runtime, "--socket-activation"];
        let mut server =
            Server::spawn(activated(&site.root(), &args, socket).env("NOTIFY_SOCKET", &manager), 1);
        assert_eq!(server.places(), [format!("http://{address}/")], "{runtime}");
        hears("READY=1\n");
        assert_eq!(Answer::read(early).text(), "0123456789", "{runtime}");
        assert_eq!(server.get("/a.txt").status, 200, "{runtime}");
        server.signal("TERM");
        hears("STOPPING=1\n");
        assert_eq!(server.exit_code(), Some(0), "{runtime}: {}", server.stderr());
        drop(told);
        std::fs::remove_file(&manager).unwrap();
    }
}

#[test]
fn sockets_of_the_service_manager_replace_the_default_place() {
    let site = Site::new();
    let (path, _) = socket_file(&site, "socket");
    let socket = UnixListener::bind(&path).unwrap();
    let mut server = Server::spawn(&mut activated(&site.root(), &[], socket), 1);
    assert_eq!(server.places(), [format!("unix:{}", path.display())]);
    assert_eq!(ask_unix(&path, "/a.txt").status, 200);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    assert!(path.exists(), "the file is the manager's");
}

/// A restart with a socket that the manager keeps: nobody is refused, and nobody breaks off.
#[test]
fn a_restart_with_an_inherited_socket_loses_no_request() {
    let site = Site::new();
    for runtime in RUNTIMES {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let start = || {
            let socket = socket.try_clone().unwrap();
            Server::spawn(&mut activated(&site.root(), &["--runtime", runtime, "--quiet"], socket), 1)
        };
        let done = std::sync::atomic::AtomicBool::new(false);
        let asked = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut asked = 0;
                        while !done.load(std::sync::atomic::Ordering::SeqCst) {
                            let mut stream = TcpStream::connect(address).unwrap();
                            stream.set_read_timeout(Some(SOON)).unwrap();
                            stream
                                .write_all(b"GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                                .unwrap();
                            assert_eq!(Answer::read(stream).text(), "0123456789", "{runtime}");
                            asked += 1;
                        }
                        asked
                    })
                })
                .collect();
            let mut server = start();
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(200));
                server.signal("TERM");
                assert_eq!(server.exit_code(), Some(0), "{runtime}: {}", server.stderr());
                server = start();
            }
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
        });
        assert!(asked > 50, "{runtime}: {asked}");
    }
}

#[test]
fn what_the_service_manager_does_wrong_is_one_sentence() {
    let site = Site::new();
    let no_socket = std::fs::File::open(site.root().join("a.txt")).unwrap();
    for (mut command, expected) in [
        (command(&site.root(), &["--socket-activation"]), "the service manager passes no sockets"),
        (activated(&site.root(), &[], no_socket), "descriptor 3 is not a stream socket that listens"),
    ] {
        let output = command.output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.starts_with("sinew: ") && message.contains(expected), "{message}");
        assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{message}");
    }
}

#[test]
fn connections_over_the_limit_wait() {
    let site = Site::new();
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime, "--max-connections", "2"]);
        let first = [ask_and_stay(&server), ask_and_stay(&server)];
        let mut third = server.send("GET", "/a.txt", "");
        third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let nothing = third.read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock, "{runtime}");
        drop(first);
        third.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(Answer::read(third).text(), "0123456789", "{runtime}");
    }
}

#[test]
fn connections_over_the_limit_are_refused_if_asked_for() {
    let site = Site::new();
    for (runtime, args) in RUNTIMES.into_iter().flat_map(|runtime| {
        [
            (runtime, &["--max-connections", "1", "--overload", "refuse"][..]),
            (runtime, &["--max-connections-per-address", "1"]),
        ]
    }) {
        let args = [args, &["--runtime", runtime]].concat();
        let mut server = Server::start(&site.root(), &args);
        let first = ask_and_stay(&server);
        let answer = server.get("/a.txt");
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")), "{args:?}");
        drop(first);
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{args:?}");
        let sum = "stopped: 1 requests answered and 0 rejected, 2 connections accepted and 1 of them refused";
        server.wait_for_stderr(sum);
    }
}

#[test]
fn who_says_nothing_is_closed() {
    let site = Site::new();
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime, "--idle-timeout", "200ms"]);
        let mut text = Vec::new();
        assert_eq!(server.connect().read_to_end(&mut text).unwrap(), 0, "{runtime}");
        assert_eq!(ask_and_stay(&server).read_to_end(&mut text).unwrap(), 0, "{runtime}");
    }
}

#[test]
fn who_does_not_read_is_dropped() {
    let site = Site::new();
    site.sparse("large", LARGE);
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime, "--write-timeout", "300ms"]);
        let mut stream = server.send("GET", "/large", "");
        assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
        std::thread::sleep(Duration::from_secs(1));
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!((rest.len() as u64) < LARGE, "{runtime}");
    }
}

#[test]
fn draining_has_an_end() {
    let site = Site::new();
    site.sparse("large", LARGE);
    for runtime in RUNTIMES {
        let mut server = Server::start(&site.root(), &["--runtime", runtime, "--drain-timeout", "200ms"]);
        let mut stream = server.send("GET", "/large", "");
        read_head(&mut stream);
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0), "{runtime}");
        server.wait_for_stderr("stopped: 1 requests");
    }
}

#[test]
fn the_limit_of_descriptors_is_raised_and_heeded() {
    let site = Site::new();
    for runtime in RUNTIMES {
        let args = ["--runtime", runtime, "--port", "0", "--max-connections", "1000"];
        let server = Server::spawn(&mut with_shell("ulimit -Sn 64; ulimit -Hn 200;", &site.root(), &args), 1);
        server.wait_for_stderr("at most 36 connections at a time, not 1000: the limit of descriptors is 200");
        // As many as it allows are served at once, each with a file.
        let _held: Vec<TcpStream> = (0..36).map(|_| ask_and_stay(&server)).collect();
    }
}
