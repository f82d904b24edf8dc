//! Bodies: of requests as they arrive, of responses as they are made. Both stream, both push back.

use std::fmt;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use sinew_proto::{Fields, RecvError};

use crate::blocking::block_on;
use crate::pipe::{self, pipe};
use crate::sse::EventBody;
use crate::{FileBody, Handle, Headers};

/// A sequence of bytes that may not be there yet.
///
/// ```
/// use sinew_app::Body;
/// let body = Body::from("hello");
/// assert_eq!(body.exact_len(), Some(5));
/// ```
#[derive(Default)]
pub struct Body(Inner);

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Full(Bytes),
    Pipe {
        receiver: pipe::Receiver,
        remaining: Option<u64>,
    },
    Stream {
        stream: BoxStream,
        remaining: Option<u64>,
    },
    Events(Box<EventBody>),
    File(Box<FileBody>),
    /// The bytes were read, and these came behind them.
    Trailers(Box<Headers>),
}

type BoxStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Why a body ended before its end.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The client broke a rule of HTTP in the middle of its body.
    #[error("the request body is not valid: {0}")]
    Protocol(#[from] RecvError),
    /// The connection is gone.
    #[error("the connection is gone")]
    Disconnected,
    /// The sender of the body was dropped before it said that the body was complete.
    #[error("the sender of the body gave up")]
    Aborted,
    /// The body is longer than the reader takes.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// What the reader would have taken, in bytes.
        limit: usize,
    },
    /// An error of the stream that the application gave as a body.
    #[error(transparent)]
    Other(Arc<dyn std::error::Error + Send + Sync>),
}

impl BodyError {
    /// An error of the application's own.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(Arc::from(error.into()))
    }
}

