//! What adapters do with sockets that listen.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

use socket2::Socket;

use crate::ListenSocket;

/// What a server can be given to listen on.
pub trait IntoListenSocket {
    /// The socket; an error is told when the server starts.
    ///
    /// # Errors
    /// What the system says.
    fn into_listen_socket(self) -> io::Result<ListenSocket>;
}

impl IntoListenSocket for ListenSocket {
    fn into_listen_socket(self) -> io::Result<ListenSocket> {
        Ok(self)
    }
}

impl IntoListenSocket for std::net::TcpListener {
    fn into_listen_socket(self) -> io::Result<ListenSocket> {
        ListenSocket::from_std_tcp(self)
    }
}

#[cfg(unix)]
impl IntoListenSocket for UnixListener {
    fn into_listen_socket(self) -> io::Result<ListenSocket> {
        ListenSocket::from_std_unix(self)
    }
}

/// Asks the system itself for a connection that waits, whatever a runtime has heard of. It does not block,
/// and neither does what it gives.
///
/// # Errors
/// What the system says: [`io::ErrorKind::WouldBlock`] if there is none.
#[cfg(unix)]
pub fn accept_now(listener: &impl std::os::fd::AsFd) -> io::Result<(Socket, Option<SocketAddr>)> {
    accept_from(&socket2::SockRef::from(listener))
}

/// Asks the system itself for a connection that waits, whatever a runtime has heard of. It does not block,
/// and neither does what it gives.
///
/// # Errors
/// What the system says: [`io::ErrorKind::WouldBlock`] if there is none.
#[cfg(windows)]
pub fn accept_now(
    listener: &impl std::os::windows::io::AsSocket,
) -> io::Result<(Socket, Option<SocketAddr>)> {
    accept_from(&socket2::SockRef::from(listener))
}

fn accept_from(listener: &Socket) -> io::Result<(Socket, Option<SocketAddr>)> {
    let (socket, peer) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, peer.as_socket()))
}
