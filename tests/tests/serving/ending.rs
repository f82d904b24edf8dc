//! The handle of a server, and the ways in which a server ends.

use std::future::pending;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Router, get};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Builder as _, Flag, Gate, Serves, eventually};

use crate::parts::{SOON, addr, end, gated, hello, is_closed, wait};

pub(crate) fn spawn_returns_when_it_listens<A: Serves>() {
    for workers in [1, 3] {
        let server = A::local(hello()).workers(workers).spawn().unwrap();
        // Not a single attempt fails.
        assert_eq!(raw::request(addr(&server), raw::get("/")).text(), "hello");
        assert!(!server.is_shutting_down());
        end(&server);
        assert!(server.is_shutting_down());
    }
}

pub(crate) fn the_handle_can_be_dropped<A: Serves>() {
    let signal = Gate::default();
    let until = signal.clone();
    let server = A::local(hello()).with_graceful_shutdown(async move { until.passed().await });
    let server = server.spawn().unwrap();
    let addr = addr(&server);
    drop(server);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(raw::request(addr, raw::get("/")).text(), "hello");
    signal.open();
    eventually("it has ended", || is_closed(addr));
}

/// On whatever runtime it is awaited, by as many as like.
pub(crate) fn the_handle_is_a_future<A: Serves>() {
    let server = A::local(hello()).spawn().unwrap();
    let clones = [server.clone(), server.clone()];
    let [first, second] = clones;
    let first = thread::spawn(move || smol::block_on(first));
    let second = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(second)
    });
    thread::sleep(Duration::from_millis(20));
    assert!(!first.is_finished() && !second.is_finished());
    server.shut_down();
    first.join().unwrap().unwrap();
    second.join().unwrap().unwrap();
    // Also when it has ended already.
    smol::block_on(server).unwrap();
}

