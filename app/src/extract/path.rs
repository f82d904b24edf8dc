//! The placeholders of the route, as any type that serde can make of them.

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::forward_to_deserialize_any;

use super::path_value::Value;
use super::reject;
use crate::params::Params;
use crate::{FromRequestParts, IntoResponse, Parts, Response, StatusCode};

/// What the placeholders of the route stand for, decoded.
///
/// | route | `T` |
/// |---|---|
/// | one placeholder | a `String`, number, `bool`, `char`, unit-only enum, or a newtype of one of these |
/// | several | a tuple of such, in the order of the route |
/// | any | a struct with fields of the same names, or a `HashMap<String, String>` |
/// | any | `Vec<(String, String)>`, names and values in the order of the route |
///
/// ```
/// use serde::Deserialize;
/// use sinew_app::{get, Path, Router};
///
/// #[derive(Deserialize)]
/// struct Revision {
///     page: String,
///     number: u32,
/// }
///
/// async fn revision(Path(revision): Path<Revision>) -> String {
///     format!("{} at {}", revision.page, revision.number)
/// }
///
/// async fn page(Path(page): Path<String>) -> String {
///     page
/// }
///
/// let app: Router = Router::new()
///     .route("/pages/{page}", get(page))
///     .route("/pages/{page}/{number}", get(revision));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path<T>(pub T);

/// Why the placeholders are not what the handler asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathRejection {
    /// `400 Bad Request`: the value of one has not the form of its type.
    #[error("the path parameter `{name}` is not valid: {reason}")]
    Value {
        /// The name of the placeholder.
        name: String,
        /// What was expected.
        reason: String,
    },
    /// `400 Bad Request`: the type does not accept the values that it was made of.
    #[error("the path is not valid: {0}")]
    Values(String),
    /// `500 Internal Server Error`: no path would do, because the route and the type of the handler
    /// do not fit together.
    #[error("the handler does not fit its route: {0}")]
    Mismatch(String),
}

impl PathRejection {
    /// Tells which parameter was not accepted.
    pub(super) fn of(self, name: &str) -> Self {
        match self {
            Self::Values(reason) => Self::Value { name: name.to_owned(), reason },
            other => other,
        }
    }
}

impl Error for PathRejection {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Values(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Mismatch(format!("the route has no placeholder `{field}`"))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::Mismatch(format!("the handler does not know the placeholder `{field}`"))
    }
}

impl IntoResponse for PathRejection {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Value { .. } | Self::Values(_) => StatusCode::BAD_REQUEST,
            Self::Mismatch(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        reject(status, &self)
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Path<T> {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PathRejection> {
        T::deserialize(Placeholders(parts.params())).map(Self)
    }
}

/// All of them, as serde sees them: a single value, a sequence or a map, as it is asked for.
#[derive(Clone, Copy)]
struct Placeholders<'de>(&'de Params);

impl<'de> Placeholders<'de> {
    fn values(self) -> impl ExactSizeIterator<Item = Value<'de>> {
        self.0.0.iter().map(|(name, value)| Value { name, value })
    }

    fn expect_len(self, wanted: usize) -> Result<(), PathRejection> {
        let found = self.0.0.len();
        if found == wanted {
            return Ok(());
        }
        Err(PathRejection::Mismatch(format!(
            "the number of placeholders is {found}, and {wanted} are asked for"
        )))
    }

    fn single(self) -> Result<Value<'de>, PathRejection> {
        self.expect_len(1)?;
        let value = self.values().next();
        value.ok_or_else(|| PathRejection::Mismatch("there is no placeholder".to_owned()))
    }
}

macro_rules! single {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
            self.single()?.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Placeholders<'de> {
    type Error = PathRejection;

    single! {
        deserialize_bool deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_identifier
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    forward_to_deserialize_any! { map }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        let pairs = self.values().map(|value| (value.name, value));
        visitor.visit_map(MapDeserializer::new(pairs))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathRejection> {
        self.deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        visitor.visit_seq(SeqDeserializer::new(self.values()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, PathRejection> {
        self.expect_len(len)?;
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, PathRejection> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathRejection> {
        self.single()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PathRejection> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        if self.0.0.is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PathRejection> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        visitor.visit_unit()
    }
}
