//! Errors of bodies and of blocking work, as responses.

use super::{IntoResponse, plain, text};
use crate::{BodyError, Response, RunError, StatusCode};

/// What was wrong with the body is the client's to know; an error of the application's own is not.
impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        match &self {
            Self::Protocol(error) => text(error.status(), error.message()),
            Self::TooLarge { .. } => text(StatusCode::CONTENT_TOO_LARGE, self.to_string()),
            Self::Disconnected | Self::Aborted => text(StatusCode::BAD_REQUEST, self.to_string()),
            Self::Other(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// `503 Service Unavailable` with `Retry-After: 1`, or `500 Internal Server Error`.
impl IntoResponse for RunError {
    fn into_response(self) -> Response {
        match self {
            Self::Busy => ([("retry-after", "1")], plain(StatusCode::SERVICE_UNAVAILABLE)).into_response(),
            Self::Panicked => plain(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}
