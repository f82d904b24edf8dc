//! Sockets with a file.
#![cfg(unix)]

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use sinew_system::{Address, ListenOptions, ListenSocket, Listener};
use tempfile::tempdir;

fn listen(path: &Path) -> io::Result<ListenSocket> {
    ListenSocket::unix(path, &ListenOptions::default())
}

fn failure(path: &Path) -> io::ErrorKind {
    listen(path).unwrap_err().kind()
}

fn accepts(socket: &ListenSocket) -> bool {
    match socket.listener() {
        Listener::Unix(listener) => listener.accept().is_ok(),
        Listener::Tcp(_) => false,
    }
}

/// A connection to `path` comes out of `socket`.
fn serves(socket: &ListenSocket, path: &Path) -> bool {
    let _client = UnixStream::connect(path).unwrap();
    accepts(socket)
}

/// A file that a server has left.
fn leave(path: &Path) -> u64 {
    drop(UnixListener::bind(path).unwrap());
    fs::metadata(path).unwrap().ino()
}

#[test]
fn a_socket_serves_and_its_file_goes_with_it() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let socket = listen(&path).unwrap();
    assert_eq!(socket.address(), &Address::Unix(path.clone()));
    assert!(!accepts(&socket), "it blocks, or somebody came");
    assert!(serves(&socket, &path));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no other file is needed");
    drop(socket);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_was_left_is_replaced() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    leave(&path);
    let socket = listen(&path).unwrap();
    assert!(serves(&socket, &path));
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn a_server_that_lives_keeps_its_socket() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let first = listen(&path).unwrap();
    assert_eq!(failure(&path), io::ErrorKind::AddrInUse);
    // Its queue holds the attempt above, which has gone.
    assert!(accepts(&first));
    assert!(serves(&first, &path));
    // The one who failed has not removed the file either.
    assert!(path.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_whose_queue_is_full_keeps_its_socket() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let options = ListenOptions { backlog: 0, ..ListenOptions::default() };
    let first = ListenSocket::unix(&path, &options).unwrap();
    let waiting = UnixStream::connect(&path).unwrap();
    let begun = Instant::now();
    assert_eq!(failure(&path), io::ErrorKind::AddrInUse);
    assert!(begun.elapsed() < Duration::from_secs(1), "it has waited for room in the queue");
    drop(waiting);
    assert!(accepts(&first));
}

#[test]
fn a_socket_of_another_kind_is_somebodys() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let _receiver = UnixDatagram::bind(&path).unwrap();
    assert_eq!(failure(&path), io::ErrorKind::AddrInUse);
    assert!(path.exists());
}

#[test]
fn what_is_not_a_socket_stays() {
    let directory = tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("file"), "text").unwrap();
    fs::create_dir(path("directory")).unwrap();
    leave(&path("socket"));
    std::os::unix::fs::symlink("socket", path("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
    for name in ["file", "directory", "link", "dangling"] {
        assert_eq!(failure(&path(name)), io::ErrorKind::AlreadyExists, "{name}");
        assert!(fs::symlink_metadata(path(name)).is_ok(), "{name} is gone");
    }
    assert_eq!(fs::read_to_string(path("file")).unwrap(), "text");
    assert!(fs::symlink_metadata(path("socket")).is_ok());
}

#[test]
fn strange_paths_are_errors() {
    for path in ["", "\0name", "a\0b", &"x".repeat(200)] {
        assert_eq!(failure(Path::new(path)), io::ErrorKind::InvalidInput, "{path:?}");
    }
    let directory = tempdir().unwrap();
    assert_eq!(failure(&directory.path().join("no/s")), io::ErrorKind::NotFound);
}

#[test]
fn the_longest_path_of_a_name_is_the_systems() {
    let directory = tempdir().unwrap();
    // The system's own bound, found by trying.
    let longest = (1..200)
        .map(|length| directory.path().join("x".repeat(length)))
        .take_while(|path| UnixListener::bind(path).is_ok_and(|_| fs::remove_file(path).is_ok()))
        .last()
        .unwrap();
    assert!(listen(&longest).is_ok());
}

#[test]
fn the_file_goes_with_the_last_clone() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let first = listen(&path).unwrap();
    let second = first.try_clone().unwrap();
    drop(first);
    assert!(serves(&second, &path));
    let (listener, file) = second.into_parts();
    let other = file.clone();
    drop((listener, file));
    assert!(path.exists());
    drop(other);
    assert!(!path.exists());
}

