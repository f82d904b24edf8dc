//! Bodies that are files: what arrives, in which order, and what happens when one side gives up.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Body, FileBody, Handle, Path, Router, get};
use sinew_proto::Config;
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Flag, Gate, PATIENCE, TempFile, eventually, pattern};

const MIB: usize = 1 << 20;

/// More than the buffers of two sockets hold.
const LARGE: u64 = 64 << 20;

/// Answers `/START/END` with that part of a file, and `/` with a few bytes.
fn parts(file: File) -> Router {
    let file = Arc::new(file);
    Router::new().route("/", get(|| async { "small" })).route(
        "/{start}/{end}",
        get(move |Path((start, end)): Path<(u64, u64)>| async move {
            Body::from_file(file.clone(), start..end)
        }),
    )
}

/// Opens the file at `/` anew for every request.
fn opened(file: &TempFile) -> Router {
    let path = file.path().to_owned();
    let open = move || {
        let file = File::open(&path).expect("the file is there");
        let len = file.metadata().expect("its length").len();
        async move { Body::from_file(file, 0..len) }
    };
    Router::new().route("/", get(open)).route("/small", get(|| async { "small" }))
}

fn part(start: usize, end: usize) -> String {
    raw::get(&format!("/{start}/{end}"))
}

pub(crate) fn every_size_arrives<A: Adapter>() {
    let content = pattern(MIB + 1);
    let server = A::start(parts(TempFile::new(&content).open()));
    let mut client = Client::connect(server.addr());
    // Around a page, a piece that is given to the socket, and the part of the file that is looked for
    // in memory.
    let sizes = [0, 1, 4_095, 4_096, 4_097, 262_143, 262_144, 262_145, MIB - 1, MIB, MIB + 1];
    for size in sizes {
        client.send(part(0, size));
        let response = client.response();
        assert_eq!(response.field("content-length"), Some(&*size.to_string()));
        assert!(response.body == content[..size], "{size} bytes");
    }
    let old = part(0, MIB).replace("HTTP/1.1", "HTTP/1.0");
    client.send(old);
    assert!(client.response().body == content[..MIB]);
    client.end();
}

pub(crate) fn a_large_one_arrives<A: Adapter>() {
    let file = TempFile::sparse(LARGE);
    let server = A::start(opened(&file));
    let mut client = Client::connect(server.addr());
    for _ in 0..2 {
        client.send(raw::get("/"));
        assert_eq!(client.head().field("content-length"), Some(&*LARGE.to_string()));
        assert_eq!(take(&mut client, LARGE), LARGE);
    }
}

