//! The server's side of the opening handshake (RFC 6455 §4.2).

#[cfg(feature = "deflate")]
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::extensions;
use super::handshake::{
    Accept, HandshakeError, Negotiated, TermsError, VERSION, names, only, parse_key, put, token,
};
use super::origin::Origin;
#[cfg(feature = "deflate")]
use super::{DeflateConfig, DeflateParams};
use crate::http1::{BodyLength, RequestHead, Version};
use crate::{FieldLines, Fields};

/// A request for a WebSocket that can be granted.
///
/// The request is judged in one go. What is left for the application: to look at the
/// [`origin`](Self::origin), to choose a subprotocol, and whether to compress.
///
/// ```
/// use sinew_proto::http1::{BodyPlan, ResponseHead, Server, server::Event};
/// use sinew_proto::websocket::{HandshakeError, ServerHandshake};
/// use sinew_proto::{Config, FieldLines, FieldTable, Instant, StatusCode};
///
/// # let config = Config::default();
/// # let mut server = Server::new(&config);
/// # let mut table = FieldTable::new(&config);
/// let input = b"GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
///     Sec-WebSocket-Protocol: superchat, chat\r\n\r\n";
/// let step = server.poll(input, &mut table, Instant::from_nanos(0))?;
/// let Event::Request(request) = step.event else { panic!("a whole head was given") };
///
/// let mut out = Vec::new();
/// match ServerHandshake::from_request(&request) {
///     Ok(handshake) => {
///         let protocol = handshake.protocols().find(|protocol| *protocol == "chat");
///         let (fields, agreed) = handshake.accept(protocol)?;
///         assert_eq!(agreed.protocol, Some("chat"));
///         let head = ResponseHead { fields: Some(&fields), ..ResponseHead::new(StatusCode::SWITCHING_PROTOCOLS) };
///         server.respond(&head, BodyPlan::Upgrade, &mut out)?;
///     }
///     Err(error) => {
///         let mut fields = FieldLines::new();
///         error.write_fields(&mut fields);
///         let head = ResponseHead { fields: Some(&fields), ..ResponseHead::new(error.status()) };
///         server.respond(&head, BodyPlan::Empty, &mut out)?;
///     }
/// }
/// assert!(out.starts_with(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
///     sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ServerHandshake<'b> {
    fields: Fields<'b>,
    accept: Accept,
    origin: Option<Origin<'b>>,
    #[cfg(feature = "deflate")]
    deflate: Option<(DeflateParams, String)>,
}

impl<'b> ServerHandshake<'b> {
    /// Judges a request (RFC 6455 §4.2.1).
    ///
    /// # Errors
    /// The [`HandshakeError`] to refuse it with. [`HandshakeError::NoUpgrade`] is an ordinary request
    /// that might be served as such.
    pub fn from_request(request: &RequestHead<'b>) -> Result<Self, HandshakeError> {
        let fields = request.fields();
        if request.method() != "GET" {
            return Err(HandshakeError::WrongMethod);
        }
        // In HTTP/1.0 an Upgrade is ignored (RFC 9110 §7.8).
        let http11 = request.version() == Version::Http11;
        if !(http11 && request.offers_upgrade() && names(&fields, "upgrade", b"websocket")) {
            return Err(HandshakeError::NoUpgrade);
        }
        // Another version may have other rules: it is told about before anything else.
        if only(&fields, "sec-websocket-version") != Some(VERSION.as_bytes()) {
            return Err(HandshakeError::UnsupportedVersion);
        }
        if !matches!(request.body(), BodyLength::None | BodyLength::Known(0)) {
            return Err(HandshakeError::UnexpectedContent);
        }
        let key = only(&fields, "sec-websocket-key").and_then(parse_key);
        let key = key.ok_or(HandshakeError::InvalidKey)?;
        let origin = if fields.contains("origin") {
            let origin = only(&fields, "origin").and_then(Origin::new);
            Some(origin.ok_or(HandshakeError::InvalidOrigin)?)
        } else {
            None
        };
        check_protocols(&fields)?;
        extensions::check(fields.get_all(extensions::FIELD))
            .map_err(|_| HandshakeError::InvalidExtensions)?;
        Ok(Self {
            fields,
            accept: Accept::of(&key),
            origin,
            #[cfg(feature = "deflate")]
            deflate: None,
        })
    }

    /// The page that asks, or nothing if the client is no browser (RFC 6455 §10.2). What each of them
    /// means has to be decided by the application.
    pub fn origin(&self) -> Option<Origin<'b>> {
        self.origin
    }

    /// The subprotocols that the client speaks, those it likes better first (RFC 6455 §1.9): tokens,
    /// each of them once. Their case matters.
    pub fn protocols(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        self.fields.list(PROTOCOL).filter_map(token)
    }

    /// Compresses, if the client offers terms that agree with `config`: the first such offer is taken
    /// (RFC 7692 §5.1).
    #[cfg(feature = "deflate")]
    pub fn deflate(self, config: &DeflateConfig) -> Self {
        let deflate = config.accept(self.fields.get_all(extensions::FIELD));
        Self { deflate, ..self }
    }

    /// Grants the request: the fields of the `101 Switching Protocols`, to be sent with
    /// [`BodyPlan::Upgrade`](crate::http1::BodyPlan::Upgrade), and what was agreed on.
    ///
    /// # Errors
    /// [`TermsError::ProtocolNotOffered`] if the client does not speak that subprotocol.
    pub fn accept<'p>(&self, protocol: Option<&'p str>) -> Result<(FieldLines, Negotiated<'p>), TermsError> {
        if protocol.is_some_and(|chosen| self.protocols().all(|offered| offered != chosen)) {
            return Err(TermsError::ProtocolNotOffered);
        }
        let mut fields = FieldLines::with_capacity(192);
        put(&mut fields, "upgrade", "websocket");
        put(&mut fields, "sec-websocket-accept", self.accept.as_bytes());
        if let Some(protocol) = protocol {
            put(&mut fields, PROTOCOL, protocol);
        }
        #[cfg(feature = "deflate")]
        if let Some((_, value)) = &self.deflate {
            put(&mut fields, extensions::FIELD, value);
        }
        let agreed = Negotiated {
            protocol,
            #[cfg(feature = "deflate")]
            deflate: self.deflate.as_ref().map(|(params, _)| *params),
        };
        Ok((fields, agreed))
    }
}

impl fmt::Debug for ServerHandshake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocols: Vec<&str> = self.protocols().collect();
        f.debug_struct("ServerHandshake")
            .field("origin", &self.origin)
            .field("protocols", &protocols)
            .finish_non_exhaustive()
    }
}

const PROTOCOL: &str = "sec-websocket-protocol";

/// `1#token`, each of them once (RFC 6455 §4.1 and §4.3).
fn check_protocols(fields: &Fields<'_>) -> Result<(), HandshakeError> {
    if !fields.contains(PROTOCOL) {
        return Ok(());
    }
    let mut offered: Vec<&[u8]> = fields.list(PROTOCOL).collect();
    if offered.is_empty() || offered.iter().any(|protocol| token(protocol).is_none()) {
        return Err(HandshakeError::InvalidProtocols);
    }
    // Sorted, because there may be thousands.
    offered.sort_unstable();
    let duplicate = offered.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
    if duplicate { Err(HandshakeError::InvalidProtocols) } else { Ok(()) }
}
