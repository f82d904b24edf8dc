//! tokio's own sockets as [`Io`]: what [`TokioIo`] does for any stream, and files from the kernel.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs::File;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use sinew_runtime::Io;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::TokioIo;

/// A `TcpStream` or a `UnixStream` as the driver wants it. On Linux a body that is a file goes to it
/// by `sendfile`. Other streams, encrypted ones among them, are a [`TokioIo`].
#[derive(Debug)]
pub struct TokioSocket<T>(TokioIo<T>);

impl From<TcpStream> for TokioSocket<TcpStream> {
    fn from(stream: TcpStream) -> Self {
        Self(TokioIo(stream))
    }
}

#[cfg(unix)]
impl From<UnixStream> for TokioSocket<UnixStream> {
    fn from(stream: UnixStream) -> Self {
        Self(TokioIo(stream))
    }
}

/// The same for both types, which have no trait in common for it.
macro_rules! socket {
    ($stream:ty) => {
        impl Io for TokioSocket<$stream> {
            fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                self.0.poll_read(cx, buf)
            }

            fn poll_write_vectored(
                &mut self,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_write_vectored(cx, bufs)
            }

            fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_shutdown_write(cx)
            }

            fn abort(&mut self) {
                self.0.abort();
            }

            fn has_failed(&mut self) -> bool {
                !matches!(self.0.0.take_error(), Ok(None))
            }

            #[cfg(any(target_os = "linux", target_os = "android"))]
            fn poll_sendfile(
                &mut self,
                cx: &mut Context<'_>,
                file: &File,
                offset: u64,
                len: usize,
            ) -> Poll<io::Result<usize>> {
                let stream = &self.0.0;
                loop {
                    std::task::ready!(stream.poll_write_ready(cx))?;
                    let sent = stream.try_io(tokio::io::Interest::WRITABLE, || {
                        sinew_runtime::sendfile(stream, file, offset, len)
                    });
                    match sent {
                        // The readiness was of before; it is waited for anew.
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        result => return Poll::Ready(result),
                    }
                }
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(UnixStream);
