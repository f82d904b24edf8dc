//! What goes wrong, in the application and at the other end, and whom it harms.

use std::future;
use std::panic::resume_unwind;
use std::time::Duration;

use sinew_sim::{Body, BodyError, Bytes, Network, Router, check, get, post};
use sinew_tests::raw::{get as get_of, post as post_of};
use sinew_tests::{Count, Flag};
use smol::stream::{self, StreamExt as _};

use crate::client::Client;
use crate::{SEEDS, on_any_network, patient, payload};

fn app() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: Body| async { body }))
        .route(
            "/panic",
            get(|| async {
                if true {
                    resume_unwind(Box::new("as it should"))
                }
            }),
        )
        .route("/broken", get(|| async { Body::from_stream(broken()) }))
}

fn broken() -> impl stream::Stream<Item = Result<Bytes, BodyError>> + Send {
    let pieces = stream::iter([Ok(Bytes::from_static(b"some"))]);
    pieces.chain(stream::iter([Err(BodyError::other("no more of it"))]))
}

#[test]
fn a_panic_is_a_500() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        client.send_meanwhile(&sim, get_of("/panic") + &get_of("/"));
        assert_eq!(client.response().await.status, 500);
        assert_eq!(client.response().await.text(), "hello");
    });
}

#[test]
fn a_failing_body_breaks_off() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/broken")).await;
        // The client cannot take the part for the whole.
        assert!(client.try_response().await.is_err());
        sim.sleep(Duration::from_secs(60)).await;
        assert_eq!(server.live(), 0);
    });
}

#[test]
fn a_reset_drops_the_handler() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let (dropped, waiting) = (Flag::default(), Count::default());
        let app = Router::new().route("/", {
            let (dropped, waiting) = (dropped.clone(), waiting.clone());
            get(move || async move {
                let _guard = dropped.on_drop();
                waiting.add(1);
                future::pending::<()>().await;
            })
        });
        let server = sim.serve(app, patient());
        let client = Client::connect(&sim, &server);
        client.send(get_of("/")).await;
        sim.sleep(Duration::from_secs(600)).await;
        assert_eq!((waiting.now(), dropped.is_set()), (1, false));
        client.stream.reset();
        sim.sleep(Duration::from_secs(10)).await;
        assert!(dropped.is_set());
        assert_eq!((server.live(), sim.tasks()), (0, 0));
    });
}

/// An upload that breaks off reaches the handler as an error, not as an end.
#[test]
fn a_broken_upload_is_no_whole_one() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let (whole, torn) = (Count::default(), Count::default());
        let app = Router::new().route("/", {
            let (whole, torn) = (whole.clone(), torn.clone());
            post(move |body: Body| async move {
                if body.collect(1 << 20).await.is_ok() { whole.add(1) } else { torn.add(1) }
            })
        });
        let server = sim.serve(app, patient());
        let request = post_of("/", payload(1_000));
        let head = request.len() - 1_000;
        let at = head + usize::try_from(sim.random().below(999)).unwrap();
        let client = Client::connect(&sim, &server);
        client.send(&request[..at]).await;
        if sim.seed() % 2 == 0 {
            client.finish().await;
        } else {
            client.stream.reset();
        }
        sim.sleep(Duration::from_secs(3_600)).await;
        assert_eq!(whole.now(), 0, "a part was taken for the whole");
        drop(client);
        sim.sleep(Duration::from_secs(3_600)).await;
        assert_eq!((server.live(), sim.tasks()), (0, 0));
        assert!(torn.now() <= 1);
    });
}

#[test]
fn garbage_harms_nobody() {
    check(SEEDS, |sim| async move {
        let server = sim.serve(app(), patient());
        let mut random = sim.random();
        let mut good = Client::connect(&sim, &server);
        for _ in 0..5 {
            let len = random.below(500);
            let garbage: Vec<u8> = (0..len).map(|_| random.next_u64().to_le_bytes()[0]).collect();
            let bad = Client::connect(&sim, &server);
            // It may be broken off before it is sent.
            bad.send_meanwhile(&sim, garbage);
            good.send(get_of("/")).await;
            assert_eq!(good.response().await.text(), "hello");
            drop(bad);
        }
        drop(good);
        sim.sleep(Duration::from_secs(3_600)).await;
        assert_eq!((server.live(), sim.tasks()), (0, 0));
    });
}

/// On a network that breaks connections, what arrives whole is right, and nothing is left behind.
#[test]
fn a_broken_network_leaves_nothing_behind() {
    check(0..500, |sim| async move {
        sim.set_network(Network::broken());
        let server = sim.serve(app(), patient());
        let mut broken = 0;
        for _ in 0..5 {
            let mut client = Client::connect(&sim, &server);
            let body = payload(1_500);
            client.send_meanwhile(&sim, post_of("/echo", &body));
            match client.try_response().await {
                Ok(response) if response.status == 200 => assert_eq!(response.body, body),
                // The request ended in its middle.
                Ok(response) => assert_eq!(response.status, 400),
                Err(_) => broken += 1,
            }
        }
        sim.sleep(Duration::from_secs(3_600)).await;
        assert_eq!((server.live(), sim.tasks()), (0, 0), "after {broken} broken connections");
    });
}
