//! The response that a handler gives.

use std::cell::RefCell;
use std::fmt;

use sinew_proto::{FieldError, StatusCode};

use crate::pooled::{Pool, Pooled, Reuse};
use crate::{Body, Headers, Upgrade};

/// A response: status, fields and body.
///
/// The fields that frame the body (`Content-Length`, `Transfer-Encoding`) are written by the
/// protocol core from what the body knows of itself.
///
/// A pointer, so that it costs little to pass on. Its memory has served earlier responses of the thread.
pub struct Response(Pooled<Content>);

/// What a response consists of.
#[derive(Default)]
struct Content {
    status: StatusCode,
    headers: Headers,
    body: Body,
    /// It stands for one that could not be made: no status beside it in a tuple may hide that.
    failed: bool,
    upgrade: Option<Box<Upgrade>>,
}

/// Fields that take more memory than that are not worth it once their response is gone.
const KEPT_FIELD_BYTES: usize = 4 * 1024;

thread_local! {
    static RESPONSES: Pool<Content> = const { RefCell::new(Vec::new()) };
}

impl Reuse for Content {
    fn pool<T>(lend: impl FnOnce(&Pool<Self>) -> T) -> Option<T> {
        RESPONSES.try_with(lend).ok()
    }

    fn clear(&mut self) {
        self.status = StatusCode::OK;
        if self.headers.capacity() > KEPT_FIELD_BYTES {
            self.headers = Headers::new();
        }
        self.headers.clear();
        self.body.clear();
        self.failed = false;
        self.upgrade = None;
    }
}

impl Response {
    /// A response with that status and body, without fields.
    pub fn new(status: StatusCode, body: impl Into<Body>) -> Self {
        let mut content = Pooled::<Content>::new();
        content.status = status;
        content.body = body.into();
        Self(content)
    }

    /// The same with one more field, set (not added): see [`Headers::insert`].
    ///
    /// ```
    /// use sinew_app::{Response, StatusCode};
    /// let response = Response::new(StatusCode::OK, "{}").with_header("content-type", "application/json")?;
    /// # Ok::<(), sinew_app::FieldError>(())
    /// ```
    ///
    /// # Errors
    /// [`FieldError`] if name or value cannot stand in a field line.
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.0.headers.insert(name, value)?;
        Ok(self)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// A response that hands the connection to another protocol: `101 Switching Protocols` with these
    /// fields. They name the protocol in `Upgrade`, one that the request has offered; else the client
    /// gets `500 Internal Server Error`.
    ///
    /// For WebSocket there is [`WebSocketUpgrade`](crate::WebSocketUpgrade).
    pub fn upgrade(fields: Headers, to: Upgrade) -> Self {
        let mut response = Self::from_parts(StatusCode::SWITCHING_PROTOCOLS, fields, Body::empty());
        response.0.upgrade = Some(Box::new(to));
        response
    }

    /// Takes the switch out of a [`Response::upgrade`]: for a driver.
    pub fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.0.upgrade.take().map(|upgrade| *upgrade)
    }

    /// Sets the status.
    pub fn set_status(&mut self, status: StatusCode) {
        self.0.status = status;
    }

    /// The fields.
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The fields, to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.0.headers
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.0.body
    }

    /// Replaces the body.
    pub fn set_body(&mut self, body: impl Into<Body>) {
        self.0.body = body.into();
    }

    /// Takes the body out.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.0.body)
    }

    /// Status, fields and body, apart.
    pub fn into_parts(mut self) -> (StatusCode, Headers, Body) {
        (self.0.status, std::mem::take(&mut self.0.headers), self.take_body())
    }

    /// A response from what [`into_parts`](Self::into_parts) gave.
    pub fn from_parts(status: StatusCode, headers: Headers, body: Body) -> Self {
        let mut response = Self::new(status, body);
        response.0.headers = headers;
        response
    }

    /// Whether it stands for one that could not be made.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.failed
    }

    /// From now on it stands for one that could not be made.
    pub(crate) fn fail(&mut self) {
        self.0.failed = true;
    }
}

impl Default for Response {
    /// An empty `200 OK`.
    fn default() -> Self {
        Self::new(StatusCode::OK, ())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("headers", self.headers())
            .field("body", self.body())
            .finish_non_exhaustive()
    }
}
