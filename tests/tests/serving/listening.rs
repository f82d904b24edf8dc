//! Where a server listens: addresses, sockets that were made elsewhere, and files.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use sinew_tests::raw::{self, Client};
use sinew_tests::{Builder as _, Serves, eventually};

use crate::parts::{addr, end, free, gated, get_unix, hello, is_closed, wait};

/// A path that nothing is at. What is there in the end is removed.
struct Path(PathBuf);

impl Path {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sinew-serving-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(env::temp_dir().join(name))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

pub(crate) fn on_several_sockets_at_once<A: Serves>() {
    for workers in [None, Some(1), Some(2)] {
        let path = Path::new();
        let given = TcpListener::bind("127.0.0.1:0").unwrap();
        let given_addr = given.local_addr().unwrap();
        let server = A::local(hello()).bind_unix(path.0.clone()).bind("127.0.0.1:0").listen(given);
        let server = if let Some(workers) = workers { server.workers(workers) } else { server };
        let server = server.spawn().unwrap();
        let addresses = server.local_addrs();
        assert_eq!(addresses.len(), 4);
        assert!(addresses[1].as_tcp().is_none());
        let tcp: Vec<SocketAddr> = addresses.iter().filter_map(sinew_system::Address::as_tcp).collect();
        assert!(tcp.iter().all(|addr| addr.port() != 0) && tcp[0] != tcp[1], "{tcp:?}");
        assert_eq!((tcp[2], server.local_addr()), (given_addr, Some(tcp[0])));
        for _ in 0..4 {
            for addr in &tcp {
                assert_eq!(raw::request(*addr, raw::get("/")).text(), "hello");
            }
            assert!(get_unix(&path.0, "/").ends_with("hello"));
        }
        end(&server);
        assert!(tcp.iter().all(|addr| is_closed(*addr)));
        assert!(!path.0.exists());
    }
}

pub(crate) fn on_nothing_is_an_error<A: Serves>() {
    for server in [A::server(hello()), A::server(hello()).workers(2)] {
        assert_eq!(server.spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    // Without a service manager there is nothing either.
    let error = A::server(hello()).service_manager().spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(A::server(hello()).bind("no port").spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
}

fn a_busy_port<A: Serves>(workers: usize) {
    // Somebody else, and a server of the same kind.
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = A::local(hello()).workers(workers).spawn().unwrap();
    for busy in [stranger.local_addr().unwrap(), addr(&first)] {
        let path = Path::new();
        let free = free();
        let server = A::server(hello()).bind(&free.to_string()).bind_unix(path.0.clone());
        let server = server.bind(&busy.to_string()).workers(workers).spawn();
        assert_eq!(server.unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(is_closed(free), "what came before it is closed");
        assert!(!path.0.exists());
    }
    assert_eq!(raw::request(addr(&first), raw::get("/")).text(), "hello");
    end(&first);
}

pub(crate) fn on_a_busy_port_is_an_error<A: Serves>() {
    a_busy_port::<A>(1);
}

/// Their sockets share the port with each other, but with nobody else.
pub(crate) fn on_a_busy_port_is_an_error_for_workers_too<A: Serves>() {
    a_busy_port::<A>(2);
}

pub(crate) fn on_both_families<A: Serves>() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("passed over: this machine has no IPv6");
        return;
    }
    for workers in [1, 2] {
        let server = A::server(hello()).bind("[::]:0").workers(workers).spawn().unwrap();
        let port = addr(&server).port();
        for host in ["127.0.0.1", "[::1]"] {
            for _ in 0..4 {
                let addr = format!("{host}:{port}").parse().unwrap();
                assert_eq!(raw::request(addr, raw::get("/")).text(), "hello");
            }
        }
        end(&server);
    }
}

pub(crate) fn on_a_unix_socket<A: Serves>() {
    let path = Path::new();
    let server = A::server(hello()).bind_unix(path.0.clone()).unix_mode(0o620).spawn().unwrap();
    assert_eq!(server.local_addr(), None);
    assert_eq!(fs::metadata(&path.0).unwrap().permissions().mode() & 0o777, 0o620);
    assert!(get_unix(&path.0, "/").ends_with("hello"));
    end(&server);
}

pub(crate) fn a_file_that_was_left_is_replaced<A: Serves>() {
    let path = Path::new();
    drop(UnixListener::bind(&path.0).unwrap());
    assert!(path.0.exists() && UnixStream::connect(&path.0).is_err());
    let server = A::server(hello()).bind_unix(path.0.clone()).spawn().unwrap();
    assert!(get_unix(&path.0, "/").ends_with("hello"));
    end(&server);
    assert!(!path.0.exists());
}

pub(crate) fn a_unix_socket_of_a_living_server_stays<A: Serves>() {
    let path = Path::new();
    let first = A::server(hello()).bind_unix(path.0.clone()).spawn().unwrap();
    let second = A::server(hello()).bind_unix(path.0.clone()).spawn();
    assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert!(get_unix(&path.0, "/").ends_with("hello"));
    end(&first);
    // One that was given is its owner's.
    let given = UnixListener::bind(&path.0).unwrap();
    end(&A::server(hello()).listen(given).spawn().unwrap());
    assert!(path.0.exists());
}

pub(crate) fn a_unix_socket_is_removed_at_every_end<A: Serves>() {
    for workers in [1, 2] {
        for graceful in [true, false] {
            let path = Path::new();
            let (app, gate, waiting) = gated();
            let server = A::local(app).bind_unix(path.0.clone()).workers(workers).spawn().unwrap();
            let mut client = Client::connect(addr(&server));
            client.send(raw::get("/wait"));
            eventually("the handler waits", || waiting.now() == 1);
            if graceful {
                server.shut_down();
                // Before the last request has its answer.
                eventually("the file is gone", || !path.0.exists());
                gate.open();
                assert_eq!(client.response().text(), "finished");
                drop(client);
            } else {
                server.abort();
            }
            wait(&server).unwrap();
            assert!(!path.0.exists());
        }
    }
}
