//! Bodies in every framing, `Expect: 100-continue`, and blocking handlers.

use std::time::Duration;

use sinew_sim::{Body, BodyError, Bytes, Handle, Router, Sim, SimConfig, blocking, check, get, post};
use sinew_tests::raw::{get as get_of, post as post_of, post_chunked};
use smol::stream;

use crate::client::Client;
use crate::{SEEDS, on_any_network, patient, payload};

fn app() -> Router {
    Router::new()
        .route("/echo", post(|body: Body| async { body }))
        .route("/read", post(|body: Bytes| async { body }))
        .route("/ignore", post(|| async { "ignored" }))
        .route(
            "/late",
            post(|handle: Handle, body: Body| async move {
                handle.sleep(Duration::from_secs(60)).await;
                body.collect(100).await
            }),
        )
        .route("/pieces", get(|| async { Body::from_stream(pieces()) }))
}

fn pieces() -> impl stream::Stream<Item = Result<Bytes, BodyError>> + Send {
    stream::iter((0..20).map(|n| Ok(Bytes::from(payload(n * 10)))))
}

#[test]
fn an_echo_in_every_framing() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        let mut random = sim.random();
        for path in ["/echo", "/read", "/echo"] {
            let body = payload(usize::try_from(random.below(800)).unwrap());
            let bytes = if random.chance(1, 2) {
                post_of(path, &body)
            } else {
                let size = 1 + usize::try_from(random.below(500)).unwrap();
                post_chunked(path, body.chunks(size))
            };
            // More than fits on the way: the echo has to be read meanwhile.
            client.send_meanwhile(&sim, bytes);
            let response = client.response().await;
            assert_eq!(response.status, 200);
            assert_eq!(response.body, body);
        }
    });
}

#[test]
fn a_streamed_body_arrives_whole() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/pieces")).await;
        let whole: Vec<u8> = (0..20).flat_map(|n| payload(n * 10)).collect();
        assert_eq!(client.response().await.body, whole);
    });
}

#[test]
fn an_unread_body_is_no_request() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        let inner = get_of("/pieces").repeat(5);
        client.send_meanwhile(&sim, [post_of("/ignore", inner), post_of("/read", "next")].concat());
        assert_eq!(client.response().await.text(), "ignored");
        assert_eq!(client.response().await.text(), "next");
    });
}

const EXPECT: &str = "HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

#[test]
fn expect_continue_waits_for_a_reader() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        for path in ["/read", "/late", "/echo"] {
            let start = sim.elapsed();
            client.send(format!("POST {path} {EXPECT}")).await;
            assert_eq!(client.response().await.status, 100);
            if path == "/late" {
                assert!(
                    sim.elapsed().saturating_sub(start) >= Duration::from_secs(60),
                    "{:?}",
                    sim.elapsed()
                );
            }
            client.send("hello").await;
            let response = client.response().await;
            assert_eq!((response.status, response.text()), (200, "hello"));
        }
        client.send(format!("POST /ignore {EXPECT}")).await;
        let response = client.response().await;
        assert_eq!((response.status, response.closes()), (200, true));
        client.end().await;
    });
}

#[test]
fn blocking_handlers_run_and_are_limited() {
    for (blocking_jobs, status) in [(1, 200), (0, 503)] {
        for seed in SEEDS {
            let sim = Sim::with_config(seed, SimConfig { blocking_jobs, ..SimConfig::default() });
            let app = Router::new().route("/", blocking::get(|| "done")).route(
                "/panic",
                blocking::get(|| -> &str { std::panic::resume_unwind(Box::new("as it should")) }),
            );
            let server = sim.serve(app, patient());
            let ran = sim.run_until(async {
                let mut client = Client::connect(&sim, &server);
                for _ in 0..2 {
                    client.send(get_of("/")).await;
                    let response = client.response().await;
                    assert_eq!(response.status, status, "seed {seed}");
                    assert_eq!(response.text() == "done", status == 200, "seed {seed}");
                }
                client.send(get_of("/panic")).await;
                assert_eq!(client.response().await.status, if status == 200 { 500 } else { 503 });
            });
            ran.unwrap();
        }
    }
}
