//! Server-Sent Events (HTML standard, section 9.2): a stream of events as a response.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use sinew_proto::sse::{EventError, KEEP_ALIVE, MEDIA_TYPE};

use crate::into_response::{ContentType, content_type_line, typed};
use crate::pipe::{self, pipe};
use crate::{Body, BodyError, Closed, FromRequestParts, Handle, IntoResponse, Parts, Response};

static EVENTS: ContentType = content_type_line!(MEDIA_TYPE);

/// An event to send: see [`sinew_proto::sse::Event`].
pub type Event = sinew_proto::sse::Event<'static>;

/// How long a stream is quiet before a comment is sent, unless [`Sse::keep_alive`] says otherwise.
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A response of events, each sent as soon as it is there.
///
/// As a response it is `200 OK` with
/// - `content-type: text/event-stream`;
/// - `cache-control: no-cache`, because what happened once must not be told again by a cache;
/// - `x-accel-buffering: no`: nginx, and what has learned it from there, would otherwise collect the
///   answers of the servers behind it, and an event would arrive with the next few kilobytes.
///
/// The stream is polled only while the client takes what it gives, and is dropped when
/// - it ends: then the response ends, and the client connects again unless it was told not to;
/// - the client is gone, or the server ends for good;
/// - the server drains: the response ends properly and at once, so that a stream without end does not
///   hold up a restart. The client comes back with the ID of the last event that it has seen
///   ([`LastEventId`]). To say a last word, wait for [`Handle::draining`] in a body of your own.
///
/// Keep-alives and the end with the server come from the driver. In a test without one there are
/// neither; nor when a middleware wraps the body and does not hand on [`Body::attach`].
///
/// ```
/// use std::time::Duration;
/// use futures_lite::stream::{self, Stream};
/// use sinew_app::{get, Event, EventError, Handle, LastEventId, Router, Sse};
///
/// async fn ticks(handle: Handle, LastEventId(last): LastEventId) -> Sse {
///     let next = last.and_then(|id| id.parse::<u32>().ok()).map_or(1, |id| u64::from(id) + 1);
///     Sse::new(stream::unfold(next, move |n| {
///         let handle = handle.clone();
///         async move {
///             handle.sleep(Duration::from_secs(1)).await;
///             let event = Event::new().data("tick").id(n.to_string()).expect("digits");
///             Some((event, n + 1))
///         }
///     }))
/// }
///
/// let app: Router = Router::new().route("/ticks", get(ticks));
/// ```
#[must_use = "a response has to be returned"]
pub struct Sse {
    events: Events,
    keep_alive: Duration,
}

/// Encoded events.
type Events = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

impl Sse {
    /// A response from a stream of [`Event`], or of `Result<Event, E>` where `E` is a [`BodyError`] or
    /// becomes one. An error breaks the connection off; the client connects again.
    pub fn new<S>(events: S) -> Self
    where
        S: Stream + Send + 'static,
        S::Item: IntoEvent,
    {
        Self::from_encoded(Encoded(Box::pin(events)))
    }

    /// A response and the sender that fills it, from other tasks or from threads. A sender waits while
    /// `limit` bytes or more are on their way. When the last clone of the sender is dropped the
    /// response ends.
    ///
    /// ```
    /// use sinew_app::{blocking, Closed, Event, Router, Sse};
    ///
    /// fn count() -> Sse {
    ///     let (sender, sse) = Sse::channel(16 * 1024);
    ///     std::thread::spawn(move || {
    ///         for i in 0..3 {
    ///             sender.blocking_send(Event::new().data(format!("{i}")))?;
    ///         }
    ///         Ok::<(), Closed>(())
    ///     });
    ///     sse
    /// }
    ///
    /// let app: Router = Router::new().route("/count", blocking::get(count));
    /// ```
    pub fn channel(limit: usize) -> (EventSender, Self) {
        let (sender, receiver) = pipe(limit);
        (EventSender(Arc::new(Ending(sender))), Self::from_encoded(Received(receiver)))
    }

    fn from_encoded(events: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static) -> Self {
        Self { events: Box::pin(events), keep_alive: DEFAULT_KEEP_ALIVE }
    }

    /// How long no event is sent before a comment is, which clients skip: so that nothing on the way
    /// takes the connection for dead, and a client that vanished without a word is found out. Zero is
    /// off. Default 15 s, as the standard advises (9.2.7).
    pub fn keep_alive(self, quiet: Duration) -> Self {
        Self { keep_alive: quiet, ..self }
    }
}

impl fmt::Debug for Sse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse").field("keep_alive", &self.keep_alive).finish_non_exhaustive()
    }
}

impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        let mut response = typed(&EVENTS, Body::from_events(EventBody::new(self)));
        for (name, value) in [("cache-control", "no-cache"), ("x-accel-buffering", "no")] {
            let set = response.headers_mut().append(name, value);
            debug_assert!(set.is_ok(), "{name}");
        }
        response
    }
}

