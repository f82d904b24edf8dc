//! Listening sockets on `async-io`, as the accept loop wants them.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sinew_system::{ListenSocket, SocketFile, accept_now};
use smol::Async;

use crate::SmolSocket;
use crate::set::Set;

/// A socket that was taken over from the standard library.
pub(crate) enum Listener {
    Tcp(Tcp),
    #[cfg(unix)]
    Unix(Unix),
}

impl Listener {
    /// One whose connections are in `set`.
    pub(crate) fn new(socket: ListenSocket, nodelay: bool, set: Arc<Set>) -> io::Result<Self> {
        let (listener, file) = socket.into_parts();
        Ok(match listener {
            sinew_system::Listener::Tcp(listener) => {
                Self::Tcp(Tcp { listener: Async::new_nonblocking(listener)?, nodelay, set })
            }
            #[cfg(unix)]
            sinew_system::Listener::Unix(listener) => {
                Self::Unix(Unix { _file: file, listener: Async::new_nonblocking(listener)?, set })
            }
        })
    }
}

pub(crate) struct Tcp {
    listener: Async<TcpListener>,
    nodelay: bool,
    set: Arc<Set>,
}

impl sinew_runtime::Listener for Tcp {
    type Socket = SmolSocket<TcpStream>;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(SmolSocket<TcpStream>, Option<SocketAddr>)>> {
        loop {
            match self.accept_now() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.listener.poll_readable(cx))?;
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn accept_now(&mut self) -> io::Result<(SmolSocket<TcpStream>, Option<SocketAddr>)> {
        let (stream, peer) = accept_now(&self.listener)?;
        if self.nodelay {
            // It fails for a connection that is gone already.
            let _ = stream.set_tcp_nodelay(true);
        }
        Ok((self.set.socket(stream.into())?, peer))
    }
}

#[cfg(unix)]
pub(crate) struct Unix {
    // Removed before the socket is closed.
    _file: SocketFile,
    listener: Async<UnixListener>,
    set: Arc<Set>,
}

#[cfg(unix)]
impl sinew_runtime::Listener for Unix {
    type Socket = SmolSocket<UnixStream>;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(SmolSocket<UnixStream>, Option<SocketAddr>)>> {
        loop {
            match self.accept_now() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.listener.poll_readable(cx))?;
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn accept_now(&mut self) -> io::Result<(SmolSocket<UnixStream>, Option<SocketAddr>)> {
        let (stream, _) = accept_now(&self.listener)?;
        Ok((self.set.socket(stream.into())?, None))
    }
}
