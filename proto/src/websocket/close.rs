//! Why a connection closes: codes and reasons (RFC 6455 §7.4).

use core::fmt;

use super::{ProtocolError, utf8};

/// A status code of a close frame (RFC 6455 §7.4, and the registry it opened).
///
/// ```
/// use sinew_proto::websocket::CloseCode;
/// assert!(CloseCode::NORMAL.is_sendable() && CloseCode::new(4000).is_sendable());
/// assert!(!CloseCode::ABNORMAL.is_sendable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: what the connection was for is done.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server shuts down, or a browser left the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that is not taken.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: a close frame without a code. Never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: no close frame at all. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that is not what it says it is: text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: against the rules of this endpoint.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message that is too large.
    pub const TOO_LARGE: Self = Self(1009);
    /// 1010: a client misses an extension.
    pub const MISSING_EXTENSION: Self = Self(1010);
    /// 1011: the server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the server is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Any code.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether a close frame may have it: 1000 to 1014 without 1004, 1005 and 1006, which are
    /// reserved, and 3000 to 4999, which are for libraries and applications.
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The payload of a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'b> {
    /// Why.
    pub code: CloseCode,
    /// The same in words, at most 123 bytes. Not meant for people to see.
    pub reason: &'b str,
}

impl<'b> CloseFrame<'b> {
    /// What is in the payload of a close frame, if anything (RFC 6455 §5.5.1).
    pub(super) fn parse(payload: &'b [u8]) -> Result<Option<Self>, ProtocolError> {
        match payload {
            [] => Ok(None),
            [_] => Err(ProtocolError::InvalidClosePayload),
            [a, b, reason @ ..] => {
                let code = CloseCode::new(u16::from_be_bytes([*a, *b]));
                if !code.is_sendable() {
                    return Err(ProtocolError::InvalidCloseCode);
                }
                let reason = utf8::whole(reason).ok_or(ProtocolError::InvalidCloseReason)?;
                Ok(Some(Self { code, reason }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_may_be_sent() {
        let sendable = (0..=u16::MAX).filter(|&code| CloseCode::new(code).is_sendable());
        let expected = (1000..=1003).chain(1007..=1014).chain(3000..=4999);
        assert!(sendable.eq(expected));
    }
}
