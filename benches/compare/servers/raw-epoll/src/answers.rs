//! Canned answers. All that changes in them is the date, once a second.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{CHUNK, CHUNKS, HELLO, json};

/// Says when a second is over. A thread of its own looks at the clock, so that the loop need not.
#[derive(Debug)]
pub(crate) struct Second(Arc<AtomicBool>);

impl Second {
    pub(crate) fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::downgrade(&over);
        thread::spawn(move || {
            while let Some(over) = flag.upgrade() {
                over.store(true, Ordering::Relaxed);
                thread::sleep(Duration::from_secs(1));
            }
        });
        Self(over)
    }

    /// Whether one is over since this was asked last.
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

/// The answers of this second.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) plain: Vec<u8>,
    pub(crate) json: Vec<u8>,
    pub(crate) stream: Vec<u8>,
    pub(crate) missing: Vec<u8>,
    /// What precedes the digits of a length.
    sized: Vec<u8>,
}

impl Answers {
    pub(crate) fn now() -> Self {
        let head = |status: &str, kind: &str, framing: &str| {
            let date = httpdate::fmt_http_date(SystemTime::now());
            format!("HTTP/1.1 {status}\r\nServer: raw\r\nDate: {date}\r\nContent-Type: {kind}\r\n{framing}")
                .into_bytes()
        };
        let whole = |status: &str, kind: &str, body: &[u8]| {
            let mut answer = head(status, kind, &format!("Content-Length: {}\r\n\r\n", body.len()));
            answer.extend_from_slice(body);
            answer
        };
        let mut stream = head("200 OK", "text/plain", "Transfer-Encoding: chunked\r\n\r\n");
        for _ in 0..CHUNKS {
            stream.extend_from_slice(b"400\r\n");
            stream.extend_from_slice(&CHUNK);
            stream.extend_from_slice(b"\r\n");
        }
        stream.extend_from_slice(b"0\r\n\r\n");
        Self {
            plain: whole("200 OK", "text/plain", HELLO.as_bytes()),
            json: whole("200 OK", "application/json", &json()),
            stream,
            missing: whole("404 Not Found", "text/plain", b""),
            sized: head("200 OK", "text/plain", "Content-Length: "),
        }
    }

    /// The head of a text of that many bytes.
    pub(crate) fn sized(&self, length: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sized);
        // A vector takes everything.
        let _ = write!(out, "{length}\r\n\r\n");
    }
}
