//! What hyper's client sees.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sinew_app::{Body, BodyError, Peer, Router, get, post};
use sinew_tests::{Adapter, PATIENCE, Running};
use smol::stream;

type Sent = UnsyncBoxBody<Bytes, std::convert::Infallible>;

fn app() -> Router {
    Router::new()
        .route("/port", get(|Peer(peer): Peer| async move { peer.port().to_string() }))
        .route("/echo", post(|body: Body| async { body }))
        .route("/frames", get(|| async { Body::from_stream(frames()) }))
        .route("/large", get(|| async { vec![b'x'; 10_000_000] }))
}

/// A thousand small pieces.
fn frames() -> impl stream::Stream<Item = Result<String, BodyError>> {
    stream::iter((0..1_000).map(|n| Ok(format!("frame {n}\n"))))
}

/// Runs a client on one connection, within a bound.
fn client<F: Future<Output = ()>>(server: &Running, f: impl FnOnce(SendRequest<Sent>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let addr = server.addr();
    let run = async {
        let socket = tokio::net::TcpStream::connect(addr).await.expect("cannot connect");
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.expect("a handshake");
        let connection = tokio::spawn(connection);
        f(sender).await;
        connection.await.expect("no panic").expect("a clean end");
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, run).await.expect("hyper hangs") });
}

fn request(method: &str, path: &str, body: Sent) -> Request<Sent> {
    Request::builder().method(method).uri(path).header("host", "test").body(body).expect("a request")
}

fn nothing() -> Sent {
    Empty::new().boxed_unsync()
}

async fn collect(response: Response<Incoming>) -> Bytes {
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body().collect().await.expect("a whole body").to_bytes()
}

pub(crate) fn a_hundred_requests_on_one_connection<A: Adapter>() {
    let server = A::start(app());
    client(&server, |mut sender| async move {
        let mut ports = Vec::new();
        for n in 0..100 {
            sender.ready().await.expect("the connection persists");
            if n % 2 == 0 {
                let response = sender.send_request(request("GET", "/port", nothing())).await;
                ports.push(collect(response.expect("a response")).await);
            } else {
                let body = Bytes::from(n.to_string());
                let echo = request("POST", "/echo", Full::new(body.clone()).boxed_unsync());
                let response = sender.send_request(echo).await.expect("a response");
                assert_eq!(collect(response).await, body);
            }
        }
        ports.dedup();
        assert_eq!(ports.len(), 1, "{ports:?}");
    });
}

/// Each piece comes back before the next one is made.
pub(crate) fn an_echo_streams_both_ways<A: Adapter>() {
    let server = A::start(app());
    client(&server, |mut sender| async move {
        let (pieces, receiver) = smol::channel::bounded::<Bytes>(1);
        let body = stream::unfold(receiver, |receiver| async {
            let piece = receiver.recv().await.ok()?;
            Some((Ok(Frame::data(piece)), receiver))
        });
        let echo = request("POST", "/echo", StreamBody::new(body).boxed_unsync());
        let response = sender.send_request(echo).await.expect("a response");
        assert_eq!(response.headers()["transfer-encoding"], "chunked");
        let mut echoed = response.into_body();
        for n in 0..50 {
            let piece = Bytes::from(format!("piece {n}"));
            pieces.send(piece.clone()).await.expect("the body is read");
            let mut back = Vec::new();
            while back.len() < piece.len() {
                let frame = echoed.frame().await.expect("more").expect("no error");
                back.extend_from_slice(&frame.into_data().expect("data"));
            }
            assert_eq!(back, piece);
        }
        pieces.close();
        assert!(echoed.frame().await.is_none());
    });
}

pub(crate) fn a_thousand_small_frames<A: Adapter>() {
    let server = A::start(app());
    let expected = (0..1_000).map(|n| format!("frame {n}\n")).collect::<Vec<_>>().concat();
    client(&server, |mut sender| async move {
        let response = sender.send_request(request("GET", "/frames", nothing())).await.expect("a response");
        assert_eq!(collect(response).await, expected);
        let frames = stream::iter((0..1_000).map(|n| Ok(Frame::data(Bytes::from(format!("frame {n}\n"))))));
        let echo = request("POST", "/echo", StreamBody::new(frames).boxed_unsync());
        sender.ready().await.expect("the connection persists");
        let response = sender.send_request(echo).await.expect("a response");
        assert_eq!(collect(response).await, expected);
    });
}

pub(crate) fn head<A: Adapter>() {
    let server = A::start(app());
    client(&server, |mut sender| async move {
        for (path, length) in [("/large", Some("10000000")), ("/frames", None)] {
            sender.ready().await.expect("the connection persists");
            let response = sender.send_request(request("HEAD", path, nothing())).await.expect("a response");
            let told = response.headers().get("content-length").map(|value| value.to_str().unwrap());
            assert_eq!(told, length);
            assert!(collect(response).await.is_empty());
        }
    });
}

pub(crate) fn a_large_body_with_its_length<A: Adapter>() {
    let server = A::start(app());
    client(&server, |mut sender| async move {
        let response = sender.send_request(request("GET", "/large", nothing())).await.expect("a response");
        assert_eq!(response.headers()["content-length"], "10000000");
        // Let the server fill every buffer before the client reads.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(collect(response).await.len(), 10_000_000);
    });
}