impl From<io::Error> for BodyError {
    /// One that came out of a [`BodyReader`] is again what it was.
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::other)
    }
}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::Disconnected => io::ErrorKind::ConnectionReset,
            BodyError::Protocol(_) | BodyError::TooLarge { .. } => io::ErrorKind::InvalidData,
            BodyError::Aborted => io::ErrorKind::UnexpectedEof,
            BodyError::Other(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Nobody reads the body any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads this body any more")]
pub struct Closed;

impl Body {
    /// No bytes.
    pub const fn empty() -> Self {
        Self(Inner::Empty)
    }

    /// A body from a stream of pieces, of a length that is not known. Over HTTP/1.1 it goes out in
    /// chunks, each piece as soon as it is there. An error of the stream breaks the connection off,
    /// so that the client cannot take the part for the whole.
    pub fn from_stream<S, B, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BodyError>,
    {
        Self(Inner::Stream { stream: Box::pin(Mapped(Box::pin(stream))), remaining: None })
    }

    /// The same of exactly `len` bytes: it goes out with a `Content-Length`. A stream that gives
    /// more or fewer breaks the connection off.
    pub fn from_sized_stream<S, B, E>(len: u64, stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<BodyError>,
    {
        Self(Inner::Stream { stream: Box::pin(Mapped(Box::pin(stream))), remaining: Some(len) })
    }

    /// A body and the sender that fills it, from another task or from a thread. The sender waits
    /// while `limit` bytes or more are on their way.
    ///
    /// ```
    /// use sinew_app::Body;
    /// async fn count() -> Body {
    ///     let (sender, body) = Body::channel(16 * 1024);
    ///     std::thread::spawn(move || {
    ///         for i in 0..3 {
    ///             sender.blocking_send(format!("{i}\n"))?;
    ///         }
    ///         sender.finish();
    ///         Ok::<(), sinew_app::Closed>(())
    ///     });
    ///     body
    /// }
    /// # futures_lite::future::block_on(async {
    /// assert_eq!(count().await.collect(100).await.unwrap(), "0\n1\n2\n");
    /// # });
    /// ```
    pub fn channel(limit: usize) -> (BodySender, Self) {
        let (sender, receiver) = pipe(limit);
        (BodySender(sender), Self(Inner::Pipe { receiver, remaining: None }))
    }

    /// The body of a request and the end that a driver fills. `len` if the client told it.
    pub fn incoming(len: Option<u64>, limit: usize) -> (Incoming, Self) {
        let (sender, receiver) = pipe(limit);
        (Incoming(sender), Self(Inner::Pipe { receiver, remaining: len }))
    }

    /// A part of a file, in bytes from its beginning. It goes out with a `Content-Length`.
    ///
    /// Nothing is read here. Over a socket that takes files from the kernel (TCP and Unix sockets on
    /// Linux) the bytes never enter this process; elsewhere, and for whoever reads the body as one of
    /// chunks, they are read in pieces of 128 KiB where that may block. The memory a body takes does
    /// not depend on the length of the file.
    ///
    /// The range is a promise. A file that is shorter by the time it is sent breaks the connection
    /// off, so that the client cannot take the part for the whole; of one that has grown, the range is
    /// sent. So ask the open file for its length, not the path: another file may stand there by then.
    ///
    /// Several bodies may share one `Arc<File>`. Reading before the driver has the body (in a
    /// middleware) blocks the thread unless the body was [told](Self::attach) of a runtime.
    ///
    /// ```
    /// use std::fs::File;
    /// use sinew_app::{Body, Router, StatusCode, blocking};
    ///
    /// // Opening a file may block.
    /// fn download() -> Result<Body, StatusCode> {
    ///     let file = File::open("report.pdf").map_err(|_| StatusCode::NOT_FOUND)?;
    ///     let len = file.metadata().map_err(|_| StatusCode::NOT_FOUND)?.len();
    ///     Ok(Body::from_file(file, 0..len))
    /// }
    ///
    /// let app: Router = Router::new().route("/report", blocking::get(download));
    /// ```
    pub fn from_file(file: impl Into<Arc<File>>, range: Range<u64>) -> Self {
        FileBody::new(file, range).into()
    }

    pub(crate) fn of_file(file: FileBody) -> Self {
        if file.remaining() == 0 { Self::empty() } else { Self(Inner::File(Box::new(file))) }
    }

    /// For drivers: the file that is left to send, if the rest of the body is one and no read of it is
    /// under way. Who sends from it says how much by [`FileBody::sent`].
    pub fn as_file(&mut self) -> Option<&mut FileBody> {
        match &mut self.0 {
            Inner::File(file) if file.is_at_rest() => Some(file),
            _ => None,
        }
    }

    /// The body of a response of Server-Sent Events.
    pub(crate) fn from_events(events: EventBody) -> Self {
        Self(Inner::Events(Box::new(events)))
    }

    /// Tells a body which runtime sends it. A driver calls it once, before it asks the body of a
    /// response for its first piece; a body that was not told is without time and threads.
    /// [`Sse`](crate::Sse) uses it for its keep-alive, and to end when the server drains; a
    /// [file](Self::from_file) to be read where that may block. A middleware that makes a body from
    /// another one calls it on that one.
    pub fn attach(&mut self, handle: &Handle) {
        match &mut self.0 {
            Inner::Events(events) => events.attach(handle),
            Inner::File(file) => file.attach(handle),
            _ => {}
        }
    }

    /// Drops what it holds. Most often that is nothing, which costs less to see than to drop.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if !matches!(self.0, Inner::Empty) {
            self.0 = Inner::Empty;
        }
    }

    /// How many bytes are left to read, if that is known beforehand.
    pub fn exact_len(&self) -> Option<u64> {
        match &self.0 {
            Inner::Empty | Inner::Trailers(_) => Some(0),
            Inner::Full(bytes) => Some(bytes.len() as u64),
            Inner::Pipe { remaining, .. } | Inner::Stream { remaining, .. } => *remaining,
            Inner::Events(_) => None,
            Inner::File(file) => Some(file.remaining()),
        }
    }

    /// Whether it is known that no byte is left.
    pub fn is_empty(&self) -> bool {
        self.exact_len() == Some(0)
    }

    /// The whole body, if it is there already: nothing was read from it and nothing has to be
    /// waited for.
    pub fn into_full(self) -> Result<Bytes, Self> {
        match self.0 {
            Inner::Empty | Inner::Trailers(_) => Ok(Bytes::new()),
            Inner::Full(bytes) => Ok(bytes),
            other => Err(Self(other)),
        }
    }

    /// The next piece, never empty. `Ready(None)` at the end and ever after.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let item = match &mut self.0 {
            Inner::Empty | Inner::Trailers(_) => Poll::Ready(None),
            Inner::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Inner::Empty;
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Inner::Pipe { receiver, remaining } => {
                let item = receiver.poll_next(cx);
                count(&item, remaining);
                item
            }
            Inner::Events(events) => events.poll_chunk(cx),
            Inner::File(file) => file.poll_chunk(cx),
            Inner::Stream { stream, remaining } => {
                let item = stream.as_mut().poll_next(cx);
                count(&item, remaining);
                item
            }
        };
        if matches!(item, Poll::Ready(None | Some(Err(_)))) {
            self.end(matches!(item, Poll::Ready(None)));
        }
        item
    }

    /// Nothing follows. What stood behind a body that is `complete` is kept.
    fn end(&mut self, complete: bool) {
        let trailers = match &self.0 {
            Inner::Pipe { receiver, .. } if complete => receiver.take_trailers(),
            Inner::Trailers(_) => return,
            _ => None,
        };
        self.0 = trailers.map_or(Inner::Empty, Inner::Trailers);
    }

    /// The trailer fields that came behind a chunked request body (RFC 9110 §6.5), once the body was
    /// read to its end; `None` before that, and if there are none.
    ///
    /// They stand apart from the fields of the head, in the order and case of the client, and are not
    /// judged: what a field may mean in trailers is for the handler to know. Do not merge them into the
    /// head (RFC 9110 §6.5.1). Their number and size are limited as those of a head: 100, 8 KiB.
    ///
    /// ```
    /// # use sinew_app::{Body, BodyError};
    /// async fn receive(mut body: Body) -> Result<String, BodyError> {
    ///     let mut total = 0;
    ///     while let Some(chunk) = body.chunk().await? {
    ///         total += chunk.len();
    ///     }
    ///     let sum = body.trailers().and_then(|trailers| trailers.get("x-checksum"));
    ///     Ok(format!("{total} bytes, checksum {sum:?}"))
    /// }
    /// ```
    pub fn trailers(&self) -> Option<&Headers> {
        match &self.0 {
            Inner::Trailers(trailers) => Some(trailers),
            _ => None,
        }
    }

    /// The next piece, or `None` at the end.
    ///
    /// ```
    /// # use sinew_app::{Body, BodyError};
    /// async fn count(mut body: Body) -> Result<usize, BodyError> {
    ///     let mut total = 0;
    ///     while let Some(chunk) = body.chunk().await? {
    ///         total += chunk.len();
    ///     }
    ///     Ok(total)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`BodyError`] if the body ends before its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        poll_fn(|cx| self.poll_chunk(cx)).await.transpose()
    }

    /// The whole body, if it is no longer than `limit` bytes.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`], as soon as that is clear, or another [`BodyError`].
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, BodyError> {
        let too_large = BodyError::TooLarge { limit };
        if self.exact_len().is_some_and(|len| len > limit as u64) {
            return Err(too_large);
        }
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        if first.len() > limit {
            return Err(too_large);
        }
        if self.is_empty() {
            return Ok(first);
        }
        let mut all = BytesMut::from(first);
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > limit {
                return Err(too_large);
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// The body as a [`std::io::Read`] that blocks its thread: for `blocking` handlers.
    pub fn into_reader(self) -> BodyReader {
        BodyReader { body: self, chunk: Bytes::new() }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self(Inner::Full(bytes)) }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("exact_len", &self.exact_len()).finish_non_exhaustive()
    }
}

