//! Every deadline, at its length in production and longer: lower bounds are exact, upper ones are what the
//! network may add.

use std::rc::Rc;
use std::time::Duration;

use sinew_sim::proto::Config;
use sinew_sim::{Body, BodyError, Bytes, Handle, Router, Sim, SimStream, check, get, post};
use sinew_tests::Flag;
use sinew_tests::raw::{get as get_of, post as post_of};
use smol::stream;

use crate::client::Client;
use crate::{FAR, SEEDS, far, with};

/// The deadline that a test is about: an hour or some.
const LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

/// What the rough network adds to a few bytes.
const SLACK: Duration = Duration::from_secs(10);

fn app() -> Router {
    Router::new().route("/", get(|| async { "hello" })).route("/read", post(|body: Bytes| async { body }))
}

/// Takes as long as the deadline, and not much longer.
async fn in_time<T>(sim: &Sim, future: impl Future<Output = T>) -> T {
    let start = sim.elapsed();
    let value = future.await;
    let took = sim.elapsed().saturating_sub(start);
    assert!(took >= LIMIT && took < LIMIT + SLACK, "it took {took:?}");
    value
}

/// A byte every few seconds, for ever.
fn trickle(sim: &Sim, stream: &Rc<SimStream>) {
    let (stream, sim_in_task) = (stream.clone(), sim.clone());
    drop(sim.spawn(async move {
        while stream.write(b"x").await.is_ok() {
            sim_in_task.sleep(Duration::from_secs(100)).await;
        }
    }));
}

#[test]
fn a_head_without_end() {
    check(SEEDS, |sim| async move {
        let server = sim.serve(app(), with(Config { head_timeout: LIMIT, ..far() }));
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/")).await;
        assert_eq!(client.response().await.text(), "hello");
        in_time(&sim, async {
            client.send("GET / HTTP/1.1\r\nA: ").await;
            // What comes late does not push the deadline back.
            if sim.seed() % 2 == 0 {
                trickle(&sim, &client.stream);
            }
            let response = client.response().await;
            assert_eq!((response.status, response.closes()), (408, true));
            client.end().await;
        })
        .await;
    });
}

#[test]
fn idle_closes_without_a_word() {
    check(SEEDS, |sim| async move {
        let server = sim.serve(app(), with(Config { idle_timeout: LIMIT, ..far() }));
        let mut unused = Client::connect(&sim, &server);
        in_time(&sim, unused.end()).await;
        let mut used = Client::connect(&sim, &server);
        used.send(get_of("/")).await;
        assert_eq!(used.response().await.text(), "hello");
        let start = sim.elapsed();
        used.end().await;
        let took = sim.elapsed().saturating_sub(start);
        // The answer was on its way for a while.
        assert!(took + SLACK >= LIMIT && took < LIMIT + SLACK, "it took {took:?}");
    });
}

#[test]
fn a_body_that_trickles() {
    check(SEEDS, |sim| async move {
        let config = Config { body_grace: LIMIT, body_min_rate: 1_000, ..far() };
        let server = sim.serve(app(), with(config));
        for head in ["Content-Length: 1000000\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1000000\r\nx"] {
            let mut client = Client::connect(&sim, &server);
            in_time(&sim, async {
                client.send(format!("POST /read HTTP/1.1\r\nHost: test\r\n{head}")).await;
                trickle(&sim, &client.stream);
                let response = client.response().await;
                assert_eq!((response.status, response.closes()), (408, true));
                client.end().await;
            })
            .await;
        }
    });
}

/// Nothing that the client does is late while a handler is at work, and a client that the server does not
/// listen to is not slow.
#[test]
fn a_handler_has_all_the_time() {
    check(SEEDS, |sim| async move {
        let app = Router::new().route(
            "/",
            post(|handle: Handle, body: Body| async move {
                handle.sleep(Duration::from_secs(60 * 60)).await;
                body.collect(1 << 20).await.map(|body| body.len().to_string())
            }),
        );
        // The defaults: ten seconds, a minute.
        let server = sim.serve(app, with(Config { body_min_rate: 1, ..Config::default() }));
        for len in [4, 100_000] {
            let mut client = Client::connect(&sim, &server);
            client.send_meanwhile(&sim, post_of("/", vec![b'x'; len]));
            assert_eq!(client.response().await.text(), len.to_string());
            assert!(sim.elapsed() >= Duration::from_secs(60 * 60));
        }
    });
}

#[test]
fn a_reader_that_stops() {
    check(0..50, |sim| async move {
        let dropped = Flag::default();
        let app = app().route("/endless", {
            let dropped = dropped.clone();
            get(move || {
                let body = stream::unfold(dropped.on_drop(), |guard| async {
                    Some((Ok::<_, BodyError>(Bytes::from(vec![b'x'; 16 * 1024])), guard))
                });
                async { Body::from_stream(body) }
            })
        });
        let server = sim.serve(app, with(Config { write_timeout: LIMIT, ..far() }));
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/endless")).await;
        sim.sleep(LIMIT.saturating_sub(SLACK)).await;
        assert!(!dropped.is_set(), "too soon");
        sim.sleep(SLACK * 2).await;
        assert!(dropped.is_set(), "too late");
        assert_eq!(server.live(), 0);
        // What had been sent is there, and not its end.
        let (bytes, _) = client.rest().await;
        assert!(!bytes.ends_with(b"\r\n0\r\n\r\n"));
    });
}

/// After its last answer a connection reads on for a while, but not for ever.
#[test]
fn a_peer_that_lingers() {
    check(SEEDS, |sim| async move {
        let server = sim.serve(app(), with(Config { linger_timeout: LIMIT, ..far() }));
        let mut client = Client::connect(&sim, &server);
        client.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.response().await.status, 400);
        client.end().await;
        trickle(&sim, &client.stream);
        sim.sleep(LIMIT.saturating_sub(SLACK)).await;
        assert_eq!(server.live(), 1, "too soon");
        sim.sleep(SLACK * 2).await;
        assert_eq!(server.live(), 0, "too late");
    });
}

/// Clients that do nothing at all hold no connection of the defaults for more than a minute or so.
#[test]
fn the_defaults_let_nobody_stay() {
    check(SEEDS, |sim| async move {
        let server = sim.serve(app(), with(Config::default()));
        let starts = ["", "G", "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx"];
        let mut clients = Vec::new();
        for start in starts {
            let client = Client::connect(&sim, &server);
            client.send(start).await;
            clients.push(client);
        }
        sim.sleep(Duration::from_secs(70)).await;
        assert_eq!(server.live(), 0);
        assert!(sim.elapsed() < FAR);
    });
}
