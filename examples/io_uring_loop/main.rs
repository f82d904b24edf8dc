//! The protocol core on io_uring: one thread, one ring, any number of connections. Linux 6.1 or newer.
//!
//! What is answered stands in `service/mod.rs`, as for `mio_loop`. What differs is who waits: a ring is
//! told to do things, and says when they are done.
//!
//! | file | what it holds |
//! |---|---|
//! | `event_loop.rs` | the loop: completions, deadlines, closing |
//! | `pool.rs` | the buffers for reading, lent to the kernel |
//! | `ring.rs` | the ring behind a safe face, and the only `unsafe` of this repository |
//!
//! `cargo run --release --example io_uring_loop`, then `curl -T file localhost:8080`. Where the kernel
//! has no io_uring, or forbids it, it says so on stderr and exits with status 69.
#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
mod event_loop;
#[cfg(target_os = "linux")]
mod pool;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the kernel uses memory that the compiler cannot watch: see the file")]
mod ring;
#[cfg(target_os = "linux")]
#[path = "../service/mod.rs"]
mod service;

use std::io::{Error, ErrorKind};
use std::process::ExitCode;

/// `EX_UNAVAILABLE`: a service is not available.
const SKIPPED: u8 = 69;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    let result = event_loop::run();
    #[cfg(not(target_os = "linux"))]
    let result = Err::<(), _>(Error::new(ErrorKind::Unsupported, "io_uring is a part of Linux"));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_refusal(&error) => {
            eprintln!(
                "io_uring_loop: skipped, the system refuses io_uring ({error}); mio_loop serves the same"
            );
            ExitCode::from(SKIPPED)
        }
        Err(error) => {
            eprintln!("io_uring_loop: {error}");
            ExitCode::FAILURE
        }
    }
}

/// No such call (ENOSYS), no such operation, or forbidden (EPERM, EACCES).
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied)
}
