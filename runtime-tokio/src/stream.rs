//! Any tokio byte stream as an [`Io`].

use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sinew_runtime::Io;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A tokio stream, such as a `TcpStream` or a `UnixStream`, as the driver wants it.
///
/// Only a bare `TcpStream` can be reset and asked for an error; any other stream is closed where that
/// one would be reset, unless it has an [`Io`] of its own.
#[derive(Debug)]
pub struct TokioIo<T>(pub T);

impl<T: 'static> TokioIo<T> {
    fn tcp(&self) -> Option<&TcpStream> {
        (&self.0 as &dyn Any).downcast_ref()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for TokioIo<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match bufs {
            [buf] => Pin::new(&mut self.0).poll_write(cx, buf),
            _ => Pin::new(&mut self.0).poll_write_vectored(cx, bufs),
        }
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn abort(&mut self) {
        if let Some(stream) = self.tcp() {
            // Without it the peer sees an end: nothing better can be had.
            let _ = stream.set_zero_linger();
        }
    }

    fn has_failed(&mut self) -> bool {
        self.tcp().is_some_and(|stream| !matches!(stream.take_error(), Ok(None)))
    }
}
