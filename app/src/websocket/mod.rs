//! WebSocket (RFC 6455): the extractor that accepts one, and the socket that a handler then holds.
//!
//! ```
//! use sinew_app::{Response, Router, WebSocketUpgrade, get};
//!
//! async fn echo(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(|mut socket| async move {
//!         while let Ok(Some(message)) = socket.recv().await {
//!             if socket.send(message).await.is_err() {
//!                 break;
//!             }
//!         }
//!     })
//! }
//! let app: Router = Router::new().route("/echo", get(echo));
//! ```
//!
//! The same in a plain function, on a thread that may block:
//!
//! ```
//! use sinew_app::{Response, Router, WebSocketUpgrade, get};
//!
//! async fn echo(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade_blocking(|mut socket| {
//!         while let Ok(Some(message)) = socket.recv() {
//!             if socket.send(message).is_err() {
//!                 break;
//!             }
//!         }
//!     })
//! }
//! let app: Router = Router::new().route("/echo", get(echo));
//! ```

mod client;
mod message;
mod session;
mod shared;
mod socket;
mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{fmt, io};

use sinew_proto::http1::RequestHeadBuf;
use sinew_proto::websocket::{CloseFrame, Connection, Negotiated, ServerHandshake};

pub use client::{ConnectError, Entropy, InvalidUrl, WebSocketClient, WebSocketConnect};
pub use message::Message;
pub use sinew_proto::websocket::{CloseCode, Config, HandshakeError, ProtocolError};
#[cfg(feature = "deflate")]
pub use sinew_proto::websocket::{DeflateConfig, WindowBits};
pub use socket::{BlockingWebSocket, WebSocket, WebSocketReceiver, WebSocketSender};

use self::session::{Handler, Session};
use self::shared::Shared;
use crate::extract::reject;
use crate::into_response::text;
use crate::upgrade::Upgrade;
use crate::{FromRequestParts, Handle, IntoResponse, Parts, Response, RunError, StatusCode};

/// How many bytes may be on their way to a peer before a sender has to wait, unless set: 64 KiB.
const SEND_BUFFER: usize = 64 * 1024;

/// Why a connection was closed, as the close frame says (RFC 6455 §7.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// The code.
    pub code: CloseCode,
    /// The same in words, at most 123 bytes.
    pub reason: String,
}

impl CloseReason {
    const MAX_BYTES: usize = 123;
}

impl From<CloseFrame<'_>> for CloseReason {
    fn from(frame: CloseFrame<'_>) -> Self {
        Self { code: frame.code, reason: frame.reason.into() }
    }
}

/// Why nothing more is received, or cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The peer broke a rule, or missed a deadline; it was told so if it could be.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The connection is gone, without close frames.
    #[error("the connection is gone")]
    Disconnected,
    /// One side has closed: nothing can be sent any more.
    #[error("the connection is closing")]
    Closed,
    /// Too much is on its way to the peer; the message was not sent.
    #[error("the peer does not read fast enough")]
    Full,
    /// A close code that may not be sent, or a reason longer than 123 bytes.
    #[error("the close code or its reason is not valid")]
    InvalidClose,
}

