//! What a connection may hold at most: clients that bring many connections into the worst state there is,
//! against the bound that `docs/operations.md` tells.
//!
//! A binary of its own, with one test that measures: the memory is the whole process's. Its clients hold next to nothing.
#![cfg(target_os = "linux")]

use std::fs;
use std::future;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Body, BodyError, Bytes, Router, get, post};
use sinew_proto::Config;
use sinew_runtime::ConnectionConfig;
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Smol, Std, Tokio};
use smol::stream;

const KIB: u64 = 1024;

/// Connections in each state.
const CONNECTIONS: u64 = 48;

/// A piece of a response body, and a whole response.
const PIECE: u64 = 64 * KIB;
static CONTENT: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// One read.
const READ: u64 = 256 * KIB;
/// `Limits::head`, unless set. As much is read ahead while a request is at work.
const HEAD: u64 = 16 * KIB;
/// `Limits::body_buffer`, unless set.
const BODY_BUFFER: u64 = 64 * KIB;
/// What may wait to be sent before no more is made.
const HIGH_WATER: u64 = 256 * KIB;

/// What was read and is not looked at. A buffer that grew has room for as much again.
const INPUT: u64 = 2 * (HEAD + READ);
/// What waits for a handler that does not read; the same holds for it.
const BODY: u64 = 2 * (BODY_BUFFER + READ);
/// What waits for a client that does not read.
const OUTPUT: u64 = HIGH_WATER + PIECE;
/// The connection's own state, its task and its socket.
const STATE: u64 = 8 * KIB;
/// The buffers of threads, and what a process takes for itself.
const PROCESS: u64 = 4096 * KIB;

#[test]
fn the_document_has_the_same_bound() {
    let text = fs::read_to_string("../docs/operations.md").expect("the document");
    for bound in [INPUT, BODY, HIGH_WATER] {
        assert!(text.contains(&format!(" | {} KiB", bound / KIB)), "{} KiB", bound / KIB);
    }
    let all = INPUT + BODY + HIGH_WATER + STATE;
    assert!(text.contains("1.5 MiB and the largest piece") && all <= 1536 * KIB && all > 1408 * KIB, "{all}");
}

#[test]
fn what_connections_hold_is_bounded() {
    one::<Tokio>();
    one::<Smol>();
    one::<Std>();
}

fn app() -> Router {
    Router::new()
        .route("/pending", get(future::pending::<String>))
        .route(
            "/unread",
            post(|body: Body| async move {
                future::pending::<()>().await;
                drop(body);
            }),
        )
        .route("/echo", post(|body: Body| async { body }))
        .route("/full", get(|| async { Bytes::copy_from_slice(&CONTENT) }))
        .route(
            "/stream",
            get(|| async {
                Body::from_stream(stream::unfold((), |()| {
                    future::ready(Some((Ok::<_, BodyError>(Bytes::copy_from_slice(&CONTENT)), ())))
                }))
            }),
        )
}

fn one<A: Adapter>() {
    let far = Duration::from_secs(600);
    let http1 = Config {
        write_timeout: far,
        idle_timeout: far,
        head_timeout: far,
        body_grace: far,
        ..Config::default()
    };
    let config = ConnectionConfig { http1, ..ConnectionConfig::default() };

    let post = |path: &str, fields: &str| format!("POST {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n\r\n");
    let known = "Content-Length: 1000000000";
    let chunked = "Transfer-Encoding: chunked";
    let half_a_head = format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}", "x".repeat(16_000));
    let piece = |text: &str| text.as_bytes().repeat(64 * 1024 / text.len());
    let worst = INPUT + BODY + OUTPUT;
    for (what, begin, then, bound) in [
        ("nothing", String::new(), Vec::new(), 0),
        ("half a head", half_a_head, Vec::new(), 2 * HEAD),
        ("requests behind a slow one", raw::get("/pending"), piece(&raw::get("/")), INPUT),
        ("an upload that nobody reads", post("/unread", known), piece("x"), BODY),
        ("an upload in tiny chunks", post("/unread", chunked), piece("1\r\nx\r\n"), BODY),
        ("a download that is not read", raw::get("/stream"), Vec::new(), OUTPUT),
        ("answers that are not read", raw::get("/full"), piece(&raw::get("/full")), INPUT + OUTPUT),
        ("an echo that is not read", post("/echo", known), piece("x"), worst),
        ("an echo in tiny chunks", post("/echo", chunked), piece("1\r\nx\r\n"), worst),
    ] {
        let server = A::start_with(app(), config.clone(), Duration::from_millis(100));
        let before = resident();
        let mut clients: Vec<Client> = (0..CONNECTIONS)
            .map(|_| {
                let mut client = Client::with_small_buffers(server.addr());
                client.send(&begin);
                client.stream().set_nonblocking(true).expect("a socket");
                client
            })
            .collect();
        let most = flood(&mut clients, &then, || resident().saturating_sub(before));
        let limit = CONNECTIONS * (bound + STATE) + PROCESS;
        println!("{what} on {}: {} KiB a connection, of {}", A::NAME, most / CONNECTIONS / KIB, bound / KIB);
        assert!(most <= limit, "{what} on {}: {most} bytes of {limit}", A::NAME);
    }
}

/// Sends `bytes` over and over on each connection, until all have been stuck for a while or sockets have had
/// time to swallow what they like. Returns the most that was `measured`.
fn flood(clients: &mut [Client], bytes: &[u8], measured: impl Fn() -> u64) -> u64 {
    let mut sent = vec![0; clients.len()];
    let (begin, mut last, mut most) = (Instant::now(), Instant::now(), 0);
    while last.elapsed() < Duration::from_millis(300) && begin.elapsed() < Duration::from_secs(3) {
        for (client, sent) in clients.iter_mut().zip(&mut sent).filter(|_| !bytes.is_empty()) {
            if let Ok(n) = client.stream().write(&bytes[*sent % bytes.len()..]) {
                *sent += n;
                last = Instant::now();
            }
        }
        most = most.max(measured());
        thread::sleep(Duration::from_millis(1));
    }
    most
}

/// What this process has in memory, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("our own status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("what is resident");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * KIB
}
