//! The request that a handler gets: an owned head, a body, and what the way here has added.

use core::net::SocketAddr;
use std::cell::RefCell;
use std::fmt;

use sinew_proto::http1::{RequestHead, RequestHeadBuf, Version};
use sinew_proto::{Fields, RecvError};

use crate::params::Params;
use crate::{Body, Disconnect, Extensions, Handle, Headers, Method};

/// A request: [`Parts`] and a [`Body`].
pub struct Request {
    parts: Box<Parts>,
    body: Body,
}

/// Everything of a request but its body.
pub struct Parts {
    head: RequestHeadBuf,
    method: Method,
    pub(crate) params: Params,
    pub(crate) body_limit: usize,
    peer: Option<SocketAddr>,
    handle: Handle,
    disconnect: Disconnect,
    extensions: Extensions,
}

/// How many bytes the extractors that collect a body take, unless the router says otherwise: 2 MiB.
pub const DEFAULT_BODY_LIMIT: usize = 2 * 1024 * 1024;

/// Heads that a thread keeps for the next requests, and the largest that is worth it.
const KEPT_HEADS: usize = 8;
const KEPT_HEAD_BYTES: usize = 4 * 1024;

thread_local! {
    /// The memory of heads whose requests are gone.
    static HEADS: RefCell<Vec<RequestHeadBuf>> = const { RefCell::new(Vec::new()) };
}

impl Request {
    /// A request as a driver makes it, with a copy of that head in memory that an earlier one may have
    /// left.
    pub fn received(
        head: &RequestHead<'_>,
        body: Body,
        peer: Option<SocketAddr>,
        handle: Handle,
        disconnect: Disconnect,
    ) -> Self {
        // A thread that ends has no memory to give.
        let kept = HEADS.try_with(|heads| heads.borrow_mut().pop());
        let mut owned = kept.ok().flatten().unwrap_or_default();
        owned.copy_from(head);
        Self { parts: Parts::new(owned, peer, handle, disconnect), body }
    }

    /// A request with that head and body.
    pub fn new(head: RequestHeadBuf, body: Body) -> Self {
        Self { parts: Parts::new(head, None, Handle::default(), Disconnect::default()), body }
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
        self.parts.peer = peer;
        self
    }

    /// Sets the handle to the runtime.
    pub fn with_handle(mut self, handle: Handle) -> Self {
        self.parts.handle = handle;
        self
    }

    /// A request from what [`into_parts`](Self::into_parts) gave.
    pub fn from_parts(parts: Box<Parts>, body: Body) -> Self {
        Self { parts, body }
    }

    /// Head and body, apart.
    pub fn into_parts(self) -> (Box<Parts>, Body) {
        (self.parts, self.body)
    }

    /// The body alone.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, to read from.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }
}

impl std::ops::Deref for Request {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl std::ops::DerefMut for Request {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.parts
    }
}

impl Parts {
    fn new(
        head: RequestHeadBuf,
        peer: Option<SocketAddr>,
        handle: Handle,
        disconnect: Disconnect,
    ) -> Box<Self> {
        let method = Method::from(head.as_head().method());
        Box::new(Self {
            head,
            method,
            params: Params::default(),
            body_limit: DEFAULT_BODY_LIMIT,
            peer,
            handle,
            disconnect,
            extensions: Extensions::default(),
        })
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The whole head, as the protocol core saw it.
    pub fn head(&self) -> RequestHead<'_> {
        self.head.as_head()
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

    /// What the placeholder of that name in the route stands for, decoded. Handlers rather ask for
    /// [`Path`](crate::Path).
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }

    /// The address of the client, where the transport has one.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The handle to the runtime.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Tells whether the client is still there.
    pub fn disconnect(&self) -> &Disconnect {
        &self.disconnect
    }

    /// Values by their type, for what a middleware wants to hand on.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The same, to change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let head = std::mem::take(&mut self.head);
        if head.capacity() > KEPT_HEAD_BYTES {
            return;
        }
        // A thread that ends keeps nothing.
        let _ = HEADS.try_with(|heads| {
            let mut heads = heads.borrow_mut();
            if heads.len() < KEPT_HEADS {
                heads.push(head);
            }
        });
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("head", &self.parts.head)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head.fmt(f)
    }
}

/// A copy of received fields.
pub(crate) fn copy_fields(fields: Fields<'_>) -> Headers {
    let mut headers = Headers::new();
    for field in fields.iter() {
        let copied = headers.append(field.name, field.value);
        debug_assert!(copied.is_ok(), "what may be received may be sent");
    }
    headers
}
