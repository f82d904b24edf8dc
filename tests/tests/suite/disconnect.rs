//! A client that goes while its request is at work: who learns of it, and what becomes of the handler.

use std::future;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Body, BodyError, Disconnect, Gone, Router, blocking, get, post};
use sinew_runtime::{ConnectionConfig, OnDisconnect};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, Flag, Gate, Running, SetOnDrop, eventually};
use smol::stream;

/// Less than the time a server gives what is in flight, and more than anything here takes.
const SOON: Duration = Duration::from_secs(4);

/// Long enough to see that nothing happens.
const A_WHILE: Duration = Duration::from_millis(100);

fn start<A: Adapter>(app: Router, on_disconnect: OnDisconnect) -> Running {
    A::start_with(app, ConnectionConfig { on_disconnect, ..ConnectionConfig::default() }, SOON)
}

/// What was told, in order.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<Gone>>>);

impl Told {
    /// Has a thread wait for `disconnect`, and then for the end of the exchange.
    fn watch(&self, disconnect: Disconnect) {
        let told = self.clone();
        thread::spawn(move || {
            for gone in [smol::block_on(async { (&disconnect).await }), smol::block_on(disconnect.lost())] {
                told.0.lock().unwrap().push(gone);
            }
        });
    }

    fn now(&self) -> Vec<Gone> {
        self.0.lock().unwrap().clone()
    }

    fn becomes(&self, expected: &[Gone]) {
        eventually("what is told", || self.now().len() >= expected.len());
        assert_eq!(self.now(), expected);
    }
}

/// A handler that never ends by itself, and how it fares.
#[derive(Clone, Debug, Default)]
struct Endless {
    started: Count,
    dropped: Flag,
    told: Told,
    /// Opened, it ends after all.
    gate: Gate,
    /// It came to its end.
    finished: Flag,
}

impl Endless {
    async fn run(self, disconnect: Disconnect) -> &'static str {
        let _guard: SetOnDrop = self.dropped.on_drop();
        self.told.watch(disconnect);
        self.started.add(1);
        self.gate.passed().await;
        self.finished.set();
        "finished"
    }

    fn app(&self) -> Router {
        let (this, body) = (self.clone(), self.clone());
        Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/endless", get(move |disconnect| this.clone().run(disconnect)))
            .route(
                "/body",
                post(move |disconnect, kept: Body| {
                    let this = body.clone();
                    async move {
                        let answer = this.run(disconnect).await;
                        drop(kept);
                        answer
                    }
                }),
            )
    }

    fn started(&self) {
        eventually("the handler is at work", || self.started.now() == 1);
    }

    fn dropped_soon(&self) {
        let start = Instant::now();
        eventually("the handler is dropped", || self.dropped.is_set());
        assert!(start.elapsed() < SOON, "after {:?}", start.elapsed());
        assert!(!self.finished.is_set());
    }
}

pub(crate) fn a_reset_is_told<A: Adapter>() {
    let handler = Endless::default();
    let server = start::<A>(handler.app(), OnDisconnect::default());
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/endless"));
    handler.started();
    thread::sleep(A_WHILE);
    assert_eq!(handler.told.now(), []);
    client.reset();
    handler.told.becomes(&[Gone::Lost, Gone::Lost]);
    handler.dropped_soon();
}

/// It may still read, so it is answered, and the handler decides what to do about it.
pub(crate) fn an_end_is_told_and_answered<A: Adapter>() {
    let told = Told::default();
    let app = Router::new().route("/", {
        let told = told.clone();
        get(move |disconnect: Disconnect| async move {
            told.watch(disconnect.clone());
            let gone = (&disconnect).await;
            assert!(disconnect.is_gone() && !disconnect.is_lost());
            format!("{gone:?}")
        })
    });
    let server = start::<A>(app, OnDisconnect::default());
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/") + &raw::get("/"));
    client.quiet(A_WHILE);
    client.finish();
    for _ in 0..2 {
        assert_eq!(client.response().text(), "Ended");
    }
    client.end();
    // The thread may come too late for the first of the two.
    eventually("both are told", || told.now().len() == 4);
    assert!(!told.now().contains(&Gone::Lost));
}

/// A token that somebody keeps tells of its own request, not of the next on the connection.
pub(crate) fn an_answer_settles_it<A: Adapter>() {
    let kept: Arc<Mutex<Vec<Disconnect>>> = Arc::default();
    let app = Router::new().route("/", {
        let kept = kept.clone();
        get(move |disconnect: Disconnect| async move {
            let before = disconnect.gone();
            kept.lock().unwrap().push(disconnect);
            format!("{before:?}")
        })
    });
    let server = start::<A>(app, OnDisconnect::default());
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        client.send(raw::get("/"));
        assert_eq!(client.response().text(), "None");
    }
    client.reset();
    let gone: Vec<_> = kept.lock().unwrap().iter().map(Disconnect::gone).collect();
    assert_eq!(gone, [Some(Gone::Answered); 3]);
}

pub(crate) fn a_blocking_handler_may_ask<A: Adapter>() {
    let (started, left) = (Count::default(), Flag::default());
    let app = Router::new().route("/", {
        let (started, left) = (started.clone(), left.clone());
        blocking::get(move |disconnect: Disconnect| {
            started.add(1);
            while !disconnect.is_lost() {
                thread::sleep(Duration::from_millis(1));
            }
            left.set();
        })
    });
    let server = start::<A>(app, OnDisconnect::default());
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    eventually("the handler is at work", || started.now() == 1);
    client.reset();
    eventually("the thread is free", || left.is_set());
}

