//! The file of a Unix socket: who may have it, and who removes it.
//!
//! Invariant: between `bind` and `listen` a socket looks like one that was left, so both happen under a lock
//! on the directory, and nobody replaces a file without that lock. A crash releases it, and no file is needed
//! for it.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, SockAddr, Socket, Type};

/// How long others may hold the lock. Anybody who can read the directory can take it, so nobody waits for
/// ever; one who starts needs a few milliseconds, or [`REFUSALS`] times [`PAUSE`] for a file that was left.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// The same for the end: [`Drop`] may run on the thread of an event loop.
const LAST_LOCK_TIMEOUT: Duration = Duration::from_millis(200);

/// A file is left over if so many attempts to connect are refused, with a pause after each: another program
/// may be between `bind` and `listen`, and BSDs refuse while the queue of a server is full, too.
const REFUSALS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(25);

/// A file that this process has made, and removes.
#[derive(Debug)]
pub(crate) struct OwnFile {
    /// Absolute, because the process may change its directory.
    path: PathBuf,
    identity: Identity,
}

/// Which file it is. The number alone may be given to another file later.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    created: Option<SystemTime>,
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), created: metadata.created().ok() })
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        // Without the lock somebody could replace the file between the question and the removal.
        let _lock = lock_directory_of(&self.path, LAST_LOCK_TIMEOUT);
        if Identity::of(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub(crate) fn listen(path: &Path, backlog: i32, mode: Option<u32>) -> io::Result<(UnixListener, OwnFile)> {
    // Empty is a request for any name, and a zero byte begins a name without a file.
    if path.as_os_str().is_empty() || path.as_os_str().as_bytes().contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path for a socket"));
    }
    let absolute = std::path::absolute(path)?;
    let address = SockAddr::unix(path)?;
    let lock = lock_directory_of(&absolute, LOCK_TIMEOUT)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            make_room(path, &address, lock.is_some())?;
            socket.bind(&address)?;
        }
        other => other?,
    }
    // From here on the file goes if something fails.
    let own = OwnFile { identity: Identity::of(&absolute)?, path: absolute };
    let listening = (|| {
        if let Some(mode) = mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        socket.listen(backlog)?;
        socket.set_nonblocking(true)
    })();
    // Before `own` is dropped, which takes the lock itself.
    drop(lock);
    listening.map(|()| (socket.into(), own))
}

/// Removes a socket that was left. Everything else at `path` stays, and is an error.
fn make_room(path: &Path, address: &SockAddr, locked: bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is something that is not a socket",
            ));
        }
        // It went in this moment.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    if is_served(address)? {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there"));
    }
    if !locked {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "there is a socket, and its directory cannot be locked to replace it",
        ));
    }
    fs::remove_file(path)
}

/// Whether somebody listens.
fn is_served(address: &SockAddr) -> io::Result<bool> {
    for _ in 0..REFUSALS {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Else it would wait for room in the queue.
        client.set_nonblocking(true)?;
        match client.connect(address) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => thread::sleep(PAUSE),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            // Connected, or the queue is full, or it is a socket of another kind, or we may not: all of them
            // are somebody's.
            _ => return Ok(true),
        }
    }
    Ok(false)
}

/// The lock, until it is dropped. `None` if it cannot be had: the directory cannot be read, its file system has
/// no locks, or somebody holds it for too long.
fn lock_directory_of(path: &Path, timeout: Duration) -> io::Result<Option<File>> {
    let directory = match File::open(path.parent().unwrap_or(path)) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(error),
    };
    let give_up = Instant::now() + timeout;
    loop {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(directory)),
            Err(error) if error == rustix::io::Errno::WOULDBLOCK && Instant::now() < give_up => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) if error == rustix::io::Errno::INTR => {}
            Err(_) => return Ok(None),
        }
    }
}
