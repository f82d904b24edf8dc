//! Which names the server answers to: the defence against DNS rebinding.
//!
//! A page on `evil.example` can have its own name resolve to 127.0.0.1, and then reads what a
//! server there says as if it were its own. Its requests still carry `Host: evil.example`, so a
//! server on a loopback address serves only hosts that no stranger can own.

use std::net::IpAddr;

use sinew_system::Address;

/// The names that are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Any: who can reach this address may use any name for it.
    Any,
    /// IP addresses, `localhost`, names without a dot, and these.
    Local(Vec<String>),
}

impl Hosts {
    /// The names that a server bound to `addresses` answers to. One of them that can be reached from
    /// elsewhere makes all names good; who comes through a Unix socket is no browser and is not asked.
    pub(crate) fn for_addresses(addresses: &[Address], allowed: &[String]) -> Self {
        let ips = addresses.iter().filter_map(Address::as_tcp).map(|address| address.ip());
        if ips.into_iter().any(|ip| !ip.to_canonical().is_loopback()) {
            return Self::Any;
        }
        Self::Local(allowed.iter().map(|name| normal(without_port(name))).collect())
    }

    /// Whether a request with this `Host` is served. HTTP/1.0 may do without.
    pub(crate) fn allows(&self, host: Option<&str>) -> bool {
        let (Self::Local(allowed), Some(host)) = (self, host) else { return true };
        let name = normal(without_port(host));
        // The brackets of an IPv6 address are gone by now.
        name.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || name.ends_with(".localhost")
            || allowed.contains(&name)
    }
}

/// Host without port, an IPv6 address without brackets (RFC 9110 §7.2).
fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

/// Names are compared without case, and a dot at the end does not make another one.
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(ip: &str) -> Address {
        Address::Tcp((ip.parse::<IpAddr>().unwrap(), 80).into())
    }

    #[test]
    fn a_loopback_server_answers_to_local_names() {
        let hosts = Hosts::for_addresses(&[tcp("127.0.0.1")], &["My.Site.example:8080".to_owned()]);
        for (host, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.1:8080", true),
            ("192.168.0.1:80", true),
            ("[::1]", true),
            ("[::1]:8080", true),
            ("localhost", true),
            ("LocalHost:8080", true),
            ("localhost.:8080", true),
            ("app.localhost:8080", true),
            ("devbox:8080", true),
            ("", true),
            ("my.site.example:8080", true),
            ("my.site.example.", true),
            ("evil.example", false),
            ("evil.example:8080", false),
            ("evil.example.", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("evillocalhost.example", false),
            ("other.my.site.example", false),
        ] {
            assert_eq!(hosts.allows(Some(host)), expected, "{host}");
        }
        assert!(hosts.allows(None));
    }

    #[test]
    fn only_loopback_is_guarded() {
        for (address, any) in [
            ("127.0.0.1", false),
            ("127.1.2.3", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("0.0.0.0", true),
            ("::", true),
            ("192.168.0.1", true),
        ] {
            let unix = Address::Unix("/run/sinew".into());
            let hosts = Hosts::for_addresses(&[tcp("127.0.0.1"), tcp(address), unix], &[]);
            assert_eq!(hosts == Hosts::Any, any, "{address}");
        }
    }
}
