//! The one driver of connections.
//!
//! [`Connection`] is a future that pumps bytes between an [`Io`] and the protocol core, and
//! requests and responses between the core and a service. It names no runtime: an adapter gives it
//! a socket and a [`Runtime`], and polls it.
//!
//! | file | what it holds |
//! |---|---|
//! | `accept` | the accept loop |
//! | `counters` | what a server has done so far |
//! | `gate` | how many connections are let in |
//! | `io` | the traits an adapter implements |
//! | `serving` | what all connections of a server share |
//! | `connection` | the driver of a connection, whatever it speaks |
//! | `http` | one turn of a connection that speaks HTTP; in it `events`, from bytes to requests |
//! | `client` | the driver of a WebSocket that was asked for |
//! | `exchange` | one request on its way to its response |
//! | `input` | the buffer that reads go to, and what of it is handed on |
//! | `sending` | a body that is a file, on its way into a socket that takes files |
//! | `sendfile` | the call for that on Linux |
//! | `jobs` | a bound on blocking work |
//! | `transport` | a socket with what waits on both sides of it, and its timer |
//! | `supervise` | from the signal to the end of a server |
//! | `roll` | who is served, how to wake them, and the one timer of those who wait |
//! | `upgraded` | the driver of what took over after HTTP |
//! | `scratch` | the buffers of a thread, lent to the connection that is polled |
//! | `shutdown` | the signal to drain, and the count of those who have to |
#![forbid(unsafe_code)]

mod accept;
mod client;
mod connection;
mod counters;
mod exchange;
mod gate;
mod http;
mod input;
mod io;
mod jobs;
mod roll;
mod scratch;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod sendfile;
mod sending;
mod serving;
mod shutdown;
mod supervise;
mod transport;
mod upgraded;

pub use accept::{Backoff, Listener, accept, concerns_one_connection};
pub use client::{ClientConnection, connect_websocket};
pub use connection::Connection;
pub use counters::Counts;
pub use gate::{Admission, Gate, Overload};
pub use io::{Io, Job, Runtime};
pub use jobs::JobLimit;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use sendfile::sendfile;
pub use serving::{BodyBuffer, ConnectionConfig, OnDisconnect, OnRejected, Rejected, Seat, Serving};
pub use shutdown::{Drained, Guard, Phase, Shutdown, Wait};
pub use supervise::{Signal, supervise};
