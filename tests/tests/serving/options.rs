//! Options reach what they name.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use sinew_app::{Router, blocking, get, post};
use sinew_system::{Limits, Timeouts};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Builder as _, Count, Gate, Serves, eventually};

use crate::parts::{addr, end, hello};

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(3);

pub(crate) fn timeouts_are_those_of_the_connections<A: Serves>() {
    let start = |timeouts| A::local(hello()).timeouts(timeouts).workers(1).spawn().unwrap();
    let idle = start(Timeouts { idle: SHORT, ..Timeouts::default() });
    let head = start(Timeouts { head: SHORT, ..Timeouts::default() });
    let began = Instant::now();
    let mut client = Client::connect(addr(&idle));
    client.end();
    let mut client = Client::connect(addr(&head));
    client.send("GET / HT");
    assert_eq!(client.response().status, 408);
    assert!(began.elapsed() >= SHORT && began.elapsed() < LONG, "{:?}", began.elapsed());
    // The other one is not shorter for it.
    let mut client = Client::connect(addr(&head));
    client.quiet(SHORT * 2);
    end(&idle);
    end(&head);
}

pub(crate) fn limits_are_those_of_the_connections<A: Serves>() {
    let limits = Limits { head: 512, target: 64, fields: 3, ..Limits::default() };
    let server =
        A::local(hello().route("/read", post(|| async {}))).limits(limits).workers(1).spawn().unwrap();
    let status = |request: String| raw::request(addr(&server), request).status;
    assert_eq!(status(raw::get("/")), 200);
    assert_eq!(status(raw::get(&format!("/{}", "a".repeat(64)))), 414);
    assert_eq!(status(format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "b".repeat(512))), 431);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\nE: f\r\n\r\n".to_owned()), 431);
    end(&server);
}

/// The connections of this process to that port, as the server sees them.
fn accepted(client: &Client) -> socket2::Socket {
    let (here, there) = (client.stream().local_addr().unwrap(), client.stream().peer_addr().unwrap());
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .find_map(|number| {
            // A copy by its name: `/proc` gives none of a socket.
            let pid =
                rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty());
            let copy: OwnedFd =
                rustix::process::pidfd_getfd(pid.ok()?, number, rustix::process::PidfdGetfdFlags::empty())
                    .ok()?;
            let socket = socket2::Socket::from(copy);
            let local = socket.local_addr().ok()?.as_socket()?;
            let peer = socket.peer_addr().ok()?.as_socket()?;
            (local == there && peer == here).then_some(socket)
        })
        .expect("the server has it")
}

pub(crate) fn nodelay_is_set_or_not<A: Serves>() {
    for nodelay in [true, false] {
        let server = A::local(hello()).nodelay(nodelay).workers(1).spawn().unwrap();
        let mut client = Client::connect(addr(&server));
        client.send(raw::get("/"));
        assert_eq!(client.response().text(), "hello");
        assert_eq!(accepted(&client).tcp_nodelay().unwrap(), nodelay);
        drop(client);
        end(&server);
    }
}

pub(crate) fn a_full_pool_queues_and_then_refuses<A: Serves>() {
    let (hold, at_work) = (Gate::default(), Count::default());
    let app = Router::new().route("/", {
        let (hold, at_work) = (hold.clone(), at_work.clone());
        blocking::get(move || {
            at_work.add(1);
            hold.pass();
            "done"
        })
    });
    let app = app.route("/free", get(|| async { "free" }));
    let server = A::local(app).workers(2).blocking_threads(2).blocking_queue(3).spawn().unwrap();
    let mut clients = Vec::new();
    for number in 1..=5 {
        let mut client = Client::connect(addr(&server));
        client.send(raw::get("/"));
        eventually("it has come", || server.counts().requests == number);
        clients.push(client);
    }
    // Two are at work and three wait.
    let mut sixth = Client::connect(addr(&server));
    sixth.send(raw::get("/"));
    assert_eq!(sixth.response().status, 503);
    // Others go on.
    assert_eq!(raw::request(addr(&server), raw::get("/free")).text(), "free");
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(at_work.now(), 2, "no more at work than there are threads");
    hold.open();
    for mut client in clients {
        assert_eq!(client.response().text(), "done");
    }
    end(&server);
}
