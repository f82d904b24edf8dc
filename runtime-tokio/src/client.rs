//! Asking a server for a WebSocket.

use sinew_app::WebSocket;
use sinew_app::websocket::{ConnectError, WebSocketClient};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::{TokioIo, TokioRuntime};

/// Connects to a `ws` URL over TCP, inside a tokio runtime. A task drives the connection.
///
/// ```no_run
/// use sinew_tokio::{WebSocketClient, connect_websocket};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = connect_websocket(WebSocketClient::new("ws://localhost:9001/")?).await?;
/// socket.send("hello").await?;
/// let answer = socket.recv().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ConnectError`] if the server cannot be reached or does not agree;
/// [`ConnectError::InvalidRequest`] for a `wss` URL: encrypt a stream, and connect
/// [over it](connect_websocket_over).
pub async fn connect_websocket(client: WebSocketClient) -> Result<WebSocket, ConnectError> {
    if client.is_secure() {
        return Err(ConnectError::InvalidRequest);
    }
    let stream = TcpStream::connect((client.host(), client.port())).await?;
    stream.set_nodelay(true)?;
    connect_websocket_over(stream, client).await
}

/// The same over a stream that is connected to the server.
///
/// # Errors
/// [`ConnectError`] if the server does not agree.
pub async fn connect_websocket_over<T>(stream: T, client: WebSocketClient) -> Result<WebSocket, ConnectError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // A client has no blocking jobs.
    let runtime = TokioRuntime::new(0);
    let (connection, socket) = sinew_runtime::connect_websocket(TokioIo(stream), runtime, client)?;
    tokio::spawn(connection);
    socket.await
}
