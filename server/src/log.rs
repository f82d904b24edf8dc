//! Lines on stderr.
//!
//! A thread writes them. Event loops only hand them over and never wait: a terminal that was
//! stopped with Ctrl-S, or a pipe that nobody reads, costs lines and not the service. Nothing a
//! client sends can put a control character into a line.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use crate::time::Seconds;

/// Lines that may wait to be written.
const QUEUE: usize = 4096;

/// Bytes that are collected for one write.
const BATCH: usize = 64 * 1024;

/// Where lines go. Clones write to the same place.
#[derive(Clone, Debug)]
pub(crate) struct Log(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    sender: SyncSender<Message>,
    requests: bool,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(String),
    /// Everything before is written when the other end of this is told.
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts the thread. `requests` is whether there is a line for each request.
    pub(crate) fn to_stderr(requests: bool) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let lost_too = lost.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&receiver, &lost_too))?;
        Ok(Self(Some(Arc::new(Shared { sender, requests, lost }))))
    }

    /// A log that nobody writes.
    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// Whether lines for requests are wanted at all.
    pub(crate) fn wants_requests(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.requests)
    }

    /// A line for a request: `TIME` and what [`RequestLine`] says.
    pub(crate) fn request(&self, line: &RequestLine<'_>) {
        if self.wants_requests() {
            self.send(&line.to_string());
        }
    }

    /// A line for what the operator should know, also with `--quiet`.
    pub(crate) fn problem(&self, text: &str) {
        self.send(&clean(text));
    }

    fn send(&self, text: &str) {
        let Some(shared) = &self.0 else { return };
        let line = format!("{} {text}\n", Seconds::of(SystemTime::now()));
        if shared.sender.try_send(Message::Line(line)).is_err() {
            shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the lines so far are written, or for a second.
    pub(crate) fn flush(&self) {
        let Some(shared) = &self.0 else { return };
        let deadline = Instant::now() + Duration::from_secs(1);
        let (done, written) = sync_channel(1);
        let mut message = Message::Flush(done);
        while let Err(TrySendError::Full(back)) = shared.sender.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
            message = back;
        }
        let _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// What is told of a request.
#[derive(Debug, Default)]
pub(crate) struct RequestLine<'a> {
    pub(crate) client: &'a str,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) status: Option<u16>,
    /// Of the body.
    pub(crate) bytes: Option<u64>,
    pub(crate) took: Option<Duration>,
    /// A sentence, if it was refused.
    pub(crate) reason: &'a str,
}

impl std::fmt::Display for RequestLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for text in [self.client, self.method, self.target] {
            write!(f, "{} ", if text.is_empty() { "-".to_owned() } else { clean(text) })?;
        }
        match self.status {
            Some(status) => write!(f, "{status} ")?,
            None => f.write_str("- ")?,
        }
        match self.bytes {
            Some(bytes) => write!(f, "{bytes} ")?,
            None => f.write_str("- ")?,
        }
        match self.took {
            Some(took) => write!(f, "{:.1}ms", took.as_secs_f64() * 1000.0)?,
            None => f.write_str("-")?,
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, " {}", clean(self.reason)) }
    }
}

/// Text of a stranger, with everything but printable ASCII escaped: no terminal can be told what to
/// do.
fn clean(text: &str) -> String {
    escape(text, |character| matches!(character, ' '..='~'))
}

/// Text of the user's own, with control characters escaped.
pub(crate) fn printable(text: &str) -> String {
    escape(text, |character| !character.is_control())
}

fn escape(text: &str, may_stand: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if may_stand(character) {
            escaped.push(character);
        } else {
            let _ = write!(escaped, "{}", character.escape_default());
        }
    }
    escaped
}

fn write_lines(receiver: &Receiver<Message>, lost: &AtomicU64) {
    let mut batch = String::new();
    while let Ok(message) = receiver.recv() {
        let mut flushed = None;
        let mut next = Some(message);
        while let Some(message) = next.take() {
            match message {
                Message::Line(line) => batch.push_str(&line),
                Message::Flush(done) => flushed = Some(done),
            }
            if flushed.is_none() && batch.len() < BATCH {
                next = receiver.try_recv().ok();
            }
        }
        let lines = lost.swap(0, Ordering::Relaxed);
        if lines > 0 {
            let _ = writeln!(batch, "{} {lines} lines were lost", Seconds::of(SystemTime::now()));
        }
        // Nobody may be reading any more. That is no reason to stop serving.
        let _ = std::io::stderr().write_all(batch.as_bytes());
        batch.clear();
        if let Some(done) = flushed {
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_asked_for_what_and_what_came_of_it() {
        let line = RequestLine {
            client: "127.0.0.1:5000",
            method: "GET",
            target: "/a?b",
            status: Some(200),
            bytes: Some(12),
            took: Some(Duration::from_micros(340)),
            reason: "",
        };
        assert_eq!(line.to_string(), "127.0.0.1:5000 GET /a?b 200 12 0.3ms");
        let refused = RequestLine { status: Some(400), reason: "no", ..RequestLine::default() };
        assert_eq!(refused.to_string(), "- - - 400 - - no");
    }

    #[test]
    fn no_control_character_gets_in() {
        let line =
            RequestLine { method: "A\x1b[2J", target: "/\r\nx\u{202e}\u{9b}é", ..RequestLine::default() };
        assert_eq!(line.to_string(), "- A\\u{1b}[2J /\\r\\nx\\u{202e}\\u{9b}\\u{e9} - - -");
    }
}
