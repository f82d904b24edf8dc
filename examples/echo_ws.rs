//! A WebSocket that sends back what it receives, compressed if the client can:
//! `cargo run --release --example echo_ws -- --listen 127.0.0.1:9001 --runtime tokio`

use sinew_tokio::websocket::{Config, DeflateConfig};
use sinew_tokio::{Response, Router, WebSocketUpgrade, get};

fn main() -> std::io::Result<()> {
    sinew_examples::run(Router::new().route("/", get(echo)))
}

async fn echo(ws: WebSocketUpgrade) -> Response {
    // More than an application should allow: this one is for test suites.
    let config = Config {
        max_message_bytes: 64 << 20,
        max_frame_bytes: 64 << 20,
        max_fragments: 70_000,
        ..Config::default()
    };
    ws.config(config).any_origin().deflate(DeflateConfig::default()).on_upgrade(|mut socket| async move {
        while let Ok(Some(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}
