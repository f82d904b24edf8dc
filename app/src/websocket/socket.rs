//! The socket that a handler holds, whole or in halves, to await or to block on.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use sinew_proto::websocket::CloseCode;

use super::shared::Shared;
use super::{CloseReason, Message, WebSocketError};
use crate::blocking::block_on;

/// A WebSocket connection.
///
/// Pings are answered, and sent, without its help. When it is dropped, with both
/// [halves](Self::split) if it was split, the connection is closed with code 1000; in a panic with
/// 1011.
#[derive(Debug)]
pub struct WebSocket {
    sender: WebSocketSender,
    receiver: WebSocketReceiver,
}

/// The half that sends. It can be cloned, for several tasks; messages are never mixed.
#[derive(Debug)]
pub struct WebSocketSender {
    shared: Arc<Shared>,
}

/// The half that receives.
#[derive(Debug)]
pub struct WebSocketReceiver {
    shared: Arc<Shared>,
    protocol: Option<Box<str>>,
}

impl WebSocket {
    pub(super) fn new(shared: Arc<Shared>, protocol: Option<Box<str>>) -> Self {
        Self {
            sender: WebSocketSender { shared: shared.clone() },
            receiver: WebSocketReceiver { shared, protocol },
        }
    }

    /// The next message; `None` when the connection has ended with close frames. Nothing is lost if
    /// this future is dropped before it is ready.
    ///
    /// # Errors
    /// [`WebSocketError`] if it has ended in another way; after that `None`.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, WebSocketError>> + Send + '_ {
        self.receiver.recv()
    }

    /// Sends a message. It is written when the handler waits for something, together with what else
    /// was sent until then. Waits while more than [`send_buffer`](crate::WebSocketUpgrade::send_buffer)
    /// bytes are on their way: a peer that does not read stops its sender. Nothing is sent if this
    /// future is dropped before it is ready.
    ///
    /// # Errors
    /// [`WebSocketError`] if the connection is closing, or has ended.
    #[inline]
    pub fn send(
        &self,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<(), WebSocketError>> + Send + '_ {
        self.sender.send(message)
    }

    /// Waits until everything that was sent is written to the socket.
    ///
    /// # Errors
    /// [`WebSocketError`] if the connection has ended in another way than by close frames.
    pub async fn flush(&self) -> Result<(), WebSocketError> {
        self.sender.flush().await
    }

    /// Closes, after what was sent before. Nothing can be sent any more; what the peer still sends can
    /// be [received](Self::recv), up to its own close frame.
    ///
    /// # Errors
    /// [`WebSocketError`] if the connection is closing already, the code may not be sent (see
    /// [`CloseCode::is_sendable`]), or the reason is longer than 123 bytes.
    pub fn close(&self, code: CloseCode, reason: impl Into<String>) -> Result<(), WebSocketError> {
        self.sender.close(code, reason)
    }

    /// Why the peer has closed. `None` if it has not, or told no reason.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.receiver.close_reason()
    }

    /// The subprotocol that was agreed.
    pub fn protocol(&self) -> Option<&str> {
        self.receiver.protocol()
    }

    /// Two halves, for two tasks or threads.
    pub fn split(self) -> (WebSocketSender, WebSocketReceiver) {
        (self.sender, self.receiver)
    }

    /// To close it even if the socket is gone by then; that alone does not close it.
    pub(super) fn close_handle(&self) -> CloseHandle {
        CloseHandle(self.sender.clone())
    }

    /// The same socket with calls that block their thread: for `blocking` handlers.
    pub fn into_blocking(self) -> BlockingWebSocket {
        BlockingWebSocket { sender: self.sender, receiver: self.receiver }
    }
}

/// See [`WebSocket::close_handle`].
pub(super) struct CloseHandle(WebSocketSender);

impl CloseHandle {
    pub(super) fn close(&self, code: CloseCode, reason: &str) {
        self.0.shared.close_with(CloseReason { code, reason: reason.into() });
    }
}

