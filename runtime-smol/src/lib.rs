//! Sinew on smol, and over any `futures_io` socket.
//!
//! ```no_run
//! use sinew_smol::{Router, get, serve};
//!
//! fn main() -> std::io::Result<()> {
//!     let app = Router::new().route("/", get(|| async { "hello" }));
//!     smol::block_on(async {
//!         let listener = smol::net::TcpListener::bind("127.0.0.1:8080").await?;
//!         serve(listener, app).await
//!     })
//! }
//! ```
//!
//! Connections run as tasks of smol's global executor, or of one that is given:
//! [`Server::executor`]. A socket that something else has accepted is served by
//! [`SmolServing::connection`].
//!
//! Everything an application needs is here: what [`sinew_app`] offers is re-exported.
#![forbid(unsafe_code)]

mod client;
mod listener;
mod runtime;
mod serve;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod set;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "set_elsewhere.rs"]
mod set;
#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod set_tests;
mod socket;
mod stream;

pub use client::{connect_websocket, connect_websocket_over};
pub use runtime::{SmolRuntime, SmolTimer};
pub use serve::{IntoSocket, Server, SmolServing, serve};
pub use sinew_app::*;
pub use sinew_proto as proto;
pub use sinew_proto::Config;
pub use sinew_runtime::{
    BodyBuffer, ConnectionConfig, Counts, OnDisconnect, OnRejected, Overload, Rejected, Shutdown,
};
pub use sinew_system::{
    Address, Limits, ListenOptions, ListenSocket, ServerHandle, Timeouts, raise_descriptor_limit, signals,
};
pub use socket::SmolSocket;
pub use stream::FuturesIo;
