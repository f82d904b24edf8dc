//! tokio's listening sockets, as the accept loop wants them.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use sinew_system::{ListenSocket, SocketFile, accept_now};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// A socket that was taken over from the standard library.
pub(crate) enum Listener {
    Tcp(Tcp),
    #[cfg(unix)]
    Unix(Unix),
}

impl Listener {
    /// In the context of a runtime.
    pub(crate) fn new(socket: ListenSocket, nodelay: bool) -> io::Result<Self> {
        let (listener, file) = socket.into_parts();
        Ok(match listener {
            sinew_system::Listener::Tcp(listener) => {
                Self::Tcp(Tcp { listener: TcpListener::from_std(listener)?, nodelay })
            }
            #[cfg(unix)]
            sinew_system::Listener::Unix(listener) => {
                Self::Unix(Unix { _file: file, listener: UnixListener::from_std(listener)? })
            }
        })
    }
}

pub(crate) struct Tcp {
    listener: TcpListener,
    nodelay: bool,
}

impl Tcp {
    fn prepare(&self, stream: &TcpStream) {
        if self.nodelay {
            // It fails for a connection that is gone already.
            let _ = stream.set_nodelay(true);
        }
    }
}

impl sinew_runtime::Listener for Tcp {
    type Socket = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, Option<SocketAddr>)>> {
        let accepted = self.listener.poll_accept(cx);
        accepted.map_ok(|(stream, peer)| {
            self.prepare(&stream);
            (stream, Some(peer))
        })
    }

    fn accept_now(&mut self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, peer) = accept_now(&self.listener)?;
        let stream = TcpStream::from_std(stream.into())?;
        self.prepare(&stream);
        Ok((stream, peer))
    }
}

#[cfg(unix)]
pub(crate) struct Unix {
    // Removed before the socket is closed.
    _file: SocketFile,
    listener: UnixListener,
}

#[cfg(unix)]
impl sinew_runtime::Listener for Unix {
    type Socket = UnixStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, Option<SocketAddr>)>> {
        self.listener.poll_accept(cx).map_ok(|(stream, _)| (stream, None))
    }

    fn accept_now(&mut self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        let (stream, _) = accept_now(&self.listener)?;
        Ok((UnixStream::from_std(stream.into())?, None))
    }
}
