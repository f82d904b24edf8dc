//! JSON (RFC 8259), both ways.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{content_type, reject};
use crate::into_response::{ContentType, content_type_line, failed, typed};
use crate::{BodyError, FromRequest, IntoResponse, Request, Response, StatusCode};

static JSON: ContentType = content_type_line!("application/json");

/// JSON that was sent, or that is to be sent.
///
/// The body is read up to the [limit](crate::Router::body_limit). The request must say what it
/// sends: `application/json`, or an `application` type that ends in `+json`. So no form of another
/// site can make a browser send it without asking first.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use sinew_app::Json;
///
/// #[derive(Deserialize)]
/// struct Numbers(Vec<i64>);
///
/// #[derive(Serialize)]
/// struct Sum {
///     sum: i64,
/// }
///
/// async fn sum(Json(Numbers(numbers)): Json<Numbers>) -> Json<Sum> {
///     Json(Sum { sum: numbers.iter().sum() })
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// Why a body is not the JSON that the handler asks for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonRejection {
    /// `415 Unsupported Media Type`: the content has another type, or none.
    #[error("the content type is not application/json")]
    ContentType,
    /// The body could not be read, or is too long.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// `400 Bad Request`: it is not JSON.
    #[error("the body is not JSON: {0}")]
    Syntax(#[source] serde_json::Error),
    /// `422 Unprocessable Content`: it is JSON, but not of the type that is asked for.
    #[error("the JSON is not what is asked for: {0}")]
    Data(#[source] serde_json::Error),
}

impl IntoResponse for JsonRejection {
    fn into_response(self) -> Response {
        match self {
            Self::ContentType => reject(StatusCode::UNSUPPORTED_MEDIA_TYPE, &self),
            Self::Body(error) => error.into_response(),
            Self::Syntax(_) => reject(StatusCode::BAD_REQUEST, &self),
            Self::Data(_) => reject(StatusCode::UNPROCESSABLE_CONTENT, &self),
        }
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = JsonRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, JsonRejection> {
        if !is_json(content_type(&request)) {
            return Err(JsonRejection::ContentType);
        }
        let bytes = Bytes::from_request(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| match error.classify() {
            Category::Data => JsonRejection::Data(error),
            Category::Syntax | Category::Eof | Category::Io => JsonRejection::Syntax(error),
        })
    }
}

/// `application/json`, or `application` with the suffix `+json` (RFC 6839 §3.1).
fn is_json(media_type: &str) -> bool {
    let Some((kind, subtype)) = media_type.split_once('/') else { return false };
    let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

/// A value that is no JSON, a map whose keys are no text say, makes it `500 Internal Server Error`.
impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        serde_json::to_vec(&self.0).map_or_else(|_| failed(), |bytes| typed(&JSON, bytes))
    }
}
