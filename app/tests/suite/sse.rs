//! Server-Sent Events as a response, on a runtime whose time and end are the test's to give.

use std::future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_lite::future::block_on;
use futures_lite::stream::{self, Stream};
use sinew_app::{
    Body, BodyError, Closed, Event, EventError, Handle, Host, IntoResponse, LastEventId, Router, Sse, get,
};

use crate::{Answer, ask, request};

const SECOND: Duration = Duration::from_secs(1);

/// What the runtime was asked for, and what it has given.
#[derive(Debug, Default)]
struct State {
    /// One for each sleep that was begun: how long it is, and whether it is over.
    sleeps: Vec<(Duration, bool)>,
    drains: bool,
}

#[derive(Clone, Debug, Default)]
struct Clockwork(Arc<Mutex<State>>);

impl Clockwork {
    fn handle(&self) -> Handle {
        Handle::new(Arc::new(self.clone()))
    }

    /// The sleeps begun so far. All of them are over now.
    fn pass(&self) -> Vec<Duration> {
        let mut state = self.0.lock().unwrap();
        for sleep in &mut state.sleeps {
            sleep.1 = true;
        }
        state.sleeps.iter().map(|(duration, _)| *duration).collect()
    }

    fn drain(&self) {
        self.0.lock().unwrap().drains = true;
    }
}

type Signal = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Completes when it is so; who polls it polls on.
fn when(is_so: impl Fn() -> bool + Send + 'static) -> Signal {
    Box::pin(future::poll_fn(move |_| if is_so() { Poll::Ready(()) } else { Poll::Pending }))
}

