//! What the suite needs: the adapters behind one trait, a raw client, and small parts of
//! applications.
//!
//! A test is a function generic over [`Adapter`]; `tests/suite/main.rs` makes a `#[test]` of it for
//! each of them. A server runs on threads of its own and ends with its [`Running`], within a bound.
#![forbid(unsafe_code)]

mod adapters;
mod connects;
#[cfg(target_os = "linux")]
pub mod hostile;
mod parts;
pub mod raw;
mod serves;
#[cfg(target_os = "linux")]
pub mod soak;
#[cfg(target_os = "linux")]
pub mod subject;
mod temporary;
pub mod websocket;
pub mod ws_client;

pub use adapters::{Adapter, Running, Smol, Std, Tokio};
pub use connects::Connects;
pub use parts::{Count, Flag, Gate, SetOnDrop, eventually, have_program};
pub use serves::{Builder, Serves};
pub use temporary::{TempFile, pattern};

use std::time::Duration;

/// How long anything may take before a test gives up. No test waits for it when all is well.
pub const PATIENCE: Duration = Duration::from_secs(20);
