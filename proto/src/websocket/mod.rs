//! The WebSocket protocol (RFC 6455) with compression (RFC 7692): both sides of a connection.
//!
//! | file | what it holds |
//! |---|---|
//! | `server_handshake`, `client_handshake` | the opening handshake |
//! | `handshake` | what both have in common: the key, the errors |
//! | `origin` | which page asks |
//! | `extensions` | the syntax of `Sec-WebSocket-Extensions` |
//! | `terms` | the terms of permessage-deflate (feature `deflate`) |
//! | `connection` | [`Connection`]: its receiving half, the deadlines, the end |
//! | `send` | its sending half |
//! | `frame` | headers and masks |
//! | `message` | messages that arrive in pieces |
//! | `utf8` | text judged as it arrives |
//! | `deadline` | the timers |
//! | `compression` | when messages are compressed (feature `deflate`) |
//! | `deflate` | compression and decompression (feature `deflate`) |
//! | `deflate_probe` | the same in reach of tests |
//! | `event`, `close`, `config`, `error` | what callers see |

mod client_handshake;
mod close;
#[cfg(feature = "deflate")]
mod compression;
mod config;
mod connection;
mod deadline;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(all(feature = "deflate", feature = "count-work"))]
#[doc(hidden)]
pub mod deflate_probe;
mod error;
mod event;
mod extensions;
mod frame;
mod handshake;
mod message;
mod origin;
mod send;
mod server_handshake;
#[cfg(feature = "deflate")]
mod terms;
mod utf8;

pub use client_handshake::ClientHandshake;
pub use close::{CloseCode, CloseFrame};
pub use config::Config;
pub use connection::Connection;
pub use error::{ProtocolError, SendError};
pub use event::Event;
pub use handshake::{HandshakeError, Negotiated, TermsError};
pub use message::MessageKind;
pub use origin::Origin;
pub use send::{Fragment, Message};
pub use server_handshake::ServerHandshake;
#[cfg(feature = "deflate")]
pub use terms::{DeflateConfig, DeflateParams, InvalidWindowBits, WindowBits};
