//! HTTP through driver, router and handler, over a socket that is a buffer.

use sinew_app::{Body, IntoResponse, Path, Router, get, post};

use crate::buffer::turns;

const SERVER: (&str, &str) = ("server", "sinew");

/// What `examples/bench.rs` serves.
fn app() -> Router {
    let mut app = Router::new()
        .route("/plaintext", get(|| async { ([SERVER], "Hello, World!") }))
        .route("/users/{id}", get(|Path(id): Path<String>| async move { ([SERVER], id) }))
        .route("/echo", post(|body: Body| async move { ([SERVER], body).into_response() }));
    for i in 0..30 {
        app = app
            .route(&format!("/service{i}/status"), get(|| async { "ok" }))
            .route(&format!("/service{i}/items/{{id}}/parts"), get(|Path(id): Path<String>| async { id }));
    }
    app
}

/// Turns with `batch` times `request` in each, whose answer has `answer` bytes.
pub(crate) fn requests(request: &[u8], batch: usize, answer: usize, times: u32) {
    turns(app(), None, request.repeat(batch), batch * answer, times);
}
