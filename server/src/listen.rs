//! The socket to listen on, bound before any runtime starts, so that what can go wrong is told in
//! the same sentence for all of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use sinew_system::{ListenOptions, ListenSocket};

use crate::log::printable;

/// Listens on the first address of `host` that can be had. The error is a sentence.
pub(crate) fn bind(host: &str, port: u16) -> Result<TcpListener, String> {
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let addresses = (name, port)
        .to_socket_addrs()
        .map_err(|error| format!("the host {} cannot be resolved: {}", printable(host), reason(&error)))?;
    let mut failure = format!("the host {} has no address", printable(host));
    for address in addresses {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            // Not on to the next address: one server on ::1 and one on 127.0.0.1 would confuse.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(format!(
                    "port {port} of {} is in use already; choose another with --port, or any free one with --port 0",
                    address.ip()
                ));
            }
            Err(error) => failure = format!("cannot listen on {address}: {}", reason(&error)),
        }
    }
    Err(failure)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let (listener, _) = ListenSocket::tcp(address, &ListenOptions::default())?.into_parts();
    listener.into_tcp().map_err(|_| io::ErrorKind::Unsupported.into())
}

/// The URL to open on this machine.
pub(crate) fn url(bound: SocketAddr) -> String {
    let ip = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        // A name: not every system answers to IPv4 there.
        IpAddr::V6(_) => return format!("http://localhost:{}/", bound.port()),
    };
    format!("http://{}/", SocketAddr::new(ip, bound.port()))
}

/// What went wrong, without the number of the system.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(text);
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_can_be_opened() {
        for (bound, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("0.0.0.0:80", "http://127.0.0.1:80/"),
            ("[::]:8080", "http://localhost:8080/"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("192.168.1.2:8080", "http://192.168.1.2:8080/"),
        ] {
            assert_eq!(url(bound.parse().unwrap()), expected);
        }
    }

    #[test]
    fn a_busy_port_is_one_sentence() {
        let first = bind("127.0.0.1", 0).unwrap();
        let port = first.local_addr().unwrap().port();
        let error = bind("127.0.0.1", port).unwrap_err();
        assert!(error.starts_with(&format!("port {port} of 127.0.0.1 is in use already")), "{error}");
        assert!(!error.contains("os error"));
    }

    #[test]
    fn strange_hosts_are_told_apart() {
        assert!(bind("192.0.2.1", 0).unwrap_err().starts_with("cannot listen on 192.0.2.1:0: "));
        assert!(
            bind("no such host", 0).unwrap_err().starts_with("the host no such host cannot be resolved: ")
        );
    }
}
