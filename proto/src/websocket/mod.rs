//! The WebSocket protocol (RFC 6455) with compression (RFC 7692): both sides of a connection.
//!
//! | file | what it holds |
//! |---|---|
//! | `handshake` | the opening handshake, server and client |
//! | `extensions` | the syntax of `Sec-WebSocket-Extensions`, and the terms of permessage-deflate |
//! | `deflate` | compression and decompression of messages (feature `deflate`) |

#[cfg(feature = "deflate")]
mod deflate;
mod extensions;
mod handshake;
