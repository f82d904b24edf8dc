//! Forms: `application/x-www-form-urlencoded`.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{content_type, reject};
use crate::into_response::{ContentType, content_type_line, failed, typed};
use crate::{BodyError, FromRequest, IntoResponse, Method, Request, Response, StatusCode};

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

static FORM: ContentType = content_type_line!(MEDIA_TYPE);

/// A form that was sent: by GET and HEAD in the query, else in the body. As a response: a form.
///
/// The body is read up to the [limit](crate::Router::body_limit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form<T>(pub T);

/// Why a request has not the form that the handler asks for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormRejection {
    /// `415 Unsupported Media Type`: the content has another type, or none.
    #[error("the content type is not application/x-www-form-urlencoded")]
    ContentType,
    /// The body could not be read, or is too long.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// `422 Unprocessable Content`: a field is missing or has not the form of its type.
    #[error("the form is not valid: {0}")]
    Data(#[source] serde_urlencoded::de::Error),
}

impl IntoResponse for FormRejection {
    fn into_response(self) -> Response {
        match self {
            Self::ContentType => reject(StatusCode::UNSUPPORTED_MEDIA_TYPE, &self),
            Self::Body(error) => error.into_response(),
            Self::Data(_) => reject(StatusCode::UNPROCESSABLE_CONTENT, &self),
        }
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = FormRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, FormRejection> {
        if matches!(request.method(), Method::Get | Method::Head) {
            return decode(request.query().unwrap_or_default().as_bytes());
        }
        if !content_type(&request).eq_ignore_ascii_case(MEDIA_TYPE) {
            return Err(FormRejection::ContentType);
        }
        decode(&Bytes::from_request(request, state).await?)
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Form<T>, FormRejection> {
    serde_urlencoded::from_bytes(bytes).map(Form).map_err(FormRejection::Data)
}

/// A value that is no form makes it `500 Internal Server Error`.
impl<T: Serialize> IntoResponse for Form<T> {
    fn into_response(self) -> Response {
        serde_urlencoded::to_string(self.0).map_or_else(|_| failed(), |text| typed(&FORM, text))
    }
}
