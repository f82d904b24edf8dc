//! HTTP/1.1 and HTTP/1.0 (RFC 9112): the server's side of a connection.
//!
//! | file | what it holds |
//! |---|---|
//! | `server` | [`Server`], the connection: the receiving half |
//! | `respond` | the sending half of [`Server`] |
//! | `state` | the states of both halves and every transition between them |
//! | `framing` | how long a message is: the one place that judges Content-Length and Transfer-Encoding |
//! | `head` | the parser of request line and fields |
//! | `chunked` | the chunked transfer coding |
//! | `deadline` | the timers |
//! | `request`, `response` | the views that callers see |

mod chunked;
mod deadline;
mod framing;
mod head;
mod request;
mod respond;
mod response;
pub mod server;
mod state;

pub(crate) use head::Head;
pub use request::{BodyLength, RequestHead, RequestHeadBuf, Version};
pub use response::{BodyMode, BodyPlan, Framing, ResponseHead};
pub use server::{CloseAction, Server};
