//! WebSocket: what the topics of it have in common.

use std::time::Duration;

use sinew_app::websocket::Config;
use sinew_app::{Router, WebSocket, WebSocketUpgrade, get};

/// Deadlines that no test reaches.
pub(crate) const FAR: Duration = Duration::from_secs(600);

/// An application that opens a WebSocket at `/` for `f`, and says hello at `/hello`.
pub(crate) fn app<F, Fut>(f: F) -> Router
where
    F: Fn(WebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    app_with(|ws| ws, f)
}

/// The same on other terms.
pub(crate) fn app_with<C, F, Fut>(terms: C, f: F) -> Router
where
    C: Fn(WebSocketUpgrade) -> WebSocketUpgrade + Clone + Send + Sync + 'static,
    F: Fn(WebSocket) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let open = move |ws: WebSocketUpgrade| {
        let (terms, f) = (terms.clone(), f.clone());
        async move { terms(ws).on_upgrade(f) }
    };
    Router::new().route("/", get(open)).route("/hello", get(|| async { "hello" }))
}

/// No deadline but those that a test sets.
pub(crate) fn far() -> Config {
    Config {
        ping_interval: FAR,
        pong_timeout: FAR,
        close_timeout: FAR,
        write_timeout: FAR,
        ..Config::default()
    }
}

/// Sends back what comes, until the end.
pub(crate) async fn echo(mut socket: WebSocket) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}
