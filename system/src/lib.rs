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
//! | `plan`, `methods`, `profile` | what a server is told before it starts: the builder of all adapters |
//! | `control` | a server that runs, as its owner sees it |
//! | `accept` | what adapters do with sockets that listen |
//! | `descriptors` | how many files and sockets may be open |
#![forbid(unsafe_code)]

mod accept;
mod address;
mod control;
mod descriptors;
mod listen;
mod methods;
mod plan;
mod profile;
pub mod service_manager;
pub mod signals;
#[cfg(unix)]
mod unix;

pub use accept::IntoListenSocket;
#[doc(hidden)]
pub use accept::accept_now;
pub use address::Address;
pub use control::ServerHandle;
#[doc(hidden)]
pub use control::{Control, Ending, join_all, run_to_end};
pub use descriptors::{descriptor_limit, raise_descriptor_limit};
pub use listen::{ListenOptions, ListenSocket, Listener, SocketFile};
#[doc(hidden)]
pub use plan::{Launch, Plan, Settings};
pub use profile::{Limits, Timeouts};
pub use service_manager::from_service_manager;
pub use sinew_runtime::{Admission, ConnectionConfig, Counts, Overload, Shutdown};
