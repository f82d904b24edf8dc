//! Extractors: what a handler asks for by the types of its arguments.

mod body;
mod form;
mod json;
mod parts;
mod path;
mod path_value;
mod query;
mod state;

use std::convert::Infallible;

pub use body::StringRejection;
pub use form::{Form, FormRejection};
pub use json::{Json, JsonRejection};
pub use parts::{Extension, MissingExtension, MissingPeer, Peer};
pub use path::{Path, PathRejection};
pub use query::{Query, QueryRejection};
pub use state::{FromRef, State};

use crate::into_response::text;
use crate::{IntoResponse, Parts, Request, Response, StatusCode};

/// Made from the head of a request and what else comes with it, without the body.
///
/// ```
/// use sinew_app::{get, FromRequestParts, Parts, Router, StatusCode};
///
/// struct ApiKey(String);
///
/// impl<S: Sync> FromRequestParts<S> for ApiKey {
///     type Rejection = StatusCode;
///
///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
///         let key = parts.field("x-api-key").ok_or(StatusCode::UNAUTHORIZED)?;
///         Ok(Self(key.to_owned()))
///     }
/// }
///
/// async fn whoami(ApiKey(key): ApiKey) -> String {
///     key
/// }
/// let app: Router = Router::new().route("/whoami", get(whoami));
/// ```
///
/// `Option<T>` is `None` and `Result<T, T::Rejection>` is `Err` where `T` alone would answer the
/// request with its rejection.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an extractor that leaves the body alone",
    label = "not `FromRequestParts<{S}>`",
    note = "an extractor that takes the body (`Json`, `Form`, `Bytes`, `String`, `Body`, `Request`) can only be the last argument",
    note = "`State<T>` needs `T` to be the state of the router, or `T: FromRef<{S}>`"
)]
pub trait FromRequestParts<S>: Sized {
    /// The response if it cannot be made.
    type Rejection: IntoResponse;

    /// Makes it.
    ///
    /// # Errors
    /// The rejection, if it cannot be made.
    fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> impl Future<Output = Result<Self, Self::Rejection>> + Send;
}

/// Made from a whole request: it may take the body.
///
/// Every [`FromRequestParts`] is one. `M` keeps the two kinds apart; implement it as
/// `FromRequest<S>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an extractor",
    label = "neither `FromRequest<{S}>` nor `FromRequestParts<{S}>`",
    note = "`Json<T>`, `Form<T>`, `Query<T>` and `Path<T>` need `T: serde::de::DeserializeOwned`",
    note = "`State<T>` needs `T` to be the state of the router, or `T: FromRef<{S}>`"
)]
pub trait FromRequest<S, M = TakesBody>: Sized {
    /// The response if it cannot be made.
    type Rejection: IntoResponse;

    /// Makes it.
    ///
    /// # Errors
    /// The rejection, if it cannot be made.
    fn from_request(
        request: Request,
        state: &S,
    ) -> impl Future<Output = Result<Self, Self::Rejection>> + Send;
}

/// Marks an extractor that takes the request, body and all. See [`FromRequest`].
#[derive(Debug)]
pub enum TakesBody {}

/// Marks an extractor that leaves the body alone. See [`FromRequest`].
#[derive(Debug)]
pub enum LeavesBody {}

impl<S: Sync, T: FromRequestParts<S>> FromRequest<S, LeavesBody> for T {
    type Rejection = T::Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (mut parts, _) = request.into_parts();
        T::from_request_parts(&mut parts, state).await
    }
}

impl<S: Sync, T: FromRequestParts<S>> FromRequestParts<S> for Option<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request_parts(parts, state).await.ok())
    }
}

impl<S: Sync, T: FromRequestParts<S>> FromRequestParts<S> for Result<T, T::Rejection> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request_parts(parts, state).await)
    }
}

impl<S: Sync, T: FromRequest<S>> FromRequest<S> for Result<T, T::Rejection> {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_request(request, state).await)
    }
}

/// A rejection that tells the client what its `Display` says.
pub(crate) fn reject(status: StatusCode, error: &impl std::fmt::Display) -> Response {
    text(status, error.to_string())
}

/// The type and subtype of a request's content, without parameters.
fn content_type(parts: &Parts) -> &str {
    let value = parts.field("content-type").unwrap_or_default();
    value.split(';').next().unwrap_or(value).trim_ascii()
}
