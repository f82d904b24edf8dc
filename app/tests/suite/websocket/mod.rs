//! A WebSocket as its driver sees it: bytes in, bytes out, and a clock that stands still.

mod client;
mod ends;
mod flow;
mod late;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::block_on;
use sinew_app::{Received, Request, Router, Service, Upgraded, WebSocket, WebSocketUpgrade, get};
use sinew_proto::{Instant, SendQueue};

/// Counts how often it is woken, and unparks the thread that made it.
struct Task(AtomicUsize, Thread);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.unpark();
    }
}

impl Task {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0), thread::current()))
    }

    /// Whether it was woken since the last time.
    fn take(&self) -> bool {
        self.0.swap(0, Ordering::SeqCst) > 0
    }
}

/// A driver without a socket.
struct Driver {
    protocol: Box<dyn Upgraded>,
    /// Received and not consumed.
    input: Vec<u8>,
    output: SendQueue<Bytes>,
    /// How much more the peer takes.
    room: usize,
    /// What the peer got.
    peer: VecDeque<u8>,
    now: Instant,
    task: Arc<Task>,
}

const FAR: usize = usize::MAX;

impl Driver {
    /// A connection whose handler is `f`.
    fn open<C, F, Fut>(terms: C, f: F) -> Self
    where
        C: Fn(WebSocketUpgrade) -> WebSocketUpgrade + Clone + Send + Sync + 'static,
        F: Fn(WebSocket) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let open = move |ws: WebSocketUpgrade| {
            let (terms, f) = (terms.clone(), f.clone());
            async move { terms(ws).on_upgrade(f) }
        };
        let app: Router = Router::new().route("/", get(open));
        let fields = [
            ("host", "test"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let request = Request::build("GET", "/", fields, "").expect("a valid request");
        let mut response = block_on(app.call(request));
        assert_eq!(response.status().as_u16(), 101);
        let now = Instant::from_nanos(1_000_000_000);
        Self {
            protocol: response.take_upgrade().expect("an upgrade").begin(now),
            input: Vec::new(),
            output: SendQueue::new(),
            room: FAR,
            peer: VecDeque::new(),
            now,
            task: Task::new(),
        }
    }

    /// A connection whose socket is held by the test.
    fn with_socket(
        terms: impl Fn(WebSocketUpgrade) -> WebSocketUpgrade + Clone + Send + Sync + 'static,
    ) -> (Self, WebSocket) {
        let (give, take) = mpsc::channel();
        let mut driver = Self::open(terms, move |socket| {
            give.send(socket).expect("the test takes it");
            async {}
        });
        driver.turn();
        let socket = take.try_recv().expect("the handler was called");
        (driver, socket)
    }

    /// One turn, as the driver of a connection makes it.
    fn turn(&mut self) {
        self.protocol.handle_timeout(self.now);
        loop {
            let waker = Waker::from(self.task.clone());
            let end = self.input.len();
            let input = Received { buffer: &mut self.input, start: 0, end };
            let mut cx = Context::from_waker(&waker);
            let consumed = self.protocol.poll(&mut cx, input, &mut self.output, self.now);
            self.input.drain(..consumed);
            if !self.write() {
                return;
            }
        }
    }

    /// Writes what the peer takes. Returns whether there is more to do.
    fn write(&mut self) -> bool {
        let all: Vec<u8> = self.output.slices().flatten().copied().collect();
        let taken = all.len().min(self.room);
        self.peer.extend(&all[..taken]);
        self.output.consume(taken);
        self.room -= if self.room == FAR { 0 } else { taken };
        self.protocol.written(taken > 0, self.output.len(), self.now)
    }

    fn receive(&mut self, frames: impl AsRef<[u8]>) {
        self.input.extend_from_slice(frames.as_ref());
        self.turn();
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        self.turn();
    }

    /// How long until the next deadline.
    fn due(&mut self) -> Option<Duration> {
        let now = self.now;
        self.protocol.poll_timeout().map(|at| Duration::from_nanos(at.as_nanos() - now.as_nanos()))
    }

    /// The next frame that the peer got: its opcode and payload.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, second) = (self.peer.pop_front()?, self.peer.pop_front()?);
        let extended = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let len = self.peer.drain(..extended).fold(0, |len, byte| len << 8 | usize::from(byte));
        let len = if extended == 0 { usize::from(second) } else { len };
        assert_eq!(first & 0x80, 0x80);
        Some((first & 0x0f, self.peer.drain(..len).collect()))
    }
}

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame of a client, with a key of zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ 0..=125), _) => bytes.push(0x80 | len),
        (_, Ok(len)) => {
            bytes.push(0xfe);
            bytes.extend(len.to_be_bytes());
        }
        _ => {
            bytes.push(0xff);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn text(text: &str) -> (u8, Vec<u8>) {
    (TEXT, text.as_bytes().to_vec())
}

fn close(code: u16) -> Vec<u8> {
    code.to_be_bytes().to_vec()
}

/// Polls once, with a task that tells when it is woken.
fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>, task: &Arc<Task>) -> Poll<T> {
    let waker = Waker::from(task.clone());
    future.poll(&mut Context::from_waker(&waker))
}
