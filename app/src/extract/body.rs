//! The body, as it comes or collected.

use std::convert::Infallible;

use bytes::Bytes;

use super::reject;
use crate::{Body, BodyError, FromRequest, IntoResponse, Request, Response, StatusCode};

/// The whole request, body included.
impl<S: Sync> FromRequest<S> for Request {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(request)
    }
}

/// The body as it arrives, of any length.
impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(request.into_body())
    }
}

/// The whole body, up to the [limit](crate::Router::body_limit).
impl<S: Sync> FromRequest<S> for Bytes {
    type Rejection = BodyError;

    async fn from_request(request: Request, _: &S) -> Result<Self, BodyError> {
        let limit = request.body_limit();
        request.into_body().collect(limit).await
    }
}

/// The whole body as text, up to the [limit](crate::Router::body_limit).
impl<S: Sync> FromRequest<S> for String {
    type Rejection = StringRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, StringRejection> {
        let bytes = Bytes::from_request(request, state).await?;
        Self::from_utf8(bytes.into()).map_err(|_| StringRejection::NotUtf8)
    }
}

/// Why a body is no `String`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StringRejection {
    /// It could not be read, or is too long.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// `400 Bad Request`: it is not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
}

impl IntoResponse for StringRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Body(error) => error.into_response(),
            Self::NotUtf8 => reject(StatusCode::BAD_REQUEST, &self),
        }
    }
}
