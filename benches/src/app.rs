//! The application that is called: what `examples/bench.rs` serves, and routes that only this needs.

use futures_lite::stream;
use serde::{Deserialize, Serialize};
use sinew_app::{
    Body, BodyError, Bytes, Headers, IntoResponse, Json, Path, Query, Response, Router, get, post,
};

pub(crate) const HELLO: &str = "Hello, World!";

const SERVER: (&str, &str) = ("server", "sinew");

pub(crate) fn app() -> Router {
    let mut app = Router::new()
        .route("/plaintext", get(plaintext))
        .route("/json", get(json))
        .route("/users/{id}", get(user))
        .route("/stream", get(chunks))
        .route("/echo", post(echo))
        .route("/accounts/{id}", get(account));
    for i in 0..30 {
        app = app
            .route(&format!("/service{i}/status"), get(plaintext))
            .route(&format!("/service{i}/items/{{id}}/parts"), get(user));
    }
    app
}

pub(crate) async fn plaintext() -> impl IntoResponse {
    ([SERVER], HELLO)
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

async fn json() -> impl IntoResponse {
    ([SERVER], Json(Message { message: HELLO }))
}

async fn user(Path(id): Path<String>) -> impl IntoResponse {
    ([SERVER], id)
}

async fn chunks() -> Response {
    static CHUNK: [u8; 1024] = [b'x'; 1024];
    let chunks = stream::iter((0..64).map(|_| Ok::<_, BodyError>(Bytes::from_static(&CHUNK))));
    ([SERVER, ("content-type", "text/plain")], Body::from_stream(chunks)).into_response()
}

async fn echo(headers: Headers, body: Body) -> Response {
    let kind = headers.get("content-type").unwrap_or(b"application/octet-stream").to_vec();
    ([("server", &b"sinew"[..]), ("content-type", &kind)], body).into_response()
}

#[derive(Deserialize)]
struct Page {
    tab: String,
}

/// Three extractors.
async fn account(Path(id): Path<u64>, Query(page): Query<Page>, headers: Headers) -> impl IntoResponse {
    let host = headers.get("host").unwrap_or_default();
    ([SERVER], format!("{id} {} {}", page.tab, host.len()))
}
