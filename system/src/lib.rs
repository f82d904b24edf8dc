//! What a server needs from the operating system, whatever runtime it is on.
//!
//! Nothing here starts a runtime or waits for a connection. A [`ListenSocket`] is made, taken apart into a
//! socket of the standard library and a [`SocketFile`], and the adapter accepts on it.
//!
//! | file | what it holds |
//! |---|---|
//! | `address` | where a server listens |
//! | `listen` | sockets that listen |
//! | `unix` | the file of a Unix socket: who may have it, and who removes it |
//! | `service_manager` | sockets from the service manager, and what is told to it |
//! | `signals` | the wish to end the process |
//! | `descriptors` | how many files and sockets may be open |
#![forbid(unsafe_code)]

mod address;
mod descriptors;
mod listen;
pub mod service_manager;
pub mod signals;
#[cfg(unix)]
mod unix;

pub use address::Address;
pub use descriptors::{descriptor_limit, raise_descriptor_limit};
pub use listen::{ListenOptions, ListenSocket, Listener, SocketFile};
pub use service_manager::from_service_manager;
