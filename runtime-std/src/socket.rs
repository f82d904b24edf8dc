//! Sockets that wait for readiness instead of blocking.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Token};
use sinew_runtime::Io;

use crate::reactor::LoopHandle;
use crate::source::{Direction, Source};

/// On epoll an edge follows whatever arrives after a short read, so the read that would find
/// nothing can be saved. Elsewhere only `WouldBlock` says that a socket is drained.
const SHORT_MEANS_DRAINED: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A TCP connection on an event loop.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    registration: Registration,
}

/// A place among the sources of a loop.
#[derive(Debug)]
struct Registration {
    home: LoopHandle,
    token: Token,
    source: Arc<Source>,
}

impl Registration {
    fn new(home: &LoopHandle, socket: &mut impl mio::event::Source, interest: Interest) -> io::Result<Self> {
        let (token, source) = home.add_source();
        if let Err(error) = home.registry().register(socket, token, interest) {
            home.remove_source(token);
            return Err(error);
        }
        Ok(Self { home: home.clone(), token, source })
    }

    fn end(&self, socket: &mut impl mio::event::Source) {
        // It fails only for a socket that is not registered.
        let _ = self.home.registry().deregister(socket);
        self.home.remove_source(self.token);
    }
}

impl Socket {
    /// A connection whose events go to `home`.
    pub(crate) fn new(mut stream: TcpStream, home: &LoopHandle) -> io::Result<Self> {
        let registration = Registration::new(home, &mut stream, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, registration })
    }
}

impl Io for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let source = &self.registration.source;
        loop {
            ready!(source.poll_take(Direction::Read, cx));
            match self.stream.read(buf) {
                Ok(n) => {
                    if n == buf.len() || !SHORT_MEANS_DRAINED || source.is_read_closed() {
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
        let source = &self.registration.source;
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
        match self.stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.registration.end(&mut self.stream);
    }
}

/// A listening socket on an event loop.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    registration: Registration,
}

impl Listener {
    pub(crate) fn new(listener: std::net::TcpListener, home: &LoopHandle) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        let registration = Registration::new(home, &mut listener, Interest::READABLE)?;
        Ok(Self { listener, registration })
    }

    /// The next connection if there is one, whatever the loop has heard.
    pub(crate) fn accept_now(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listener.accept()
    }

    pub(crate) fn poll_accept(&self, cx: &Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let source = &self.registration.source;
        loop {
            ready!(source.poll_take(Direction::Read, cx));
            match self.listener.accept() {
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
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.registration.end(&mut self.listener);
    }
}
