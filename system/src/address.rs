//! Where a server listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a server listens, or where a client comes from.
///
/// Its `Display` is for logs: `127.0.0.1:80`, `[::]:80`, `unix:/run/x.sock`, `unix:@name`, `unix:`. What is
/// not printable in a path or name is escaped, so that it stays one line.
///
/// The variants are there on every system, so that code that matches needs no `cfg`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The file of a Unix socket.
    Unix(PathBuf),
    /// The name of a Unix socket without a file, which Linux has; without the zero byte before it.
    UnixAbstract(Vec<u8>),
    /// A Unix socket without a name. Clients are such.
    UnixUnnamed,
}

impl Address {
    /// The IP address and port, unless it is a Unix socket.
    pub fn as_tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            _ => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => {
                f.write_str("unix:")?;
                escape(&path.to_string_lossy(), f)
            }
            Self::UnixAbstract(name) => {
                f.write_str("unix:@")?;
                escape(&String::from_utf8_lossy(name), f)
            }
            Self::UnixUnnamed => f.write_str("unix:"),
        }
    }
}

fn escape(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;

    text.chars()
        .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::SocketAddr> for Address {
    fn from(address: std::os::unix::net::SocketAddr) -> Self {
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt as _;

            if let Some(name) = address.as_abstract_name() {
                return Self::UnixAbstract(name.to_owned());
            }
        }
        address.as_pathname().map_or(Self::UnixUnnamed, |path| Self::Unix(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_one_line() {
        for (address, expected) in [
            (Address::Tcp("127.0.0.1:80".parse().unwrap()), "127.0.0.1:80"),
            (Address::Tcp("[::]:80".parse().unwrap()), "[::]:80"),
            (Address::Unix("/run/x.sock".into()), "unix:/run/x.sock"),
            (Address::Unix("/run/é\n\u{1b}[31m".into()), "unix:/run/é\\n\\u{1b}[31m"),
            (Address::UnixAbstract(b"name\0\xff".to_vec()), "unix:@name\\u{0}\u{fffd}"),
            (Address::UnixUnnamed, "unix:"),
        ] {
            assert_eq!(address.to_string(), expected);
        }
    }
}
