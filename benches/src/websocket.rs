//! WebSocket echo: in the core alone, and through driver and handler over a socket that is a buffer.

use std::hint::black_box;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sinew_app::{Response, Router, WebSocketUpgrade, get};
use sinew_proto::Instant;
use sinew_proto::websocket::{Config, Connection, Event, Message};
use sinew_runtime::{ConnectionConfig, Io, Job, Runtime, Serving, Shutdown};

/// Messages of one read.
pub(crate) const BATCH: usize = 32;

const NOW: Instant = Instant::from_nanos(0);

/// `BATCH` binary messages of `size` bytes, as a client sends them.
fn batch(size: usize) -> Vec<u8> {
    frames(BATCH, |client, out| {
        let payload: Vec<u8> = (0..size).map(|i| i.to_le_bytes()[0]).collect();
        client.send(Message::Binary(&payload), out).expect("an open connection");
    })
}

/// One text message of 64 KiB, most of it not ASCII.
fn text() -> Vec<u8> {
    let text: String = "αβγ日本語🦀 and ascii ".chars().cycle().take(33_000).collect();
    frames(1, |client, out| client.send(Message::Text(&text), out).expect("an open connection"))
}

fn frames(count: usize, mut send: impl FnMut(&mut Connection, &mut Vec<u8>)) -> Vec<u8> {
    let mut key = 0x37fa_213d_u32;
    let mask = Box::new(move || {
        key = key.rotate_left(7);
        key.to_be_bytes()
    });
    let mut client = Connection::client(&Config::default(), mask, NOW);
    let mut out = Vec::new();
    for _ in 0..count {
        send(&mut client, &mut out);
    }
    out
}

/// The core alone.
pub(crate) fn core(size: usize, times: u32) {
    let wire = batch(size);
    let mut server = Connection::server(&Config::default(), NOW);
    let (mut input, mut out) = (Vec::new(), Vec::new());
    for _ in 0..times {
        input.clear();
        input.extend_from_slice(&wire);
        out.clear();
        let (mut at, mut messages) = (0, 0);
        loop {
            let step = server.poll(&mut input[at..], NOW).expect("valid frames");
            at += step.consumed;
            match step.event {
                Event::Binary(payload) => {
                    messages += 1;
                    server.send(Message::Binary(&payload), &mut out).expect("an open connection");
                }
                Event::NeedInput => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((messages, black_box(&out).len()), (BATCH, wire.len() - 4 * BATCH));
    }
}

/// Driver, session and handler: each turn of the connection is one read and one write.
pub(crate) fn driver(size: usize, times: u32) {
    echo(batch(size), 4 * BATCH, times);
}

/// The same with a long text in each turn.
pub(crate) fn long_text(times: u32) {
    echo(text(), 4, times);
}

/// `masks`: the bytes of the wire that do not come back.
fn echo(wire: Vec<u8>, masks: usize, times: u32) {
    async fn handler(ws: WebSocketUpgrade) -> Response {
        ws.on_upgrade(|mut socket| async move {
            while let Ok(Some(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        })
    }
    let app = Router::new().route("/", get(handler));
    let serving = Serving::new(Still, app, ConnectionConfig::default(), Shutdown::new());
    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let expected = wire.len() - masks;
    let io = Buffer { first: Some(request.to_vec()), wire, ready: true, written: written.clone() };
    let mut connection = pin!(serving.connection(io, None));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(connection.as_mut().poll(&mut cx).is_pending());
    let mut total = written.load(std::sync::atomic::Ordering::Relaxed);
    for _ in 0..times {
        assert!(connection.as_mut().poll(&mut cx).is_pending());
        let now = written.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(now - total, expected);
        total = now;
    }
}

/// Gives the request, then one batch in each turn.
struct Buffer {
    first: Option<Vec<u8>>,
    wire: Vec<u8>,
    ready: bool,
    written: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Io for Buffer {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.ready, false) {
            self.ready = true;
            return Poll::Pending;
        }
        if let Some(first) = self.first.take() {
            buf[..first.len()].copy_from_slice(&first);
            return Poll::Ready(Ok(first.len()));
        }
        buf[..self.wire.len()].copy_from_slice(&self.wire);
        Poll::Ready(Ok(self.wire.len()))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.written.fetch_add(len, std::sync::atomic::Ordering::Relaxed);
        Poll::Ready(Ok(len))
    }

    fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A runtime in which no time passes.
#[derive(Clone)]
struct Still;

impl Runtime for Still {
    type Timer = ();

    fn now(&self) -> Instant {
        NOW
    }

    fn poll_timer(&self, (): &mut (), _: Instant, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn offload(&self, job: Job) -> Result<(), Job> {
        Err(job)
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}
