//! Peers that want a WebSocket to hold more than they are given: the memory stays within a bound.
//!
//! A binary of its own, with one test: the high-water mark is the whole process's, client included.
#![cfg(target_os = "linux")]

use std::fs;
use std::thread;
use std::time::Duration;

use sinew_app::websocket::{Config, DeflateConfig};
use sinew_app::{Router, WebSocket, WebSocketUpgrade, get};
use sinew_proto::websocket::{Connection, DeflateParams, Message};
use sinew_tests::raw::Client;
use sinew_tests::websocket::{Frame, Socket};
use sinew_tests::{Adapter, Smol, Std, Tokio};

/// What the process may need at its peak, beyond what it had.
const LIMIT_KIB: u64 = 8 * 1024;

#[test]
fn memory_is_bounded() {
    one::<Tokio>();
    one::<Smol>();
    one::<Std>();
}

async fn never_receives(socket: WebSocket) {
    std::future::pending::<()>().await;
    drop(socket);
}

async fn receives(mut socket: WebSocket) {
    while let Ok(Some(_)) = socket.recv().await {}
}

async fn sends(socket: WebSocket) {
    while socket.send(vec![b'x'; 100_000]).await.is_ok() {}
}

fn far(ws: WebSocketUpgrade) -> WebSocketUpgrade {
    let far = Duration::from_secs(600);
    ws.config(Config { ping_interval: far, write_timeout: far, close_timeout: far, ..Config::default() })
}

fn one<A: Adapter>() {
    let app = Router::new()
        .route("/silent", get(|ws: WebSocketUpgrade| async { far(ws).on_upgrade(never_receives) }))
        .route("/receives", get(|ws: WebSocketUpgrade| async { far(ws).on_upgrade(receives) }))
        .route("/sends", get(|ws: WebSocketUpgrade| async { far(ws).on_upgrade(sends) }))
        .route(
            "/deflate",
            get(|ws: WebSocketUpgrade| async {
                far(ws).deflate(DeflateConfig::default()).on_upgrade(receives)
            }),
        );
    let server = A::start_with(app, sinew_runtime::ConnectionConfig::default(), Duration::from_millis(100));

    // Messages nobody receives: tiny ones, which cost more than their bytes, and others.
    for payload in [0, 10, 60_000] {
        let mut socket = Socket::open(server.addr(), "/silent");
        measure::<A>(&format!("messages of {payload} bytes"), || {
            socket.send_until_stuck(&Frame::binary(vec![b'x'; payload]));
        });
    }

    // A message that is too large, and goes on and on after that is told.
    let mut socket = Socket::open(server.addr(), "/receives");
    measure::<A>("too large a message", || {
        socket.client().send([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]);
        let piece = vec![b'x'; 256 * 1024];
        for _ in 0..400 {
            socket.client().send(&piece);
        }
    });
    socket.closed(1009);

    // Messages nobody reads.
    let socket = Socket::open_on(Client::with_small_buffers(server.addr()), "/sends");
    measure::<A>("a client that never reads", || thread::sleep(Duration::from_millis(500)));
    drop(socket);

    // A few kilobytes that become 256 MiB. The server's window is part of what it needs.
    let terms = DeflateParams::from(DeflateConfig::default());
    let mut bomb = Vec::new();
    Connection::client(
        &sinew_proto::websocket::Config::default(),
        Box::new(|| [1; 4]),
        sinew_proto::Instant::default(),
    )
    .with_deflate(&terms)
    .send(Message::Binary(&vec![0; 256 << 20]), &mut bomb)
    .expect("it is open");
    let offer = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")];
    let (mut socket, _) = Socket::open_with(Client::connect(server.addr()), "/deflate", &offer);
    measure::<A>("a bomb", || {
        socket.client().send(&bomb);
        socket.closed(1009);
    });
}

/// Runs `f`, and checks what the process needed more than before it.
fn measure<A: Adapter>(what: &str, f: impl FnOnce()) {
    fs::write("/proc/self/clear_refs", "5").expect("our own high-water mark");
    let before = memory("VmRSS:");
    f();
    let peak = memory("VmHWM:").saturating_sub(before);
    println!("{what} on {}: {peak} KiB more at the peak", A::NAME);
    assert!(peak < LIMIT_KIB, "{what} on {} took {peak} KiB", A::NAME);
}

fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("our own status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of that name");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
