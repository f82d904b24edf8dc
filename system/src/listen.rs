//! Sockets that listen: TCP and Unix.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::Path;
#[cfg(unix)]
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::address::Address;

/// How a socket listens. Set what differs: `ListenOptions { backlog: 64, ..ListenOptions::default() }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted; 1,024 unless set. The system may allow fewer:
    /// `net.core.somaxconn` on Linux.
    pub backlog: u32,
    /// TCP: other sockets of the same user that set it, too, may listen on the same address
    /// (`SO_REUSEPORT`). Linux spreads connections over them; other systems need not. Off unless set. Where
    /// it does not exist, listening fails.
    pub reuse_port: bool,
    /// TCP: a socket on an IPv6 address does not take IPv4 (`IPV6_V6ONLY`). Off unless set: `[::]` takes both.
    pub only_v6: bool,
    /// Unix: the permissions of the socket's file, such as `0o660`, whatever the umask is. Who may not write
    /// to the file may not connect on Linux; other systems may look at the directory alone. `None` leaves it
    /// to the umask.
    pub unix_mode: Option<u32>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { backlog: 1_024, reuse_port: false, only_v6: false, unix_mode: None }
    }
}

impl ListenOptions {
    fn backlog(&self) -> i32 {
        i32::try_from(self.backlog).unwrap_or(i32::MAX)
    }
}

/// A socket that listens. It does not block, and child processes do not inherit it.
///
/// When it is dropped, the file of a Unix socket goes, if this process has made it, no clone is left, and the
/// file is still the one that was made.
///
/// ```
/// use sinew_system::{ListenOptions, ListenSocket, Listener};
/// # fn main() -> std::io::Result<()> {
/// let socket = ListenSocket::tcp("127.0.0.1:0".parse().unwrap(), &ListenOptions::default())?;
/// println!("listening on {}", socket.address());
/// let (listener, file) = socket.into_parts();
/// assert!(matches!(listener, Listener::Tcp(_)));
/// drop(file); // when the server has ended
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ListenSocket {
    // The file goes before the socket, so that nobody takes it for one that was left.
    file: SocketFile,
    listener: Listener,
    address: Address,
    options: ListenOptions,
}

/// A socket of the standard library that listens and does not block.
#[derive(Debug)]
pub enum Listener {
    /// On an IP address and a port.
    Tcp(std::net::TcpListener),
    /// On a file or name of this machine.
    #[cfg(unix)]
    Unix(UnixListener),
}

/// Keeps the file of a Unix socket: it is removed when the last clone of this is dropped. Of other sockets
/// it keeps nothing.
///
/// It is best dropped before the socket that it came with; but between the two no file is lost either.
#[derive(Clone, Debug, Default)]
#[must_use = "without it the file of the socket is removed"]
pub struct SocketFile {
    #[cfg(unix)]
    _own: Option<Arc<crate::unix::OwnFile>>,
}

