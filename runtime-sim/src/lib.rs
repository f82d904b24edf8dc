//! Sinew on a virtual network and a virtual clock: an application tested from a seed.
//!
//! The driver and the protocols run as they are; sockets, timers and threads are simulated, on one thread.
//! The network delays, cuts in pieces, stalls, pushes back and breaks ([`Network`]); hours of timeouts
//! pass in milliseconds; the order in which tasks run follows from the seed, as everything else does. A run
//! that fails says its seed, and is repeated from it.
//!
//! ```
//! use std::time::Duration;
//! use sinew_sim::{ConnectionConfig, Ended, Router, check, get};
//!
//! check(0..50, |sim| async move {
//!     let app = Router::new().route("/", get(|| async { "hello" }));
//!     let server = sim.serve(app, ConnectionConfig::default());
//!
//!     let client = sim.connect(&server);
//!     client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
//!     let mut answer = Vec::new();
//!     client.read_to_end(&mut answer).await.unwrap();
//!     assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"hello"));
//!
//!     assert_eq!(server.shut_down(Duration::from_secs(30)).await, Ended::Drained);
//!     assert_eq!(server.live(), 0);
//! });
//! ```
//!
//! # What follows from the seed, and what does not
//!
//! Tasks, timers, reads and writes do: two runs have the same [fingerprint](Sim::fingerprint). The date
//! field of responses is the system's, and so are the masking keys of a WebSocket client; both have one
//! length. An application that iterates over a `HashMap`, reads a clock, or starts threads brings its own
//! chance: let it ask its [`Handle`] for time.
//!
//! # Blocking jobs
//!
//! There is one thread. A [`blocking`](mod@blocking) handler runs on it as a task of its own, a little later
//! than it was asked for, from its beginning to its end. One that waits for something which another task has to do
//! (a body that has not arrived whole, a message of a WebSocket, a lock that is held across an `await`) waits for
//! ever, and the simulation with it.
#![forbid(unsafe_code)]

mod check;
mod client;
mod error;
mod network;
mod runtime;
mod server;
mod sim;
mod stream;
mod task;
mod world;

pub use check::check;
pub use error::{Stuck, Why};
pub use network::Network;
pub use runtime::{SimRuntime, SimTimer, Sleep};
pub use server::{Ended, SimServer};
pub use sim::{Sim, SimConfig};
pub use sinew_app::*;
pub use sinew_proto as proto;
pub use sinew_proto::Config;
pub use sinew_proto::sim::{Cut, CutKind, Faults, Random};
pub use sinew_runtime::{BodyBuffer, ConnectionConfig, OnRejected, Rejected, Shutdown};
pub use stream::SimStream;
pub use task::Task;
