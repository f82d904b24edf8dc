//! Any `futures_io` byte stream as an [`Io`].

use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use sinew_runtime::Io;
use smol::net::TcpStream;
use socket2::SockRef;

/// A `futures_io` stream, of smol or of another library, as the driver wants it.
///
/// Only smol's own `TcpStream` can be reset and asked for an error; any other stream is closed where
/// that one would be reset, unless it has an [`Io`] of its own.
#[derive(Debug)]
pub struct FuturesIo<T>(pub T);

impl<T: 'static> FuturesIo<T> {
    fn tcp(&self) -> Option<&TcpStream> {
        (&self.0 as &dyn Any).downcast_ref()
    }
}

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

    fn abort(&mut self) {
        if let Some(stream) = self.tcp() {
            // Without it the peer sees an end: nothing better can be had.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    fn has_failed(&mut self) -> bool {
        self.tcp().is_some_and(|stream| !matches!(SockRef::from(stream).take_error(), Ok(None)))
    }
}