/// Takes the length of a piece off what remains, if that is known.
#[inline]
fn count(item: &Poll<Option<Result<Bytes, BodyError>>>, remaining: &mut Option<u64>) {
    if let (Poll::Ready(Some(Ok(bytes))), Some(remaining)) = (item, remaining) {
        *remaining = remaining.saturating_sub(bytes.len() as u64);
    }
}

/// A stream with the items of a body: pieces that are not empty, because an empty one would look like the end
/// of a chunked body.
struct Mapped<S>(Pin<Box<S>>);

impl<S, B, E> Stream for Mapped<S>
where
    S: Stream<Item = Result<B, E>>,
    B: Into<Bytes>,
    E: Into<BodyError>,
{
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.0.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(Some(Ok(piece))) => {
                    let piece = piece.into();
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
            }
        }
    }
}

/// Fills a [`Body::channel`]. Dropped without [`finish`](Self::finish), it breaks the body off.
#[derive(Debug)]
pub struct BodySender(pipe::Sender);

impl BodySender {
    /// Sends a piece, once there is room for it.
    ///
    /// # Errors
    /// [`Closed`] if nobody reads the body any more.
    pub async fn send(&self, piece: impl Into<Bytes>) -> Result<(), Closed> {
        poll_fn(|cx| self.0.poll_ready(cx)).await?;
        self.0.push(piece.into())
    }

