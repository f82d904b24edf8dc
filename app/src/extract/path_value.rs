//! One placeholder of a route, as any type that serde can make of a piece of text.

use serde::Deserializer;
use serde::de::value::SeqDeserializer;
use serde::de::{IntoDeserializer, Visitor};

use super::PathRejection;

/// The name of a placeholder and what it stands for.
#[derive(Clone, Copy)]
pub(super) struct Value<'de> {
    pub(super) name: &'de str,
    pub(super) value: &'de str,
}

impl<'de> Value<'de> {
    fn parse<T: std::str::FromStr>(self, expected: impl FnOnce() -> String) -> Result<T, PathRejection> {
        self.value.parse().map_err(|_| PathRejection::Value {
            name: self.name.to_owned(),
            reason: format!("expected {}", expected()),
        })
    }

    fn no<T>(self, what: &str) -> Result<T, PathRejection> {
        Err(PathRejection::Mismatch(format!("the placeholder `{}` is read as {what}", self.name)))
    }

    /// Name and value, as two elements.
    fn pair<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        let name = Self { value: self.name, ..self };
        visitor.visit_seq(SeqDeserializer::new([name, self].into_iter()))
    }
}

impl<'de> IntoDeserializer<'de, PathRejection> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $int:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
            let n: $int = self.parse(|| format!("a whole number from {} to {}", <$int>::MIN, <$int>::MAX))?;
            visitor.$visit(n).map_err(|error: PathRejection| error.of(self.name))
        }
    )*};
}

macro_rules! others {
    ($($method:ident $visit:ident $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
            let value = self.parse(|| $expected.to_owned())?;
            visitor.$visit(value).map_err(|error: PathRejection| error.of(self.name))
        }
    )*};
}

macro_rules! text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
            visitor.visit_borrowed_str(self.value).map_err(|error: PathRejection| error.of(self.name))
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = PathRejection;

    integers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
    }

    others! {
        deserialize_f32 visit_f32 "a number";
        deserialize_f64 visit_f64 "a number";
        deserialize_bool visit_bool "`true` or `false`";
        deserialize_char visit_char "a single character";
    }

    text! { deserialize_any deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        visitor
            .visit_borrowed_bytes(self.value.as_bytes())
            .map_err(|error: PathRejection| error.of(self.name))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PathRejection> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, PathRejection> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PathRejection> {
        visitor.visit_enum(self.value.into_deserializer()).map_err(|error: PathRejection| error.of(self.name))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, PathRejection> {
        if len == 2 { self.pair(visitor) } else { self.no("a tuple") }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, PathRejection> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, PathRejection> {
        self.no("a sequence")
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, PathRejection> {
        self.no("a map")
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, PathRejection> {
        self.no("a struct")
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
