//! The threads of a server: how many there are, who is on which, and that they end.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Router, blocking, get};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Builder as _, Count, Flag, Gate, Serves, eventually};

use crate::parts::{SOON, addr, end, hello, is_closed, wait};

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

pub(crate) fn one_worker_is_one_thread<A: Serves>() {
    let app = Router::new().route("/", get(|| async { thread_name() }));
    let server = A::local(app).workers(1).spawn().unwrap();
    for _ in 0..8 {
        assert_eq!(raw::request(addr(&server), raw::get("/")).text(), format!("{}0", A::THREADS));
    }
    end(&server);
}

pub(crate) fn two_workers_share_the_connections<A: Serves>() {
    let app = Router::new().route("/", get(|| async { thread_name() }));
    let server = A::local(app).workers(2).spawn().unwrap();
    let mut names = HashSet::new();
    // They are spread by a hash of their ports: sixty on one side of two would be a wonder.
    for _ in 0..60 {
        let mut client = Client::connect(addr(&server));
        client.send(raw::get("/"));
        let name = client.response().text().to_owned();
        client.send(raw::get("/"));
        assert_eq!(client.response().text(), name, "a connection stays where it is");
        names.insert(name);
    }
    assert_eq!(names, [0, 1].map(|index| format!("{}{index}", A::THREADS)).into());
    assert_eq!(server.counts().connections_accepted, 60);
    end(&server);
}

/// Connects, sends a request and waits for its answer, as fast as it can, until nobody listens. Returns how
/// many were answered, and how many were not although their server was not told to end when they were sent.
fn hurry(addr: SocketAddr, told: &Flag) -> (usize, usize) {
    let (mut answered, mut lost) = (0, 0);
    loop {
        let Ok(mut client) = TcpStream::connect(addr) else { return (answered, lost) };
        client.set_read_timeout(Some(SOON)).unwrap();
        let sent = client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let before = !told.is_set();
        let mut answer = String::new();
        let complete = client.read_to_string(&mut answer).is_ok() && answer.ends_with("hello");
        if sent.is_ok() && complete {
            answered += 1;
        } else if before {
            lost += 1;
        }
    }
}

pub(crate) fn workers_lose_nobody<A: Serves>() {
    for workers in [1, 2] {
        for _ in 0..3 {
            let server = A::local(hello()).workers(workers).spawn().unwrap();
            let told = Flag::default();
            let clients: Vec<_> = (0..6)
                .map(|_| {
                    let (addr, told) = (addr(&server), told.clone());
                    thread::spawn(move || hurry(addr, &told))
                })
                .collect();
            thread::sleep(Duration::from_millis(60));
            eventually("they are at it", || server.counts().requests > 10);
            told.set();
            server.shut_down();
            wait(&server).unwrap();
            for client in clients {
                let (answered, lost) = client.join().unwrap();
                assert_eq!(lost, 0, "{workers} workers, {answered} answered");
            }
        }
    }
}

/// Whichever worker it is, and for ever.
pub(crate) fn a_handler_that_blocks_a_worker_holds_up_no_end<A: Serves>() {
    for workers in [1, 2] {
        let (hold, blocked) = (Gate::default(), Count::default());
        let app = Router::new().route("/", {
            let (hold, blocked) = (hold.clone(), blocked.clone());
            get(move || {
                let (hold, blocked) = (hold.clone(), blocked.clone());
                async move {
                    blocked.add(1);
                    hold.pass();
                }
            })
        });
        let drain = Duration::from_millis(100);
        let server = A::local(app).workers(workers).drain(drain).spawn().unwrap();
        // On every worker: as many as it takes.
        let mut clients = Vec::new();
        eventually("every worker is blocked", || {
            let mut client = Client::connect(addr(&server));
            client.send(raw::get("/"));
            clients.push(client);
            thread::sleep(Duration::from_millis(5));
            blocked.now() == workers
        });
        let start = Instant::now();
        server.shut_down();
        let ended = server.wait_timeout(SOON);
        hold.open();
        assert!(ended.expect("the server does not end").is_ok());
        assert!(
            start.elapsed() >= drain && start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
    }
}

// Only one adapter has a thread for each connection.

#[test]
fn a_thread_each_and_nobody_waits_for_another() {
    let (hold, blocked) = (Gate::default(), Count::default());
    let names = Arc::new(Mutex::new(HashSet::new()));
    let app = hello().route("/hold", {
        let (hold, blocked, names) = (hold.clone(), blocked.clone(), names.clone());
        get(move || {
            let (hold, blocked, names) = (hold.clone(), blocked.clone(), names.clone());
            async move {
                names.lock().unwrap().insert(format!("{:?} {}", thread::current().id(), thread_name()));
                blocked.add(1);
                hold.pass();
                "held"
            }
        })
    });
    let app = app.route("/block", blocking::get(thread_name));
    let server = sinew_std::Server::new(app).bind("127.0.0.1:0").thread_per_connection(4).spawn().unwrap();
    let mut held = [(); 2].map(|()| Client::connect(addr(&server)));
    for client in &mut held {
        client.send(raw::get("/hold"));
    }
    eventually("both are blocked", || blocked.now() == 2);
    assert_eq!(raw::request(addr(&server), raw::get("/block")).text(), "sinew-blocking");
    let mut others = [(); 2].map(|()| Client::connect(addr(&server)));
    for other in &mut others {
        other.send(raw::get("/"));
        assert_eq!(other.response().text(), "hello");
    }
    // The fifth one has to wait until another leaves.
    let mut fifth = Client::connect(addr(&server));
    fifth.send(raw::get("/"));
    fifth.quiet(Duration::from_millis(50));
    assert_eq!(server.counts().connections_open, 4);
    let [first, second] = others;
    drop(first);
    assert_eq!(fifth.response().text(), "hello");
    hold.open();
    for mut client in held {
        assert_eq!(client.response().text(), "held");
    }
    let names = names.lock().unwrap();
    assert!(names.len() == 2 && names.iter().all(|name| name.ends_with("sinew-connection")), "{names:?}");
    drop((second, fifth));
    end(&server);
    assert!(is_closed(addr(&server)));
}