    /// The same from a thread that may block.
    ///
    /// # Errors
    /// [`Closed`] if nobody reads the body any more.
    pub fn blocking_send(&self, piece: impl Into<Bytes>) -> Result<(), Closed> {
        block_on(self.send(piece))
    }

    /// Whether nobody reads the body any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// The body is complete.
    pub fn finish(self) {
        self.0.end(Ok(()));
    }

    /// The body cannot be completed.
    pub fn fail(self, error: BodyError) {
        self.0.end(Err(error));
    }
}

/// The end of a request body that a driver fills: it never waits, but asks before it reads on.
#[derive(Debug)]
pub struct Incoming(pipe::Sender);

impl Incoming {
    /// Ready when the handler has room for more, or takes no more at all.
    ///
    /// # Errors
    /// [`Closed`] if the handler has dropped the body.
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<(), Closed>> {
        self.0.poll_ready(cx)
    }

    /// Has the task of `cx` woken when the handler first asks for data, makes room or drops the
    /// body.
    pub fn watch(&self, cx: &Context<'_>) {
        self.0.watch(cx);
    }

    /// Whether the handler has asked for data: the moment to send `100 Continue`.
    pub fn is_wanted(&self) -> bool {
        self.0.is_wanted()
    }

    /// Whether the handler has dropped the body.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Hands over a piece, whether or not there is room. Small ones that wait become one, so that what
    /// waits takes little more memory than its bytes, however a client cuts it.
    ///
    /// # Errors
    /// [`Closed`] if the handler has dropped the body.
    pub fn push(&self, piece: Bytes) -> Result<(), Closed> {
        self.0.push_merged(piece)
    }

    /// What came behind the bytes: to be given before [`end`](Self::end).
    pub fn set_trailers(&self, trailers: Fields<'_>) {
        self.0.set_trailers(trailers.into());
    }

    /// The body is complete, or never will be.
    pub fn end(self, how: Result<(), BodyError>) {
        self.0.end(how);
    }
}

/// A body to read from with plain calls. See [`Body::into_reader`].
#[derive(Debug)]
pub struct BodyReader {
    body: Body,
    chunk: Bytes,
}

impl io::Read for BodyReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            match block_on(self.body.chunk())? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let n = buf.len().min(self.chunk.len());
        buf[..n].copy_from_slice(&self.chunk.split_to(n));
        Ok(n)
    }
}
