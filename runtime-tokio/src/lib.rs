//! Sinew on tokio.
//!
//! ```no_run
//! use sinew_tokio::{Router, get, serve};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let app = Router::new().route("/", get(|| async { "hello" }));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!     serve(listener, app).await
//! }
//! ```
//!
//! Everything an application needs is here: what [`sinew_app`] offers is re-exported.
#![forbid(unsafe_code)]

mod client;
mod listener;
mod runtime;
mod serve;
mod socket;
mod stream;

pub use client::{connect_websocket, connect_websocket_over};
pub use runtime::{TokioRuntime, TokioTimer};
pub use serve::{IntoSocket, Server, serve};
pub use sinew_app::*;
pub use sinew_proto as proto;
pub use sinew_proto::Config;
pub use sinew_runtime::{
    BodyBuffer, ConnectionConfig, Counts, OnDisconnect, OnRejected, Overload, Rejected, Shutdown,
};
pub use sinew_system::{
    Address, Limits, ListenOptions, ListenSocket, ServerHandle, Timeouts, raise_descriptor_limit, signals,
};
pub use socket::TokioSocket;
pub use stream::TokioIo;
