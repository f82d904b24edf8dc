//! What both sides of the opening handshake have in common (RFC 6455 §4): the key and its answer,
//! and what can go wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

use crate::error::peer_errors;
use crate::{FieldLines, Fields, StatusCode, grammar};

peer_errors! {
    /// The peer's part of the handshake breaks a rule.
    ///
    /// A server answers with [`status`](Self::status) and the fields of
    /// [`write_fields`](Self::write_fields); for a client the connection has failed, and the status is
    /// what a gateway passes on. The texts are static: nothing of the peer's bytes is in them.
    ///
    /// ```
    /// use sinew_proto::{FieldLines, StatusCode, websocket::HandshakeError};
    /// let error = HandshakeError::UnsupportedVersion;
    /// assert_eq!((error.status(), error.rule()), (StatusCode::UPGRADE_REQUIRED, "RFC 6455 §4.4"));
    /// let mut fields = FieldLines::new();
    /// error.write_fields(&mut fields);
    /// assert_eq!(fields.get("sec-websocket-version"), Some(&b"13"[..]));
    /// ```
    HandshakeError:
    /// The request is not a GET.
    WrongMethod METHOD_NOT_ALLOWED "RFC 6455 §4.2.1" "a WebSocket is opened with GET"
    /// The request does not ask for a WebSocket: `Upgrade` does not name it, `Connection` does not
    /// name `Upgrade`, or the request is one of HTTP/1.0.
    NoUpgrade UPGRADE_REQUIRED "RFC 6455 §4.2.1" "only a WebSocket is served here"
    /// Not exactly one `Sec-WebSocket-Version`, with the value 13.
    UnsupportedVersion UPGRADE_REQUIRED "RFC 6455 §4.4" "the version of the WebSocket protocol is not 13"
    /// The request announces a body.
    UnexpectedContent BAD_REQUEST "RFC 6455 §4.2.1" "a request for a WebSocket has no content"
    /// Not exactly one `Sec-WebSocket-Key` that is 16 bytes in base64.
    InvalidKey BAD_REQUEST "RFC 6455 §4.2.1" "the Sec-WebSocket-Key is not 16 bytes in base64"
    /// More than one `Origin`, or one that is not visible ASCII.
    InvalidOrigin BAD_REQUEST "RFC 6454 §7.3" "the Origin field is not valid"
    /// A `Sec-WebSocket-Protocol` that is empty, has a member that is no token, or names one twice.
    InvalidProtocols BAD_REQUEST "RFC 6455 §4.1" "the list of subprotocols is not valid"
    /// A `Sec-WebSocket-Extensions` that is not a list of extensions.
    InvalidExtensions BAD_REQUEST "RFC 6455 §9.1" "the list of extensions is not valid"
    /// The response is not `101 Switching Protocols`. It is to be read as any other.
    NotAccepted BAD_GATEWAY "RFC 6455 §4.1" "the server does not open a WebSocket"
    /// The response has no `Upgrade: websocket`, or `Connection` does not name `Upgrade`.
    WrongUpgrade BAD_GATEWAY "RFC 6455 §4.1" "the server does not switch to WebSocket"
    /// Not exactly one `Sec-WebSocket-Accept`, with the value that follows from the key.
    WrongAccept BAD_GATEWAY "RFC 6455 §4.1" "the Sec-WebSocket-Accept does not answer the key"
    /// More than one subprotocol, or one that was not offered.
    ProtocolNotOffered BAD_GATEWAY "RFC 6455 §4.1" "the server chose a subprotocol that was not offered"
    /// An extension that was not offered, or one more than once.
    ExtensionNotOffered BAD_GATEWAY "RFC 6455 §4.1" "the server chose an extension that was not offered"
    /// Terms of permessage-deflate that do not answer the offer, or cannot be honoured here.
    WrongDeflateTerms BAD_GATEWAY "RFC 7692 §7.1" "the terms of permessage-deflate are not acceptable"
}

impl HandshakeError {
    /// The fields that a refusal with this status has to have: with 426 what to upgrade to
    /// (RFC 9110 §15.5.22) and the version that is spoken (RFC 6455 §4.4), with 405 the method that
    /// is allowed (RFC 9110 §15.5.6). Other lines are kept.
    pub fn write_fields(&self, fields: &mut FieldLines) {
        match self.status() {
            StatusCode::UPGRADE_REQUIRED => {
                put(fields, "upgrade", "websocket");
                if !fields.has_connection_option(b"upgrade") {
                    let named = fields.append("connection", "upgrade");
                    debug_assert!(named.is_ok(), "a valid line");
                }
                put(fields, "sec-websocket-version", VERSION);
            }
            StatusCode::METHOD_NOT_ALLOWED => put(fields, "allow", "GET"),
            _ => {}
        }
    }
}

