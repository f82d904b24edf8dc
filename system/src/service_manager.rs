//! The service manager, systemd or what speaks like it: sockets that it gives, and what is told to it.
//!
//! A manager that makes the sockets keeps them while a service restarts, so no connection is refused, and the
//! service needs no right to listen on port 80. See `sd_listen_fds(3)` and `sd_notify(3)`. Other systems than
//! Unix have no such manager: there are no sockets, and nobody is told.

use std::env;
use std::io;
use std::time::Duration;

use crate::listen::ListenSocket;

/// Most sockets that are taken. More is a mistake in the variable, and each would be looked at.
#[cfg(unix)]
const MOST_SOCKETS: u32 = 4_096;

/// Why the sockets of the service manager cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InheritError {
    /// A variable of the environment is not the number that it should be.
    #[error("{variable} is not a valid number")]
    Variable {
        /// Such as `LISTEN_FDS`.
        variable: &'static str,
    },
    /// There is no open descriptor of this number, or it is not a socket of TCP or Unix that takes
    /// connections.
    #[error("descriptor {descriptor} is not a stream socket that listens")]
    NotListening {
        /// Its number: 3 is the first.
        descriptor: u32,
    },
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<InheritError> for io::Error {
    fn from(error: InheritError) -> Self {
        match error {
            InheritError::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// The sockets that the service manager made for this process, with their names (`FileDescriptorName=`), in the
/// order of the manager. None if there is no manager, or if they are for another process (`LISTEN_PID`).
///
/// They do not block, and child processes do not inherit them. A file of a Unix socket stays: it is the manager's.
///
/// Call it at the start of `main`, before there are other threads: it takes `LISTEN_PID` and `LISTEN_FDS` out
/// of the environment, so that no child takes them for its own and no second call has the sockets twice.
/// `LISTEN_FDNAMES` stays. `LISTEN_FDS_FIRST_FD`, which some tools set, is understood.
///
/// # Errors
/// An [`InheritError`]. The sockets before the wrong one are closed then.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// for (name, socket) in sinew_system::from_service_manager()? {
///     println!("{}: {}", name.as_deref().unwrap_or("?"), socket.address());
/// }
/// # Ok(())
/// # }
/// ```
#[cfg(unix)]
pub fn from_service_manager() -> Result<Vec<(Option<String>, ListenSocket)>, InheritError> {
    // A process whose environment was copied from another's has no sockets.
    match number("LISTEN_PID")? {
        Some(id) if id == std::process::id() => {}
        _ => return Ok(Vec::new()),
    }
    let Some(count) = number("LISTEN_FDS")? else { return Ok(Vec::new()) };
    if count > MOST_SOCKETS {
        return Err(InheritError::Variable { variable: "LISTEN_FDS" });
    }
    let first = number("LISTEN_FDS_FIRST_FD")?.unwrap_or(3);
    if !(3..=u32::from(u16::MAX)).contains(&first) {
        return Err(InheritError::Variable { variable: "LISTEN_FDS_FIRST_FD" });
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()));

    let mut given = listenfd::ListenFd::from_env();
    let mut sockets = Vec::new();
    for (index, descriptor) in (0..given.len()).zip(first..) {
        let socket = take(&mut given, index)?.ok_or(InheritError::NotListening { descriptor })?;
        sockets.push((names.next().flatten(), socket));
    }
    Ok(sockets)
}

/// The sockets of a service manager: there is none on this system.
#[cfg(not(unix))]
pub fn from_service_manager() -> Result<Vec<(Option<String>, ListenSocket)>, InheritError> {
    Ok(Vec::new())
}

/// The socket at `index`, or `None` if what is there is not one that listens.
#[cfg(unix)]
fn take(given: &mut listenfd::ListenFd, index: usize) -> io::Result<Option<ListenSocket>> {
    // What is of another family stays where it is, and is an error of no interest.
    if let Ok(Some(listener)) = given.take_unix_listener(index) {
        return if listens(&listener) { ListenSocket::from_std_unix(listener).map(Some) } else { Ok(None) };
    }
    if let Ok(Some(listener)) = given.take_tcp_listener(index) {
        return if listens(&listener) { ListenSocket::from_std_tcp(listener).map(Some) } else { Ok(None) };
    }
    Ok(None)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn listens(socket: &impl std::os::fd::AsFd) -> bool {
    socket2::SockRef::from(socket).is_listener().unwrap_or(false)
}

/// Other systems cannot be asked. Accepting will tell.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android", target_os = "freebsd"))))]
fn listens(_socket: &impl std::os::fd::AsFd) -> bool {
    true
}

/// The number in a variable, if there is the variable.
#[cfg(unix)]
fn number(variable: &'static str) -> Result<Option<u32>, InheritError> {
    let Some(text) = env::var_os(variable) else { return Ok(None) };
    let text = text.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).map(Some).ok_or(InheritError::Variable { variable })
}

/// What the service manager can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification<'a> {
    /// The service is up, or up again after reloading (`READY=1`).
    Ready,
    /// The service reads its configuration again; [`Ready`](Self::Ready) follows (`RELOADING=1`, with the time).
    Reloading,
    /// The service is about to end (`STOPPING=1`).
    Stopping,
    /// What the service does, in a few words for people (`STATUS=`). Line breaks become spaces.
    Status(&'a str),
    /// The service is alive (`WATCHDOG=1`). See [`watchdog_interval`].
    Watchdog,
}

/// Tells the service manager. `false` if there is none: `NOTIFY_SOCKET` is not set.
///
/// # Errors
/// What the system says, [`io::ErrorKind::InvalidInput`] if the variable is neither an absolute path nor a name
/// without a file (`@name`), and [`io::ErrorKind::Unsupported`] if it is such a name and not on Linux. A server
/// need not end for any of them. [`io::ErrorKind::WouldBlock`] if the manager does not read.
pub fn notify(notification: Notification<'_>) -> io::Result<bool> {
    #[cfg(unix)]
    {
        let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Ok(false);
        };
        let address = notify_address(&address)?;
        let socket = std::os::unix::net::UnixDatagram::unbound()?;
        // A manager that hangs must not hang its services.
        socket.set_nonblocking(true)?;
        socket.send_to_addr(text(notification).as_bytes(), &address)?;
        Ok(true)
    }
    #[cfg(not(unix))]
    {
        let _ = notification;
        Ok(false)
    }
}

#[cfg(unix)]
fn text(notification: Notification<'_>) -> String {
    match notification {
        Notification::Ready => "READY=1\n".to_owned(),
        Notification::Reloading => {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            format!("RELOADING=1\nMONOTONIC_USEC={}\n", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)
        }
        Notification::Stopping => "STOPPING=1\n".to_owned(),
        Notification::Status(text) => format!("STATUS={}\n", text.replace(['\n', '\r', '\0'], " ")),
        Notification::Watchdog => "WATCHDOG=1\n".to_owned(),
    }
}

#[cfg(unix)]
fn notify_address(variable: &std::ffi::OsStr) -> io::Result<std::os::unix::net::SocketAddr> {
    use std::os::unix::ffi::OsStrExt as _;

    match variable.as_bytes() {
        [b'/', ..] => std::os::unix::net::SocketAddr::from_pathname(variable),
        [b'@', name @ ..] => abstract_address(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "NOTIFY_SOCKET is not a path")),
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<std::os::unix::net::SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;

    std::os::unix::net::SocketAddr::from_abstract_name(name)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn abstract_address(_name: &[u8]) -> io::Result<std::os::unix::net::SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "NOTIFY_SOCKET is a name without a file"))
}

/// How often [`Notification::Watchdog`] must come, or the manager restarts the service; twice as often is
/// prudent. `None` if the manager does not watch this process (`WATCHDOG_USEC`, `WATCHDOG_PID`).
pub fn watchdog_interval() -> Option<Duration> {
    let variable = |name| env::var(name).ok();
    if variable("WATCHDOG_PID").is_some_and(|id| id != std::process::id().to_string()) {
        return None;
    }
    let micros = variable("WATCHDOG_USEC")?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}
