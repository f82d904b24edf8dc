//! What a request allocates on its way through driver, router and handler. `docs/performance.md` has
//! these numbers for those who write handlers.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use sinew_app::{
    Body, Bytes, Headers, IntoResponse, Path, Request, ResponseFuture, Router, Service, State, get, post,
};
use sinew_proto::Instant;
use sinew_runtime::{ConnectionConfig, Io, Job, Runtime, Serving, Shutdown};

/// A client that sends the same in each turn, and takes every answer.
struct Client {
    request: Vec<u8>,
    sent: bool,
    answered: Arc<AtomicU64>,
}

impl Io for Client {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.sent = !self.sent;
        if !self.sent {
            return Poll::Pending;
        }
        buf[..self.request.len()].copy_from_slice(&self.request);
        Poll::Ready(Ok(self.request.len()))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        assert!(bufs[0].starts_with(b"HTTP/1.1 200 OK\r\n"));
        self.answered.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
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
        Instant::from_nanos(0)
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

/// How many allocations each of a thousand such requests makes, once the first few were answered.
fn allocations(app: impl Service, request: &str) -> u64 {
    const TIMES: u64 = 1_000;

    let answered = Arc::new(AtomicU64::new(0));
    let client = Client { request: request.as_bytes().to_vec(), sent: false, answered: answered.clone() };
    let serving = Serving::new(Still, app, ConnectionConfig::default(), Shutdown::new());
    let mut connection = Box::pin(serving.connection(client, None));
    let mut turn = || {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(connection.as_mut().poll(&mut cx).is_pending());
    };
    for _ in 0..3 {
        turn();
    }
    let counted = measure(|| (0..TIMES).for_each(|_| turn())).count_total;
    assert_eq!(answered.load(Ordering::Relaxed), TIMES + 3);
    assert_eq!(counted % TIMES, 0, "{counted} in {TIMES} requests");
    counted / TIMES
}

fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nUser-Agent: test\r\n\r\n")
}

/// A response without a future.
struct AtOnce;

impl Service for AtOnce {
    fn call(&self, _: Request) -> ResponseFuture {
        "hello".into_response().into()
    }
}

#[test]
fn what_handlers_cost() {
    assert_eq!(allocations(AtOnce, &get_request("/")), 0, "a service that answers at once");

    let app = Router::new()
        .route("/text", get(|| async { ([("server", "test")], "hello") }))
        .route("/string", get(|| async { String::from("hello") }))
        .route("/shared", get(|State(shared): State<Bytes>| async { shared }))
        .route("/user/{id}", get(|Path(id): Path<u64>| async move { if id == 7 { "seven" } else { "" } }))
        .route("/name/{name}", get(|Path(name): Path<String>| async { name }))
        .route("/fields", get(|headers: Headers| async move { headers.contains("accept").to_string() }))
        .route("/echo", post(|body: Body| async { body }))
        .with_state(Bytes::from_static(b"hello"));
    for (path, expected) in [
        // The future of the handler.
        ("/text", 1),
        // Its text, too.
        ("/string", 2),
        ("/shared", 1),
        // What a placeholder stands for.
        ("/user/7", 2),
        ("/name/seven", 3),
        // A copy of all fields, and the text.
        ("/fields", 3),
    ] {
        assert_eq!(allocations(app.clone(), &get_request(path)), expected, "{path}");
    }
    let echo = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    // The body.
    assert_eq!(allocations(app, echo), 2, "/echo");
}