impl ListenSocket {
    /// Listens on a TCP address. Port 0 lets the system choose; [`address`](Self::address) tells.
    ///
    /// `[::]` takes IPv4 as well, unless [`ListenOptions::only_v6`] or the system (OpenBSD) says otherwise. If
    /// the system has no IPv6 at all, it becomes `0.0.0.0`, and the address says so.
    ///
    /// A restart need not wait for old connections (`SO_REUSEADDR`), except on Windows, where that option would
    /// let two servers share a port.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if somebody listens there, [`io::ErrorKind::Unsupported`] if the port
    /// cannot be shared on this system and shall be, and what else the system says.
    pub fn tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<Self> {
        let listener = match listen_tcp(address, options) {
            Err(error) if may_do_without_v6(address, options, &error) => {
                listen_tcp(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()), options)
                    .map_err(|_| error)?
            }
            other => other?,
        };
        Self::new(Listener::Tcp(listener), SocketFile::default(), options)
    }

    /// Listens on the file `path`, which is made.
    ///
    /// A socket at `path` that nobody listens on was left by a server that did not end well, and is replaced.
    /// A server that lives keeps its socket, and of servers that start at once one gets it: this holds a lock
    /// (`flock`) on the directory for a moment. If that lock cannot be had, nothing is replaced. Nobody can
    /// connect before the file has the permissions that were asked for.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if somebody listens there, or if what was left cannot be replaced;
    /// [`io::ErrorKind::AlreadyExists`] if there is something that is not a socket, such as a symbolic link;
    /// [`io::ErrorKind::InvalidInput`] if the path is empty, has a zero byte, or is longer than about 100
    /// bytes; and what else the system says.
    #[cfg(unix)]
    pub fn unix(path: impl AsRef<Path>, options: &ListenOptions) -> io::Result<Self> {
        let (listener, own) = crate::unix::listen(path.as_ref(), options.backlog(), options.unix_mode)?;
        Self::new(Listener::Unix(listener), SocketFile { _own: Some(Arc::new(own)) }, options)
    }

    /// A TCP socket that listens already.
    ///
    /// # Errors
    /// What the system says.
    pub fn from_std_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::new(Listener::Tcp(listener), SocketFile::default(), &ListenOptions::default())
    }

    /// A Unix socket that listens already. Its file, if it has one, belongs to who made it, and stays.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(unix)]
    pub fn from_std_unix(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::new(Listener::Unix(listener), SocketFile::default(), &ListenOptions::default())
    }

    fn new(listener: Listener, file: SocketFile, options: &ListenOptions) -> io::Result<Self> {
        let address = listener.address()?;
        Ok(Self { file, listener, address, options: options.clone() })
    }

    /// Where it listens: of port 0 the port that was chosen.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The socket.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// The same socket once more, for another thread: they share the connections that wait. The file of a Unix
    /// socket stays until the last of them is gone.
    ///
    /// # Errors
    /// What the system says, such as that too many descriptors are open.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.clone(),
            listener: self.listener.try_clone()?,
            address: self.address.clone(),
            options: self.options.clone(),
        })
    }

    /// Another socket on the same address, with a queue of its own, so that the system spreads the connections
    /// and each thread has its share. The options are the same.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] if the socket was not made by [`tcp`](Self::tcp) with
    /// [`ListenOptions::reuse_port`], and what the system says.
    pub fn same_port_again(&self) -> io::Result<Self> {
        match self.address {
            Address::Tcp(address) if self.options.reuse_port => {
                let listener = listen_tcp(address, &self.options)?;
                Self::new(Listener::Tcp(listener), SocketFile::default(), &self.options)
            }
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "this socket does not share its address")),
        }
    }

    /// The socket, and what keeps its file.
    pub fn into_parts(self) -> (Listener, SocketFile) {
        (self.listener, self.file)
    }
}

impl Listener {
    /// The TCP socket, or what it is instead.
    ///
    /// # Errors
    /// The socket, if it is a Unix socket.
    pub fn into_tcp(self) -> Result<std::net::TcpListener, Self> {
        match self {
            Self::Tcp(listener) => Ok(listener),
            #[cfg(unix)]
            other @ Self::Unix(_) => Err(other),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::from),
            #[cfg(unix)]
            Self::Unix(listener) => listener.local_addr().map(Address::from),
        }
    }

    /// The same socket once more. It does not keep the file of a Unix socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            #[cfg(unix)]
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }
}

fn listen_tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        share_port(&socket)?;
    }
    if address.is_ipv6() {
        let set = socket.set_only_v6(options.only_v6);
        // A system that cannot take IPv4 on such a socket still takes IPv6.
        if options.only_v6 {
            set?;
        }
    }
    socket.bind(&address.into())?;
    socket.listen(options.backlog())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Whether all addresses were asked for, and the failure is that there are none of IPv6.
fn may_do_without_v6(address: SocketAddr, options: &ListenOptions, error: &io::Error) -> bool {
    let all = matches!(address.ip(), IpAddr::V6(ip) if ip.is_unspecified()) && !options.only_v6;
    all && (error.kind() == io::ErrorKind::AddrNotAvailable
        || Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).is_err())
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
fn share_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system cannot share a port between sockets"))
}
