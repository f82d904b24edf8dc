//! Asking a server for a WebSocket.

use std::io;
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use sinew_app::BlockingWebSocket;
use sinew_app::websocket::{ConnectError, WebSocketClient};

use crate::pool::Pool;
use crate::reactor::{EventLoop, LoopHandle};
use crate::runtime::StdRuntime;
use crate::socket::Socket;

/// Connects to a `ws` URL over TCP. One thread of the process drives all such connections; it starts
/// with the first one. For threads that may block: not for an event loop.
///
/// ```no_run
/// use sinew_std::{WebSocketClient, connect_websocket};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = connect_websocket(WebSocketClient::new("ws://localhost:9001/")?)?;
/// socket.send("hello")?;
/// let answer = socket.recv()?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ConnectError`] if the server cannot be reached or does not agree;
/// [`ConnectError::InvalidRequest`] for a `wss` URL: there is no encryption here.
pub fn connect_websocket(client: WebSocketClient) -> Result<BlockingWebSocket, ConnectError> {
    if client.is_secure() {
        return Err(ConnectError::InvalidRequest);
    }
    let stream = TcpStream::connect((client.host(), client.port()))?;
    stream.set_nodelay(true)?;
    connect_websocket_over(stream, client)
}

/// The same over a connection to the server that is there already, a tunnel through a proxy for
/// example.
///
/// # Errors
/// [`ConnectError`] if the server does not agree.
pub fn connect_websocket_over(
    stream: TcpStream,
    client: WebSocketClient,
) -> Result<BlockingWebSocket, ConnectError> {
    let home = client_loop()?;
    stream.set_nonblocking(true)?;
    let io = Socket::new(mio::net::TcpStream::from_std(stream), &home)?;
    // A client has no blocking jobs.
    let runtime = StdRuntime::new(home.clone(), Pool::new(1, 0));
    let (connection, socket) = sinew_runtime::connect_websocket(io, runtime, client)?;
    home.spawn(Box::pin(connection));
    socket.wait()
}

/// The loop of all clients of the process.
fn client_loop() -> io::Result<LoopHandle> {
    static LOOP: Mutex<Option<LoopHandle>> = Mutex::new(None);
    let mut home = LOOP.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(home) = &*home {
        return Ok(home.clone());
    }
    let event_loop = EventLoop::new(Instant::now())?;
    let handle = event_loop.handle().clone();
    thread::Builder::new().name("sinew-client".into()).spawn(move || event_loop.run())?;
    *home = Some(handle.clone());
    Ok(handle)
}
