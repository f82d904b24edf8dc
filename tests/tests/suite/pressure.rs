//! Back-pressure: what one side does not take, the other one cannot go on making.

use std::future;

use sinew_app::{Body, BodyError, Bytes, Router, get, post};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, Flag, Gate, SetOnDrop, eventually};
use smol::stream::{self, Stream};

/// More than the buffers of the server and of two sockets together.
const BOUND: usize = 8 << 20;

/// Pieces of 32 KiB without end, counted. `flag` is set when they are dropped.
fn endless(made: &Count, flag: &Flag) -> impl Stream<Item = Result<Bytes, BodyError>> + use<> {
    let state: (Count, SetOnDrop) = (made.clone(), flag.on_drop());
    let piece = Bytes::from(vec![b'x'; 32 * 1024]);
    stream::unfold(state, move |state| {
        state.0.add(piece.len());
        future::ready(Some((Ok(piece.clone()), state)))
    })
}

pub(crate) fn an_upload_nobody_reads_stops<A: Adapter>() {
    let gate = Gate::default();
    let app = Router::new().route("/", {
        let gate = gate.clone();
        post(move |mut body: Body| {
            let gate = gate.clone();
            async move {
                gate.passed().await;
                let mut total = 0;
                while let Ok(Some(piece)) = body.chunk().await {
                    total += piece.len();
                }
                total.to_string()
            }
        })
    });
    let server = A::start(app);
    let mut client = Client::with_small_buffers(server.addr());
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n");
    let sent = client.send_until_stuck();
    assert!(sent < BOUND, "the server took {sent} bytes that nobody wants");
    // When the handler reads, it goes on.
    gate.open();
    let more = client.try_send(vec![0; BOUND]);
    assert!(more.is_ok(), "{more:?}");
}

pub(crate) fn a_download_nobody_reads_stops<A: Adapter>() {
    let (made, dropped) = (Count::default(), Flag::default());
    let sent = Count::default();
    let app = Router::new()
        .route("/stream", {
            let (made, dropped) = (made.clone(), dropped.clone());
            get(move || async move { Body::from_stream(endless(&made, &dropped)) })
        })
        .route("/channel", {
            let sent = sent.clone();
            get(move || {
                let (sender, body) = Body::channel(64 * 1024);
                let sent = sent.clone();
                std::thread::spawn(move || {
                    while sender.blocking_send(vec![b'x'; 10_000]).is_ok() {
                        sent.add(10_000);
                    }
                    sent.add(BOUND);
                });
                async { body }
            })
        });
    let server = A::start(app);

    let mut client = Client::with_small_buffers(server.addr());
    client.send(raw::get("/stream"));
    eventually("the stream begins", || made.now() > 0);
    let total = made.settled();
    assert!(total < BOUND, "{total} bytes were made for nobody");
    // The client reads on, and so does the server.
    assert_eq!(client.head().status, 200);
    for _ in 0..BOUND / (32 * 1024) {
        assert_eq!(client.chunk().len(), 32 * 1024);
    }
    drop(client);
    eventually("the stream is dropped", || dropped.is_set());

    let mut client = Client::with_small_buffers(server.addr());
    client.send(raw::get("/channel"));
    eventually("the sender begins", || sent.now() > 0);
    let total = sent.settled();
    assert!(total < BOUND, "{total} bytes were sent for nobody");
    drop(client);
    eventually("the sender learns that it is over", || sent.now() > BOUND);
}

pub(crate) fn a_client_that_leaves_ends_the_body<A: Adapter>() {
    let dropped = Flag::default();
    let app = Router::new().route("/", {
        let dropped = dropped.clone();
        get(move || {
            let guard = dropped.on_drop();
            // One piece, then nothing for ever: only the read tells that the client is gone.
            let body = stream::unfold((guard, true), |(guard, first)| async move {
                if !first {
                    future::pending::<()>().await;
                }
                Some((Ok::<_, BodyError>("one"), (guard, false)))
            });
            async { Body::from_stream(body) }
        })
    });
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk(), b"one");
    client.reset();
    eventually("the body is dropped", || dropped.is_set());
}

/// A client that sends requests and reads no answers does not fill the server's memory.
pub(crate) fn pipelining_is_bounded<A: Adapter>() {
    let answered = Count::default();
    let app = Router::new().fallback({
        let answered = answered.clone();
        move || async move {
            answered.add(1);
            vec![b'x'; 10_000]
        }
    });
    let server = A::start(app);
    let mut client = Client::with_small_buffers(server.addr());
    let mut writer = client.stream().try_clone().unwrap();
    let requests = raw::get("/").repeat(5_000);
    let sending = std::thread::spawn(move || std::io::Write::write_all(&mut writer, requests.as_bytes()));
    eventually("it begins", || answered.now() > 0);
    let total = answered.settled();
    assert!(total < BOUND / 10_000, "{total} answers wait for a client that does not read");
    for _ in 0..5_000 {
        assert_eq!(client.response().body.len(), 10_000);
    }
    sending.join().unwrap().unwrap();
    assert_eq!(answered.now(), 5_000);
}
