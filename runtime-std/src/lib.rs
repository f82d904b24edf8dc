//! Sinew on plain threads, without an async runtime.
//!
//! ```no_run
//! use sinew_std::{Router, blocking, get, serve};
//!
//! fn main() -> std::io::Result<()> {
//!     let app = Router::new()
//!         .route("/", get(|| async { "hello" }))
//!         .route("/report", blocking::get(|| std::fs::read_to_string("report.txt").unwrap_or_default()));
//!     serve(std::net::TcpListener::bind("127.0.0.1:8080")?, app).run()
//! }
//! ```
//!
//! Each thread runs an event loop ([`mio`]) that polls its connections; an idle connection holds no
//! thread. Async handlers run on the loop of their connection and must not block it; `blocking`
//! handlers run on a bounded pool, where they may.
//!
//! | file | what it holds |
//! |---|---|
//! | `reactor` | one event loop: tasks, wakers, events |
//! | `source`, `socket` | readiness, and sockets that wait for it |
//! | `timers` | the deadlines of a loop |
//! | `pool` | threads for what blocks |
//! | `runtime` | all that, as the driver wants it |
//! | `serve` | accepting connections, and ending |
//! | `client` | asking a server for a WebSocket |
//!
//! Everything an application needs is here: what [`sinew_app`] offers is re-exported.
#![forbid(unsafe_code)]

mod client;
mod pool;
mod reactor;
#[cfg(test)]
mod reactor_tests;
mod runtime;
mod serve;
mod socket;
mod source;
mod timers;

pub use client::{connect_websocket, connect_websocket_over};
pub use runtime::{StdRuntime, StdTimer};
pub use serve::{Server, serve};
pub use sinew_app::*;
pub use sinew_proto as proto;
pub use sinew_proto::Config;
pub use sinew_runtime::{
    BodyBuffer, ConnectionConfig, Counts, OnDisconnect, OnRejected, Overload, Rejected, Shutdown,
};
pub use sinew_system::{
    Address, IntoListenSocket, Limits, ListenOptions, ListenSocket, ServerHandle, Timeouts,
    raise_descriptor_limit, signals,
};
pub use socket::Socket;
