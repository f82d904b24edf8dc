//! A target for external test suites: `cargo run --release --example conformance -- --port 8081
//! --runtime std`
//!
//! | request | answer |
//! |---|---|
//! | any path, any method | 200, the body echoed byte for byte, or `hello` |
//! | OPTIONS | the same, with `Allow` |
//! | CONNECT, TRACE | 405 |
//! | `/nope-404` | 404, the body not read |
//! | `/echo` | the request's field lines as received |
//! | `/cookie` | one `name=value` a line |
//! | `/stream?n=N&ms=M` | N lines `chunk i`, one every M milliseconds, chunked |
//! | `/sse?n=N` | `retry: 200`, then N events, their IDs from the one after `Last-Event-ID` or from 1; of type `tick` if divisible by 3 |
//! | `/ws` | a WebSocket of any origin that echoes messages to 64 MiB; the text `please-close CODE REASON` closes it |

use std::time::Duration;

use futures_lite::stream::{self, StreamExt as _};
use serde::Deserialize;
use sinew_tokio::websocket::{CloseCode, Config as WebSocketConfig, DeflateConfig};
use sinew_tokio::{
    Body, BodyError, Bytes, Event, EventError, Handle, IntoResponse, LastEventId, Method, Query, Request,
    Response, Router, Sse, StatusCode, WebSocketUpgrade, get,
};

/// Bodies up to this size are read to their end before they are answered, so that a mistake late in
/// a body still gets its 400. Larger ones are echoed while they arrive.
const COLLECT: usize = 256 * 1024;

const ALLOW: (&str, &str) = ("allow", "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");

fn main() -> std::io::Result<()> {
    sinew_examples::run(Router::new().route("/ws", get(websocket)).fallback(answer))
}

async fn answer(
    handle: Handle,
    query: Option<Query<Ticks>>,
    LastEventId(last): LastEventId,
    request: Request,
) -> Response {
    match (request.method(), request.path()) {
        (Method::Connect | Method::Trace, _) => (StatusCode::METHOD_NOT_ALLOWED, [ALLOW], ()).into_response(),
        (Method::Options, _) => ([ALLOW], echo(request.into_body()).await).into_response(),
        (_, "/nope-404") => (StatusCode::NOT_FOUND, "not found\n").into_response(),
        (_, "/echo") => fields(&request).into_response(),
        (_, "/cookie") => cookies(&request).into_response(),
        (_, "/stream") => match query {
            Some(Query(ticks)) => stream(handle, &ticks).into_response(),
            None => (StatusCode::BAD_REQUEST, "n and ms are numbers\n").into_response(),
        },
        (_, "/sse") => match query {
            Some(Query(ticks)) => events(last, ticks.n).into_response(),
            None => (StatusCode::BAD_REQUEST, "n is a number\n").into_response(),
        },
        _ => echo(request.into_body()).await,
    }
}

/// Sends messages back, or closes as it is told.
async fn websocket(ws: WebSocketUpgrade) -> Response {
    let config = WebSocketConfig {
        max_message_bytes: 64 << 20,
        max_frame_bytes: 64 << 20,
        max_fragments: 70_000,
        ..WebSocketConfig::default()
    };
    ws.config(config).any_origin().deflate(DeflateConfig::default()).on_upgrade(|mut socket| async move {
        while let Ok(Some(message)) = socket.recv().await {
            let close = message.as_text().and_then(please_close);
            let closed = close.is_some_and(|(code, reason)| socket.close(code, reason).is_ok());
            if !closed && socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

/// What `please-close CODE REASON` asks for; the reason may be empty. `None` for any other text.
fn please_close(text: &str) -> Option<(CloseCode, &str)> {
    let rest = text.strip_prefix("please-close ")?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let digits = code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit());
    Some((CloseCode::new(code.parse().ok().filter(|_| digits)?), reason))
}

/// The body as it came, or `hello`.
async fn echo(body: Body) -> Response {
    match gather(body).await {
        Ok(body) if body.is_empty() => "hello".into_response(),
        Ok(body) => ([("content-type", "application/octet-stream")], body).into_response(),
        Err(error) => error.into_response(),
    }
}

/// A small body in one piece, a large one as a stream that begins with what was read.
async fn gather(mut body: Body) -> Result<Body, BodyError> {
    let length = body.exact_len();
    let mut pieces = Vec::new();
    let mut size = 0;
    while size <= COLLECT {
        let Some(piece) = body.chunk().await? else {
            let pieces: Vec<Bytes> = pieces;
            return Ok(pieces.concat().into());
        };
        size += piece.len();
        pieces.push(piece);
    }
    let all = stream::iter(pieces.into_iter().map(Ok)).chain(body);
    Ok(match length {
        Some(length) => Body::from_sized_stream(length, all),
        None => Body::from_stream(all),
    })
}

/// `Name: Value` lines, in the order and case of the client.
fn fields(request: &Request) -> Response {
    let mut text = Vec::new();
    for field in request.fields().iter() {
        text.extend_from_slice(field.name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(field.value);
        text.push(b'\n');
    }
    ([("content-type", "text/plain; charset=utf-8")], text).into_response()
}

/// The pairs of every `Cookie` field (RFC 6265 §4.2.1).
fn cookies(request: &Request) -> Response {
    let mut text = Vec::new();
    for pair in request.fields().get_all("cookie").flat_map(|value| value.split(|&b| b == b';')) {
        let pair = pair.trim_ascii();
        if !pair.is_empty() {
            text.extend_from_slice(pair);
            text.push(b'\n');
        }
    }
    ([("content-type", "text/plain; charset=utf-8")], text).into_response()
}

#[derive(Deserialize)]
struct Ticks {
    #[serde(default)]
    n: u64,
    #[serde(default)]
    ms: u64,
}

/// Lines, each sent as soon as its time has come.
fn stream(handle: Handle, ticks: &Ticks) -> Response {
    let (count, pause) = (ticks.n, Duration::from_millis(ticks.ms));
    let lines = stream::unfold((0, handle), move |(i, handle)| async move {
        if i == count {
            return None;
        }
        if i > 0 && !pause.is_zero() {
            handle.sleep(pause).await;
        }
        Some((Ok::<_, BodyError>(format!("chunk {i}\n")), (i + 1, handle)))
    });
    ([("content-type", "text/plain; charset=utf-8")], Body::from_stream(lines)).into_response()
}

/// Events that go on where the client left off.
fn events(last: Option<String>, count: u64) -> Sse {
    let last: u64 = last.and_then(|id| id.parse().ok()).unwrap_or(0);
    let retry = Event::new().retry(Duration::from_millis(200));
    let first = last.saturating_add(1);
    let events = (first..first.saturating_add(count)).map(event);
    Sse::new(stream::once(Ok(retry)).chain(stream::iter(events)))
}

fn event(id: u64) -> Result<Event, EventError> {
    let event = Event::new().id(id.to_string())?.data(format!("event {id}\nsecond line"));
    if id % 3 == 0 { event.event("tick") } else { Ok(event) }
}