#[test]
fn the_file_of_somebody_else_stays() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");

    let first = listen(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let second = listen(&path).unwrap();
    drop(first);
    assert!(serves(&second, &path), "the first has removed the file of the second");

    // A number that the file system gives again does not deceive: the socket is closed before its file.
    let (listener, file) = second.into_parts();
    drop(listener);
    fs::remove_file(&path).unwrap();
    thread::sleep(Duration::from_millis(20));
    fs::write(&path, "text").unwrap();
    drop(file);
    assert_eq!(fs::read_to_string(&path).unwrap(), "text");
}

#[test]
fn a_file_that_is_gone_is_no_harm() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let socket = listen(&path).unwrap();
    fs::remove_file(&path).unwrap();
    drop(socket);
    assert!(!path.exists());
}

#[test]
fn a_socket_that_listens_already_keeps_its_file() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let socket = ListenSocket::from_std_unix(UnixListener::bind(&path).unwrap()).unwrap();
    assert_eq!(socket.address(), &Address::Unix(path.clone()));
    assert!(!accepts(&socket), "it blocks");
    assert!(serves(&socket, &path));
    drop(socket);
    assert!(path.exists());
}

#[test]
fn a_unix_socket_has_no_port() {
    let directory = tempdir().unwrap();
    let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
    let socket = ListenSocket::unix(directory.path().join("s"), &options).unwrap();
    assert_eq!(socket.same_port_again().unwrap_err().kind(), io::ErrorKind::Unsupported);
    assert_eq!(socket.address().as_tcp(), None);
}

/// The umask of tests is what it is; `processes.rs` has another one.
#[test]
fn the_mode_is_as_asked() {
    let directory = tempdir().unwrap();
    for mode in [0o600, 0o660, 0o666, 0o777] {
        let path = directory.path().join("s");
        let options = ListenOptions { unix_mode: Some(mode), ..ListenOptions::default() };
        let _socket = ListenSocket::unix(&path, &options).unwrap();
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{mode:o}");
    }
}

/// Each round: a file that was left, or none, and several who want its place. One gets it, and it serves.
#[test]
fn of_those_who_start_at_once_one_wins() {
    const STARTERS: usize = 6;
    let directory = tempdir().unwrap();
    for round in 0..20 {
        let path = directory.path().join(format!("s{round}"));
        if round % 2 == 0 {
            leave(&path);
        }
        let barrier = Barrier::new(STARTERS);
        let start = || {
            barrier.wait();
            listen(&path)
        };
        let results: Vec<_> = thread::scope(|scope| {
            let starters: Vec<_> = (0..STARTERS).map(|_| scope.spawn(start)).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        let (winners, losers): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1, "round {round}");
        for loser in losers {
            assert_eq!(loser.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
        let winner = winners.into_iter().next().unwrap().unwrap();
        while accepts(&winner) {}
        assert!(serves(&winner, &path), "round {round}");
    }
}

/// One server ends while another tries to start until it can, again and again: who has started is reachable.
#[test]
fn an_end_does_not_take_the_file_of_a_start() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    for _ in 0..40 {
        let (listener, file) = listen(&path).unwrap().into_parts();
        let barrier = Barrier::new(2);
        let second = thread::scope(|scope| {
            let ending = scope.spawn(|| {
                barrier.wait();
                // In the worse order.
                drop(listener);
                drop(file);
            });
            barrier.wait();
            let second = loop {
                match listen(&path) {
                    Ok(second) => break second,
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse),
                }
            };
            ending.join().unwrap();
            second
        });
        while accepts(&second) {}
        assert!(serves(&second, &path));
        drop(second);
        assert!(!path.exists());
    }
}

/// Somebody else can hold the lock for ever. Then nothing is replaced, and everything else works.
#[test]
fn a_lock_that_is_not_released_does_not_stop_a_server() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s");
    let left = directory.path().join("left");
    let inode = leave(&left);
    let held = fs::File::open(directory.path()).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();

    let begun = Instant::now();
    let socket = listen(&path).unwrap();
    assert!(serves(&socket, &path));
    assert_eq!(failure(&left), io::ErrorKind::AddrInUse);
    assert_eq!(fs::metadata(&left).unwrap().ino(), inode);
    drop(socket);
    assert!(!path.exists());
    assert!(begun.elapsed() < Duration::from_secs(20));

    drop(held);
    assert!(listen(&left).is_ok());
}