/// Reads up to `limit` zeros of a body, and returns how many there were before the end.
fn take(client: &mut Client, limit: u64) -> u64 {
    let buffered = client.buffered();
    let mut total = buffered.len() as u64;
    assert!(total <= limit && buffered.iter().all(|&byte| byte == 0));
    let mut piece = vec![0; 256 * 1024];
    while total < limit {
        let want = usize::try_from(limit - total).unwrap_or(usize::MAX).min(piece.len());
        match client.stream().read(&mut piece[..want]) {
            Ok(0) => break,
            Ok(n) => {
                assert!(piece[..n].iter().all(|&byte| byte == 0), "in {n} bytes from {total}");
                total += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("after {total} bytes: {error}"),
        }
    }
    total
}

pub(crate) fn ranges_arrive<A: Adapter>() {
    let content = pattern(3 * MIB);
    let server = A::start(parts(TempFile::new(&content).open()));
    let mut client = Client::connect(server.addr());
    let ranges =
        [(0, 1), (1, 2), (4_095, 4_097), (5, 5), (9, 5), (3 * MIB - 1, 3 * MIB), (777, 2 * MIB + 333)];
    for (start, end) in ranges {
        client.send(part(start, end));
        let response = client.response();
        let expected = content.get(start..end).unwrap_or_default();
        assert!(response.body == expected, "{start} to {end}: {} bytes", response.body.len());
    }
}

pub(crate) fn head_reads_nothing<A: Adapter>() {
    let file = TempFile::sparse(1_000);
    // Every attempt to read it fails.
    let unreadable = File::options().write(true).open(file.path()).unwrap();
    let server = A::start(parts(unreadable));
    let mut client = Client::connect(server.addr());
    client.send(part(0, 1_000).replace("GET", "HEAD") + &raw::get("/"));
    let head = client.head();
    assert_eq!((head.status, head.field("content-length")), (200, Some("1000")));
    assert_eq!(client.response().text(), "small");
}

pub(crate) fn pipelined_answers_stay_in_order<A: Adapter>() {
    let content = pattern(2 * MIB);
    let server = A::start(parts(TempFile::new(&content).open()));
    let mut client = Client::connect(server.addr());
    let requests = [part(0, 2 * MIB), raw::get("/"), part(7, MIB), part(0, 0), raw::get("/"), part(1, 3)];
    client.send(requests.concat());
    assert!(client.response().body == content);
    assert_eq!(client.response().text(), "small");
    assert!(client.response().body == content[7..MIB]);
    assert!(client.response().body.is_empty());
    assert_eq!(client.response().text(), "small");
    assert!(client.response().body == content[1..3]);
}

pub(crate) fn a_half_closed_client_gets_all_of_it<A: Adapter>() {
    let content = pattern(8 * MIB);
    let server = A::start(parts(TempFile::new(&content).open()));
    let mut client = Client::with_small_buffers(server.addr());
    client.send(part(0, 8 * MIB) + &raw::get("/"));
    client.finish();
    assert!(client.response().body == content);
    assert_eq!(client.response().text(), "small");
    client.end();
}

/// A middleware may read such a body, or begin to.
pub(crate) fn what_is_read_here_is_not_sent_again<A: Adapter>() {
    let content = pattern(MIB);
    let file = Arc::new(TempFile::new(&content).open());
    let shared = file.clone();
    let app = Router::new()
        .route(
            "/begin",
            get(move |handle: Handle| async move {
                let mut body = Body::from_file(shared.clone(), 0..MIB as u64);
                body.attach(&handle);
                body.chunk().await.expect("the file can be read").expect("it is not empty");
                body
            }),
        )
        .route(
            "/all",
            get(move |handle: Handle| async move {
                let mut body = Body::from_file(file.clone(), 0..MIB as u64);
                body.attach(&handle);
                body.collect(MIB).await
            }),
        );
    let server = A::start(app);
    let rest = raw::request(server.addr(), raw::get("/begin")).body;
    assert!(!rest.is_empty() && rest.len() < MIB && content.ends_with(&rest), "{} bytes", rest.len());
    assert!(raw::request(server.addr(), raw::get("/all")).body == content);
}

pub(crate) fn a_reader_that_stops_is_dropped<A: Adapter>() {
    const SHORT: Duration = Duration::from_secs(1);

    let file = TempFile::sparse(LARGE);
    let held = Arc::new(file.open());
    let shared = held.clone();
    let app = Router::new().route("/", get(move || async move { Body::from_file(shared.clone(), 0..LARGE) }));
    let server = A::start_config(app, Config { write_timeout: SHORT, ..Config::default() });
    let idle = Arc::strong_count(&held);

    // As long as it reads, however slowly, it is served.
    let mut slow = Client::with_small_buffers(server.addr());
    slow.send(raw::get("/"));
    slow.head();
    let start = Instant::now();
    let mut total = 0;
    while start.elapsed() < SHORT * 3 {
        let before = total;
        total += take(&mut slow, MIB as u64);
        assert_eq!(total, before + MIB as u64, "it was dropped while it read");
        thread::sleep(SHORT / 8);
    }
    assert!(Arc::strong_count(&held) > idle);
    // Then it stops.
    let start = Instant::now();
    eventually("the file is let go", || Arc::strong_count(&held) == idle);
    assert!(start.elapsed() < PATIENCE);
    assert!(total + take(&mut slow, LARGE) < LARGE);
}

pub(crate) fn a_reset_closes_the_file<A: Adapter>() {
    let file = TempFile::sparse(LARGE);
    let server = A::start(opened(&file));
    let clients: Vec<Client> = (0..10)
        .map(|_| {
            let mut client = Client::with_small_buffers(server.addr());
            client.send(raw::get("/"));
            assert_eq!(client.head().status, 200);
            client
        })
        .collect();
    #[cfg(target_os = "linux")]
    assert_eq!(file.descriptors(), 10);
    clients.into_iter().for_each(Client::reset);
    #[cfg(target_os = "linux")]
    eventually("all descriptors are closed", || file.descriptors() == 0);
    assert_eq!(raw::request(server.addr(), raw::get("/small")).text(), "small");
}

pub(crate) fn one_that_shrinks_breaks_off<A: Adapter>() {
    let file = TempFile::sparse(LARGE);
    let told = Flag::default();
    let app = Router::new().route("/", {
        let (path, told) = (file.path().to_owned(), told.clone());
        get(move || async move {
            let file = File::open(&path).expect("the file is there");
            Body::from(FileBody::new(file, 0..LARGE).on_error(move |error| {
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                told.set();
            }))
        })
    });
    let server = A::start(app);
    let mut client = Client::with_small_buffers(server.addr());
    client.send(raw::get("/"));
    assert_eq!(client.head().field("content-length"), Some(&*LARGE.to_string()));
    file.open().set_len(1_024).expect("it can be cut");
    // Nothing is put in the place of what is gone: the connection ends too early.
    assert!(take(&mut client, LARGE) < LARGE);
    eventually("the application is told", || told.is_set());
}

pub(crate) fn one_that_cannot_be_read_breaks_off<A: Adapter>() {
    let file = TempFile::sparse(1_000);
    let told = Flag::default();
    let app = Router::new().route("/", {
        let (path, told) = (file.path().to_owned(), told.clone());
        get(move || async move {
            let file = File::options().write(true).open(&path).expect("the file is there");
            Body::from(FileBody::new(file, 0..1_000).on_error(move |_| told.set()))
        })
    });
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    assert_eq!(client.head().field("content-length"), Some("1000"));
    assert_eq!(take(&mut client, 1_000), 0);
    eventually("the application is told", || told.is_set());
}

pub(crate) fn one_that_grows_ends_where_announced<A: Adapter>() {
    let file = TempFile::sparse(LARGE);
    let server = A::start(opened(&file));
    let mut client = Client::with_small_buffers(server.addr());
    client.send(raw::get("/") + &raw::get("/small"));
    assert_eq!(client.head().field("content-length"), Some(&*LARGE.to_string()));
    file.open().set_len(LARGE * 2).expect("it can grow");
    assert_eq!(take(&mut client, LARGE - 1), LARGE - 1);
    assert_eq!(take(&mut client, 1), 1);
    assert_eq!(client.response().text(), "small");
}

pub(crate) fn a_shutdown_finishes_it<A: Adapter>() {
    let file = TempFile::sparse(LARGE);
    let server = A::start(opened(&file));
    let mut client = Client::with_small_buffers(server.addr());
    client.send(raw::get("/"));
    assert_eq!(client.head().status, 200);
    server.signal();
    eventually("the listener is closed", || std::net::TcpStream::connect(server.addr()).is_err());
    assert_eq!(take(&mut client, LARGE), LARGE);
    client.end();
    server.stop().unwrap();
}

pub(crate) fn many_at_once<A: Adapter>() {
    let content = pattern(MIB);
    let server = A::start(parts(TempFile::new(&content).open()));
    let (addr, content) = (server.addr(), &content);
    thread::scope(|scope| {
        for i in 0..40 {
            scope.spawn(move || {
                let mut client = Client::connect(addr);
                for (start, end) in [(i, MIB - i), (0, MIB), (MIB / 2, MIB / 2 + i)] {
                    client.send(part(start, end));
                    assert!(client.response().body == content[start..end], "{start} to {end}");
                }
            });
        }
    });
}

/// More readers than threads, each of which could keep one busy: still others get their turn.
pub(crate) fn a_fast_reader_leaves_room_for_others<A: Adapter>() {
    let file = TempFile::sparse(LARGE);
    let server = A::start(opened(&file));
    let (addr, stop, gate) = (server.addr(), Flag::default(), Gate::default());
    let (began, begins) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (stop, gate, began) = (stop.clone(), gate.clone(), began.clone());
            scope.spawn(move || {
                gate.pass();
                let mut client = Client::connect(addr);
                while !stop.is_set() {
                    client.send(raw::get("/"));
                    assert_eq!(client.head().status, 200);
                    began.send(()).unwrap();
                    assert_eq!(take(&mut client, LARGE), LARGE);
                }
            });
        }
        let stop = stop.on_drop();
        gate.open();
        (0..4).for_each(|_| begins.recv_timeout(PATIENCE).expect("all of them begin"));
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(raw::request(addr, raw::get("/small")).text(), "small");
        }
        let took = start.elapsed();
        drop(stop);
        assert!(took < PATIENCE / 2, "{took:?} for twenty small answers");
    });
}
