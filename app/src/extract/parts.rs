//! What a request has besides its body, as extractors.

use core::net::SocketAddr;
use std::convert::Infallible;

use super::reject;
use crate::{FromRequestParts, Handle, Headers, IntoResponse, Method, Parts, Response, StatusCode, Version};

macro_rules! infallible {
    ($($(#[$doc:meta])* $name:ty: $parts:ident => $value:expr;)*) => {$(
        $(#[$doc])*
        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = Infallible;

            async fn from_request_parts($parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
                Ok($value)
            }
        }
    )*};
}

infallible! {
    Method: parts => parts.method().clone();
    Version: parts => parts.version();
    Handle: parts => parts.handle().clone();
    /// A copy of all field lines. For one or two, [`Parts::field`] in an extractor of your own
    /// copies less.
    Headers: parts => parts.fields().into();
}

/// The address of the client, or of the proxy that it came by.
///
/// Rejected with `500 Internal Server Error` where the transport has no addresses, as a Unix
/// socket: there, ask for `Option<Peer>`.
///
/// ```
/// use sinew_app::Peer;
/// async fn ip(Peer(address): Peer) -> String {
///     address.ip().to_string()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The transport has no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address of the client is not known here")]
pub struct MissingPeer;

impl IntoResponse for MissingPeer {
    fn into_response(self) -> Response {
        reject(StatusCode::INTERNAL_SERVER_ERROR, &self)
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = MissingPeer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingPeer> {
        parts.peer().map(Self).ok_or(MissingPeer)
    }
}

/// A copy of a value that was put into [`Parts::extensions_mut`] on the way here.
///
/// Rejected with `500 Internal Server Error` if there is none of that type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extension<T>(pub T);

/// Nothing on the way to the handler has left a value of that type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no extension of the type `{type_name}` was put into the request")]
pub struct MissingExtension {
    type_name: &'static str,
}

impl IntoResponse for MissingExtension {
    fn into_response(self) -> Response {
        // The name of a type is nothing for a client.
        reject(StatusCode::INTERNAL_SERVER_ERROR, &"an extension of the request is missing")
    }
}

impl<S: Sync, T: Clone + Send + Sync + 'static> FromRequestParts<S> for Extension<T> {
    type Rejection = MissingExtension;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingExtension> {
        let value = parts.extensions().get::<T>().cloned();
        value.map(Self).ok_or(MissingExtension { type_name: std::any::type_name::<T>() })
    }
}
