//! The other side: asking a server for a WebSocket.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{fmt, io, mem};

use bytes::Bytes;
use sinew_proto::http1::client::{Event, Request};
use sinew_proto::http1::{BodyPlan, Client, CloseAction};
#[cfg(feature = "deflate")]
use sinew_proto::websocket::DeflateConfig;
use sinew_proto::websocket::{ClientHandshake, Config, Connection, HandshakeError, TermsError};
use sinew_proto::{FieldError, FieldTable, Instant, RecvError, SendQueue, StatusCode};

use super::session::Session;
use super::shared::Shared;
use super::state::remember;
use super::{BlockingWebSocket, SEND_BUFFER, Terms, WebSocket};
use crate::Headers;
use crate::blocking::block_on;
use crate::upgrade::{Received, Upgraded};

/// How long the handshake may take, unless set.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Fills a buffer with random bytes of the kind that keys are made of.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// A WebSocket that is to be asked for: where, and on which terms. An adapter's `connect` does it.
///
/// ```
/// use sinew_app::WebSocketClient;
/// let client = WebSocketClient::new("ws://example.org/chat?room=1")?.protocol("chat")?;
/// assert_eq!((client.host(), client.port()), ("example.org", 80));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WebSocketClient {
    host: String,
    port: u16,
    secure: bool,
    target: String,
    fields: Headers,
    protocols: Vec<String>,
    config: Config,
    send_buffer: usize,
    timeout: Duration,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

/// Not `ws://host[:port][/path][?query]`, or the same with `wss` (RFC 6455 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a WebSocket URL")]
pub struct InvalidUrl;

impl WebSocketClient {
    /// A request to that URL. For `wss` the stream that is connected to has to be encrypted already.
    ///
    /// # Errors
    /// [`InvalidUrl`] if it is none of a WebSocket; a fragment is not allowed in one.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidUrl)?;
        let secure = scheme.eq_ignore_ascii_case("wss");
        if !secure && !scheme.eq_ignore_ascii_case("ws") {
            return Err(InvalidUrl);
        }
        let default_port = if secure { 443 } else { 80 };
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let visible = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !visible || authority.is_empty() || authority.contains('@') {
            return Err(InvalidUrl);
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let (host, port) = match authority.rsplit_once(':') {
            // A colon inside of brackets belongs to an address.
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| InvalidUrl)?),
            _ => (authority, default_port),
        };
        let mut fields = Headers::new();
        // Checked as one of ours: the client refuses what is no host.
        fields.append("host", authority).map_err(|_| InvalidUrl)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self {
            host,
            port,
            secure,
            target,
            fields,
            protocols: Vec::new(),
            config: Config::default(),
            send_buffer: SEND_BUFFER,
            timeout: HANDSHAKE_TIMEOUT,
            #[cfg(feature = "deflate")]
            deflate: None,
        })
    }

    /// The host to connect to, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is a `wss` URL: the stream has to be encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Sets a field of the request, `Origin` or `Authorization` for example.
    ///
    /// # Errors
    /// [`FieldError`] if name or value cannot stand in a field line.
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.fields.insert(name, value)?;
        Ok(self)
    }

    /// Offers a subprotocol, after those that were offered before and are liked better.
    ///
    /// # Errors
    /// [`TermsError`] if it is no token or was offered before.
    pub fn protocol(mut self, protocol: &str) -> Result<Self, TermsError> {
        self.protocols.push(protocol.to_owned());
        self.handshake([0; 16])?;
        Ok(self)
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

    /// How many bytes may be on their way to the server before [`WebSocket::send`] waits; 64 KiB
    /// unless set.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// How long the handshake may take, from the request to the whole answer; 30 s unless set. Zero is
    /// off. Opening the socket before that is up to the adapter, and to the system.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Offers to compress messages (RFC 7692). It costs memory: see [`DeflateConfig`].
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = Some(config);
        self
    }

    fn handshake(&self, nonce: [u8; 16]) -> Result<ClientHandshake, TermsError> {
        let mut handshake = ClientHandshake::new(nonce);
        #[cfg(feature = "deflate")]
        if let Some(deflate) = &self.deflate {
            handshake = handshake.deflate(deflate);
        }
        for protocol in &self.protocols {
            handshake = handshake.protocol(protocol)?;
        }
        Ok(handshake)
    }

    /// The two ends of a connection to be made: one for a driver to turn, the other gives the socket
    /// once the server has agreed. `entropy` makes the nonce and the masking keys (RFC 6455 §10.3).
    ///
    /// # Errors
    /// [`ConnectError::InvalidRequest`] if a field does not fit the request.
    pub fn begin(self, mut entropy: Entropy) -> Result<(Box<dyn Upgraded>, WebSocketConnect), ConnectError> {
        let invalid = |_| ConnectError::InvalidRequest;
        let mut nonce = [0; 16];
        entropy(&mut nonce);
        let handshake = self.handshake(nonce).map_err(|_| ConnectError::InvalidRequest)?;
        let mut fields = self.fields;
        handshake.write_fields(&mut fields);
        // The one time limit is ours.
        let http = sinew_proto::Config {
            response_timeout: Duration::ZERO,
            head_timeout: Duration::ZERO,
            ..Default::default()
        };
        let mut client = Client::new(&http);
        let mut request = Vec::new();
        let head = Request::new("GET", &self.target, &fields);
        client.request(&head, BodyPlan::Empty, &mut request).map_err(invalid)?;
        let outcome = Arc::new(Mutex::new(Outcome::Waiting { caller: None, driver: None }));
        let opening = Opening {
            client,
            request,
            table: FieldTable::new(&http),
            handshake,
            terms: None,
            timeout: self.timeout,
            until: None,
            config: self.config,
            send_buffer: self.send_buffer,
            entropy: Some(entropy),
            outcome: outcome.clone(),
        };
        Ok((Box::new(ClientSession::Opening(Box::new(opening))), WebSocketConnect(outcome)))
    }
}

