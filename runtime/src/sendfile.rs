//! The call by which Linux copies from a file to a socket, for adapters.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

/// Copies up to `len` bytes of `file`, from `offset` on, to `socket`, which does not block; the bytes
/// never enter this process. Returns how many, zero at the end of the file. For
/// [`Io::poll_sendfile`](crate::Io::poll_sendfile), on Linux alone.
///
/// The call waits for the disk where the kernel has not the bytes in memory; the driver has seen to that
/// before it asks. And unlike the other calls by which sockets are written to, it cannot be told to
/// raise no `SIGPIPE` when the peer is gone: a process has to ignore that signal, as every Rust program
/// does from its start unless its `main` is not Rust's.
///
/// # Errors
/// `WouldBlock` if the socket is full; `Unsupported` if this pair of file and socket cannot be
/// served so; else what is wrong with either.
pub fn sendfile(socket: impl AsFd, file: &File, offset: u64, len: usize) -> io::Result<usize> {
    loop {
        let mut at = offset;
        match rustix::fs::sendfile(&socket, file, Some(&mut at), len) {
            Err(Errno::INTR) => {}
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return Err(io::ErrorKind::Unsupported.into());
            }
            result => return Ok(result?),
        }
    }
}
