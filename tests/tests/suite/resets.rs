//! How connections end: a response that breaks off ends in a reset, one that is complete does not,
//! whatever its client still sends.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Body, BodyError, Bytes, Router, get, post};
use sinew_proto::Config;
use sinew_runtime::ConnectionConfig;
use sinew_tests::raw::Client;
use sinew_tests::{Adapter, Flag, PATIENCE, eventually};
use smol::stream;

/// Pieces of a body, then what `end` makes of it.
fn pieces(
    end: fn() -> Option<Result<&'static str, BodyError>>,
) -> impl stream::Stream<Item = Result<&'static str, BodyError>> {
    stream::unfold(0, move |n| async move {
        let item = if n < 2 { Some(Ok("piece")) } else { end() };
        item.map(|item| (item, n + 1))
    })
}

fn broken() -> Router {
    let fails = || Some(Err(BodyError::other("on purpose")));
    let panics = || -> Option<_> { resume_unwind(Box::new("on purpose")) };
    Router::new()
        .route("/whole", get(|| async { Body::from_stream(pieces(|| None)) }))
        .route("/error", get(move || async move { Body::from_stream(pieces(fails)) }))
        .route("/panic", get(move || async move { Body::from_stream(pieces(panics)) }))
        .route("/short", get(|| async { Body::from_sized_stream(11, pieces(|| None)) }))
        .route("/long", get(|| async { Body::from_sized_stream(12, pieces(|| Some(Ok("piece")))) }))
}

/// The connection ends in a reset.
fn is_reset(client: &mut Client) -> Vec<u8> {
    let (bytes, error) = client.rest();
    let kind = error.map(|error| error.kind());
    assert_eq!(kind, Some(io::ErrorKind::ConnectionReset), "after {:?}", String::from_utf8_lossy(&bytes));
    bytes
}

pub(crate) fn a_body_that_breaks_off<A: Adapter>() {
    let server = A::start(broken());
    for version in ["1.0", "1.1"] {
        let request = |path| format!("GET {path} HTTP/{version}\r\nHost: test\r\nConnection: close\r\n\r\n");
        for path in ["/error", "/panic", "/short", "/long"] {
            let mut client = Client::connect(server.addr());
            client.send(request(path));
            let bytes = is_reset(&mut client);
            assert!(!bytes.ends_with(b"\r\n0\r\n\r\n"), "{path}: {bytes:?}");
        }
        let mut client = Client::connect(server.addr());
        client.send(request("/whole"));
        assert_eq!(client.response().text(), "piecepiece");
        client.end();
    }
}

/// Without an end of its own, the part that has arrived would look whole.
pub(crate) fn a_body_that_the_shutdown_cuts<A: Adapter>() {
    for version in ["1.0", "1.1"] {
        let app = Router::new().route(
            "/",
            get(|| async { Body::from_stream(stream::StreamExt::chain(pieces(|| None), stream::pending())) }),
        );
        let server = A::start_with(app, ConnectionConfig::default(), Duration::from_millis(100));
        let mut client = Client::connect(server.addr());
        client.send(format!("GET / HTTP/{version}\r\nHost: test\r\n\r\n"));
        assert_eq!(client.head().status, 200);
        server.signal();
        is_reset(&mut client);
        server.stop().unwrap();
    }
}

pub(crate) fn a_reader_that_is_too_late<A: Adapter>() {
    let dropped = Flag::default();
    let app = Router::new().route("/", {
        let dropped = dropped.clone();
        get(move || {
            let body = stream::unfold(dropped.on_drop(), |guard| async {
                Some((Ok::<_, BodyError>(Bytes::from(vec![b'x'; 64 * 1024])), guard))
            });
            async { Body::from_stream(body) }
        })
    });
    let config = Config { write_timeout: Duration::from_millis(300), ..Config::default() };
    let server = A::start_config(app, config);
    let mut client = Client::with_small_buffers(server.addr());
    client.send("GET / HTTP/1.0\r\n\r\n");
    eventually("the body is dropped", || dropped.is_set());
    is_reset(&mut client);
}

/// What a client is answered that sends more than anybody wants.
fn early() -> Router {
    Router::new()
        .route("/refuse", post(|body: Bytes| async { body }))
        .route("/close", post(|| async { ([("connection", "close")], "early") }))
        .route("/keep", post(|| async { "early" }))
}

/// Sends a body of 64 MiB as fast as it is taken, or slowly, and reads only after it.
fn upload(client: &mut Client, path: &str, pause: Duration) -> io::Result<()> {
    const SIZE: usize = 64 << 20;
    client.send(format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {SIZE}\r\n\r\n"));
    let piece = vec![b'x'; 64 * 1024];
    let start = Instant::now();
    for _ in 0..SIZE / piece.len() {
        client.try_send(&piece)?;
        thread::sleep(pause);
        // It is slow, but not for ever: what it has not sent it does not send.
        if start.elapsed() > Duration::from_millis(600) && !pause.is_zero() {
            break;
        }
    }
    Ok(())
}

pub(crate) fn an_answer_reaches_a_client_that_still_sends<A: Adapter>() {
    let server = A::start(early());
    for (path, status) in [("/refuse", 413), ("/close", 200), ("/keep", 200)] {
        for small in [false, true] {
            for pause in [Duration::ZERO, Duration::from_millis(5)] {
                let mut client = if small {
                    Client::with_small_buffers(server.addr())
                } else {
                    Client::connect(server.addr())
                };
                // Its own end may come while it sends; the answer is there first.
                let _ = upload(&mut client, path, pause);
                let response = client.try_response().unwrap_or_else(|error| {
                    panic!("{path}, small buffers: {small}, pause: {pause:?}: {error}")
                });
                assert_eq!(response.status, status, "{path}");
                assert!(response.closes(), "{path}: more is to come than is thrown away");
            }
        }
    }
}

/// The linger ends, whatever the client does.
pub(crate) fn a_client_that_sends_for_ever<A: Adapter>() {
    let linger = Duration::from_millis(400);
    let server = A::start_config(early(), Config { linger_timeout: linger, ..Config::default() });
    let mut client = Client::connect(server.addr());
    client.send("POST /close HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n");
    let mut writer = client.stream().try_clone().expect("a second handle");
    let start = Instant::now();
    let sender = thread::spawn(move || {
        let piece = vec![b'x'; 64 * 1024];
        while writer.write_all(&piece).is_ok() {
            assert!(start.elapsed() < PATIENCE, "the server takes everything");
        }
        start.elapsed()
    });
    let response = client.response();
    assert_eq!((response.status, response.closes()), (200, true));
    let took = sender.join().expect("it ends");
    assert!(took >= linger, "too soon: {took:?}");
}

/// A client that leaves its side open after the last answer is not waited for long.
pub(crate) fn a_client_that_stays_does_not_hold_up_the_shutdown<A: Adapter>() {
    let far = Duration::from_secs(600);
    for before in [false, true] {
        let config = ConnectionConfig {
            http1: Config { linger_timeout: far, ..Config::default() },
            ..ConnectionConfig::default()
        };
        let server = A::start_with(early(), config, far);
        let mut client = Client::connect(server.addr());
        client.send("POST /close HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n");
        if before {
            // It lingers already when the signal comes.
            assert_eq!(client.response().text(), "early");
        }
        let start = Instant::now();
        server.signal();
        if !before {
            assert_eq!(client.response().text(), "early");
        }
        client.end();
        server.stop().unwrap();
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(400), "the client had no time: {took:?}");
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}
