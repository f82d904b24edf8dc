//! Back-pressure in both directions: whoever does not listen is not sent more than a bound.

use std::time::Duration;

use sinew_sim::{Body, BodyBuffer, BodyError, Bytes, ConnectionConfig, Handle, Network, Router};
use sinew_sim::{check, get, post};
use sinew_tests::Count;
use sinew_tests::raw::{get as get_of, post as post_of};
use smol::stream;

use crate::client::Client;
use crate::patient;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Bytes on the way in one direction.
const CAPACITY: usize = 4 * 1024;

/// What the driver collects of a response before it asks for more.
const HIGH_WATER: usize = 256 * 1024;

fn small_buffers() -> Network {
    let mut network = Network::rough();
    network.faults.capacity = CAPACITY;
    network
}

#[test]
fn an_upload_nobody_reads_stops() {
    check(0..100, |sim| async move {
        sim.set_network(small_buffers());
        let app = Router::new().route(
            "/",
            post(|handle: Handle, body: Body| async move {
                handle.sleep(HOUR).await;
                body.collect(1 << 20).await.map(|body| body.len().to_string())
            }),
        );
        let buffer = 2 * 1024;
        let config = ConnectionConfig { body_buffer: BodyBuffer(buffer), ..patient() };
        let server = sim.serve(app, config);
        let mut client = Client::connect(&sim, &server);
        let request = post_of("/", vec![b'x'; 100_000]);
        let head = request.len() - 100_000;
        client.send_meanwhile(&sim, request);
        sim.sleep(HOUR / 2).await;
        let held = usize::try_from(client.stream.written()).unwrap();
        // The buffer, one read beyond it, and what is on the way.
        let most = head + buffer + CAPACITY + CAPACITY;
        assert!(held <= most, "{held} bytes were taken from a client nobody listens to");
        assert!(held >= buffer, "{held} bytes are too few: nothing was read");
        assert_eq!(client.response().await.text(), "100000");
    });
}

#[test]
fn a_download_nobody_reads_stops() {
    check(0..50, |sim| async move {
        sim.set_network(small_buffers());
        let made = Count::default();
        let app = Router::new().route("/", {
            let made = made.clone();
            get(move || {
                let pieces = stream::unfold((made.clone(), 100), |(made, left)| async move {
                    if left == 0 {
                        return None;
                    }
                    made.add(8 * 1024);
                    Some((Ok::<_, BodyError>(Bytes::from(vec![b'x'; 8 * 1024])), (made, left - 1)))
                });
                async { Body::from_stream(pieces) }
            })
        });
        let server = sim.serve(app, patient());
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/")).await;
        sim.sleep(HOUR).await;
        let before = made.now();
        assert!(before <= HIGH_WATER + 2 * 8 * 1024, "{before} bytes were made for nobody");
        assert_eq!(client.response().await.body.len(), 100 * 8 * 1024);
        assert_eq!(made.now(), 100 * 8 * 1024);
    });
}

#[test]
fn pipelining_is_bounded() {
    check(0..20, |sim| async move {
        sim.set_network(small_buffers());
        let answered = Count::default();
        let app = Router::new().route("/", {
            let answered = answered.clone();
            get(move || async move {
                answered.add(1);
                vec![b'x'; 10_000]
            })
        });
        let server = sim.serve(app, patient());
        let mut client = Client::connect(&sim, &server);
        client.send_meanwhile(&sim, get_of("/").repeat(200));
        sim.sleep(HOUR).await;
        let before = answered.now();
        assert!(before <= HIGH_WATER / 10_000 + 2, "{before} answers wait for a client that does not read");
        for _ in 0..200 {
            assert_eq!(client.response().await.body.len(), 10_000);
        }
        assert_eq!(answered.now(), 200);
    });
}

/// A client that waits for an answer and sends on meanwhile is read only so far.
#[test]
fn what_follows_a_request_waits_outside() {
    check(0..100, |sim| async move {
        sim.set_network(small_buffers());
        let app = Router::new().route(
            "/",
            get(|handle: Handle| async move {
                handle.sleep(HOUR).await;
                "done"
            }),
        );
        let server = sim.serve(app, patient());
        let mut client = Client::connect(&sim, &server);
        client.send_meanwhile(&sim, get_of("/") + &get_of("/none").repeat(2_000));
        sim.sleep(HOUR / 2).await;
        let held = client.stream.written();
        // 16 KiB are read ahead, and one read more.
        assert!(held <= 16 * 1024 + 2 * CAPACITY as u64 + 100, "{held} bytes wait for a handler");
        assert_eq!(client.response().await.text(), "done");
        assert_eq!(client.response().await.status, 404);
    });
}

/// What the network takes at once wakes nobody: the connection has to go on by itself.
#[test]
fn a_network_that_takes_everything_stops_nobody() {
    check(0..20, |sim| async move {
        let mut network = Network::default();
        network.faults.capacity = 16 << 20;
        sim.set_network(network);
        let app = Router::new().route("/large", get(|| async { vec![b'x'; 10_000] })).route(
            "/stream",
            get(|| async {
                let pieces =
                    stream::iter((0..100).map(|_| Ok::<_, BodyError>(Bytes::from(vec![b'x'; 10_000]))));
                Body::from_stream(pieces)
            }),
        );
        let server = sim.serve(app, patient());
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/stream") + &get_of("/large").repeat(100)).await;
        assert_eq!(client.response().await.body.len(), 1_000_000);
        for _ in 0..100 {
            assert_eq!(client.response().await.body.len(), 10_000);
        }
        assert!(sim.elapsed() < Duration::from_secs(1));
    });
}
