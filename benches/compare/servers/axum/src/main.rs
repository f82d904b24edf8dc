//! axum by `axum::serve`, as its documentation shows it: a runtime and a socket for each thread, TCP_NODELAY.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, HeaderName, SERVER};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use common::{Answer, CHUNK, CHUNKS, HELLO, MESSAGE};
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

const NAME: (HeaderName, HeaderValue) = (SERVER, HeaderValue::from_static("axum"));
const TEXT: [(HeaderName, HeaderValue); 2] = [NAME, (CONTENT_TYPE, HeaderValue::from_static("text/plain"))];

fn main() -> io::Result<()> {
    let options = common::options()?;
    common::on_threads(options.threads, move || serve(options.port))
}

fn serve(port: u16) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(common::listen(port)?)?;
        // A socket on which this fails is about to fail anyway.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, app()).await
    })
}

fn app() -> Router {
    let mut app = Router::new()
        .route("/plaintext", get(plaintext))
        .route("/json", get(json))
        .route("/users/{id}", get(user))
        .route("/stream", get(chunks))
        .route("/echo", post(echo));
    for (path, answer) in common::fillers() {
        app = app.route(&path, if answer == Answer::User { get(user) } else { get(plaintext) });
    }
    app
}

async fn plaintext() -> impl IntoResponse {
    (TEXT, HELLO)
}

async fn json() -> impl IntoResponse {
    ([NAME], Json(MESSAGE))
}

async fn user(Path(id): Path<String>) -> impl IntoResponse {
    (TEXT, id)
}

async fn echo(body: Body) -> impl IntoResponse {
    (TEXT, body)
}

async fn chunks() -> impl IntoResponse {
    let chunks = stream::iter((0..CHUNKS).map(|_| Ok::<_, Infallible>(Bytes::from_static(&CHUNK))));
    (TEXT, Body::from_stream(chunks))
}
