//! The client's side of the opening handshake (RFC 6455 §4.1).

use alloc::string::String;
use core::fmt;

use super::extensions::{self, Extensions};
use super::handshake::{
    Accept, HandshakeError, KEY_BYTES, Negotiated, TermsError, VERSION, key_of, names, only, put,
};
#[cfg(feature = "deflate")]
use super::{DeflateConfig, terms::is_permessage_deflate};
use crate::http1::client::Response;
use crate::{FieldLines, StatusCode, grammar};

const PROTOCOL: &str = "sec-websocket-protocol";

/// What a client asks for when it opens a WebSocket, and how it reads the answer.
///
/// ```
/// use sinew_proto::http1::{BodyPlan, Client, client::{Event, Request}};
/// use sinew_proto::websocket::ClientHandshake;
/// use sinew_proto::{Config, FieldLines, FieldTable, Instant};
///
/// # let config = Config::default();
/// # let mut client = Client::new(&config);
/// # let mut table = FieldTable::new(&config);
/// # let nonce = *b"the sample nonce";
/// let handshake = ClientHandshake::new(nonce).protocol("chat")?.protocol("superchat")?;
/// let mut fields = FieldLines::new();
/// fields.append("Host", "example.org")?;
/// handshake.write_fields(&mut fields);
/// let mut out = Vec::new();
/// client.request(&Request::new("GET", "/chat", &fields), BodyPlan::Empty, &mut out)?;
///
/// let input = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
/// let step = client.poll(input, &mut table, Instant::from_nanos(0))?;
/// let Event::Response(response) = step.event else { panic!("a whole head was given") };
/// assert_eq!(handshake.verify(&response)?.protocol, Some("chat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientHandshake {
    key: [u8; KEY_BYTES],
    /// `a, b`: as it is sent.
    protocols: String,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

impl ClientHandshake {
    /// A handshake with that nonce: 16 random bytes, new ones for each connection. They keep a cache
    /// in between from answering with what it remembers (RFC 6455 §10.3); they are no secret.
    pub fn new(nonce: [u8; 16]) -> Self {
        Self {
            key: key_of(nonce),
            protocols: String::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Offers a subprotocol, after those that were offered before and are liked better.
    ///
    /// # Errors
    /// [`TermsError`] if it is no token or was offered before.
    pub fn protocol(mut self, protocol: &str) -> Result<Self, TermsError> {
        if !grammar::is_token(protocol.as_bytes()) {
            return Err(TermsError::InvalidProtocol);
        }
        if self.offered(protocol.as_bytes()).is_some() {
            return Err(TermsError::DuplicateProtocol);
        }
        if !self.protocols.is_empty() {
            self.protocols.push_str(", ");
        }
        self.protocols.push_str(protocol);
        Ok(self)
    }

    /// Offers to compress messages (RFC 7692).
    #[cfg(feature = "deflate")]
    pub fn deflate(self, config: &DeflateConfig) -> Self {
        Self { deflate: Some(*config), ..self }
    }

    /// Sets the fields of the request, a GET with a `Host` and without a body. `Connection` is not
    /// among them: [`Client`](crate::http1::Client) writes it.
    pub fn write_fields(&self, fields: &mut FieldLines) {
        put(fields, "upgrade", "websocket");
        put(fields, "sec-websocket-key", self.key);
        put(fields, "sec-websocket-version", VERSION);
        if !self.protocols.is_empty() {
            put(fields, PROTOCOL, &self.protocols);
        }
        #[cfg(feature = "deflate")]
        if let Some(config) = &self.deflate {
            put(fields, extensions::FIELD, config.offer());
        }
    }

    /// Judges the response. Without an error what follows on the connection is WebSocket, on the terms
    /// that are returned.
    ///
    /// # Errors
    /// [`HandshakeError::NotAccepted`] for an ordinary response, which is to be read as such; after
    /// every other error the connection is to be closed.
    pub fn verify(&self, response: &Response<'_>) -> Result<Negotiated<'_>, HandshakeError> {
        let fields = response.fields();
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(HandshakeError::NotAccepted);
        }
        let upgrade = only(&fields, "upgrade");
        let switches = upgrade.is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
        if !switches || !names(&fields, "connection", b"upgrade") {
            return Err(HandshakeError::WrongUpgrade);
        }
        if only(&fields, "sec-websocket-accept") != Some(Accept::of(&self.key).as_bytes()) {
            return Err(HandshakeError::WrongAccept);
        }
        let protocol = if fields.contains(PROTOCOL) {
            let chosen = only(&fields, PROTOCOL).and_then(|chosen| self.offered(chosen));
            Some(chosen.ok_or(HandshakeError::ProtocolNotOffered)?)
        } else {
            None
        };
        let mut agreed = Negotiated { protocol, ..Negotiated::default() };
        extensions::check(fields.get_all(extensions::FIELD))
            .map_err(|_| HandshakeError::InvalidExtensions)?;
        for extension in fields.get_all(extensions::FIELD).flat_map(Extensions::new).filter_map(Result::ok) {
            self.take(&extension, &mut agreed)?;
        }
        Ok(agreed)
    }

    /// An extension that the server chose.
    #[cfg(feature = "deflate")]
    fn take(
        &self,
        extension: &extensions::Extension<'_>,
        agreed: &mut Negotiated<'_>,
    ) -> Result<(), HandshakeError> {
        let config =
            self.deflate.as_ref().filter(|_| is_permessage_deflate(extension) && agreed.deflate.is_none());
        agreed.deflate = Some(config.ok_or(HandshakeError::ExtensionNotOffered)?.verify(extension)?);
        Ok(())
    }

    /// An extension that the server chose: none was offered.
    #[cfg(not(feature = "deflate"))]
    #[expect(clippy::unused_self, reason = "as with deflate")]
    fn take(&self, _: &extensions::Extension<'_>, _: &mut Negotiated<'_>) -> Result<(), HandshakeError> {
        Err(HandshakeError::ExtensionNotOffered)
    }

    /// The subprotocol as it was offered.
    fn offered(&self, protocol: &[u8]) -> Option<&str> {
        self.protocols.split(", ").find(|offered| !offered.is_empty() && offered.as_bytes() == protocol)
    }
}

impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake").field("protocols", &self.protocols).finish_non_exhaustive()
    }
}