impl fmt::Debug for WebSocketClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketClient")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The request cannot be sent as it is.
    #[error("the request is not valid")]
    InvalidRequest,
    /// The server answered with another status: it does not open a WebSocket here.
    #[error("the server answers {}", .0.as_u16())]
    Refused(StatusCode),
    /// The server's answer breaks a rule of the handshake.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The server's answer breaks a rule of HTTP, or did not come in time.
    #[error(transparent)]
    Protocol(#[from] RecvError),
    /// The connection is gone before there was an answer.
    #[error("the connection is gone")]
    Disconnected,
    /// The socket could not be opened.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A WebSocket to come: see [`WebSocketClient::begin`]. Dropped before it is ready, it ends the
/// connection.
#[must_use = "it has to be awaited"]
pub struct WebSocketConnect(Arc<Mutex<Outcome>>);

enum Outcome {
    Waiting {
        caller: Option<Waker>,
        driver: Option<Waker>,
    },
    Done(Result<WebSocket, ConnectError>),
    /// Or nobody wants it.
    Taken,
}

fn lock(outcome: &Mutex<Outcome>) -> MutexGuard<'_, Outcome> {
    outcome.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WebSocketConnect {
    /// Waits for it on a thread that may block.
    ///
    /// # Errors
    /// [`ConnectError`] if there is no WebSocket.
    pub fn wait(self) -> Result<BlockingWebSocket, ConnectError> {
        block_on(self).map(WebSocket::into_blocking)
    }
}

impl Future for WebSocketConnect {
    type Output = Result<WebSocket, ConnectError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut outcome = lock(&self.0);
        if let Outcome::Waiting { caller, .. } = &mut *outcome {
            let replaced = remember(caller, cx);
            drop(outcome);
            drop(replaced);
            return Poll::Pending;
        }
        match mem::replace(&mut *outcome, Outcome::Taken) {
            Outcome::Done(result) => Poll::Ready(result),
            _ => Poll::Ready(Err(ConnectError::Disconnected)),
        }
    }
}

impl Drop for WebSocketConnect {
    fn drop(&mut self) {
        // A socket that is there closes itself, a driver that is at it ends: both without the lock.
        let outcome = mem::replace(&mut *lock(&self.0), Outcome::Taken);
        if let Outcome::Waiting { driver: Some(driver), .. } = outcome {
            driver.wake();
        }
    }
}

impl fmt::Debug for WebSocketConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocketConnect")
    }
}

/// A connection to a server: HTTP until it has agreed, WebSocket from then on.
enum ClientSession {
    Opening(Box<Opening>),
    Open(Session),
    /// There is no WebSocket.
    Failed,
}

struct Opening {
    client: Client,
    /// The request, until it is written.
    request: Vec<u8>,
    table: FieldTable,
    handshake: ClientHandshake,
    terms: Option<Terms>,
    timeout: Duration,
    /// Known from the first turn on.
    until: Option<Instant>,
    config: Config,
    send_buffer: usize,
    entropy: Option<Entropy>,
    outcome: Arc<Mutex<Outcome>>,
}

impl Opening {
    fn settle(&self, result: Result<WebSocket, ConnectError>) {
        let mut outcome = lock(&self.outcome);
        if !matches!(*outcome, Outcome::Waiting { .. }) {
            // Nobody wants it: a socket closes itself, without the lock.
            drop(outcome);
            return;
        }
        let before = mem::replace(&mut *outcome, Outcome::Done(result));
        drop(outcome);
        if let Outcome::Waiting { caller: Some(caller), .. } = before {
            caller.wake();
        }
    }

    /// Whether somebody waits. If so, the task of `cx` is woken when that changes.
    fn is_wanted(&self, cx: &Context<'_>) -> bool {
        let mut outcome = lock(&self.outcome);
        let Outcome::Waiting { driver, .. } = &mut *outcome else {
            return false;
        };
        let replaced = remember(driver, cx);
        drop(outcome);
        drop(replaced);
        true
    }

