//! Request methods (RFC 9110 §9).

use std::fmt;

use sinew_proto::http1::RequestHead;

/// A request method. Case matters: `get` is not [`Method::Get`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Method {
    /// GET (RFC 9110 §9.3.1)
    #[default]
    Get,
    /// HEAD (RFC 9110 §9.3.2)
    Head,
    /// POST (RFC 9110 §9.3.3)
    Post,
    /// PUT (RFC 9110 §9.3.4)
    Put,
    /// DELETE (RFC 9110 §9.3.5)
    Delete,
    /// CONNECT (RFC 9110 §9.3.6)
    Connect,
    /// OPTIONS (RFC 9110 §9.3.7)
    Options,
    /// TRACE (RFC 9110 §9.3.8)
    Trace,
    /// PATCH (RFC 5789)
    Patch,
    /// Any other token.
    Other(Box<str>),
}

impl Method {
    /// The method as it stands in a request line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Other(name) => name,
        }
    }
}

impl Method {
    /// Becomes the method of a head.
    pub(crate) fn set(&mut self, head: &RequestHead<'_>) {
        // Most are these two, and need not be looked at as text.
        match head.method_bytes() {
            b"GET" => *self = Self::Get,
            b"POST" => *self = Self::Post,
            _ => *self = Self::from(head.method()),
        }
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "CONNECT" => Self::Connect,
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "PATCH" => Self::Patch,
            other => Self::Other(other.into()),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
