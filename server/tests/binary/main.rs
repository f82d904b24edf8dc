//! The real binary over real sockets, on each runtime. Everything waits for a bounded time, and each
//! server is stopped by the handle it was started with.
#![forbid(unsafe_code)]

mod files;
mod harness;
mod lifecycle;
mod operations;
