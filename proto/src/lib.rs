//! HTTP without the I/O.
//!
//! This crate turns bytes into events and answers into bytes. It is deterministic: it opens no
//! socket, reads no clock, starts no thread and draws no random number. The caller owns every
//! buffer, hands in the bytes it received together with the time, and sends what the crate wrote.
//!
//! Start with [`http1::Server`] or [`http1::Client`]. [`sim`] runs both, or a loop of your own, on a
//! virtual wire and a virtual clock.
//!
//! ```
//! use sinew_proto::{http1, Config, FieldLines, FieldTable, Instant, StatusCode};
//! use http1::{BodyPlan, ResponseHead, Server, server::Event};
//!
//! let config = Config::default();
//! let mut server = Server::new(&config);
//! let mut fields = FieldTable::new(&config);
//! let now = Instant::from_nanos(0);
//!
//! let input = b"GET /hello HTTP/1.1\r\nHost: example.org\r\n\r\n";
//! let step = server.poll(input, &mut fields, now)?;
//! let Event::Request(request) = step.event else { panic!("a whole head was given") };
//! assert_eq!((request.method(), request.target()), ("GET", "/hello"));
//!
//! let mut out = Vec::new();
//! let head = ResponseHead::new(StatusCode::NO_CONTENT);
//! server.respond(&head, BodyPlan::Empty, &mut out)?;
//! assert_eq!(out, b"HTTP/1.1 204 No Content\r\n\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
#[cfg_attr(feature = "count-work", macro_use)]
extern crate std;

mod config;
mod date;
mod error;
mod field_lines;
mod fields;
mod grammar;
pub mod http1;
mod recv_buf;
mod send_queue;
pub mod sim;
pub mod sse;
mod status;
mod time;
mod utf8;
#[cfg(feature = "websocket")]
pub mod websocket;
#[cfg(feature = "count-work")]
#[doc(hidden)]
pub mod work;
#[cfg(not(feature = "count-work"))]
mod work;

pub use config::Config;
pub use date::{DateCache, HttpDate};
pub use error::{FieldError, RecvError, SendError};
pub use field_lines::FieldLines;
pub use fields::{Field, FieldTable, Fields};
pub use recv_buf::RecvBuf;
pub use send_queue::SendQueue;
pub use status::{InvalidStatusCode, StatusCode};
pub use time::Instant;

/// What one call to a state machine did: how many bytes of the input it used up, and what it saw.
#[must_use = "the consumed bytes must not be given again"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<E> {
    /// Bytes of the input that are done with. The rest is given again, as a prefix, with the next
    /// call.
    pub consumed: usize,
    /// What was found.
    pub event: E,
}
