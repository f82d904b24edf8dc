//! smol's own sockets as [`Io`]: what [`FuturesIo`] does for any of `futures_io`, and files from the
//! kernel.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use sinew_runtime::Io;
use smol::Async;
use smol::net::TcpStream;
#[cfg(unix)]
use smol::net::unix::UnixStream;

use crate::FuturesIo;

/// A `TcpStream` or a `UnixStream` of smol as the driver wants it. On Linux a body that is a file goes
/// to it by `sendfile`. Other streams, encrypted ones among them, are a [`FuturesIo`].
#[derive(Debug)]
pub struct SmolSocket<T, S> {
    stream: FuturesIo<T>,
    /// The same socket, for what the stream does not offer.
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(dead_code))]
    inner: Arc<Async<S>>,
}

impl From<TcpStream> for SmolSocket<TcpStream, std::net::TcpStream> {
    fn from(stream: TcpStream) -> Self {
        Self { inner: stream.clone().into(), stream: FuturesIo(stream) }
    }
}

#[cfg(unix)]
impl From<UnixStream> for SmolSocket<UnixStream, std::os::unix::net::UnixStream> {
    fn from(stream: UnixStream) -> Self {
        Self { inner: stream.clone().into(), stream: FuturesIo(stream) }
    }
}

/// The same for both types, which have no trait in common for it.
macro_rules! socket {
    ($stream:ty, $inner:ty) => {
        impl Io for SmolSocket<$stream, $inner> {
            fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                self.stream.poll_read(cx, buf)
            }

            fn poll_write_vectored(
                &mut self,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.stream.poll_write_vectored(cx, bufs)
            }

            fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.stream.poll_shutdown_write(cx)
            }

            fn abort(&mut self) {
                self.stream.abort();
            }

            fn has_failed(&mut self) -> bool {
                self.stream.has_failed()
            }

            #[cfg(any(target_os = "linux", target_os = "android"))]
            fn poll_sendfile(
                &mut self,
                cx: &mut Context<'_>,
                file: &File,
                offset: u64,
                len: usize,
            ) -> Poll<io::Result<usize>> {
                loop {
                    match sinew_runtime::sendfile(self.inner.get_ref(), file, offset, len) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        result => return Poll::Ready(result),
                    }
                    std::task::ready!(self.inner.poll_writable(cx))?;
                }
            }
        }
    };
}

socket!(TcpStream, std::net::TcpStream);
#[cfg(unix)]
socket!(UnixStream, std::os::unix::net::UnixStream);
