//! How many connections are let in, what becomes of the others, and the figures of both.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Router, WebSocketUpgrade, get, post};
use sinew_runtime::Overload;
use sinew_tests::raw::{self, Client, Response};
use sinew_tests::websocket::Socket;
use sinew_tests::{Builder, Serves, eventually};

use crate::parts::{SOON, addr, end, gated, get_unix, hello, wait};

/// Long enough for anything that would come to have come.
const QUIET: Duration = Duration::from_millis(50);

/// A connection that was let in.
fn inside(addr: SocketAddr) -> Client {
    let mut client = Client::connect(addr);
    client.send(raw::get("/"));
    assert_eq!(client.response().text(), "hello");
    client
}

/// One more, which sends a request that nobody answers yet.
fn outside(addr: SocketAddr) -> Client {
    let mut client = Client::connect(addr);
    client.send(raw::get("/"));
    client.quiet(QUIET);
    client
}

fn is_refusal(response: &Response) {
    assert_eq!((response.status, response.field("retry-after")), (503, Some("1")), "{response:?}");
    assert!(response.closes());
}

pub(crate) fn who_is_over_waits<A: Serves>() {
    let server = A::local(hello()).max_connections(2).spawn().unwrap();
    let mut first = inside(addr(&server));
    let second = inside(addr(&server));
    let mut third = outside(addr(&server));
    let mut fourth = outside(addr(&server));
    // Those who are inside go on.
    first.send(raw::get("/"));
    assert_eq!(first.response().text(), "hello");
    assert_eq!(server.counts().connections_open, 2);
    let start = Instant::now();
    drop(first);
    assert_eq!(third.response().text(), "hello");
    second.reset();
    assert_eq!(fourth.response().text(), "hello");
    assert!(start.elapsed() < Duration::from_secs(1), "at once, not after {:?}", start.elapsed());
    drop((third, fourth));
    end(&server);
    assert_eq!(server.counts().connections_refused, 0);
}

pub(crate) fn a_limit_is_exact_over_sockets_and_workers<A: Serves>() {
    const LIMIT: usize = 5;
    let (app, gate, waiting) = gated();
    let server = A::local(app).bind("127.0.0.1:0").max_connections(LIMIT).workers(2).spawn().unwrap();
    let addresses: Vec<_> = server.local_addrs().iter().filter_map(sinew_system::Address::as_tcp).collect();
    let clients: Vec<_> = (0..40)
        .map(|index| {
            let mut client = Client::connect(addresses[index % 2]);
            client.send(raw::get("/wait"));
            thread::spawn(move || client.response().text().to_owned())
        })
        .collect();
    eventually("it is full", || waiting.now() == LIMIT);
    thread::sleep(QUIET);
    assert_eq!((waiting.now(), server.counts().connections_open), (LIMIT, LIMIT as u64));
    gate.open();
    for client in clients {
        assert_eq!(client.join().unwrap(), "finished");
    }
    end(&server);
    let counts = server.counts();
    assert_eq!((counts.connections_accepted, counts.requests, counts.connections_open), (40, 40, 0));
}

fn refusing<A: Serves>(app: Router, connections: usize) -> A::Server {
    A::local(app).max_connections(connections).overload(Overload::Refuse)
}

pub(crate) fn who_is_over_is_refused<A: Serves>() {
    let server = refusing::<A>(hello(), 1).workers(2).spawn().unwrap();
    let first = inside(addr(&server));
    for _ in 0..3 {
        let mut client = Client::connect(addr(&server));
        client.send(raw::get("/"));
        is_refusal(&client.response());
        client.end();
    }
    let counts = server.counts();
    assert_eq!((counts.connections_open, counts.connections_refused, counts.requests), (1, 3, 1));
    drop(first);
    eventually("there is room", || server.counts().connections_open == 0);
    drop(inside(addr(&server)));
    end(&server);
}

