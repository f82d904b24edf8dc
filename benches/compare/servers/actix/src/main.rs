//! actix-web with its own runtime, which is one of one thread for each worker. No limits of time: each costs
//! something.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use actix_web::http::KeepAlive;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, SERVER};
use actix_web::web::{self, Bytes, Path, PayloadConfig, ServiceConfig};
use actix_web::{App, HttpResponse, HttpResponseBuilder, HttpServer};
use common::{Answer, CHUNK, CHUNKS, ECHO_LIMIT, HELLO, MESSAGE};
use futures_util::stream;

#[actix_web::main]
async fn main() -> io::Result<()> {
    let options = common::options()?;
    HttpServer::new(|| App::new().app_data(PayloadConfig::new(ECHO_LIMIT)).configure(routes))
        .workers(options.threads)
        .tcp_nodelay(true)
        .max_connections(65_536)
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(Duration::ZERO)
        .listen(common::listen(options.port)?)?
        .run()
        .await
}

fn routes(app: &mut ServiceConfig) {
    app.route("/plaintext", web::get().to(plaintext))
        .route("/json", web::get().to(json))
        .route("/users/{id}", web::get().to(user))
        .route("/stream", web::get().to(chunks))
        .route("/echo", web::post().to(echo));
    for (path, answer) in common::fillers() {
        let route = if answer == Answer::User { web::get().to(user) } else { web::get().to(plaintext) };
        app.route(&path, route);
    }
}

fn ok() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((SERVER, HeaderValue::from_static("actix")));
    response
}

fn text() -> HttpResponseBuilder {
    let mut response = ok();
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain")));
    response
}

async fn plaintext() -> HttpResponse {
    text().body(Bytes::from_static(HELLO.as_bytes()))
}

async fn json() -> HttpResponse {
    ok().json(MESSAGE)
}

async fn user(id: Path<String>) -> HttpResponse {
    text().body(id.into_inner())
}

/// The body as a whole: a response that streams the payload of its request begins before that is read, and then
/// the connection is closed.
async fn echo(body: Bytes) -> HttpResponse {
    text().body(body)
}

async fn chunks() -> HttpResponse {
    let chunks = stream::iter((0..CHUNKS).map(|_| Ok::<_, Infallible>(Bytes::from_static(&CHUNK))));
    text().streaming(chunks)
}
