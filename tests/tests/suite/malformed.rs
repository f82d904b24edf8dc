//! What attackers and sloppy peers send: the status it gets, and that nothing of what follows on the
//! connection is taken for a request.

use std::sync::Arc;
use std::time::Duration;

use sinew_app::{Body, IntoResponse, Router, StatusCode};
use sinew_proto::Config;
use sinew_runtime::ConnectionConfig;
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, eventually};

/// A head that asks for a chunked body. What follows is the body.
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What is sent, and the status of the answer. A number of bytes in braces stands for so many `a`.
const CASES: &[(&str, u16)] = &[
    // Two lengths.
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello", 400),
    // Other than exactly one final `chunked`.
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    // Not one number.
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5_0\r\n\r\nhello", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: five\r\n\r\n", 400),
    // Line ends and control bytes in the head.
    ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: \x1b[0m\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nA\0: b\r\n\r\n", 400),
    ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n", 400),
    // White space where there is none.
    ("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", 400),
    ("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    // Field lines that are none.
    ("GET / HTTP/1.1\r\nHost: a\r\nA\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    // Host.
    ("GET / HTTP/1.1\r\nX: y\r\n\r\n", 400),
    ("GET http://a/ HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: caf\u{e9}\r\n\r\n", 400),
    ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400),
    // The target.
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /caf\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    // The method and the version.
    ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    // Limits.
    ("GET /{300} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: a\r\nA: {2000}\r\n\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\n\r\n", 431),
    // Expectations.
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: a-pony\r\n\r\nok", 417),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue;x=y\r\n\r\nok", 417),
];

/// Bodies that go wrong behind [`CHUNKED`]: all get 400, but trailers without end.
const CHUNKS: &[(&str, u16)] = &[
    ("10000000000000005\r\nhello\r\n", 400),
    ("00000000000000005\r\nhello\r\n", 400),
    ("+5\r\nhello\r\n", 400),
    ("-5\r\nhello\r\n", 400),
    ("0x5\r\nhello\r\n", 400),
    ("5_0\r\nhello\r\n", 400),
    (" 5\r\nhello\r\n", 400),
    ("5 \r\nhello\r\n", 400),
    ("\r\nhello\r\n", 400),
    (";a\r\nhello\r\n", 400),
    ("5\nhello\r\n0\r\n\r\n", 400),
    ("5\rhello\r\n0\r\n\r\n", 400),
    ("5\r\nhello\n0\r\n\r\n", 400),
    ("5\r\nhelloXX0\r\n\r\n", 400),
    ("5;a\nb\r\nhello\r\n", 400),
    ("5;a\rb\r\nhello\r\n", 400),
    ("5;a=\"\r\n0\r\n\r\n\"\r\nhello\r\n", 400),
    ("0\n\n", 400),
    ("0\r\n\n", 400),
    ("1;{500}\r\na\r\n0\r\n\r\n", 400),
    ("0\r\nA b: c\r\n\r\n", 400),
    ("0\r\nA: {700}\r\n\r\n", 431),
];

fn cases() -> impl Iterator<Item = (String, u16)> {
    let heads = CASES.iter().map(|(bytes, status)| (expand(bytes), *status));
    heads.chain(CHUNKS.iter().map(|(body, status)| (CHUNKED.to_owned() + &expand(body), *status)))
}

/// Puts the long runs in.
fn expand(bytes: &str) -> String {
    let Some((before, rest)) = bytes.split_once('{') else { return bytes.to_owned() };
    let (count, after) = rest.split_once('}').expect("a brace without its other one");
    [before, &"a".repeat(count.parse().expect("a number")), after].concat()
}

pub(crate) fn whole<A: Adapter>() {
    every_case::<A>(|client, bytes| client.send(bytes));
}

pub(crate) fn split<A: Adapter>() {
    every_case::<A>(|client, bytes| {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        client.send_pieces([first, second]);
    });
}

fn every_case<A: Adapter>(send: impl Fn(&mut Client, &[u8])) {
    let smuggled = Count::default();
    let finished = Count::default();
    let rejected = Count::default();
    let app = Router::new()
        .route("/smuggled", {
            let smuggled = smuggled.clone();
            sinew_app::any(move || async move {
                smuggled.add(1);
                "smuggled"
            })
        })
        .fallback({
            let finished = finished.clone();
            move |body: Body| async move {
                if let Err(error) = body.collect(1 << 20).await {
                    return error.into_response();
                }
                finished.add(1);
                StatusCode::OK.into_response()
            }
        });
    let http1 = Config {
        max_head_bytes: 1_500,
        max_target_bytes: 256,
        max_fields: 8,
        max_chunk_extension_bytes: 400,
        max_trailer_bytes: 600,
        ..Config::default()
    };
    let on_rejected = {
        let rejected = rejected.clone();
        Arc::new(move |refused: &sinew_runtime::Rejected| {
            assert!(refused.answered && refused.peer.is_some(), "{refused:?}");
            rejected.add(1);
        })
    };
    let config = ConnectionConfig { http1, on_rejected: Some(on_rejected), ..ConnectionConfig::default() };
    let server = A::start_with(app, config, Duration::from_secs(5));

    let mut count = 0;
    for (bytes, status) in cases() {
        count += 1;
        let mut client = Client::connect(server.addr());
        send(&mut client, (bytes.clone() + &raw::get("/smuggled")).as_bytes());
        let response = client.response();
        assert_eq!(response.status, status, "for {bytes:?}: {response:?}");
        assert!(response.closes(), "for {bytes:?}: {response:?}");
        assert!(response.field("date").is_some(), "for {bytes:?}: {response:?}");
        assert!(response.text().starts_with(&status.to_string()), "for {bytes:?}: {response:?}");
        client.end();

        // The server takes no harm.
        let response = raw::request(server.addr(), raw::post("/", "fine"));
        assert_eq!(response.status, 200, "after {bytes:?}: {response:?}");
        assert_eq!(finished.now(), count, "after {bytes:?}");
    }
    assert!(count >= CASES.len() + CHUNKS.len());
    assert_eq!(smuggled.now(), 0);
    eventually("every rejection is told", || rejected.now() == count);
}