pub(crate) fn waiting_has_a_bound<A: Serves>() {
    let server = A::local(hello()).workers(1).spawn().unwrap();
    let start = Instant::now();
    assert!(server.wait_timeout(Duration::from_millis(50)).is_none());
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert_eq!(raw::request(addr(&server), raw::get("/")).text(), "hello");
    let other = server.clone();
    let waiting = thread::spawn(move || other.wait());
    server.shut_down();
    waiting.join().unwrap().unwrap();
    server.wait().unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

pub(crate) fn abort_drops_what_is_in_flight<A: Serves>() {
    for workers in [1, 2] {
        let dropped = Flag::default();
        let app = Router::new().route("/", {
            let dropped = dropped.clone();
            get(move || async move {
                let _guard = dropped.on_drop();
                pending::<()>().await;
            })
        });
        let server = A::local(app).workers(workers).spawn().unwrap();
        let mut client = Client::connect(addr(&server));
        client.send(raw::get("/"));
        eventually("it is in flight", || server.counts().requests == 1);
        let start = Instant::now();
        server.abort();
        wait(&server).unwrap();
        assert!(dropped.is_set(), "before the server has ended");
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        assert_eq!(client.rest().0, b"");
    }
}

/// Its loops may not have had their first turn by then.
pub(crate) fn a_shutdown_right_after_spawn_loses_nobody<A: Serves>() {
    for round in 0..60 {
        let server = A::local(hello());
        let server = if round % 2 == 0 { server.workers(1 + round % 3) } else { server };
        let server = server.spawn().unwrap();
        let clients = [(); 3].map(|()| {
            let mut client = TcpStream::connect(addr(&server)).unwrap();
            client.write_all(raw::get("/").as_bytes()).unwrap();
            client
        });
        server.shut_down();
        for mut client in clients {
            let mut answer = String::new();
            client.set_read_timeout(Some(SOON)).unwrap();
            let read = client.read_to_string(&mut answer);
            assert!(read.is_ok() && answer.ends_with("hello"), "round {round}: {read:?} {answer:?}");
        }
        wait(&server).unwrap();
    }
}

/// Its port can be had again at once.
pub(crate) fn nothing_listens_once_it_has_ended<A: Serves>() {
    for round in 0..60 {
        let server = A::local(hello());
        let server = if round % 2 == 0 { server.workers(2) } else { server };
        let server = server.spawn().unwrap();
        if round % 3 == 0 {
            assert_eq!(raw::request(addr(&server), raw::get("/")).text(), "hello");
        }
        end(&server);
        let again = std::net::TcpListener::bind(addr(&server));
        assert!(again.is_ok(), "round {round}: {again:?}");
    }
}

pub(crate) fn a_signal_that_panics_is_an_error<A: Serves>() {
    for workers in [1, 2] {
        let (app, gate, waiting) = gated();
        let panic = Gate::default();
        let until = panic.clone();
        let signal = async move {
            until.passed().await;
            panic!("on purpose");
        };
        let server = A::local(app).with_graceful_shutdown(signal).workers(workers).spawn().unwrap();
        let mut client = Client::connect(addr(&server));
        client.send(raw::get("/wait"));
        eventually("the handler waits", || waiting.now() == 1);
        panic.open();
        assert!(wait(&server).is_err());
        assert!(wait(&server).is_ok(), "it is told once");
        assert_eq!(client.rest().0, b"", "what was in flight is dropped");
        assert!(is_closed(addr(&server)));
        drop(gate);
    }
}

/// Whoever waits for the end may rely on that: files are flushed, channels are closed.
pub(crate) fn the_application_is_dropped_with_the_server<A: Serves>() {
    for round in 0..30 {
        let part = Arc::new(());
        let app = Router::new().route("/", {
            let part = part.clone();
            get(move || {
                let _part = part.clone();
                async { "hello" }
            })
        });
        let server = A::local(app);
        let server = if round % 2 == 0 { server.workers(2) } else { server };
        let server = server.spawn().unwrap();
        assert_eq!(raw::request(addr(&server), raw::get("/")).text(), "hello");
        end(&server);
        assert_eq!(Arc::strong_count(&part), 1, "round {round}");
        // The figures are those of the end.
        let counts = server.counts();
        assert_eq!((counts.requests, counts.connections_accepted, counts.connections_open), (1, 1, 0));
    }
}

pub(crate) fn a_server_that_is_awaited_no_more_shuts_down<A: Serves>() {
    let (app, gate, waiting) = gated();
    let server = A::local(app).workers(1).spawn().unwrap();
    let mut awaited = Box::pin(sinew_system::run_to_end(server.clone()));
    assert!(smol::block_on(smol::future::poll_once(&mut awaited)).is_none());
    let mut client = Client::connect(addr(&server));
    client.send(raw::get("/wait"));
    eventually("the handler waits", || waiting.now() == 1);
    assert!(!server.is_shutting_down());
    drop(awaited);
    eventually("nobody listens", || is_closed(addr(&server)));
    gate.open();
    assert_eq!(client.response().text(), "finished");
    drop(client);
    wait(&server).unwrap();
}

/// What only a tokio runtime can do to its server.
#[test]
fn a_server_whose_runtime_ends_before_it_has_an_error() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (app, _gate, waiting) = gated();
    let server =
        runtime.block_on(async { sinew_tokio::Server::new(app).bind("127.0.0.1:0").spawn() }).unwrap();
    let mut client = Client::connect(addr(&server));
    client.send(raw::get("/wait"));
    eventually("the handler waits", || waiting.now() == 1);
    drop(runtime);
    assert!(wait(&server).is_err());
    assert_eq!(client.rest().0, b"");
    assert!(is_closed(addr(&server)));
    assert!(server.is_shutting_down());
}

/// The same of smol.
#[test]
fn a_server_whose_executor_ends_before_it_has_an_error() {
    let executor = Arc::new(smol::Executor::new());
    let server = sinew_smol::Server::new(hello()).bind("127.0.0.1:0").executor(executor.clone());
    let server = server.spawn().unwrap();
    let addr = addr(&server);
    let request = thread::spawn(move || raw::request(addr, raw::get("/")).text().to_owned());
    smol::block_on(executor.run(async {
        while !request.is_finished() {
            smol::Timer::after(Duration::from_millis(1)).await;
        }
    }));
    assert_eq!(request.join().unwrap(), "hello");
    assert!(!is_closed(addr));
    drop(executor);
    assert!(wait(&server).is_err());
    assert!(is_closed(addr));
}

/// Without a runtime, and without workers, there is nobody to serve.
#[test]
fn tokio_without_a_runtime_is_an_error() {
    assert!(sinew_tokio::Server::new(hello()).bind("127.0.0.1:0").spawn().is_err());
    let server = sinew_tokio::Server::new(hello()).bind("127.0.0.1:0").workers(1).spawn().unwrap();
    end(&server);
}
