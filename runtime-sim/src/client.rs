//! Asking a server for a WebSocket.

use sinew_app::WebSocket;
use sinew_app::websocket::{ConnectError, WebSocketClient};

use crate::{Sim, SimServer, SimStream};

impl Sim {
    /// Connects to a server and asks for a WebSocket. A task drives the connection. The host of the URL
    /// is not looked up.
    ///
    /// # Errors
    /// [`ConnectError`] if the server does not agree, or the connection breaks.
    pub async fn connect_websocket(
        &self,
        server: &SimServer,
        client: WebSocketClient,
    ) -> Result<WebSocket, ConnectError> {
        self.connect_websocket_over(self.connect(server), client).await
    }

    /// The same over a connection that was made before.
    ///
    /// # Errors
    /// [`ConnectError`] if the server does not agree, or the connection breaks.
    pub async fn connect_websocket_over(
        &self,
        stream: SimStream,
        client: WebSocketClient,
    ) -> Result<WebSocket, ConnectError> {
        let (connection, socket) = sinew_runtime::connect_websocket(stream, self.runtime(), client)?;
        drop(self.spawn(connection));
        socket.await
    }
}
