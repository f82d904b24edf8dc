//! What a handler may return.
//!
//! | type | content type |
//! |---|---|
//! | `&str`, `String`, `Cow<str>` | `text/plain; charset=utf-8` |
//! | `Vec<u8>`, `&[u8]`, [`Bytes`] | `application/octet-stream` |
//! | [`Html`](crate::Html) | `text/html; charset=utf-8` |
//! | [`Json`](crate::Json) | `application/json` |
//! | [`Form`](crate::Form) | `application/x-www-form-urlencoded` |
//! | [`Sse`](crate::Sse) | `text/event-stream` |
//! | [`Body`], [`StatusCode`], `()` | none |

mod errors;
mod redirect;
mod tuples;

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::LazyLock;

use bytes::Bytes;

pub use redirect::Redirect;

use crate::{Body, Headers, Response, StatusCode};

/// Something that is a response, or can be made one.
///
/// Strings, bytes, [`Html`], [`Json`](crate::Json) and [`Body`] are `200 OK` with that content; a
/// [`StatusCode`] is a response without content; `()` is an empty `200 OK`; a `Result` is whatever
/// is in it. Status and fields stand before the content in a tuple:
///
/// ```
/// use sinew_app::{Headers, IntoResponse, Json, StatusCode};
///
/// async fn created() -> impl IntoResponse {
///     (StatusCode::CREATED, [("location", "/notes/7")], "made")
/// }
///
/// async fn cookies() -> impl IntoResponse {
///     ([("set-cookie", "a=1"), ("set-cookie", "b=2")], Json([1, 2, 3]))
/// }
///
/// async fn checked() -> Result<String, StatusCode> {
///     Err(StatusCode::FORBIDDEN)
/// }
/// # let response = futures_lite::future::block_on(created()).into_response();
/// # assert_eq!(response.status(), StatusCode::CREATED);
/// # assert_eq!(response.headers().get("location"), Some(&b"/notes/7"[..]));
/// ```
///
/// The fields of a tuple replace those of the same name that the content brings along, its
/// `Content-Type` say; a name that stands twice in the tuple is sent twice. A field that cannot be
/// sent, because its name is no token or its value has a control character such as a line break,
/// makes the whole response a `500 Internal Server Error`: it is never sent in part, and there is
/// no panic. Where values come from outside, [`Response::with_header`] tells what is wrong.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made a response",
    label = "not `IntoResponse`",
    note = "return text, bytes, `Html`, `Json(value)`, `StatusCode`, `Response` or `()`, alone or in a tuple: `(StatusCode, [(\"name\", \"value\")], content)`",
    note = "or a `Result` of two such types; or implement `IntoResponse` for your own, for errors with `?` above all"
)]
pub trait IntoResponse {
    /// Makes the response.
    fn into_response(self) -> Response;
}

/// The field line of a type of content that is a constant of ours: made once, copied into each response.
pub(crate) type ContentType = LazyLock<Headers>;

/// A [`ContentType`], for a `static`.
macro_rules! content_type_line {
    ($value:expr) => {
        std::sync::LazyLock::new(|| {
            let mut line = $crate::Headers::new();
            let set = line.append("content-type", $value);
            debug_assert!(set.is_ok(), "{}", $value);
            line
        })
    };
}
pub(crate) use content_type_line;

static TEXT: ContentType = content_type_line!("text/plain; charset=utf-8");
static HTML: ContentType = content_type_line!("text/html; charset=utf-8");
static BYTES: ContentType = content_type_line!("application/octet-stream");

/// A response of that type of content.
pub(crate) fn typed(content_type: &ContentType, body: impl Into<Body>) -> Response {
    let mut response = Response::new(StatusCode::OK, body);
    response.headers_mut().clone_from(content_type);
    response
}

/// A line of text with a status.
pub(crate) fn text(status: StatusCode, text: impl Into<Body>) -> Response {
    let mut response = typed(&TEXT, text);
    response.set_status(status);
    response
}

/// A status, and its reason phrase as text.
pub(crate) fn plain(status: StatusCode) -> Response {
    text(status, status.reason())
}

/// The response instead of one that could not be made: 500, whatever was asked for.
pub(crate) fn failed() -> Response {
    let mut response = plain(StatusCode::INTERNAL_SERVER_ERROR);
    response.fail();
    response
}

/// HTML. As a response: `text/html; charset=utf-8`.
///
/// ```
/// use sinew_app::Html;
/// async fn page() -> Html<&'static str> {
///     Html("<!doctype html><title>Hello</title>")
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Html<T>(pub T);

impl<T: Into<Body>> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        typed(&HTML, self.0)
    }
}

macro_rules! contents {
    ($content_type:ident: $($content:ty),*) => {$(
        impl IntoResponse for $content {
            fn into_response(self) -> Response {
                typed(&$content_type, self)
            }
        }
    )*};
}

contents!(TEXT: &'static str, String);
contents!(BYTES: &'static [u8], Vec<u8>, Bytes);

impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Response {
        match self {
            Cow::Borrowed(text) => text.into_response(),
            Cow::Owned(text) => text.into_response(),
        }
    }
}

/// As for a slice: `b"..."` is an array.
impl<const N: usize> IntoResponse for &'static [u8; N] {
    fn into_response(self) -> Response {
        self.as_slice().into_response()
    }
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::new(StatusCode::OK, self)
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        Response::new(self, ())
    }
}

impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::default()
    }
}

impl IntoResponse for Infallible {
    fn into_response(self) -> Response {
        match self {}
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}