/// No byte is read from such a client: it is found out all the same, within a second or so.
pub(crate) fn a_reset_behind_unread_requests_is_told<A: Adapter>() {
    let handler = Endless::default();
    let server = start::<A>(handler.app(), OnDisconnect::default());
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/endless"));
    handler.started();
    // More than is read ahead, and read on in steps: whatever one read takes, the next is not made.
    for _ in 0..8 {
        client.send(raw::get("/").repeat(500));
        thread::sleep(Duration::from_millis(10));
    }
    client.reset();
    handler.told.becomes(&[Gone::Lost, Gone::Lost]);
    handler.dropped_soon();
}

/// The body stays where it is, because its handler does not read: the reset comes behind it.
pub(crate) fn a_reset_behind_an_unread_body_is_told<A: Adapter>() {
    let handler = Endless::default();
    let server = start::<A>(handler.app(), OnDisconnect::default());
    let mut client = Client::connect(server.addr());
    client.send("POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n");
    client.send_until_stuck();
    handler.started();
    client.reset();
    handler.told.becomes(&[Gone::Lost, Gone::Lost]);
    handler.dropped_soon();
}

/// The same where the body was dropped: nobody will ever read it.
pub(crate) fn a_reset_behind_a_dropped_body_is_told<A: Adapter>() {
    let handler = Endless::default();
    let app = Router::new().route("/", {
        let handler = handler.clone();
        post(move |disconnect: Disconnect| handler.clone().run(disconnect))
    });
    let server = start::<A>(app, OnDisconnect::default());
    let mut client = Client::connect(server.addr());
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n");
    client.send_until_stuck();
    handler.started();
    client.reset();
    handler.told.becomes(&[Gone::Lost, Gone::Lost]);
    handler.dropped_soon();
}

/// An end behind bytes that nobody reads is not seen: the request is answered.
pub(crate) fn an_end_behind_an_unread_body_is_not_seen<A: Adapter>() {
    let handler = Endless::default();
    let server = start::<A>(handler.app(), OnDisconnect::CancelWhenEnded);
    let mut client = Client::connect(server.addr());
    client.send(raw::post("/body", vec![b'x'; 1 << 20]));
    handler.started();
    client.finish();
    thread::sleep(A_WHILE * 2);
    assert_eq!((handler.told.now(), handler.dropped.is_set()), (vec![], false));
    handler.gate.open();
    assert_eq!(client.response().text(), "finished");
}

pub(crate) fn cancelled_at_an_end_if_asked_to<A: Adapter>() {
    let handler = Endless::default();
    let server = start::<A>(handler.app(), OnDisconnect::CancelWhenEnded);
    let mut client = Client::connect(server.addr());
    // What was answered before arrives, what would come after does not begin.
    client.send(raw::get("/") + &raw::get("/endless") + &raw::get("/"));
    handler.started();
    client.finish();
    assert_eq!(client.response().text(), "hello");
    client.end();
    handler.told.becomes(&[Gone::Lost, Gone::Lost]);
    handler.dropped_soon();
}

/// A response body on its way goes as well, and does not look complete.
pub(crate) fn a_stream_is_cancelled_at_an_end_if_asked_to<A: Adapter>() {
    let dropped = Flag::default();
    let app = Router::new().route("/", {
        let dropped = dropped.clone();
        get(move || {
            let body = stream::unfold((true, dropped.on_drop()), |(first, guard)| async move {
                if !first {
                    future::pending::<()>().await;
                }
                Some((Ok::<_, BodyError>("piece"), (false, guard)))
            });
            async { Body::from_stream(body) }
        })
    });
    let server = start::<A>(app, OnDisconnect::CancelWhenEnded);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk(), b"piece");
    client.finish();
    let (rest, _) = client.rest();
    assert_eq!(rest, b"");
    eventually("the body is dropped", || dropped.is_set());
}

pub(crate) fn it_finishes_if_asked_to<A: Adapter>() {
    let handler = Endless::default();
    let server = start::<A>(handler.app(), OnDisconnect::Finish);
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/endless"));
    handler.started();
    client.reset();
    handler.told.becomes(&[Gone::Lost, Gone::Lost]);
    assert!(!handler.dropped.is_set());
    // A graceful shutdown waits for it.
    server.signal();
    thread::sleep(A_WHILE);
    assert!(!handler.dropped.is_set());
    handler.gate.open();
    server.stop().unwrap();
    assert!(handler.finished.is_set());
}

/// A client that breaks a rule does not cut a handler short either, and is answered at once.
pub(crate) fn it_finishes_after_a_broken_body<A: Adapter>() {
    let handler = Endless::default();
    let server = start::<A>(handler.app(), OnDisconnect::Finish);
    let mut client = Client::connect(server.addr());
    client.send("POST /body HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    handler.started();
    client.send("no chunk\r\n");
    assert_eq!(client.response().status, 400);
    client.end();
    handler.told.becomes(&[Gone::Lost, Gone::Lost]);
    assert!(!handler.dropped.is_set());
    handler.gate.open();
    eventually("it finishes", || handler.finished.is_set());
}

/// It has the drain timeout and no longer.
pub(crate) fn it_does_not_finish_after_the_drain_timeout<A: Adapter>() {
    let handler = Endless::default();
    let config = ConnectionConfig { on_disconnect: OnDisconnect::Finish, ..ConnectionConfig::default() };
    let server = A::start_with(handler.app(), config, Duration::from_millis(200));
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/endless"));
    handler.started();
    client.reset();
    handler.told.becomes(&[Gone::Lost, Gone::Lost]);
    server.stop().unwrap();
    handler.dropped_soon();
}
