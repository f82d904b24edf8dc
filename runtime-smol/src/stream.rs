//! Any `futures_io` byte stream as an [`Io`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use sinew_runtime::Io;

/// A `futures_io` stream, of smol or of another library, as the driver wants it.
#[derive(Debug)]
pub struct FuturesIo<T>(pub T);

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for FuturesIo<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match bufs {
            [buf] => Pin::new(&mut self.0).poll_write(cx, buf),
            _ => Pin::new(&mut self.0).poll_write_vectored(cx, bufs),
        }
    }

    /// `poll_close` of smol's own sockets shuts down the sending side; reading goes on. One that
    /// only flushes, as those of async-std and a bare `smol::Async` do, shows the client the end
    /// after `linger_timeout`, when the socket is dropped.
    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