impl From<WebSocketError> for io::Error {
    fn from(error: WebSocketError) -> Self {
        let kind = match error {
            WebSocketError::Protocol(ProtocolError::PongTimeout | ProtocolError::WriteTimeout) => {
                io::ErrorKind::TimedOut
            }
            WebSocketError::Protocol(ProtocolError::UnexpectedEnd) => io::ErrorKind::UnexpectedEof,
            WebSocketError::Protocol(_) => io::ErrorKind::InvalidData,
            WebSocketError::Disconnected => io::ErrorKind::ConnectionReset,
            WebSocketError::Closed => io::ErrorKind::BrokenPipe,
            WebSocketError::Full => io::ErrorKind::WouldBlock,
            WebSocketError::InvalidClose => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// A request for a WebSocket: an extractor. What is no such request is answered with 426, 405 or 400
/// and what is wrong with it.
///
/// Pages of other origins are refused with 403 unless they are [allowed](Self::allow_origins): a
/// browser opens a WebSocket for any page, with the user's cookies (RFC 6455 §10.2). Programs that
/// send no `Origin` are no browsers, and are let in.
#[must_use = "a connection is accepted by `on_upgrade`"]
pub struct WebSocketUpgrade {
    head: RequestHeadBuf,
    handle: Handle,
    config: Config,
    send_buffer: usize,
    protocol: Option<String>,
    origin_allowed: bool,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebSocketRejection> {
        let request = parts.head();
        let handshake = ServerHandshake::from_request(&request)?;
        let origin_allowed = handshake.origin().is_none_or(|origin| origin.is_host_of(&request));
        let mut head = RequestHeadBuf::new();
        head.copy_from(&request);
        Ok(Self {
            head,
            handle: parts.handle().clone(),
            config: Config::default(),
            send_buffer: SEND_BUFFER,
            protocol: None,
            origin_allowed,
            #[cfg(feature = "deflate")]
            deflate: None,
        })
    }
}

impl WebSocketUpgrade {
    /// Speaks the first of these subprotocols that the client offers; none if it offers none of them.
    pub fn protocols<'p>(mut self, protocols: impl IntoIterator<Item = &'p str>) -> Self {
        let head = self.head.as_head();
        let chosen = ServerHandshake::from_request(&head).ok().and_then(|handshake| {
            let offered = |protocol: &&str| handshake.protocols().any(|offered| offered == *protocol);
            protocols.into_iter().find(offered).map(str::to_owned)
        });
        self.protocol = chosen;
        self
    }

    /// The subprotocol that was [chosen](Self::protocols).
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Lets in pages of these origins, written as `https://example.org` or `http://localhost:8080`,
    /// next to those of this server.
    pub fn allow_origins<'o>(mut self, origins: impl IntoIterator<Item = &'o str>) -> Self {
        let origins: Vec<&str> = origins.into_iter().collect();
        let head = self.head.as_head();
        let allowed = ServerHandshake::from_request(&head)
            .is_ok_and(|handshake| handshake.origin().is_some_and(|origin| origin.is_one_of(&origins)));
        self.origin_allowed |= allowed;
        self
    }

    /// Lets in pages of all origins. For a service that means nothing by cookies or by who can reach
    /// it.
    pub fn any_origin(mut self) -> Self {
        self.origin_allowed = true;
        self
    }

    /// Limits and deadlines. [`Config::stream`] has no effect here.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Config { stream: false, ..config };
        self
    }

    /// Most bytes of a message that is received; 1 MiB unless set. A longer one closes the connection
    /// with code 1009.
    pub fn max_message_bytes(mut self, bytes: u64) -> Self {
        self.config.max_message_bytes = bytes;
        self.config.max_frame_bytes = bytes;
        self
    }