    /// Sets the time limit, with the first turn.
    fn begin(&mut self, now: Instant) {
        if self.until.is_none() && !self.timeout.is_zero() {
            self.until = Some(now.saturating_add(self.timeout));
        }
    }

    /// Looks for the answer in `input`: how much of it is HTTP, and whether the server has agreed.
    fn advance(&mut self, mut input: &[u8], now: Instant) -> Result<(usize, bool), ConnectError> {
        let len = input.len();
        loop {
            let step = self.client.poll(input, &mut self.table, now)?;
            input = &input[step.consumed..];
            match step.event {
                Event::Interim(_) => {}
                Event::Response(response) => {
                    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                        return Err(ConnectError::Refused(response.status()));
                    }
                    self.terms = Some(Terms::of(&self.handshake.verify(&response)?, true));
                }
                Event::Upgraded => return Ok((len - input.len(), true)),
                Event::NeedInput => return Ok((len - input.len(), false)),
                // After the head of a response that is refused there is nothing to wait for.
                _ => return Err(ConnectError::Disconnected),
            }
        }
    }

    fn open(&mut self, now: Instant) -> ClientSession {
        let (Some(terms), Some(entropy)) = (self.terms.take(), self.entropy.take()) else {
            return ClientSession::Failed;
        };
        let core = terms.apply(Connection::client(&self.config, masks(entropy), now));
        let shared = Shared::new(core, terms.lends, self.send_buffer, now);
        self.settle(Ok(WebSocket::new(shared.clone(), terms.protocol)));
        ClientSession::Open(Session::new(shared, None))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.settle(Err(ConnectError::Disconnected));
    }
}

/// Masking keys, for which the source is asked rarely.
fn masks(mut entropy: Entropy) -> Box<dyn FnMut() -> [u8; 4] + Send> {
    let mut pool = [0; 256];
    let mut used = pool.len();
    Box::new(move || {
        if used == pool.len() {
            entropy(&mut pool);
            used = 0;
        }
        let mut key = [0; 4];
        key.copy_from_slice(&pool[used..used + 4]);
        used += 4;
        key
    })
}

impl Upgraded for ClientSession {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut input: Received<'_>,
        output: &mut SendQueue<Bytes>,
        now: Instant,
    ) -> usize {
        let start = input.start;
        if let Self::Opening(opening) = self {
            if !opening.is_wanted(cx) {
                *self = Self::Failed;
                return input.end - start;
            }
            opening.begin(now);
            output.buffer().append(&mut opening.request);
            match opening.advance(&input.buffer[input.start..input.end], now) {
                Ok((consumed, false)) => return consumed,
                Ok((consumed, true)) => {
                    input.start += consumed;
                    *self = opening.open(now);
                }
                Err(error) => {
                    opening.settle(Err(error));
                    *self = Self::Failed;
                }
            }
        }
        match self {
            Self::Open(session) => {
                let before = input.start - start;
                before + session.poll(cx, input, output, now)
            }
            _ => input.end - start,
        }
    }

    fn end_of_input(&mut self) {
        match self {
            Self::Opening(opening) => opening.client.end_of_input(Instant::default()),
            Self::Open(session) => session.end_of_input(),
            Self::Failed => {}
        }
    }

    fn disconnected(&mut self) {
        match self {
            Self::Open(session) => session.disconnected(),
            // Whoever waits is told when this is dropped.
            _ => *self = Self::Failed,
        }
    }

    fn is_finished(&self) -> bool {
        match self {
            Self::Open(session) => session.is_finished(),
            _ => true,
        }
    }

    fn drain(&mut self, now: Instant) {
        match self {
            Self::Open(session) => session.drain(now),
            _ => *self = Self::Failed,
        }
    }

    fn written(&mut self, progress: bool, pending: usize, now: Instant) -> bool {
        match self {
            Self::Opening(opening) => {
                opening.client.written(progress, pending > 0, now);
                false
            }
            Self::Open(session) => session.written(progress, pending, now),
            Self::Failed => false,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Opening(opening) => {
                let late = opening.until.filter(|until| *until <= now).map(|_| RecvError::ResponseTimeout);
                if let Some(error) = late.or_else(|| opening.client.handle_timeout(now).err()) {
                    opening.settle(Err(error.into()));
                    *self = Self::Failed;
                }
            }
            Self::Open(session) => session.handle_timeout(now),
            Self::Failed => {}
        }
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        match self {
            Self::Opening(opening) => opening.client.poll_timeout().into_iter().chain(opening.until).min(),
            Self::Open(session) => session.poll_timeout(),
            Self::Failed => None,
        }
    }

    fn wants_read(&mut self, now: Instant) -> bool {
        match self {
            Self::Opening(opening) => opening.client.wants_read(),
            Self::Open(session) => session.wants_read(now),
            Self::Failed => false,
        }
    }

    fn close_action(&mut self) -> CloseAction {
        match self {
            Self::Opening(_) => CloseAction::None,
            Self::Open(session) => session.close_action(),
            Self::Failed => CloseAction::Abort,
        }
    }
}