impl Host for Clockwork {
    fn offload(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Box<dyn FnOnce() + Send>> {
        Err(job)
    }

    fn sleep(&self, duration: Duration) -> Signal {
        let mut state = self.0.lock().unwrap();
        let index = state.sleeps.len();
        state.sleeps.push((duration, false));
        let shared = self.0.clone();
        when(move || shared.lock().unwrap().sleeps[index].1)
    }

    fn draining(&self) -> Signal {
        let shared = self.0.clone();
        when(move || shared.lock().unwrap().drains)
    }

    fn is_draining(&self) -> bool {
        self.0.lock().unwrap().drains
    }
}

/// What a body gives when it is polled once: text, `end`, `error` or `pending`.
fn poll(body: &mut Body) -> String {
    match body.poll_chunk(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => "pending".to_owned(),
        Poll::Ready(None) => "end".to_owned(),
        Poll::Ready(Some(Err(error))) => format!("error: {error}"),
        Poll::Ready(Some(Ok(bytes))) => String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

fn body(sse: Sse, host: &Clockwork) -> Body {
    let (_, _, mut body) = sse.into_response().into_parts();
    body.attach(&host.handle());
    body
}

fn data(text: &'static str) -> Event {
    Event::new().data(text)
}

/// Never gives anything. Tells when it is dropped.
fn silence(alive: &Arc<()>) -> impl Stream<Item = Event> + use<> {
    stream::unfold(alive.clone(), |alive| async {
        future::pending::<()>().await;
        Some((data("never"), alive))
    })
}

#[test]
fn the_response() -> Result<(), EventError> {
    let events = [Event::new().retry(SECOND), data("one").id("1")?, data("a\nb").event("tick")?];
    let answer = Answer::of(Sse::new(stream::iter(events)).into_response());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("text/event-stream"));
    assert_eq!(answer.field("cache-control"), Some("no-cache"));
    assert_eq!(answer.field("x-accel-buffering"), Some("no"));
    assert_eq!(answer.field("content-length"), None);
    assert_eq!(answer.body, "retry: 1000\n\nid: 1\ndata: one\n\nevent: tick\ndata: a\ndata: b\n\n");
    // Those fields are defaults.
    let sse = Sse::new(stream::empty::<Event>());
    let answer = Answer::of(([("cache-control", "no-store")], sse).into_response());
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    Ok(())
}

#[test]
fn an_error_of_the_stream_is_one_of_the_body() {
    let events = stream::iter([Ok(data("one")), Err(io::Error::other("no more")), Ok(data("two"))]);
    let (_, _, mut body) = Sse::new(events).into_response().into_parts();
    assert_eq!(poll(&mut body), "data: one\n\n");
    assert_eq!(poll(&mut body), "error: no more");
    assert_eq!(poll(&mut body), "end");
    // Such as that of an event that cannot be written.
    let (_, _, mut body) = Sse::new(stream::once(data("one").id("1\n"))).into_response().into_parts();
    assert_eq!(poll(&mut body), "error: an event ID has neither line ends nor NUL");
}

#[test]
fn an_event_is_one_piece_as_soon_as_it_is_there() {
    let (sender, sse) = Sse::channel(1000);
    let mut body = body(sse, &Clockwork::default());
    assert_eq!(poll(&mut body), "pending");
    sender.blocking_send(data("one")).unwrap();
    sender.blocking_send(data("two")).unwrap();
    assert_eq!(poll(&mut body), "data: one\n\n");
    assert_eq!(poll(&mut body), "data: two\n\n");
    assert_eq!(poll(&mut body), "pending");
    assert_eq!(body.exact_len(), None);
}

#[test]
fn silence_is_broken_by_comments() {
    let host = Clockwork::default();
    let (sender, sse) = Sse::channel(1000);
    let mut body = body(sse.keep_alive(SECOND), &host);
    for asked in 1..4 {
        assert_eq!(poll(&mut body), "pending");
        assert_eq!(poll(&mut body), "pending");
        assert_eq!(host.pass(), vec![SECOND; asked]);
        assert_eq!(poll(&mut body), ":\n");
    }
    // An event begins the time anew.
    assert_eq!(poll(&mut body), "pending");
    sender.blocking_send(data("one")).unwrap();
    assert_eq!(host.pass().len(), 4);
    assert_eq!(poll(&mut body), "data: one\n\n");
    assert_eq!(poll(&mut body), "pending");
    assert_eq!(host.pass().len(), 5);
    assert_eq!(poll(&mut body), ":\n");
}

#[test]
fn the_time_between_comments() {
    let silent = || Sse::new(silence(&Arc::default()));
    let host = Clockwork::default();
    assert_eq!(poll(&mut body(silent(), &host)), "pending");
    assert_eq!(host.pass(), [Duration::from_secs(15)], "the default");

    let host = Clockwork::default();
    assert_eq!(poll(&mut body(silent().keep_alive(Duration::ZERO), &host)), "pending");
    assert_eq!(host.pass(), [], "off");

    // Without a driver nothing tells the time.
    let (_, _, mut body) = silent().into_response().into_parts();
    assert_eq!(poll(&mut body), "pending");
    body.attach(&Handle::default());
    assert_eq!(poll(&mut body), "pending");
}

#[test]
fn it_ends_with_the_server_and_drops_the_stream() {
    let host = Clockwork::default();
    let alive = Arc::new(());
    let mut silent = body(Sse::new(silence(&alive)), &host);
    let mut endless = body(Sse::new(stream::repeat(data("more"))), &host);
    let (sender, sse) = Sse::channel(10);
    let mut channel = body(sse, &host);
    assert_eq!(poll(&mut silent), "pending");
    assert_eq!(poll(&mut endless), "data: more\n\n");
    assert_eq!(poll(&mut channel), "pending");
    assert_eq!(Arc::strong_count(&alive), 2);
    assert!(!host.handle().is_draining());
    host.drain();
    assert!(host.handle().is_draining());
    for body in [&mut silent, &mut endless, &mut channel] {
        assert_eq!(poll(body), "end");
        assert_eq!(poll(body), "end");
    }
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(sender.blocking_send(data("late")), Err(Closed));
    // A body that begins afterwards has no event at all.
    assert_eq!(poll(&mut body(Sse::new(stream::repeat(data("more"))), &host)), "end");
}

#[test]
fn a_body_dropped_drops_the_stream() {
    let alive = Arc::new(());
    let mut body = body(Sse::new(silence(&alive)), &Clockwork::default());
    assert_eq!(poll(&mut body), "pending");
    drop(body);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_sender_waits_and_learns_of_the_end() {
    let (sender, sse) = Sse::channel(10);
    let mut body = body(sse, &Clockwork::default());
    let writer = {
        let sender = sender.clone();
        thread::spawn(move || {
            for i in 0..1000 {
                sender.blocking_send(Event::new().data(i.to_string()))?;
            }
            Ok::<(), Closed>(())
        })
    };
    let mut seen = 0;
    while seen < 1000 {
        let piece = block_on(body.chunk()).unwrap().unwrap();
        assert_eq!(piece, format!("data: {seen}\n\n"));
        seen += 1;
    }
    writer.join().unwrap().unwrap();
    // A clone is left: the response goes on.
    assert_eq!(poll(&mut body), "pending");
    assert!(!sender.is_closed());
    block_on(async {
        sender.send(data("0123456789")).await.unwrap();
        let mut full = Box::pin(sender.send(data("x")));
        assert!(futures_lite::future::poll_once(full.as_mut()).await.is_none(), "it waits at the limit");
        drop(body);
        assert_eq!(full.await, Err(Closed));
    });
    assert!(sender.is_closed());
}

/// Unlike a body, whose sender has to say that it is complete.
#[test]
fn without_senders_the_response_ends_well() {
    let (sender, sse) = Sse::channel(1000);
    let clone = sender.clone();
    sender.blocking_send(data("one")).unwrap();
    clone.blocking_send(data("two")).unwrap();
    drop((sender, clone));
    let (_, _, body) = sse.into_response().into_parts();
    let all: Vec<Result<_, BodyError>> = block_on(stream::StreamExt::collect(body));
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all, ["data: one\n\n", "data: two\n\n"]);
}

#[test]
fn the_last_event_id() {
    async fn show(LastEventId(id): LastEventId) -> String {
        format!("{id:?}")
    }
    let app: Router = Router::new().route("/", get(show));
    let shown = |fields: &[(&str, &str)]| ask(&app, request("GET", "/", fields, ())).body;
    assert_eq!(shown(&[]), "None");
    assert_eq!(shown(&[("last-event-id", "")]), "None");
    assert_eq!(shown(&[("Last-Event-ID", "42")]), "Some(\"42\")");
    assert_eq!(shown(&[("Last-Event-ID", "  two words…\t")]), "Some(\"two words…\")");
}

#[test]
fn a_detached_handle_never_drains() {
    let handle = Handle::default();
    assert!(!handle.is_draining());
    assert!(block_on(futures_lite::future::poll_once(handle.draining())).is_none());
    let host = Clockwork::default();
    host.drain();
    block_on(host.handle().draining());
}
