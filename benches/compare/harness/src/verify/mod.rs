//! What a server has to answer before it is measured, strictly.

mod wire;

use std::time::{Duration, SystemTime};

use common::{CHUNKS, HELLO};
use load::request::request;
use wire::{Framing, Response, exchange};

/// Something to get right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// A text, with all that belongs to it.
    Plaintext,
    /// The same for what a browser sends.
    Browser,
    /// Pipelined requests, answered each and in order.
    Pipeline,
    /// A small object.
    Json,
    /// A placeholder of a route.
    Users,
    /// Bodies of 1 KiB, 64 KiB and 1 MiB.
    Echo,
    /// A body in chunks.
    Stream,
    /// 404 for what is not there.
    Missing,
}

/// How far a date may be off.
const CLOCK: Duration = Duration::from_secs(3);

impl Check {
    /// Asks the server.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn run(self, port: u16) -> Result<(), String> {
        match self {
            Self::Plaintext => text(&get(port, "/plaintext")?, HELLO.as_bytes()),
            Self::Browser => {
                let [response] = exchange(port, &request(&host(port), "/plaintext", 0, true))?;
                text(&response, HELLO.as_bytes())
            }
            Self::Pipeline => pipeline(port),
            Self::Json => whole(&get(port, "/json")?, "application/json", br#"{"message":"Hello, World!"}"#),
            Self::Users => text(&get(port, "/users/12345")?, b"12345"),
            Self::Echo => [1 << 10, 64 << 10, 1 << 20].into_iter().try_for_each(|length| echo(port, length)),
            Self::Stream => stream(port),
            Self::Missing => match get(port, "/nowhere")?.status {
                404 => Ok(()),
                status => Err(format!("status {status} for what is not there")),
            },
        }
    }
}

fn host(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn get(port: u16, path: &str) -> Result<Response, String> {
    let [response] = exchange(port, &request(&host(port), path, 0, false))?;
    Ok(response)
}

fn text(response: &Response, body: &[u8]) -> Result<(), String> {
    whole(response, "text/plain", body)
}

/// A complete answer with a length.
fn whole(response: &Response, kind: &str, body: &[u8]) -> Result<(), String> {
    if response.framing != Framing::Length {
        return Err("no Content-Length".to_owned());
    }
    good(response, kind, body)
}

/// What all answers have to have.
fn good(response: &Response, kind: &str, body: &[u8]) -> Result<(), String> {
    if response.status != 200 {
        return Err(format!("status {}", response.status));
    }
    date(response.field("date")?)?;
    if response.field("server")?.is_empty() {
        return Err("Server is empty".to_owned());
    }
    let found = response.field("content-type")?;
    if found.split(';').next() != Some(kind) {
        return Err(format!("Content-Type: {found}"));
    }
    if response.body != body {
        return Err(format!("a body of {} bytes is not the one of {}", response.body.len(), body.len()));
    }
    Ok(())
}

fn date(text: &str) -> Result<(), String> {
    let wrong = || format!("Date: {text}");
    let date = httpdate::parse_http_date(text).map_err(|_| wrong())?;
    let now = SystemTime::now();
    let off = now.duration_since(date).unwrap_or_else(|error| error.duration());
    // Of the three forms only the preferred one may be sent (RFC 9110 §5.6.7).
    if off > CLOCK || httpdate::fmt_http_date(date) != text { Err(wrong()) } else { Ok(()) }
}

fn pipeline(port: u16) -> Result<(), String> {
    const COUNT: usize = 32;
    let requests: Vec<u8> =
        (0..COUNT).flat_map(|id| request(&host(port), &format!("/users/{id}"), 0, false)).collect();
    let responses: [Response; COUNT] = exchange(port, &requests)?;
    responses.iter().enumerate().try_for_each(|(id, response)| text(response, id.to_string().as_bytes()))
}

fn echo(port: u16, length: usize) -> Result<(), String> {
    let mut request = request(&host(port), "/echo", length, false);
    let head = request.len() - length;
    // Bytes of which no two parts are alike, so that a mistake in their order shows.
    let body: Vec<u8> = (0..length).map(|at| (at * 7 + at / 251).to_le_bytes()[0]).collect();
    request[head..].copy_from_slice(&body);
    let [response] = exchange(port, &request)?;
    good(&response, "text/plain", &body).map_err(|why| format!("echo of {length} bytes: {why}"))
}

fn stream(port: u16) -> Result<(), String> {
    let response = get(port, "/stream")?;
    if response.framing != Framing::Chunked {
        return Err("not in chunks".to_owned());
    }
    good(&response, "text/plain", &common::CHUNK.repeat(CHUNKS))
}
