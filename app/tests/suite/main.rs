//! The crate as its users see it: requests in, responses out, no sockets.
#![allow(
    clippy::needless_pass_by_value,
    clippy::many_single_char_names,
    clippy::format_collect,
    reason = "handlers own their arguments, and tests need not be fast"
)]

mod blocking;
mod bodies;
mod disconnect;
mod extractors;
mod handlers;
mod path;
mod responses;
mod routes;
mod routes_model;
mod sse;
mod websocket;

use futures_lite::future::block_on;
use sinew_app::{Body, Request, Response, Router, Service};

/// A response, body and all.
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn of(response: Response) -> Self {
        let (status, headers, body) = response.into_parts();
        let body = block_on(body.collect(usize::MAX)).expect("a body that can be read");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
        Self { status: status.as_u16(), fields, body: text(&body) }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn request(method: &str, target: &str, fields: &[(&str, &str)], body: impl Into<Body>) -> Request {
    Request::build(method, target, fields.iter().copied(), body).expect("a valid request")
}

/// Answers one request.
fn ask(app: &Router, request: Request) -> Answer {
    Answer::of(block_on(app.call(request)))
}

/// Answers one request without fields or body.
fn send(app: &Router, method: &str, target: &str) -> Answer {
    ask(app, request(method, target, &[], ()))
}

/// Status and body of the answer to a GET.
fn get(app: &Router, target: &str) -> (u16, String) {
    let answer = send(app, "GET", target);
    (answer.status, answer.body)
}
