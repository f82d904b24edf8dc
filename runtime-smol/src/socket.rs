//! smol's own sockets as [`Io`]. What [`FuturesIo`](crate::FuturesIo) does for any stream of
//! `futures_io`, with fewer calls of the system, and files from the kernel.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
#[cfg(unix)]
use std::os::fd::AsFd as AsSocket;
#[cfg(windows)]
use std::os::windows::io::AsSocket;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sinew_runtime::Io;
use smol::Async;
use socket2::SockRef;

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::set::{Direction, Member};

/// A TCP or Unix socket of smol as the driver wants it. On Linux a body that is a file goes to it by
/// `sendfile`. Other streams, encrypted ones among them, are a [`FuturesIo`](crate::FuturesIo).
///
/// ```
/// use sinew_smol::SmolSocket;
///
/// fn over(stream: smol::net::TcpStream) -> SmolSocket<std::net::TcpStream> {
///     stream.into()
/// }
/// ```
#[derive(Debug)]
pub struct SmolSocket<S> {
    inner: Inner<S>,
    /// The last read took all there was: to ask again would cost a call that finds nothing.
    drained: bool,
}

/// Nothing here is ever pinned.
impl<S> Unpin for SmolSocket<S> {}

/// A socket, and who tells when it is ready.
#[derive(Debug)]
enum Inner<S> {
    /// `async-io` itself.
    Plain(Arc<Async<S>>),
    /// The event set of the server that has accepted it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Member(Member<S>),
}

impl<S> Inner<S> {
    fn get_ref(&self) -> &S {
        match self {
            Self::Plain(inner) => inner.get_ref(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Member(member) => member.get_ref(),
        }
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(inner) => inner.poll_readable(cx),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Member(member) => member.poll_ready(Direction::Read, cx).map(Ok),
        }
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(inner) => inner.poll_writable(cx),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Member(member) => member.poll_ready(Direction::Write, cx).map(Ok),
        }
    }

    /// Whether an end was told already, so that `poll_readable` would not tell of it again.
    fn has_ended(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Member(member) => member.has_ended(),
        }
    }
}

impl<S> From<Arc<Async<S>>> for SmolSocket<S> {
    fn from(inner: Arc<Async<S>>) -> Self {
        Self { inner: Inner::Plain(inner), drained: false }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl<S> From<Member<S>> for SmolSocket<S> {
    fn from(member: Member<S>) -> Self {
        Self { inner: Inner::Member(member), drained: false }
    }
}

impl<S> From<Async<S>> for SmolSocket<S> {
    fn from(inner: Async<S>) -> Self {
        Arc::new(inner).into()
    }
}

impl From<smol::net::TcpStream> for SmolSocket<std::net::TcpStream> {
    fn from(stream: smol::net::TcpStream) -> Self {
        Arc::<Async<_>>::from(stream).into()
    }
}

#[cfg(unix)]
impl From<smol::net::unix::UnixStream> for SmolSocket<std::os::unix::net::UnixStream> {
    fn from(stream: smol::net::unix::UnixStream) -> Self {
        Arc::<Async<_>>::from(stream).into()
    }
}

impl<S> SmolSocket<S> {
    /// Calls the system until it does not have to wait for room any more.
    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match call(self.inner.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.inner.poll_writable(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl<S> Io for SmolSocket<S>
where
    S: AsSocket + Send + Sync + 'static,
    for<'a> &'a S: Read + Write,
{
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.drained {
                ready!(self.inner.poll_readable(cx))?;
                self.drained = false;
            }
            match self.inner.get_ref().read(buf) {
                Ok(n) => {
                    // An end, or bytes that came since, make it readable: the wait misses nothing.
                    self.drained = n > 0 && n < buf.len() && !self.inner.has_ended();
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |mut stream| match bufs {
            [buf] => stream.write(buf),
            _ => stream.write_vectored(bufs),
        })
    }

    fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match SockRef::from(self.inner.get_ref()).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn abort(&mut self) {
        // Without it the peer sees an end: nothing better can be had.
        let _ = SockRef::from(self.inner.get_ref()).set_linger(Some(Duration::ZERO));
    }

    fn has_failed(&mut self) -> bool {
        !matches!(SockRef::from(self.inner.get_ref()).take_error(), Ok(None))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn poll_sendfile(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| sinew_runtime::sendfile(stream, file, offset, len))
    }
}
