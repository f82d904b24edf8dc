//! Redirections (RFC 9110 §15.4).

use super::{IntoResponse, failed};
use crate::{Response, StatusCode};

/// Sends the client elsewhere.
///
/// ```
/// use sinew_app::Redirect;
/// async fn old() -> Redirect {
///     Redirect::permanent("/new")
/// }
/// ```
///
/// A location is a URI reference (RFC 9110 §10.2.2): visible ASCII characters, everything else
/// percent-encoded. Any other makes the response a `500 Internal Server Error`. Nothing else is
/// checked: who redirects to what a client has sent must look at it first, or the client is sent
/// to strangers (`//elsewhere.example` is a host and not a path).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a redirection does nothing unless it is returned"]
pub struct Redirect {
    status: StatusCode,
    location: String,
}

impl Redirect {
    /// `303 See Other`: look there, by GET. What a form that was posted is usually answered with.
    pub fn to(location: impl Into<String>) -> Self {
        Self { status: StatusCode::SEE_OTHER, location: location.into() }
    }

    /// `308 Permanent Redirect`: from now on there, by the same method. Clients remember it.
    pub fn permanent(location: impl Into<String>) -> Self {
        Self { status: StatusCode::PERMANENT_REDIRECT, location: location.into() }
    }

    /// `307 Temporary Redirect`: this once there, by the same method.
    pub fn temporary(location: impl Into<String>) -> Self {
        Self { status: StatusCode::TEMPORARY_REDIRECT, location: location.into() }
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        if self.location.is_empty() || !self.location.bytes().all(|b| b.is_ascii_graphic()) {
            return failed();
        }
        (self.status, [("location", self.location)], ()).into_response()
    }
}