/// What a stream for [`Sse::new`] may consist of.
pub trait IntoEvent {
    /// The event, or why there will be no more.
    ///
    /// # Errors
    /// A [`BodyError`], which breaks the response off.
    fn into_event(self) -> Result<Event, BodyError>;
}

impl IntoEvent for Event {
    fn into_event(self) -> Result<Event, BodyError> {
        Ok(self)
    }
}

impl<E: Into<BodyError>> IntoEvent for Result<Event, E> {
    fn into_event(self) -> Result<Event, BodyError> {
        self.map_err(Into::into)
    }
}

impl From<EventError> for BodyError {
    fn from(error: EventError) -> Self {
        Self::other(error)
    }
}

impl From<Infallible> for BodyError {
    fn from(error: Infallible) -> Self {
        match error {}
    }
}

fn encode(event: &Event) -> Bytes {
    let mut bytes = Vec::new();
    event.write(&mut bytes);
    bytes.into()
}

/// A stream of events as bytes.
struct Encoded<S>(Pin<Box<S>>);

impl<S: Stream<Item: IntoEvent>> Stream for Encoded<S> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.0.as_mut().poll_next(cx));
        Poll::Ready(item.map(|item| item.into_event().map(|event| encode(&event))))
    }
}

struct Received(pipe::Receiver);

impl Stream for Received {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx)
    }
}

/// Fills a [`Sse::channel`].
#[derive(Clone, Debug)]
pub struct EventSender(Arc<Ending>);

impl EventSender {
    /// Sends an event, once there is room for it.
    ///
    /// # Errors
    /// [`Closed`] if nobody takes events any more: the client is gone, or the server drains.
    pub async fn send(&self, event: Event) -> Result<(), Closed> {
        std::future::poll_fn(|cx| self.0.0.poll_ready(cx)).await?;
        self.0.0.push(encode(&event))
    }

    /// The same from a thread that may block.
    ///
    /// # Errors
    /// [`Closed`] if nobody takes events any more.
    pub fn blocking_send(&self, event: Event) -> Result<(), Closed> {
        crate::blocking::block_on(self.send(event))
    }

    /// Whether nobody takes events any more.
    pub fn is_closed(&self) -> bool {
        self.0.0.is_closed()
    }
}

/// The shared part of all clones of a sender. Events are complete by themselves: unlike a body, a
/// stream of them is not broken when there are no more.
#[derive(Debug)]
struct Ending(pipe::Sender);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end(Ok(()));
    }
}

/// The body of the response: events, and comments while there are none.
pub(crate) struct EventBody {
    events: Events,
    keep_alive: Duration,
    handle: Handle,
    /// Completes when the server drains. Without a driver there is none.
    draining: Option<Timer>,
    /// Set when an event was waited for in vain since the last one.
    quiet: Option<Timer>,
}

type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

impl EventBody {
    fn new(sse: Sse) -> Self {
        let Sse { events, keep_alive } = sse;
        Self { events, keep_alive, handle: Handle::default(), draining: None, quiet: None }
    }

    pub(crate) fn attach(&mut self, handle: &Handle) {
        self.handle = handle.clone();
        self.draining = handle.drain_signal();
        self.quiet = None;
    }

    /// The next event or comment. The end first: a stream that always has an event has to end too.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.draining.as_mut().is_some_and(|signal| signal.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(None);
        }
        match self.events.as_mut().poll_next(cx) {
            Poll::Ready(item) => {
                self.quiet = None;
                Poll::Ready(item)
            }
            Poll::Pending => self.poll_quiet(cx),
        }
    }

    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.quiet.is_none() && !self.keep_alive.is_zero() {
            self.quiet = self.handle.timer(self.keep_alive);
        }
        let Some(timer) = &mut self.quiet else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        self.quiet = None;
        Poll::Ready(Some(Ok(Bytes::from_static(KEEP_ALIVE))))
    }
}

/// The ID of the last event that the client has seen, from the field `Last-Event-ID` (HTML standard,
/// 9.2.4): where to go on. `None` on the first connection. An extractor that never fails.
///
/// It is `None` as well if the field is not UTF-8, as every ID is that was sent as an
/// [`Event`]. It comes from the client: check it as anything else. HTTP takes blanks off both ends of a
/// value, so that an ID had better have none there.
///
/// ```
/// use sinew_app::LastEventId;
/// async fn resume(LastEventId(last): LastEventId) -> String {
///     last.map_or("from the beginning".to_owned(), |id| format!("after {id}"))
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastEventId(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let id = parts.field("last-event-id").filter(|id| !id.is_empty());
        Ok(Self(id.map(str::to_owned)))
    }
}
