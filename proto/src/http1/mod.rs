//! HTTP/1.1 and HTTP/1.0 (RFC 9112): both sides of a connection.
//!
//! | file | what it holds |
//! |---|---|
//! | `server`, `respond` | [`Server`], the connection: its receiving and its sending half |
//! | `client`, `send_request` | [`Client`], the connection: its receiving and its sending half |
//! | `state` | the states of both halves and every transition between them, for both roles |
//! | `framing` | how long a message is: the one place that judges Content-Length and Transfer-Encoding |
//! | `reader`, `writer` | what both roles do to receive and to send |
//! | `head`, `start_line` | the parser of heads and trailers |
//! | `plain` | the lines that most heads consist of, read in one pass |
//! | `known` | the fields that the core itself goes by |
//! | `chunked` | the chunked transfer coding |
//! | `offer` | the protocols of an `Upgrade` |
//! | `deadline` | the timers |
//! | `idle` | a server that waits for a request, told by one number |
//! | `body`, `request`, `response` | what callers see |

mod body;
mod chunked;
pub mod client;
mod deadline;
mod framing;
mod head;
mod idle;
mod known;
mod offer;
mod plain;
mod reader;
mod request;
mod respond;
mod response;
mod send_request;
pub mod server;
mod start_line;
mod state;
mod writer;

pub use body::{BodyLength, BodyMode, BodyPlan, Framing, ResponseLength};
pub use client::Client;
pub(crate) use head::{Head, StatusLine};
pub(crate) use known::Known;
pub use request::{RequestHead, RequestHeadBuf, Version};
pub use response::ResponseHead;
pub use server::Server;
pub use state::CloseAction;
