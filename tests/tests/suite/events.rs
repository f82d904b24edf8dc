//! Server-Sent Events over a real connection: when they arrive, and when they end.

use std::future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sinew_app::{Event, EventSender, Handle, LastEventId, Router, Sse, get};
use sinew_proto::sse::{Decoder, Limits};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, Flag, Running, eventually};
use smol::stream;

/// Less than the time a server gives what is in flight, and more than anything here takes.
const SOON: Duration = Duration::from_secs(4);

/// More than the buffers of the server and of two sockets together.
const BOUND: usize = 8 << 20;

/// An application that answers one request with that.
fn once(sse: Sse) -> Router {
    let sse = Arc::new(Mutex::new(Some(sse)));
    Router::new().route("/", get(move || future::ready(sse.lock().unwrap().take().expect("one request"))))
}

/// A stream whose head has arrived; its events are the test's to send.
fn begin<A: Adapter>(keep_alive: Duration) -> (Running, Client, EventSender) {
    let (sender, sse) = Sse::channel(1024);
    let server = A::start(once(sse.keep_alive(keep_alive)));
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    let head = client.head();
    assert_eq!((head.status, head.field("content-type")), (200, Some("text/event-stream")));
    assert_eq!(head.field("x-accel-buffering"), Some("no"));
    (server, client, sender)
}

pub(crate) fn they_arrive_one_by_one<A: Adapter>() {
    let (_server, mut client, sender) = begin::<A>(Duration::ZERO);
    let mut decoder = Decoder::new(&Limits::default());
    for i in 0..5 {
        client.quiet(Duration::from_millis(20));
        let event = Event::new().id(i.to_string()).and_then(|event| event.event("tick")).unwrap();
        sender.blocking_send(event.data("one\r\ntwo")).unwrap();
        let chunk = client.chunk();
        let message = decoder.poll(&chunk).unwrap().event.expect("a whole event");
        assert_eq!((message.event, message.data), ("tick", "one\ntwo"));
        assert_eq!(message.last_event_id, i.to_string());
    }
    // Without senders the response ends, and the connection does not.
    drop(sender);
    assert_eq!(client.chunk(), b"");
    client.send(raw::get("/nothing"));
    assert_eq!(client.response().status, 404);
}

pub(crate) fn comments_break_the_silence<A: Adapter>() {
    let pause = Duration::from_millis(100);
    let start = Instant::now();
    let (_server, mut client, sender) = begin::<A>(pause);
    for i in 1..=3 {
        assert_eq!(client.chunk(), b":\n");
        assert!(start.elapsed() >= pause * i, "{:?}", start.elapsed());
    }
    sender.blocking_send(Event::new().data("one")).unwrap();
    // One that was due just before may come first.
    let mut chunk = client.chunk();
    if chunk == b":\n" {
        chunk = client.chunk();
    }
    assert_eq!(chunk, b"data: one\n\n");
    assert_eq!(client.chunk(), b":\n");
}

pub(crate) fn the_last_event_id_is_read<A: Adapter>() {
    let app = Router::new().route("/", get(|LastEventId(id): LastEventId| async move { format!("{id:?}") }));
    let server = A::start(app);
    for (line, expected) in [
        (&b""[..], "None"),
        (b"Last-Event-ID: 41\r\n", "Some(\"41\")"),
        (b"last-event-id:\t a b \r\n", "Some(\"a b\")"),
        ("Last-Event-ID: …\r\n".as_bytes(), "Some(\"…\")"),
        (b"Last-Event-ID: \xff\r\n", "None"),
        (b"Last-Event-ID:\r\n", "None"),
    ] {
        let request = [b"GET / HTTP/1.1\r\nHost: test\r\n", line, b"\r\n"].concat();
        assert_eq!(raw::request(server.addr(), request).text(), expected, "{line:?}");
    }
}

/// Events as the stream has them, with something that tells when they are dropped.
fn until_dropped(dropped: &Flag, events: impl stream::Stream<Item = Event> + Send + 'static) -> Sse {
    let guard = dropped.on_drop();
    Sse::new(stream::StreamExt::map(events, move |event| {
        let _ = &guard;
        event
    }))
}

pub(crate) fn a_client_that_leaves_drops_the_stream<A: Adapter>() {
    let dropped = Flag::default();
    let events = stream::StreamExt::chain(stream::once(Event::new().data("one")), stream::pending());
    let server = A::start(once(until_dropped(&dropped, events)));
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    client.head();
    assert_eq!(client.chunk(), b"data: one\n\n");
    assert!(!dropped.is_set());
    client.reset();
    eventually("the stream is dropped", || dropped.is_set());
}

/// A client that ends its side properly may still be reading: that it is not shows when something is
/// sent to it.
pub(crate) fn a_client_that_vanishes_is_found_out<A: Adapter>() {
    let (_server, client, sender) = begin::<A>(Duration::from_millis(20));
    assert!(!sender.is_closed());
    drop(client);
    eventually("the sender learns of it", || sender.is_closed());
    assert!(sender.blocking_send(Event::new()).is_err());
}

pub(crate) fn a_client_that_does_not_read_stops_the_stream<A: Adapter>() {
    const SIZE: usize = 32 * 1024;
    let (made, dropped) = (Count::default(), Flag::default());
    let text = "x".repeat(SIZE);
    let events = stream::StreamExt::map(stream::repeat(()), {
        let made = made.clone();
        move |()| {
            made.add(SIZE);
            Event::new().data(text.clone())
        }
    });
    let server = A::start(once(until_dropped(&dropped, events)));
    let mut client = Client::with_small_buffers(server.addr());
    client.send(raw::get("/"));
    eventually("the stream begins", || made.now() > 0);
    let total = made.settled();
    assert!(total < BOUND, "{total} bytes were made for nobody");
    // The client reads on, and so does the stream.
    client.head();
    for _ in 0..=total / SIZE {
        assert_eq!(client.chunk().len(), SIZE + "data: \n\n".len());
    }
    assert!(made.now() > total);
    // It has to end although its output is stuck again.
    made.settled();
    client.reset();
    eventually("the stream is dropped", || dropped.is_set());
}

pub(crate) fn shutdown_ends_them_at_once<A: Adapter>() {
    let dropped = Flag::default();
    let server = A::start(Router::new().route("/", {
        let dropped = dropped.clone();
        get(move || {
            let one = stream::once(Event::new().data("one"));
            future::ready(until_dropped(&dropped, stream::StreamExt::chain(one, stream::pending())))
        })
    }));
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(server.addr())).collect();
    for client in &mut clients {
        client.send(raw::get("/"));
        client.head();
        assert_eq!(client.chunk(), b"data: one\n\n");
    }
    assert!(!dropped.is_set());
    let start = Instant::now();
    server.signal();
    for client in &mut clients {
        assert_eq!(client.chunk(), b"", "a proper end");
        client.end();
    }
    drop(clients);
    server.stop().unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(dropped.is_set());
}

pub(crate) fn a_handler_learns_of_the_shutdown<A: Adapter>() {
    let waiting = Count::default();
    let server = A::start(Router::new().route("/", {
        let waiting = waiting.clone();
        get(move |handle: Handle| {
            let waiting = waiting.clone();
            async move {
                let before = handle.is_draining();
                waiting.add(1);
                handle.draining().await;
                format!("{before} {}", handle.is_draining())
            }
        })
    }));
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/"));
    eventually("the handler waits", || waiting.now() == 1);
    client.quiet(Duration::from_millis(20));
    let start = Instant::now();
    server.signal();
    assert_eq!(client.response().text(), "false true");
    drop(client);
    server.stop().unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}
