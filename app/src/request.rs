//! The request that a handler gets: an owned head, a body, and what the way here has added.

use core::net::SocketAddr;
use std::cell::RefCell;
use std::fmt;

use sinew_proto::http1::{RequestHead, RequestHeadBuf, Version};
use sinew_proto::{Fields, RecvError};

use crate::params::Params;
use crate::pooled::{Pool, Pooled, Reuse};
use crate::{Body, Disconnect, Extensions, Handle, Method};

/// A request: [`Parts`] and a [`Body`].
///
/// To change the parts as a whole, take it apart: [`into_parts`](Self::into_parts) and
/// [`from_parts`](Self::from_parts) cost next to nothing. They cannot be replaced in place, because the body
/// lies behind the same pointer and would go with them:
///
/// ```compile_fail,E0594
/// # use sinew_app::Request;
/// fn replace(mut request: Request, other: Request) {
///     *request = other.into_parts().0;
/// }
/// ```
pub struct Request {
    parts: Parts,
}

/// Everything of a request but its body.
///
/// A pointer, so that it costs little to pass on. Its memory has served earlier requests of the thread.
pub struct Parts(Pooled<Content>);

/// What is known of a request.
#[derive(Default)]
struct Content {
    head: RequestHeadBuf,
    method: Method,
    params: Params,
    body_limit: Option<usize>,
    peer: Option<SocketAddr>,
    handle: Handle,
    disconnect: Disconnect,
    extensions: Extensions,
    /// Empty once it was taken.
    body: Body,
}

/// How many bytes the extractors that collect a body take, unless the router says otherwise: 2 MiB.
pub const DEFAULT_BODY_LIMIT: usize = 2 * 1024 * 1024;

/// A larger head is not worth its memory once its request is gone.
const KEPT_HEAD_BYTES: usize = 4 * 1024;

thread_local! {
    static REQUESTS: Pool<Content> = const { RefCell::new(Vec::new()) };
}

impl Reuse for Content {
    fn pool<T>(lend: impl FnOnce(&Pool<Self>) -> T) -> Option<T> {
        REQUESTS.try_with(lend).ok()
    }

    fn clear(&mut self) {
        if self.head.capacity() > KEPT_HEAD_BYTES {
            self.head = RequestHeadBuf::new();
        }
        self.params.clear();
        self.body_limit = None;
        self.peer = None;
        self.handle = Handle::default();
        self.disconnect = Disconnect::default();
        self.extensions.clear();
        self.body.clear();
    }
}

impl Request {
    /// A request as a driver makes it, with a copy of that head.
    pub fn received(
        head: &RequestHead<'_>,
        body: Body,
        peer: Option<SocketAddr>,
        handle: Handle,
        disconnect: Disconnect,
    ) -> Self {
        let mut content = Pooled::<Content>::new();
        content.head.copy_from(head);
        content.method.set(head);
        content.peer = peer;
        content.handle = handle;
        content.disconnect = disconnect;
        content.body = body;
        Self { parts: Parts(content) }
    }

    /// A request with that head and body.
    pub fn new(head: RequestHeadBuf, body: Body) -> Self {
        let mut content = Pooled::<Content>::new();
        content.method.set(&head.as_head());
        content.head = head;
        content.body = body;
        Self { parts: Parts(content) }
    }

    /// A request made from parts, for tests.
    ///
    /// ```
    /// use sinew_app::{Body, Request};
    /// let request = Request::build("POST", "/notes?draft=1", [("content-type", "text/plain")], "text")?;
    /// assert_eq!((request.path(), request.query()), ("/notes", Some("draft=1")));
    /// # Ok::<(), sinew_proto::RecvError>(())
    /// ```
    ///
    /// # Errors
    /// The error that a peer sending such a head would have caused.
    pub fn build<'f>(
        method: &str,
        target: &str,
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
        body: impl Into<Body>,
    ) -> Result<Self, RecvError> {
        Ok(Self::new(RequestHeadBuf::build(method, target, fields)?, body.into()))
    }

    /// Sets the address of the client.
    pub fn with_peer(mut self, peer: Option<SocketAddr>) -> Self {
        self.parts.0.peer = peer;
        self
    }

    /// Sets the handle to the runtime.
    pub fn with_handle(mut self, handle: Handle) -> Self {
        self.parts.0.handle = handle;
        self
    }

    /// A request from what [`into_parts`](Self::into_parts) gave.
    pub fn from_parts(mut parts: Parts, body: Body) -> Self {
        parts.0.body = body;
        Self { parts }
    }

    /// Head and body, apart.
    pub fn into_parts(mut self) -> (Parts, Body) {
        let body = std::mem::take(self.body_mut());
        (self.parts, body)
    }

    /// The body alone.
    pub fn into_body(mut self) -> Body {
        std::mem::take(self.body_mut())
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.parts.0.body
    }

    /// The body, to read from.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.parts.0.body
    }

    /// Values by their type, to change: see [`Parts::extensions`].
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.parts.extensions_mut()
    }

    pub(crate) fn params_mut(&mut self) -> &mut Params {
        &mut self.parts.0.params
    }

    pub(crate) fn set_body_limit(&mut self, bytes: usize) {
        self.parts.0.body_limit = Some(bytes);
    }
}

impl std::ops::Deref for Request {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Parts {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// The whole head, as the protocol core saw it.
    pub fn head(&self) -> RequestHead<'_> {
        self.0.head.as_head()
    }

    /// The request target as received.
    pub fn target(&self) -> &str {
        self.head().target()
    }

    /// The path, not decoded: see [`RequestHead::path`].
    pub fn path(&self) -> &str {
        self.head().path()
    }

    /// The query, not decoded.
    pub fn query(&self) -> Option<&str> {
        self.head().query()
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.head().version()
    }

    /// The field lines, in order and case of the client.
    pub fn fields(&self) -> Fields<'_> {
        self.head().fields()
    }

    /// The value of the first field line of that name, if it is UTF-8.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields().get_str(name)
    }

    /// What the placeholders of the route stand for.
    pub(crate) fn params(&self) -> &Params {
        &self.0.params
    }

    /// How many bytes of a body an extractor takes that collects it.
    pub(crate) fn body_limit(&self) -> usize {
        self.0.body_limit.unwrap_or(DEFAULT_BODY_LIMIT)
    }

    /// What the placeholder of that name in the route stands for, decoded. Handlers rather ask for
    /// [`Path`](crate::Path).
    pub fn param(&self, name: &str) -> Option<&str> {
        self.0.params.get(name)
    }

    /// The address of the client, where the transport has one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// The handle to the runtime.
    pub fn handle(&self) -> &Handle {
        &self.0.handle
    }

    /// Tells whether the client is still there.
    pub fn disconnect(&self) -> &Disconnect {
        &self.0.disconnect
    }

    /// Values by their type, for what a middleware wants to hand on.
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// The same, to change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.0.extensions
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("head", &self.parts)
            .field("body", self.body())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.head.fmt(f)
    }
}
