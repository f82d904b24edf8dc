//! The `Origin` of a request: which page opened the connection (RFC 6454 §7, RFC 6455 §10.2).

use core::fmt;

use crate::http1::RequestHead;
use crate::{grammar, websocket::handshake::only};

/// The origin of the page that asks for a WebSocket.
///
/// A browser lets any page open a WebSocket to any server, with the user's cookies, and says in `Origin`
/// which page it was. A server that means anything by cookies or by the client's address has to compare
/// it. Programs other than browsers send none, or anything they like.
///
/// An origin that is not `scheme://host` or `scheme://host:port` equals no other: not `null`, which
/// any page can have, and not one with a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Origin<'b>(&'b str);

impl<'b> Origin<'b> {
    pub(super) fn new(value: &'b [u8]) -> Option<Self> {
        let visible = !value.is_empty() && value.iter().all(|b| (b' '..=b'~').contains(b));
        core::str::from_utf8(value).ok().filter(|_| visible).map(Self)
    }

    /// The field's value: visible ASCII and blanks.
    pub const fn as_str(&self) -> &'b str {
        self.0
    }

    /// Whether this is one of those origins: the same scheme, host and port, without regard to the case
    /// of the first two. The default port of `http` and `https` may be left out.
    ///
    /// ```
    /// use sinew_proto::{http1::RequestHeadBuf, websocket::ServerHandshake};
    /// # let head = RequestHeadBuf::build("GET", "/", [("Upgrade", "websocket"), ("Connection", "upgrade"),
    /// #     ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    /// #     ("Origin", "https://example.org")])?;
    /// let handshake = ServerHandshake::from_request(&head.as_head())?;
    /// let allowed = match handshake.origin() {
    ///     Some(origin) => origin.is_one_of(&["https://example.org", "https://www.example.org"]),
    ///     None => true, // not a browser
    /// };
    /// assert!(allowed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_one_of(&self, allowed: &[&str]) -> bool {
        let own = Parts::read(self.0);
        own.is_some_and(|own| {
            allowed.iter().filter_map(|origin| Parts::read(origin)).any(|other| own.equals(&other))
        })
    }

    /// Whether the page came from the host, and port, that the request goes to: its `Host`. The scheme
    /// of the request is not known here, so that of the page says which port may be left out.
    pub fn is_host_of(&self, request: &RequestHead<'_>) -> bool {
        let Some((own, host)) = Parts::read(self.0).zip(only(&request.fields(), "host")) else {
            return false;
        };
        Parts::of_authority(own.scheme, host).is_some_and(|host| own.equals(&host))
    }
}

impl fmt::Debug for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `scheme "://" host [ ":" port ]` (RFC 6454 §7.1)
struct Parts<'b> {
    scheme: &'b [u8],
    host: &'b [u8],
    port: Option<u16>,
}

impl<'b> Parts<'b> {
    fn read(origin: &'b str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let mut bytes = scheme.bytes();
        let valid = bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
            && bytes.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if valid { Self::of_authority(scheme.as_bytes(), authority.as_bytes()) } else { None }
    }

    fn of_authority(scheme: &'b [u8], authority: &'b [u8]) -> Option<Self> {
        if !grammar::is_authority(authority) {
            return None;
        }
        let (host, port) = grammar::split_port(authority);
        let port = match port {
            Some(digits) if !digits.is_empty() => Some(core::str::from_utf8(digits).ok()?.parse().ok()?),
            _ if scheme.eq_ignore_ascii_case(b"https") => Some(443),
            _ if scheme.eq_ignore_ascii_case(b"http") => Some(80),
            _ => None,
        };
        Some(Self { scheme, host, port })
    }

    fn equals(&self, other: &Parts<'_>) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
    }
}
