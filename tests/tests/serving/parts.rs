//! What the topics have in common.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sinew_app::{Router, get};
use sinew_system::ServerHandle;
use sinew_tests::{Count, Gate, PATIENCE};

/// Less than the time that a server gives what is in flight, and more than anything here takes.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// Answers `hello`.
pub(crate) fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// The same, and `/wait`, which answers when the gate is open; the number of those who wait there.
pub(crate) fn gated() -> (Router, Gate, Count) {
    let (gate, waiting) = (Gate::default(), Count::default());
    let wait = {
        let (gate, waiting) = (gate.clone(), waiting.clone());
        move || {
            let (gate, waiting) = (gate.clone(), waiting.clone());
            async move {
                waiting.add(1);
                gate.passed().await;
                "finished"
            }
        }
    };
    (hello().route("/wait", get(wait)), gate, waiting)
}

/// The TCP address of a server.
pub(crate) fn addr(server: &ServerHandle) -> SocketAddr {
    server.local_addr().expect("a TCP address")
}

/// `GET` on a connection of its own, over a Unix socket: the whole answer.
pub(crate) fn get_unix(path: &Path, target: &str) -> String {
    let mut client = UnixStream::connect(path).expect("cannot connect");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(client, "GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Shuts a server down and waits for it, within a bound.
pub(crate) fn end(server: &ServerHandle) {
    server.shut_down();
    wait(server).expect("a good end");
}

/// Waits for its end, within a bound.
pub(crate) fn wait(server: &ServerHandle) -> std::io::Result<()> {
    server.wait_timeout(PATIENCE).expect("the server does not end")
}

/// A port that nobody listens on, and nobody will: on an address of the loopback that is this caller's own.
pub(crate) fn free() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, high.max(1), low, NEXT.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((host, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Whether nobody listens.
pub(crate) fn is_closed(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_err()
}
