//! Listening sockets on `async-io`, as the accept loop wants them.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::task::{Context, Poll, ready};

use sinew_system::{ListenSocket, SocketFile, accept_now};
use smol::Async;

/// A socket that was taken over from the standard library.
pub(crate) enum Listener {
    Tcp(Tcp),
    #[cfg(unix)]
    Unix(Unix),
}

impl Listener {
    pub(crate) fn new(socket: ListenSocket, nodelay: bool) -> io::Result<Self> {
        let (listener, file) = socket.into_parts();
        Ok(match listener {
            sinew_system::Listener::Tcp(listener) => {
                Self::Tcp(Tcp { listener: Async::new_nonblocking(listener)?, nodelay })
            }
            #[cfg(unix)]
            sinew_system::Listener::Unix(listener) => {
                Self::Unix(Unix { _file: file, listener: Async::new_nonblocking(listener)? })
            }
        })
    }
}

pub(crate) struct Tcp {
    listener: Async<TcpListener>,
    nodelay: bool,
}

impl sinew_runtime::Listener for Tcp {
    type Socket = Async<TcpStream>;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Async<TcpStream>, Option<SocketAddr>)>> {
        loop {
            match self.accept_now() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.listener.poll_readable(cx))?;
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn accept_now(&mut self) -> io::Result<(Async<TcpStream>, Option<SocketAddr>)> {
        let (stream, peer) = accept_now(&self.listener)?;
        if self.nodelay {
            // It fails for a connection that is gone already.
            let _ = stream.set_tcp_nodelay(true);
        }
        Ok((Async::new_nonblocking(stream.into())?, peer))
    }
}

#[cfg(unix)]
pub(crate) struct Unix {
    // Removed before the socket is closed.
    _file: SocketFile,
    listener: Async<UnixListener>,
}

#[cfg(unix)]
impl sinew_runtime::Listener for Unix {
    type Socket = Async<UnixStream>;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Async<UnixStream>, Option<SocketAddr>)>> {
        loop {
            match self.accept_now() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.listener.poll_readable(cx))?;
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn accept_now(&mut self) -> io::Result<(Async<UnixStream>, Option<SocketAddr>)> {
        let (stream, _) = accept_now(&self.listener)?;
        Ok((Async::new_nonblocking(stream.into())?, None))
    }
}
