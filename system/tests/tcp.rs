//! Sockets of TCP.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sinew_system::{Address, ListenOptions, ListenSocket, Listener};

fn listen(address: &str) -> ListenSocket {
    ListenSocket::tcp(address.parse().unwrap(), &ListenOptions::default()).unwrap()
}

fn tcp(socket: &ListenSocket) -> &TcpListener {
    match socket.listener() {
        Listener::Tcp(listener) => listener,
        #[cfg(unix)]
        Listener::Unix(_) => panic!("a Unix socket"),
    }
}

fn port(socket: &ListenSocket) -> u16 {
    socket.address().as_tcp().unwrap().port()
}

/// Accepts within ten seconds, though the socket does not block.
fn accept(socket: &ListenSocket) -> (TcpStream, SocketAddr) {
    let give_up = Instant::now() + Duration::from_secs(10);
    loop {
        match tcp(socket).accept() {
            Ok(accepted) => return accepted,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        assert!(Instant::now() < give_up, "nobody came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A byte gets from a client at `address` to who accepts.
fn serves(socket: &ListenSocket, address: impl Into<SocketAddr>) {
    let mut client = TcpStream::connect(address.into()).unwrap();
    client.write_all(b"x").unwrap();
    let (mut server, _) = accept(socket);
    server.set_nonblocking(false).unwrap();
    let mut byte = [0];
    server.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

#[test]
fn all_addresses_of_ipv6_take_ipv4() {
    let socket = listen("[::]:0");
    assert_eq!(socket.address().to_string(), format!("[::]:{}", port(&socket)));
    serves(&socket, (Ipv4Addr::LOCALHOST, port(&socket)));
    serves(&socket, (Ipv6Addr::LOCALHOST, port(&socket)));
}

#[test]
fn ipv6_alone_if_asked_for() {
    let options = ListenOptions { only_v6: true, ..ListenOptions::default() };
    let socket = ListenSocket::tcp("[::]:0".parse().unwrap(), &options).unwrap();
    serves(&socket, (Ipv6Addr::LOCALHOST, port(&socket)));
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port(&socket))).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    // So that the two can stand beside each other.
    let other = listen(&format!("0.0.0.0:{}", port(&socket)));
    serves(&other, (Ipv4Addr::LOCALHOST, port(&socket)));
}

#[test]
fn ipv4_takes_no_ipv6() {
    let socket = listen("0.0.0.0:0");
    serves(&socket, (Ipv4Addr::LOCALHOST, port(&socket)));
    let refused = TcpStream::connect((Ipv6Addr::LOCALHOST, port(&socket))).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_port_in_use_is_an_error() {
    for host in ["127.0.0.1", "[::1]", "[::]", "0.0.0.0"] {
        let first = listen(&format!("{host}:0"));
        let address = first.address().as_tcp().unwrap();
        for reuse_port in [false, true] {
            let options = ListenOptions { reuse_port, ..ListenOptions::default() };
            match ListenSocket::tcp(address, &options) {
                Err(error) if cfg!(windows) && reuse_port => {
                    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
                }
                result => assert_eq!(result.unwrap_err().kind(), io::ErrorKind::AddrInUse, "{address}"),
            }
        }
    }
}

#[test]
fn ipv4_in_use_is_not_passed_over_by_all_addresses() {
    let first = listen("0.0.0.0:0");
    let all = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port(&first));
    let error = ListenSocket::tcp(all, &ListenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn an_address_of_somebody_else_is_an_error() {
    for address in ["192.0.2.1:0", "[2001:db8::1]:0"] {
        let error = ListenSocket::tcp(address.parse().unwrap(), &ListenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable, "{address}");
    }
}

#[test]
fn a_restart_does_not_wait_for_old_connections() {
    let socket = listen("127.0.0.1:0");
    let address = socket.address().as_tcp().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    // The side that closes first keeps the address for a while.
    drop(accept(&socket));
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop((client, socket));
    let again = ListenSocket::tcp(address, &ListenOptions::default()).unwrap();
    serves(&again, address);
}

#[test]
fn a_clone_has_the_same_queue() {
    let socket = listen("127.0.0.1:0");
    let clone = socket.try_clone().unwrap();
    assert_eq!(clone.address(), socket.address());
    let address = socket.address().as_tcp().unwrap();
    drop(socket);
    serves(&clone, address);
}

#[test]
fn a_socket_that_listens_already_is_taken_and_blocks_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let socket = ListenSocket::from_std_tcp(listener).unwrap();
    assert_eq!(socket.address(), &Address::Tcp(address));
    assert_eq!(tcp(&socket).accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    serves(&socket, address);
}

#[test]
fn a_port_is_not_shared_unless_asked_for() {
    let error = listen("127.0.0.1:0").same_port_again().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}

/// Which of the sockets gets a connection is decided by its address. That all of 200 go to one has a
/// probability of 2 to the power of -199.
#[cfg(target_os = "linux")]
#[test]
fn connections_are_spread_over_sockets_of_one_port() {
    let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
    for host in ["127.0.0.1:0", "[::]:0"] {
        let first = ListenSocket::tcp(host.parse().unwrap(), &options).unwrap();
        let second = first.same_port_again().unwrap();
        assert_eq!(first.address(), second.address());
        let clients: Vec<_> =
            (0..200).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port(&first))).unwrap()).collect();
        let counts = [&first, &second].map(|socket| std::iter::from_fn(|| tcp(socket).accept().ok()).count());
        assert_eq!(counts.iter().sum::<usize>(), clients.len());
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        // The third of three has the options, too.
        assert!(second.same_port_again().is_ok());
    }
}

/// The queue has its length and one more on Linux; who comes then gets no answer.
#[cfg(target_os = "linux")]
#[test]
fn the_backlog_is_as_asked() {
    let options = ListenOptions { backlog: 2, ..ListenOptions::default() };
    let socket = ListenSocket::tcp("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let address = socket.address().as_tcp().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300));
    let clients: Vec<_> = (0..3).map(|_| connect().unwrap()).collect();
    assert_eq!(connect().unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop(clients);
}

#[cfg(unix)]
#[test]
fn children_do_not_inherit_it_and_it_does_not_block() {
    let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
    let socket = ListenSocket::tcp("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    for socket in [&socket, &socket.try_clone().unwrap(), &socket.same_port_again().unwrap()] {
        assert!(rustix::io::fcntl_getfd(tcp(socket)).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        assert!(rustix::fs::fcntl_getfl(tcp(socket)).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
    }
}
