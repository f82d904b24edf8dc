//! Graceful shutdown: what is idle closes, what is in flight is finished, what has no end is dropped.

use std::future;
use std::time::Duration;

use sinew_sim::{Bytes, Ended, Handle, Router, Shutdown, Sim, SimServer, check, get, post};
use sinew_tests::raw::{get as get_of, post as post_of};
use sinew_tests::{Count, Flag};

use crate::client::{Client, both};
use crate::{SEEDS, on_any_network, patient};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What anything here takes that waits for no handler. The networks here are rough ones.
const SOON: Duration = Duration::from_secs(10);

fn app() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/read", post(|body: Bytes| async { body }))
        .route(
            "/hour",
            get(|handle: Handle| async move {
                handle.sleep(HOUR).await;
                "finished"
            }),
        )
}

fn serve(sim: &Sim) -> SimServer {
    sim.serve(app(), patient())
}

/// Everything that was begun has ended.
async fn nothing_is_left(sim: &Sim, server: &SimServer) {
    assert_eq!(server.live(), 0);
    sim.sleep(SOON).await;
    assert_eq!(sim.tasks(), 0, "a task is left");
}

#[test]
fn idle_connections_close() {
    check(SEEDS, |sim| async move {
        let server = serve(&sim);
        let mut used = Client::connect(&sim, &server);
        used.send(get_of("/")).await;
        assert!(!used.response().await.closes());
        let mut unused = Client::connect(&sim, &server);
        let start = sim.elapsed();
        let (ended, ()) = both(server.shut_down(HOUR), async {
            used.end().await;
            unused.end().await;
        })
        .await;
        assert_eq!(ended, Ended::Drained);
        assert!(sim.elapsed().saturating_sub(start) < SOON);
        // Nobody is accepted afterwards.
        let mut late = Client::connect(&sim, &server);
        assert!(late.try_response().await.is_err());
        nothing_is_left(&sim, &server).await;
    });
}

#[test]
fn a_request_in_flight_is_finished() {
    check(SEEDS, |sim| async move {
        let server = serve(&sim);
        let mut client = Client::connect(&sim, &server);
        // What is pipelined behind it is not begun.
        client.send(get_of("/hour") + &get_of("/")).await;
        sim.sleep(SOON).await;
        let (ended, ()) = both(server.shut_down(HOUR * 2), async {
            let response = client.response().await;
            assert_eq!((response.text(), response.closes()), ("finished", true));
            client.end().await;
            drop(client);
        })
        .await;
        assert_eq!(ended, Ended::Drained);
        assert!(sim.elapsed() >= HOUR);
        nothing_is_left(&sim, &server).await;
    });
}

/// A request whose first byte was there before the signal is waited for.
#[test]
fn half_a_request_is_finished() {
    check(SEEDS, |sim| async move {
        let server = serve(&sim);
        let request = post_of("/read", "the whole body");
        let at = 1 + usize::try_from(sim.random().below(request.len() as u64 - 1)).unwrap();
        let mut client = Client::connect(&sim, &server);
        client.send(&request[..at]).await;
        sim.sleep(SOON).await;
        let (ended, ()) = both(server.shut_down(HOUR * 2), async {
            sim.sleep(HOUR).await;
            client.send(&request[at..]).await;
            let response = client.response().await;
            assert_eq!((response.text(), response.closes()), ("the whole body", true));
            client.end().await;
            drop(client);
        })
        .await;
        assert_eq!(ended, Ended::Drained);
        nothing_is_left(&sim, &server).await;
    });
}

/// At whatever moment the signal comes: a request is answered in full or not at all, and the connection
/// ends properly. One that had arrived by then is answered.
#[test]
fn a_signal_at_any_moment() {
    check(0..1_000, |sim| async move {
        on_any_network(&sim);
        let server = serve(&sim);
        let mut client = Client::connect(&sim, &server);
        let signal = sim.random().between(Duration::ZERO, Duration::from_secs(4));
        let (ended, ()) = both(
            async {
                sim.sleep(signal).await;
                server.shut_down(HOUR * 99).await
            },
            async {
                let request = post_of("/read", "a body");
                // It may be refused, or cut short by the end of the connection.
                let _ = client.stream.write_all(&request).await;
                match client.try_response().await {
                    Ok(response) => assert_eq!(response.text(), "a body"),
                    Err(_) => assert!(sim.elapsed() >= signal, "it was not answered, for no reason"),
                }
                drop(client);
            },
        )
        .await;
        assert_eq!(ended, Ended::Drained);
        sim.sleep(HOUR).await;
        nothing_is_left(&sim, &server).await;
    });
}

#[test]
fn a_handler_without_end_is_dropped() {
    check(SEEDS, |sim| async move {
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
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/")).await;
        sim.sleep(SOON).await;
        assert_eq!(waiting.now(), 1);
        let start = sim.elapsed();
        assert_eq!(server.shut_down(HOUR).await, Ended::Aborted(1));
        assert_eq!(sim.elapsed().saturating_sub(start), HOUR);
        assert!(dropped.is_set());
        let (bytes, _) = client.rest().await;
        assert_eq!(bytes, b"");
        nothing_is_left(&sim, &server).await;
    });
}

#[test]
fn a_handler_learns_of_it() {
    check(SEEDS, |sim| async move {
        let app = Router::new().route(
            "/",
            get(|handle: Handle| async move {
                let before = handle.is_draining();
                handle.draining().await;
                format!("{before} {}", handle.is_draining())
            }),
        );
        let server = sim.serve(app, patient());
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/")).await;
        sim.sleep(HOUR).await;
        let signal: &Shutdown = server.shutdown();
        signal.trigger();
        assert_eq!(client.response().await.text(), "false true");
        drop(client);
        signal.drained().await;
        nothing_is_left(&sim, &server).await;
    });
}
