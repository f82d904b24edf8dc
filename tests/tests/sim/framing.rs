//! Requests and responses find each other, however the bytes are cut.

use sinew_sim::{Body, Bytes, Handle, IntoResponse, Path, Router, StatusCode, check, get, post};
use sinew_tests::Count;
use sinew_tests::raw::{get as get_of, post as post_of, post_chunked};
use std::time::Duration;

use crate::client::Client;
use crate::{SEEDS, on_any_network, patient, with};

fn app() -> Router {
    Router::new()
        .route("/id/{id}", get(|Path(id): Path<u32>| async move { id.to_string() }))
        .route(
            "/slow/{id}",
            get(|handle: Handle, Path(id): Path<u32>| async move {
                handle.sleep(Duration::from_millis(u64::from(id * 7 % 5) * 300)).await;
                id.to_string()
            }),
        )
        .route("/read", post(|body: Bytes| async { body }))
        .route("/echo", post(|body: Body| async { body }))
}

#[test]
fn pipelined_in_any_cut() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        let mut random = sim.random();
        let mut sent = Vec::new();
        let mut expected = Vec::new();
        for id in 0..10 {
            let text = format!("body {id}");
            let (bytes, answer) = match random.below(5) {
                0 => (get_of(&format!("/id/{id}")).into_bytes(), id.to_string()),
                1 => (get_of(&format!("/slow/{id}")).into_bytes(), id.to_string()),
                2 => (post_of("/read", &text), text),
                3 => (post_of("/echo", &text), text),
                _ => (post_chunked("/echo", text.as_bytes().chunks(3)), text),
            };
            sent.extend(bytes);
            expected.push(answer);
        }
        client.send_meanwhile(&sim, sent);
        for answer in expected {
            let response = client.response().await;
            assert_eq!((response.status, response.text()), (200, &*answer));
            assert!(!response.closes());
        }
    });
}

#[test]
fn http10_closes_unless_asked() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        client.send_meanwhile(&sim, "GET /id/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(client.response().await.text(), "1");
        client.send_meanwhile(&sim, "GET /id/2 HTTP/1.0\r\n\r\n");
        assert_eq!(client.response().await.text(), "2");
        client.end().await;
        // A body of no known length ends with the connection.
        let mut client = Client::connect(&sim, &server);
        client.send_meanwhile(&sim, "POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(client.response().await.text(), "hello");
    });
}

#[test]
fn a_half_closed_connection_is_answered() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let server = sim.serve(app(), patient());
        let mut client = Client::connect(&sim, &server);
        client.send(get_of("/slow/1") + &get_of("/id/2")).await;
        client.finish().await;
        assert_eq!(client.response().await.text(), "1");
        assert_eq!(client.response().await.text(), "2");
        client.end().await;
    });
}

/// What is sent, and the status of the answer. A number in braces stands for so many `a`.
const MALFORMED: &[(&str, u16)] = &[
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
    ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nX: y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("GET /{300} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: {2000}\r\n\r\n", 431),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: a-pony\r\n\r\nok", 417),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA b: c\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;{500}\r\na\r\n0\r\n\r\n", 400),
];

/// Puts the long run in.
fn expand(bytes: &str) -> String {
    let Some((before, rest)) = bytes.split_once('{') else { return bytes.to_owned() };
    let (count, after) = rest.split_once('}').expect("a brace without its other one");
    [before, &"a".repeat(count.parse().expect("a number")), after].concat()
}

/// It gets its status, and nothing that follows is taken for a request.
#[test]
fn malformed_requests_get_their_status() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let smuggled = Count::default();
        let app = Router::new()
            .route("/smuggled", {
                let smuggled = smuggled.clone();
                get(move || async move { smuggled.add(1) })
            })
            .fallback(|body: Body| async move {
                match body.collect(1 << 20).await {
                    Ok(_) => StatusCode::OK.into_response(),
                    Err(error) => error.into_response(),
                }
            });
        let mut config = patient();
        config.http1.max_head_bytes = 1_500;
        config.http1.max_target_bytes = 256;
        config.http1.max_chunk_extension_bytes = 400;
        let server = sim.serve(app, config);
        let mut random = sim.random();
        for _ in 0..3 {
            let (bytes, status) = random.choose(MALFORMED).expect("there are some");
            let mut client = Client::connect(&sim, &server);
            client.send_meanwhile(&sim, expand(bytes) + &get_of("/smuggled"));
            let response = client.response().await;
            assert_eq!(response.status, *status, "for {bytes:?}");
            assert!(response.closes(), "for {bytes:?}");
            client.end().await;
        }
        assert_eq!(smuggled.now(), 0);
    });
}

/// A client whose request is refused reads the answer although it goes on sending: the server lingers.
#[test]
fn an_answer_is_not_lost_to_what_the_client_still_sends() {
    check(SEEDS, |sim| async move {
        let server = sim.serve(app(), with(sinew_sim::Config::default()));
        let mut client = Client::connect(&sim, &server);
        client.send_meanwhile(&sim, [b"GET / HTTP/2.0\r\n\r\n".to_vec(), vec![b'x'; 20_000]].concat());
        assert_eq!(client.response().await.status, 505);
        client.end().await;
    });
}
