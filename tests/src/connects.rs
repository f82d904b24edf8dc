//! The clients of the adapters.

use std::sync::LazyLock;

use sinew_app::BlockingWebSocket;
use sinew_app::websocket::{ConnectError, WebSocketClient};
use tokio::runtime::{Builder, Runtime};

use crate::{Smol, Std, Tokio};

/// One way to ask for a WebSocket.
pub trait Connects {
    /// Connects, and waits for the answer. The connection is driven elsewhere.
    ///
    /// # Errors
    /// Those of the adapter.
    fn connect(client: WebSocketClient) -> Result<BlockingWebSocket, ConnectError>;
}

/// What drives the connections of tokio's clients.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"));

impl Connects for Tokio {
    fn connect(client: WebSocketClient) -> Result<BlockingWebSocket, ConnectError> {
        RUNTIME.block_on(sinew_tokio::connect_websocket(client)).map(sinew_app::WebSocket::into_blocking)
    }
}

impl Connects for Smol {
    fn connect(client: WebSocketClient) -> Result<BlockingWebSocket, ConnectError> {
        smol::block_on(sinew_smol::connect_websocket(client)).map(sinew_app::WebSocket::into_blocking)
    }
}

impl Connects for Std {
    fn connect(client: WebSocketClient) -> Result<BlockingWebSocket, ConnectError> {
        sinew_std::connect_websocket(client)
    }
}
