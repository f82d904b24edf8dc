//! The WebSocket protocol (RFC 6455) with compression (RFC 7692): both sides of a connection.
//!
//! | file | what it holds |
//! |---|---|
//! | `handshake` | the opening handshake, server and client |
//! | `extensions` | the syntax of `Sec-WebSocket-Extensions`, and the terms of permessage-deflate |
//! | `connection` | [`Connection`]: its receiving half, the deadlines, the end |
//! | `send` | its sending half |
//! | `frame` | headers and masks |
//! | `message` | messages that arrive in pieces |
//! | `utf8` | text judged as it arrives |
//! | `deadline` | the timers |
//! | `compression` | when messages are compressed (feature `deflate`) |
//! | `deflate` | compression and decompression (feature `deflate`) |
//! | `close`, `config`, `error` | what callers see |

mod close;
#[cfg(feature = "deflate")]
mod compression;
mod config;
mod connection;
mod deadline;
#[cfg(feature = "deflate")]
mod deflate;
mod error;
mod extensions;
mod frame;
mod handshake;
mod message;
mod send;
mod utf8;

pub use close::{CloseCode, CloseFrame};
pub use config::Config;
pub use connection::{Connection, Event};
pub use error::{ProtocolError, SendError};
#[cfg(feature = "deflate")]
pub use extensions::DeflateParams;
pub use message::MessageKind;
pub use send::{Fragment, Message};