    /// How many bytes may be on their way to the peer before [`WebSocket::send`] waits; 64 KiB unless
    /// set. One message more is taken, whatever its size.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// Compresses messages, if the client can (RFC 7692). It costs memory: see [`DeflateConfig`].
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }

    /// Accepts the connection, and hands it to `f` once the response is written. The future that `f`
    /// makes runs in the task of the connection, next to its driver: it must not block.
    ///
    /// When the connection ends, that future is not dropped: it learns of it when it receives or
    /// sends, and may finish what it does. It is dropped when the server ends without waiting any
    /// longer.
    pub fn on_upgrade<F, Fut>(self, f: F) -> Response
    where
        F: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.accept(|_, socket| Box::pin(f(socket)))
    }

    /// The same for a function that blocks. It runs on the pool of the runtime; if that is full, the
    /// connection is closed with code 1013.
    pub fn on_upgrade_blocking<F>(self, f: F) -> Response
    where
        F: FnOnce(BlockingWebSocket) + Send + 'static,
    {
        self.accept(|handle, socket| {
            Box::pin(async move {
                let closing = socket.close_handle();
                let run = handle.run(move || f(socket.into_blocking()));
                match run.await {
                    Ok(()) => {}
                    Err(RunError::Busy) => closing.close(CloseCode::TRY_AGAIN_LATER, "no thread is free"),
                    Err(RunError::Panicked) => closing.close(CloseCode::INTERNAL_ERROR, ""),
                }
            })
        })
    }

    fn accept<F>(self, handler: F) -> Response
    where
        F: FnOnce(Handle, WebSocket) -> Handler + Send + 'static,
    {
        let head = self.head.as_head();
        if !self.origin_allowed {
            return WebSocketRejection::ForeignOrigin.into_response();
        }
        let handshake = match ServerHandshake::from_request(&head) {
            Ok(handshake) => handshake,
            Err(error) => return WebSocketRejection::from(error).into_response(),
        };
        #[cfg(feature = "deflate")]
        let handshake = match &self.deflate {
            Some(deflate) => handshake.deflate(deflate),
            None => handshake,
        };
        let Ok((fields, agreed)) = handshake.accept(self.protocol.as_deref()) else {
            return crate::into_response::failed();
        };
        let terms = Terms::of(&agreed, false);
        let (config, send_buffer, handle) = (self.config, self.send_buffer, self.handle);
        let upgrade = Upgrade::new(move |now| {
            let core = terms.apply(Connection::server(&config, now));
            let shared = Shared::new(core, terms.lends, send_buffer, now);
            let socket = WebSocket::new(shared.clone(), terms.protocol);
            // A panic before the first `await` is one of the handler, too.
            let handler = catch_unwind(AssertUnwindSafe(|| handler(handle, socket)));
            if handler.is_err() {
                shared.close_with(CloseReason { code: CloseCode::INTERNAL_ERROR, reason: String::new() });
            }
            Box::new(Session::new(shared, handler.ok()))
        });
        Response::upgrade(fields, upgrade)
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("head", &self.head)
            .field("config", &self.config)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// What a handshake has agreed on, for as long as the connection lives.
#[derive(Clone)]
struct Terms {
    protocol: Option<Box<str>>,
    /// Payloads go out as they lie in memory: neither masked nor compressed.
    lends: bool,
    #[cfg(feature = "deflate")]
    deflate: Option<sinew_proto::websocket::DeflateParams>,
}

impl Terms {
    fn of(agreed: &Negotiated<'_>, client: bool) -> Self {
        #[cfg(feature = "deflate")]
        let compressed = agreed.deflate.is_some();
        #[cfg(not(feature = "deflate"))]
        let compressed = false;
        Self {
            protocol: agreed.protocol.map(Into::into),
            lends: !client && !compressed,
            #[cfg(feature = "deflate")]
            deflate: agreed.deflate,
        }
    }

    #[cfg(feature = "deflate")]
    fn apply(&self, core: Connection) -> Connection {
        match &self.deflate {
            Some(deflate) => core.with_deflate(deflate),
            None => core,
        }
    }

    #[cfg(not(feature = "deflate"))]
    #[expect(clippy::unused_self, reason = "with the feature it is used")]
    fn apply(&self, core: Connection) -> Connection {
        core
    }
}

/// Why a request gets no WebSocket. As a response: what the handshake asks for, or 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketRejection {
    /// It is no valid request for one.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// It comes from a page of another origin.
    #[error("pages of this origin may not open a WebSocket here")]
    ForeignOrigin,
}

impl IntoResponse for WebSocketRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Handshake(error) => {
                let mut response = reject(error.status(), &error);
                error.write_fields(response.headers_mut());
                response
            }
            Self::ForeignOrigin => text(StatusCode::FORBIDDEN, self.to_string()),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}
