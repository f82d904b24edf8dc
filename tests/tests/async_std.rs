//! Sockets of async-std 1.13, the last one there will be, served by `sinew-smol`: any socket that
//! speaks `futures_io` will do, and so will any executor.

use std::time::Duration;

use async_std::net::TcpListener;
use async_std::task;
use sinew_app::{Body, Peer, Router, get, post};
use sinew_proto::Config;
use sinew_runtime::{ConnectionConfig, Shutdown};
use sinew_smol::SmolServing;
use sinew_tests::eventually;
use sinew_tests::raw::{self, Client};

fn app() -> Router {
    Router::new()
        .route("/", get(|Peer(peer): Peer| async move { peer.to_string() }))
        .route("/echo", post(|body: Body| async { body }))
}

#[test]
fn a_socket_of_async_std() {
    let shutdown = Shutdown::new();
    // `poll_close` of async-std only flushes: after a last answer the client sees the end when the
    // server has lingered, not before.
    let http1 = Config { linger_timeout: Duration::from_millis(100), ..Config::default() };
    let config = ConnectionConfig { http1, ..ConnectionConfig::default() };
    let serving = SmolServing::new(app(), config, shutdown.clone());
    let listener = task::block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    let accepting = task::spawn(async move {
        while let Ok((socket, peer)) = listener.accept().await {
            task::spawn(serving.connection(socket, Some(peer)));
        }
    });

    let mut client = Client::connect(addr);
    client.send(raw::get("/"));
    assert_eq!(client.response().text(), client.stream().local_addr().unwrap().to_string());
    let body = vec![b'x'; 300_000];
    client.send(raw::post_chunked("/echo", body.chunks(10_000)));
    assert!(client.response().body == body);
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().status, 400);
    client.end();

    let mut idle = Client::connect(addr);
    idle.send(raw::get("/"));
    assert_eq!(idle.response().status, 200);
    shutdown.trigger();
    idle.end();
    drop((client, idle));
    eventually("all connections are over", || shutdown.live() == 0);
    task::block_on(accepting.cancel());
}

/// Without an executor of its own: smol's global one.
#[test]
fn the_global_executor_of_smol() {
    let signal = Shutdown::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let wait = signal.wait();
    let server = std::thread::spawn(move || {
        smol::block_on(async {
            let listener = smol::net::TcpListener::from(smol::Async::try_from(listener)?);
            sinew_smol::serve(listener, app()).with_graceful_shutdown(wait).await
        })
    });
    assert_eq!(raw::request(addr, raw::post("/echo", "hello")).text(), "hello");
    signal.trigger();
    eventually("the server ends", || server.is_finished());
    server.join().unwrap().unwrap();
}
