//! Sockets that wait for readiness instead of blocking.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Token};
use sinew_runtime::Io;
use sinew_system::SocketFile;
use socket2::SockRef;

use crate::reactor::LoopHandle;
use crate::source::{Direction, Readiness};

/// On epoll an edge follows whatever arrives after a short read, so the read that would find
/// nothing can be saved. Elsewhere only `WouldBlock` says that a socket is drained.
const SHORT_MEANS_DRAINED: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A connection on an event loop: over TCP, or a Unix socket.
#[derive(Debug)]
pub struct Socket<T: Stream = TcpStream> {
    stream: T,
    registration: Registration,
}

/// A stream of mio. There is no other.
pub trait Stream: sealed::Stream {}

impl<T: sealed::Stream> Stream for T {}

pub(crate) mod sealed {
    use super::{Read, Write, io};

    #[cfg(unix)]
    use std::os::fd::AsFd as AsSocket;
    #[cfg(windows)]
    use std::os::windows::io::AsSocket;

    pub trait Stream: Read + Write + AsSocket + mio::event::Source + Unpin + Send + 'static {
        fn shutdown_write(&self) -> io::Result<()>;
        /// What only one kind of stream has.
        fn set_nodelay(&self);
    }
}

impl sealed::Stream for TcpStream {
    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn set_nodelay(&self) {
        // It fails for a connection that is gone already.
        let _ = Self::set_nodelay(self, true);
    }
}

#[cfg(unix)]
impl sealed::Stream for mio::net::UnixStream {
    fn shutdown_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn set_nodelay(&self) {}
}

/// A place among the sources of a loop.
#[derive(Debug)]
struct Registration {
    home: LoopHandle,
    token: u32,
    readiness: Readiness,
}

impl Registration {
    fn new(home: &LoopHandle, socket: &mut impl mio::event::Source, interest: Interest) -> io::Result<Self> {
        let token = home.add_source();
        let number = u32::try_from(token.0).map_err(io::Error::other);
        let registered = number.and_then(|number| {
            home.registry().register(socket, token, interest)?;
            Ok(Self { home: home.clone(), token: number, readiness: Readiness::default() })
        });
        if registered.is_err() {
            home.remove_source(token);
        }
        registered
    }

    /// Ready if it is worth a try; the caller says by [`set_ready`](Self::set_ready) if there may be more
    /// after it.
    fn poll_take(&mut self, direction: Direction, cx: &Context<'_>) -> Poll<()> {
        if !self.readiness.take(direction) {
            self.home.wait(self.token(), &mut self.readiness, direction, cx.waker());
            if !self.readiness.take(direction) {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    fn set_ready(&mut self, direction: Direction) {
        self.readiness.set(direction);
    }

    fn token(&self) -> Token {
        Token(self.token as usize)
    }

    fn end(&self, socket: &mut impl mio::event::Source) {
        // It fails only for a socket that is not registered.
        let _ = self.home.registry().deregister(socket);
        self.home.remove_source(self.token());
    }
}

impl<T: Stream> Socket<T> {
    /// A connection whose events go to `home`.
    pub(crate) fn new(mut stream: T, home: &LoopHandle) -> io::Result<Self> {
        let registration = Registration::new(home, &mut stream, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, registration })
    }
}

impl<T: Stream> Io for Socket<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let source = &mut self.registration;
        loop {
            ready!(source.poll_take(Direction::Read, cx));
            match self.stream.read(buf) {
                Ok(n) => {
                    if n == buf.len() || !SHORT_MEANS_DRAINED || source.readiness.is_read_closed() {
                        source.set_ready(Direction::Read);
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    source.set_ready(Direction::Read);
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let source = &mut self.registration;
        loop {
            ready!(source.poll_take(Direction::Write, cx));
            let written = match bufs {
                [buf] => self.stream.write(buf),
                _ => self.stream.write_vectored(bufs),
            };
            match written {
                Ok(n) => {
                    let all = n == bufs.iter().map(|buf| buf.len()).sum::<usize>();
                    if all || !SHORT_MEANS_DRAINED {
                        source.set_ready(Direction::Write);
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    source.set_ready(Direction::Write);
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
    }

    fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.shutdown_write() {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn poll_sendfile(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let source = &mut self.registration;
        loop {
            ready!(source.poll_take(Direction::Write, cx));
            match sinew_runtime::sendfile(&self.stream, file, offset, len) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A short count may be the file's doing: only `WouldBlock` says that the socket is full.
                result => {
                    source.set_ready(Direction::Write);
                    return Poll::Ready(result);
                }
            }
        }
    }

    fn abort(&mut self) {
        // Without it the peer sees an end: nothing better can be had.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    fn has_failed(&mut self) -> bool {
        !matches!(SockRef::from(&self.stream).take_error(), Ok(None))
    }
}

impl<T: Stream> Drop for Socket<T> {
    fn drop(&mut self) {
        self.registration.end(&mut self.stream);
    }
}

/// A listening socket on an event loop.
#[derive(Debug)]
pub(crate) struct Listener<L: Accept> {
    // Removed before the socket is closed.
    _file: SocketFile,
    socket: L,
    registration: Registration,
}

/// A listening socket of mio.
pub(crate) trait Accept: mio::event::Source + Unpin + Send + 'static {
    type Stream: Stream;

    fn accept(&self) -> io::Result<(Self::Stream, Option<SocketAddr>)>;
}

impl Accept for mio::net::TcpListener {
    type Stream = TcpStream;

    fn accept(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        self.accept().map(|(stream, peer)| (stream, Some(peer)))
    }
}

#[cfg(unix)]
impl Accept for mio::net::UnixListener {
    type Stream = mio::net::UnixStream;

    fn accept(&self) -> io::Result<(mio::net::UnixStream, Option<SocketAddr>)> {
        self.accept().map(|(stream, _)| (stream, None))
    }
}

impl<L: Accept> Listener<L> {
    pub(crate) fn new(mut socket: L, file: SocketFile, home: &LoopHandle) -> io::Result<Self> {
        let registration = Registration::new(home, &mut socket, Interest::READABLE)?;
        Ok(Self { _file: file, socket, registration })
    }
}

impl<L: Accept> sinew_runtime::Listener for Listener<L> {
    type Socket = L::Stream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(L::Stream, Option<SocketAddr>)>> {
        let source = &mut self.registration;
        loop {
            ready!(source.poll_take(Direction::Read, cx));
            match self.socket.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Also after an error: what could not be accepted is still there, and no edge will
                // tell of it again.
                result => {
                    source.set_ready(Direction::Read);
                    return Poll::Ready(result);
                }
            }
        }
    }

    fn accept_now(&mut self) -> io::Result<(L::Stream, Option<SocketAddr>)> {
        self.socket.accept()
    }
}

impl<L: Accept> Drop for Listener<L> {
    fn drop(&mut self) {
        self.registration.end(&mut self.socket);
    }
}