impl WebSocketSender {
    /// See [`WebSocket::send`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn send(
        &self,
        message: impl Into<Message>,
    ) -> impl Future<Output = Result<(), WebSocketError>> + Send + '_ {
        let message = message.into();
        poll_fn(move |cx| self.shared.poll_send(&message, cx))
    }

    /// Sends a message if there is room for it now: for a broadcast that waits for nobody.
    ///
    /// # Errors
    /// [`WebSocketError::Full`] if there is none; another [`WebSocketError`] if the connection is
    /// closing, or has ended.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        match self.shared.poll_send(&message.into(), &Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(WebSocketError::Full),
        }
    }

    /// The same from a thread that may block.
    ///
    /// # Errors
    /// As there.
    pub fn blocking_send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        block_on(self.send(message))
    }

    /// See [`WebSocket::flush`].
    ///
    /// # Errors
    /// As there.
    pub async fn flush(&self) -> Result<(), WebSocketError> {
        poll_fn(|cx| self.shared.poll_flush(cx)).await
    }

    /// See [`WebSocket::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(&self, code: CloseCode, reason: impl Into<String>) -> Result<(), WebSocketError> {
        self.shared.close(CloseReason { code, reason: reason.into() })
    }

    /// Whether messages can still be sent: this side has not closed, nor answered a close frame of the
    /// peer, and the connection is there.
    pub fn is_open(&self) -> bool {
        self.shared.is_open()
    }
}

impl Clone for WebSocketSender {
    fn clone(&self) -> Self {
        self.shared.add_sender();
        Self { shared: self.shared.clone() }
    }
}

impl Drop for WebSocketSender {
    fn drop(&mut self) {
        self.shared.drop_sender();
    }
}

impl WebSocketReceiver {
    /// See [`WebSocket::recv`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, WebSocketError>> + Send + '_ {
        poll_fn(|cx| self.shared.poll_recv(cx))
    }

    /// The same from a thread that may block.
    ///
    /// # Errors
    /// As there.
    pub fn blocking_recv(&mut self) -> Result<Option<Message>, WebSocketError> {
        block_on(self.recv())
    }

    /// See [`WebSocket::close_reason`].
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.shared.peer_close()
    }

    /// The subprotocol that was agreed.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }
}

impl Drop for WebSocketReceiver {
    fn drop(&mut self) {
        self.shared.drop_receiver();
    }
}

/// A [`WebSocket`] for threads that may block.
#[derive(Debug)]
pub struct BlockingWebSocket {
    sender: WebSocketSender,
    receiver: WebSocketReceiver,
}

impl BlockingWebSocket {
    /// Waits for the next message. See [`WebSocket::recv`].
    ///
    /// # Errors
    /// As there.
    pub fn recv(&mut self) -> Result<Option<Message>, WebSocketError> {
        self.receiver.blocking_recv()
    }

    /// Sends a message; waits while too much is on its way. See [`WebSocket::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        self.sender.blocking_send(message)
    }

    /// Waits until everything is written. See [`WebSocket::flush`].
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self) -> Result<(), WebSocketError> {
        block_on(self.sender.flush())
    }

    /// Closes. See [`WebSocket::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(&self, code: CloseCode, reason: impl Into<String>) -> Result<(), WebSocketError> {
        self.sender.close(code, reason)
    }

    /// See [`WebSocket::close_reason`].
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.receiver.close_reason()
    }

    /// The subprotocol that was agreed.
    pub fn protocol(&self) -> Option<&str> {
        self.receiver.protocol()
    }

    /// The same socket with calls to await.
    pub fn into_async(self) -> WebSocket {
        WebSocket { sender: self.sender, receiver: self.receiver }
    }

    /// Two halves, for two threads: see
    /// [`blocking_send`](WebSocketSender::blocking_send) and
    /// [`blocking_recv`](WebSocketReceiver::blocking_recv).
    pub fn split(self) -> (WebSocketSender, WebSocketReceiver) {
        (self.sender, self.receiver)
    }
}
