//! The response that a handler gives.

use sinew_proto::{FieldError, StatusCode};

use crate::{Body, Headers, Upgrade};

/// A response: status, fields and body.
///
/// The fields that frame the body (`Content-Length`, `Transfer-Encoding`) are written by the
/// protocol core from what the body knows of itself.
#[derive(Debug, Default)]
pub struct Response {
    status: StatusCode,
    headers: Headers,
    body: Body,
    /// It stands for one that could not be made: no status beside it in a tuple may hide that.
    pub(crate) failed: bool,
    upgrade: Option<Box<Upgrade>>,
}

impl Response {
    /// A response with that status and body, without fields.
    pub fn new(status: StatusCode, body: impl Into<Body>) -> Self {
        Self::from_parts(status, Headers::new(), body.into())
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
        self.headers.insert(name, value)?;
        Ok(self)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// A response that hands the connection to another protocol: `101 Switching Protocols` with these
    /// fields. They name the protocol in `Upgrade`, one that the request has offered; else the client
    /// gets `500 Internal Server Error`.
    ///
    /// For WebSocket there is [`WebSocketUpgrade`](crate::WebSocketUpgrade).
    pub fn upgrade(fields: Headers, to: Upgrade) -> Self {
        let mut response = Self::from_parts(StatusCode::SWITCHING_PROTOCOLS, fields, Body::empty());
        response.upgrade = Some(Box::new(to));
        response
    }

    /// Takes the switch out of a [`Response::upgrade`]: for a driver.
    pub fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.upgrade.take().map(|upgrade| *upgrade)
    }

    /// Sets the status.
    pub fn set_status(&mut self, status: StatusCode) {
        self.status = status;
    }

    /// The fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The fields, to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Replaces the body.
    pub fn set_body(&mut self, body: impl Into<Body>) {
        self.body = body.into();
    }

    /// Status, fields and body, apart.
    pub fn into_parts(self) -> (StatusCode, Headers, Body) {
        (self.status, self.headers, self.body)
    }

    /// A response from what [`into_parts`](Self::into_parts) gave.
    pub fn from_parts(status: StatusCode, headers: Headers, body: Body) -> Self {
        Self { status, headers, body, failed: false, upgrade: None }
    }
}