pub(crate) fn a_refused_upload_reads_its_answer<A: Serves>() {
    let server = refusing::<A>(hello(), 1).spawn().unwrap();
    let _first = inside(addr(&server));
    for announced in [64 * 1024, 4 * 1024 * 1024] {
        let mut client = Client::connect(addr(&server));
        client.send(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {announced}\r\n\r\n"));
        // It goes on sending what it has, as clients do.
        for _ in 0..16 {
            client.send([0; 4 * 1024]);
            thread::sleep(Duration::from_millis(1));
        }
        is_refusal(&client.response());
        if announced == 64 * 1024 {
            client.end();
        }
    }
    end(&server);
}

pub(crate) fn half_a_refused_head_is_closed_soon<A: Serves>() {
    let server = refusing::<A>(hello(), 1).spawn().unwrap();
    let _first = inside(addr(&server));
    let start = Instant::now();
    let mut silent = Client::connect(addr(&server));
    let mut half = Client::connect(addr(&server));
    half.send(&raw::get("/")[..20]);
    silent.end();
    let (answer, error) = half.rest();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && error.is_none(), "{answer:?} {error:?}");
    assert!(start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    end(&server);
}

pub(crate) fn too_many_refused_ones_are_closed<A: Serves>() {
    const MOST: u64 = 256;
    let server = refusing::<A>(hello(), 1).spawn().unwrap();
    let _first = inside(addr(&server));
    let start = Instant::now();
    let mut silent: Vec<Client> = (0..MOST + 8).map(|_| Client::connect(addr(&server))).collect();
    eventually("all are refused", || server.counts().connections_refused == MOST + 8);
    // The last ones are closed at once, the others when they have said nothing for a second.
    for client in silent.iter_mut().rev().take(8) {
        assert_eq!(client.rest().0, b"");
    }
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    for client in &mut silent {
        assert_eq!(client.rest().0, b"");
    }
    let mut client = Client::connect(addr(&server));
    client.send(raw::get("/"));
    is_refusal(&client.response());
    end(&server);
}

pub(crate) fn a_limit_for_each_address<A: Serves>() {
    let path = std::env::temp_dir().join(format!("sinew-address-{}-{}", A::NAME, std::process::id()));
    let server = A::local(hello()).bind_unix(path.clone()).max_connections_per_address(2).spawn().unwrap();
    let first = inside(addr(&server));
    let _second = inside(addr(&server));
    let mut third = Client::connect(addr(&server));
    third.send(raw::get("/"));
    is_refusal(&third.response());
    // Another address of the loopback is somebody else.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.2:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&addr(&server).into()).unwrap();
    let mut other = std::net::TcpStream::from(socket);
    std::io::Write::write_all(&mut other, raw::get("/").as_bytes()).unwrap();
    let mut start = [0; 12];
    std::io::Read::read_exact(&mut other, &mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    // Nor has a Unix socket an address.
    for _ in 0..4 {
        assert!(get_unix(&path, "/").ends_with("hello"));
    }
    drop(first);
    eventually("there is room", || server.counts().connections_open == 2);
    drop(inside(addr(&server)));
    end(&server);
    assert_eq!(server.counts().connections_refused, 1);
}

fn fails() {
    panic!("on purpose")
}

pub(crate) fn every_place_is_given_back<A: Serves>() {
    let app = hello()
        .route("/panic", get(|| async { fails() }))
        .route("/read", post(|body: sinew_app::Bytes| async move { body }));
    for refuse in [false, true] {
        let server = A::local(app.clone()).max_connections(2).max_connections_per_address(2);
        let server = if refuse { server.overload(Overload::Refuse) } else { server };
        let server = server.workers(2).spawn().unwrap();
        for round in 0..30 {
            // The one before is in, and out again.
            eventually("there is room", || {
                let counts = server.counts();
                counts.connections_accepted == round && counts.connections_open == 0
            });
            let mut client = Client::connect(addr(&server));
            match round % 5 {
                0 => {
                    client.send(raw::get("/panic"));
                    assert_eq!(client.response().status, 500);
                }
                1 => {
                    client.send(raw::get("/"));
                    client.reset();
                }
                2 => client.send("POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf"),
                3 => client.send("what is no request\r\n\r\n"),
                _ => {}
            }
        }
        eventually("all are gone", || {
            let counts = server.counts();
            counts.connections_accepted == 30 && counts.connections_open == 0
        });
        let both = [(); 2].map(|()| inside(addr(&server)));
        assert_eq!(server.counts().connections_open, 2);
        drop(both);
        end(&server);
    }
}

pub(crate) fn a_websocket_keeps_its_place<A: Serves>() {
    let app = hello().route(
        "/chat",
        get(|upgrade: WebSocketUpgrade| async move {
            upgrade.on_upgrade(|mut socket| async move { while let Ok(Some(_)) = socket.recv().await {} })
        }),
    );
    let server = A::local(app).max_connections(1).spawn().unwrap();
    let socket = Socket::open(addr(&server), "/chat");
    let mut waiting = outside(addr(&server));
    assert_eq!((server.counts().upgrades, server.counts().connections_open), (1, 1));
    socket.close();
    assert_eq!(waiting.response().text(), "hello");
    drop(waiting);
    end(&server);
}

/// Who waits at the gate, and who waits in the queue of the socket, is not left without a word.
pub(crate) fn a_shutdown_while_it_is_full<A: Serves>() {
    for workers in [1, 2] {
        let (app, gate, waiting) = gated();
        let server = A::local(app).max_connections(1).workers(workers).spawn().unwrap();
        let mut inside = Client::connect(addr(&server));
        inside.send(raw::get("/wait"));
        eventually("the handler waits", || waiting.now() == 1);
        let mut others = [(); 3].map(|()| outside(addr(&server)));
        let start = Instant::now();
        server.shut_down();
        for other in &mut others {
            is_refusal(&other.response());
        }
        gate.open();
        assert_eq!(inside.response().text(), "finished");
        drop((inside, others));
        wait(&server).unwrap();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        let counts = server.counts();
        assert_eq!((counts.connections_accepted, counts.connections_refused), (4, 3));
    }
}

pub(crate) fn figures_are_exact<A: Serves>() {
    let app = hello().route(
        "/chat",
        get(|upgrade: WebSocketUpgrade| async move {
            upgrade.on_upgrade(|mut socket| async move { while let Ok(Some(_)) = socket.recv().await {} })
        }),
    );
    let server = refusing::<A>(app, 3).workers(2).spawn().unwrap();
    let mut first = inside(addr(&server));
    first.send(raw::get("/").repeat(3));
    for _ in 0..3 {
        assert_eq!(first.response().text(), "hello");
    }
    let mut broken = Client::connect(addr(&server));
    broken.send("no request\r\n\r\n");
    assert_eq!(broken.response().status, 400);
    drop(broken);
    eventually("it is gone", || server.counts().connections_open == 1);
    let socket = Socket::open(addr(&server), "/chat");
    let _third = inside(addr(&server));
    let mut refused = Client::connect(addr(&server));
    refused.send(raw::get("/"));
    is_refusal(&refused.response());
    let counts = server.counts();
    assert_eq!([counts.connections_accepted, counts.connections_refused, counts.connections_open], [5, 1, 3]);
    assert_eq!(
        [counts.requests, counts.requests_rejected, counts.upgrades, counts.accept_errors],
        [6, 1, 1, 0]
    );
    socket.close();
    end(&server);
    assert_eq!(server.counts().connections_open, 0);
}
