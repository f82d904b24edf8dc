//! A server that has ended leaves no descriptor behind. One test: it counts those of the process.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sinew_smol::{Router, Server, get};
use smol::Executor;

const SOON: Duration = Duration::from_secs(10);

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("a list of descriptors").count()
}

fn server() -> Server<Router> {
    Server::new(Router::new().route("/", get(|| async { "hello" }))).bind("127.0.0.1:0").bind("127.0.0.1:0")
}

/// Starts the server, uses it, and ends it, by the signal or at once.
fn serve(server: Server<Router>, abort: bool) {
    let server = server.spawn().expect("it listens");
    let mut client = TcpStream::connect(server.local_addr().expect("an address")).expect("it accepts");
    client.set_read_timeout(Some(SOON)).expect("a timeout");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    let mut start = [0; 15];
    client.read_exact(&mut start).expect("it answers");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    if abort {
        server.abort();
    } else {
        server.shut_down();
    }
    server.wait_timeout(SOON).expect("it ends").expect("it ends well");
}

/// On an executor of its own, which somebody runs until the server has ended.
fn serve_on_executor(abort: bool) {
    let executor = Arc::new(Executor::new());
    let server = server().executor(executor.clone());
    let (stop, stopped) = smol::channel::bounded::<()>(1);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())).expect_err("it is closed"));
        }
        serve(server, abort);
        drop(stop);
    });
}

#[test]
fn a_server_that_has_ended_leaves_no_descriptor_behind() {
    // What the runtime opens once, for the process.
    serve(server(), false);
    serve(server().workers(2), false);
    thread::sleep(Duration::from_millis(100));
    let before = descriptors();
    for abort in [false, true] {
        for _ in 0..5 {
            serve(server(), abort);
            serve(server().workers(2), abort);
            serve_on_executor(abort);
        }
    }
    let limit = Instant::now() + SOON;
    while descriptors() > before {
        assert!(Instant::now() < limit, "{} descriptors, {before} before", descriptors());
        thread::sleep(Duration::from_millis(10));
    }
}
