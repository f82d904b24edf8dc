//! The sockets to listen on, bound before any runtime starts, so that what can go wrong is told in
//! the same sentence for all of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sinew_system::{Address, ListenOptions, ListenSocket};

use crate::log::printable;

/// A place to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or an address, an IPv6 address with or without brackets.
    Tcp { host: String, port: u16 },
    #[cfg(unix)]
    Unix(PathBuf),
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "a place is ADDRESS:PORT, such as [::]:80, or unix:/PATH";
        if let Some(path) = text.strip_prefix("unix:") {
            #[cfg(unix)]
            return if path.is_empty() { Err(EXPECTED) } else { Ok(Self::Unix(path.into())) };
            #[cfg(not(unix))]
            return Err("this system has no Unix sockets");
        }
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || (host.contains(':') && !bracketed) {
            return Err(EXPECTED);
        }
        let port = port.parse().map_err(|_| "a port is a number up to 65535")?;
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl Place {
    /// Listens. The error is a sentence.
    pub(crate) fn listen(&self, options: &ListenOptions) -> Result<ListenSocket, String> {
        match self {
            Self::Tcp { host, port } => listen_tcp(host, *port, options),
            #[cfg(unix)]
            Self::Unix(path) => listen_unix(path, options),
        }
    }
}

/// Listens on the first address of `host` that can be had.
fn listen_tcp(host: &str, port: u16, options: &ListenOptions) -> Result<ListenSocket, String> {
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let addresses = (name, port)
        .to_socket_addrs()
        .map_err(|error| format!("the host {} cannot be resolved: {}", printable(host), reason(&error)))?;
    let mut failure = format!("the host {} has no address", printable(host));
    for address in addresses {
        match ListenSocket::tcp(address, options) {
            Ok(socket) => return Ok(socket),
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

#[cfg(unix)]
fn listen_unix(path: &Path, options: &ListenOptions) -> Result<ListenSocket, String> {
    ListenSocket::unix(path, options).map_err(|error| {
        let path = printable(&path.display().to_string());
        match error.kind() {
            io::ErrorKind::AddrInUse => format!("a server listens on {path} already"),
            io::ErrorKind::AlreadyExists => format!("{path} exists and is no socket"),
            _ => format!("cannot listen on {path}: {}", reason(&error)),
        }
    })
}

/// Where to find the server from this machine: a URL, or the file of a Unix socket.
pub(crate) fn place(bound: &Address) -> String {
    let Some(bound) = bound.as_tcp() else { return bound.to_string() };
    let on = if bound.ip().is_unspecified() { format!(" (listening on {bound})") } else { String::new() };
    url(bound) + &on
}

/// The URL to open on this machine.
fn url(bound: SocketAddr) -> String {
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

    fn listen(place: &str) -> Result<ListenSocket, String> {
        place.parse::<Place>()?.listen(&ListenOptions::default())
    }

    #[test]
    fn places_are_read() {
        for (text, host, port) in
            [("127.0.0.1:80", "127.0.0.1", 80), ("[::]:8080", "[::]", 8080), ("localhost:0", "localhost", 0)]
        {
            assert_eq!(text.parse(), Ok(Place::Tcp { host: host.to_owned(), port }));
        }
        #[cfg(unix)]
        assert_eq!("unix:/run/a b".parse(), Ok(Place::Unix("/run/a b".into())));
        for text in ["", "80", ":80", "::1:80", "a:", "a:70000", "a:+80x", "unix:"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

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
        let first = listen("127.0.0.1:0").unwrap();
        let port = first.address().as_tcp().unwrap().port();
        let error = listen(&format!("127.0.0.1:{port}")).unwrap_err();
        assert!(error.starts_with(&format!("port {port} of 127.0.0.1 is in use already")), "{error}");
        assert!(!error.contains("os error"));
    }

    #[test]
    fn strange_hosts_are_told_apart() {
        assert!(listen("192.0.2.1:0").unwrap_err().starts_with("cannot listen on 192.0.2.1:0: "));
        assert!(
            listen("no such host:0").unwrap_err().starts_with("the host no such host cannot be resolved: ")
        );
    }

    #[test]
    #[cfg(unix)]
    fn files_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| format!("unix:{}", dir.path().join(name).display());
        std::fs::write(dir.path().join("file"), "").unwrap();
        let _first = listen(&place("socket")).unwrap();
        for (name, expected) in [
            ("socket", "a server listens on "),
            ("file", "exists and is no socket"),
            ("none/socket", "cannot listen on "),
        ] {
            let error = listen(&place(name)).unwrap_err();
            assert!(error.contains(expected) && !error.contains("os error"), "{error}");
        }
    }
}
