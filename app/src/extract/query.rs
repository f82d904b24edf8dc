//! The query of the target.

use serde::de::DeserializeOwned;

use super::reject;
use crate::{FromRequestParts, IntoResponse, Parts, Response, StatusCode};

/// The query of the target, as a form: `?page=2&order=name`.
///
/// No query is an empty one. Rejected with `400 Bad Request` if a field is missing or has not the
/// form of its type; a field that may be missing is an `Option`.
///
/// ```
/// use std::collections::HashMap;
/// use sinew_app::Query;
/// async fn count(Query(fields): Query<HashMap<String, String>>) -> String {
///     fields.len().to_string()
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<T>(pub T);

/// `400 Bad Request`: the query is not what the handler asks for.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the query is not valid: {0}")]
pub struct QueryRejection(serde_urlencoded::de::Error);

impl IntoResponse for QueryRejection {
    fn into_response(self) -> Response {
        reject(StatusCode::BAD_REQUEST, &self)
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = QueryRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, QueryRejection> {
        let query = parts.query().unwrap_or_default();
        serde_urlencoded::from_str(query).map(Self).map_err(QueryRejection)
    }
}
