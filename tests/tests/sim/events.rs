//! Server-Sent Events: when they arrive, and when they end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sinew_sim::{Ended, Event, EventSender, Router, Sim, SimServer, Sse, check, get};
use sinew_tests::raw::get as get_of;

use crate::client::{Client, both};
use crate::{SEEDS, on_any_network, patient};

/// A stream whose head has arrived; its events are the scenario's to send.
async fn begin(sim: &Sim, keep_alive: Duration) -> (SimServer, Client, EventSender) {
    let (sender, sse) = Sse::channel(1024);
    let sse = Arc::new(Mutex::new(Some(sse.keep_alive(keep_alive))));
    let app = Router::new().route(
        "/",
        get(move || {
            let sse = sse.lock().unwrap().take().expect("one request");
            async { sse }
        }),
    );
    let server = sim.serve(app, patient());
    let mut client = Client::connect(sim, &server);
    client.send(get_of("/")).await;
    let head = client.head().await;
    assert_eq!((head.status, head.field("content-type")), (200, Some("text/event-stream")));
    (server, client, sender)
}

#[test]
fn they_arrive_one_by_one() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let (_server, mut client, sender) = begin(&sim, Duration::ZERO).await;
        for i in 0..5 {
            sim.sleep(Duration::from_secs(60)).await;
            sender.send(Event::new().data(format!("event {i}"))).await.unwrap();
            assert_eq!(client.chunk().await, format!("data: event {i}\n\n").into_bytes());
        }
        drop(sender);
        assert_eq!(client.chunk().await, b"");
    });
}

#[test]
fn comments_break_the_silence() {
    check(SEEDS, |sim| async move {
        let pause = Duration::from_secs(15);
        let start = sim.elapsed();
        let (_server, mut client, sender) = begin(&sim, pause).await;
        for i in 1..=240 {
            assert_eq!(client.chunk().await, b":\n");
            assert!(sim.elapsed().saturating_sub(start) >= pause * i, "{:?}", sim.elapsed());
        }
        let took = sim.elapsed().saturating_sub(start);
        assert!(took < Duration::from_secs(3_620), "an hour of comments took {took:?}");
        sender.send(Event::new().data("one")).await.unwrap();
        assert_eq!(client.chunk().await, b"data: one\n\n");
    });
}

#[test]
fn a_client_that_vanishes_is_found_out() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let (server, client, sender) = begin(&sim, Duration::from_secs(15)).await;
        assert!(!sender.is_closed());
        drop(client);
        sim.sleep(Duration::from_secs(60)).await;
        assert!(sender.is_closed());
        assert_eq!((server.live(), sim.tasks()), (0, 0));
    });
}

#[test]
fn a_client_that_does_not_read_stops_the_stream() {
    check(0..50, |sim| async move {
        let (_server, mut client, sender) = begin(&sim, Duration::ZERO).await;
        let text = "x".repeat(10_000);
        let sending = sim.spawn(async move {
            for _ in 0..100 {
                sender.send(Event::new().data(text.clone())).await.unwrap();
            }
        });
        sim.sleep(Duration::from_secs(3_600)).await;
        assert!(!sending.is_done(), "a megabyte was taken for a client that does not read");
        for _ in 0..100 {
            assert_eq!(client.chunk().await.len(), 10_000 + "data: \n\n".len());
        }
        assert_eq!(client.chunk().await, b"");
        assert!(sending.is_done());
    });
}

#[test]
fn shutdown_ends_them_at_once() {
    check(SEEDS, |sim| async move {
        let (server, mut client, sender) = begin(&sim, Duration::from_secs(15)).await;
        sender.send(Event::new().data("one")).await.unwrap();
        assert_eq!(client.chunk().await, b"data: one\n\n");
        let start = sim.elapsed();
        let (ended, ()) = both(server.shut_down(Duration::from_secs(3_600)), async {
            assert_eq!(client.chunk().await, b"", "a proper end");
            client.end().await;
            drop(client);
        })
        .await;
        assert_eq!(ended, Ended::Drained);
        assert!(sim.elapsed().saturating_sub(start) < Duration::from_secs(10));
        assert!(sender.is_closed());
    });
}