/// The caller asks for terms that a handshake cannot have. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TermsError {
    /// A subprotocol that the client did not offer (RFC 6455 §4.2.2).
    #[error("the client did not offer this subprotocol")]
    ProtocolNotOffered,
    /// A subprotocol that is no token (RFC 6455 §4.1).
    #[error("a subprotocol is a token")]
    InvalidProtocol,
    /// A subprotocol that was named before (RFC 6455 §4.1).
    #[error("a subprotocol is offered once")]
    DuplicateProtocol,
}

/// What client and server agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated<'p> {
    /// The subprotocol, if there is one.
    pub protocol: Option<&'p str>,
    /// The terms of permessage-deflate, if messages may be compressed.
    #[cfg(feature = "deflate")]
    pub deflate: Option<super::DeflateParams>,
}

/// The only version there is (RFC 6455 §4.1).
pub(super) const VERSION: &str = "13";

/// Bytes of a `Sec-WebSocket-Key`: 16 in base64.
pub(super) const KEY_BYTES: usize = 24;

/// Bytes of a `Sec-WebSocket-Accept`: a SHA-1 in base64.
const ACCEPT_BYTES: usize = 28;

/// The value of `Sec-WebSocket-Accept`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Accept([u8; ACCEPT_BYTES]);

impl Accept {
    /// The answer to a key: the SHA-1 of the key and a constant, in base64 (RFC 6455 §4.2.2).
    pub(super) fn of(key: &[u8; KEY_BYTES]) -> Self {
        let mut hash = Sha1::new();
        hash.update(key);
        hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        Self(encode(&hash.digest().bytes()))
    }

    pub(super) const fn as_bytes(&self) -> &[u8; ACCEPT_BYTES] {
        &self.0
    }
}

/// 16 bytes as a `Sec-WebSocket-Key`.
pub(super) fn key_of(nonce: [u8; 16]) -> [u8; KEY_BYTES] {
    encode(&nonce)
}

/// A `Sec-WebSocket-Key`: 16 bytes in base64 with its padding (RFC 6455 §4.2.1). Bits that no byte
/// needs are zero, so that one nonce has one spelling (RFC 4648 §3.5).
pub(super) fn parse_key(value: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let key: [u8; KEY_BYTES] = value.try_into().ok()?;
    // The decoder asks for as much room as 24 characters can need.
    let mut nonce = [0; 18];
    (STANDARD.decode_slice(key, &mut nonce) == Ok(16)).then_some(key)
}

/// Base64 of exactly `N` characters.
fn encode<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [0; N];
    let written = STANDARD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written, Ok(N), "the lengths are constants that fit");
    text
}

/// Sets a field to a value that is known to be valid.
pub(super) fn put(fields: &mut FieldLines, name: &str, value: impl AsRef<[u8]>) {
    let set = fields.insert(name, value);
    debug_assert!(set.is_ok(), "{name} is valid");
}

/// The value of the only field line of that name.
pub(super) fn only<'b>(fields: &Fields<'b>, name: &str) -> Option<&'b [u8]> {
    let mut values = fields.get_all(name);
    let value = values.next();
    if values.next().is_none() { value } else { None }
}

/// Whether a list names that member, without regard to case.
pub(super) fn names(fields: &Fields<'_>, list: &str, member: &[u8]) -> bool {
    fields.list(list).any(|named| named.eq_ignore_ascii_case(member))
}

/// `bytes` as text, if it is a token (RFC 9110 §5.6.2).
pub(super) fn token(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok().filter(|_| grammar::is_token(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_of_the_standard() {
        // RFC 6455 §1.3
        let key = key_of(*b"the sample nonce");
        assert_eq!(&key, b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(Accept::of(&key).as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        // RFC 6455 §4.1
        let key = key_of([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(&key, b"AQIDBAUGBwgJCgsMDQ4PEA==");
    }

    #[test]
    fn a_key_is_16_bytes_in_one_spelling() {
        for nonce in [[0; 16], [255; 16], *b"the sample nonce"] {
            assert_eq!(parse_key(&key_of(nonce)), Some(key_of(nonce)));
        }
        for wrong in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "dGhlIHNhbXBsZSBub25jZSEh",
            "dGhlIHNhbXBsZSBub25j ===",
            "dGhl-HNhbXBsZSBub25jZQ==",
            "dGhl_HNhbXBsZSBub25jZQ==",
            "dGhlIHNhbX=sZSBub25jZQ==",
        ] {
            assert_eq!(parse_key(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
