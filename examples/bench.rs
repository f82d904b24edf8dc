//! A target for load: `cargo run --release --example bench -- --port 8082 --runtime tokio
//! --threads 1`
//!
//! | request | answer |
//! |---|---|
//! | GET `/plaintext` | 13 bytes |
//! | GET `/json` | a small JSON object, serialized for each |
//! | GET `/users/{id}` | the id, among sixty other routes |
//! | GET `/stream` | 64 chunks of 1 KiB |
//! | POST `/echo` | the body, streamed |
//!
//! Every response has `Server` and `Date`.

use futures_lite::stream;
use serde::Serialize;
use sinew_tokio::{Body, BodyError, Bytes, IntoResponse, Json, Path, Request, Response, Router, get, post};

const SERVER: (&str, &str) = ("server", "sinew");

fn main() -> std::io::Result<()> {
    let mut app = Router::new()
        .route("/plaintext", get(plaintext))
        .route("/json", get(json))
        .route("/users/{id}", get(user))
        .route("/stream", get(chunks))
        .route("/echo", post(echo));
    // What an application of some size has: routes of two and of four segments.
    for i in 0..30 {
        app = app
            .route(&format!("/service{i}/status"), get(plaintext))
            .route(&format!("/service{i}/items/{{id}}/parts"), get(user));
    }
    sinew_examples::run(app)
}

async fn plaintext() -> impl IntoResponse {
    ([SERVER], "Hello, World!")
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

async fn json() -> impl IntoResponse {
    ([SERVER], Json(Message { message: "Hello, World!" }))
}

async fn user(Path(id): Path<String>) -> impl IntoResponse {
    ([SERVER], id)
}

async fn chunks() -> Response {
    static CHUNK: [u8; 1024] = [b'x'; 1024];
    let chunks = stream::iter((0..64).map(|_| Ok::<_, BodyError>(Bytes::from_static(&CHUNK))));
    ([SERVER, ("content-type", "text/plain")], Body::from_stream(chunks)).into_response()
}

async fn echo(request: Request) -> Response {
    let kind = request.fields().get("content-type").unwrap_or(b"application/octet-stream").to_vec();
    ([("server", &b"sinew"[..]), ("content-type", &kind)], request.into_body()).into_response()
}
