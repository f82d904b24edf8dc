//! Bodies: how the length of one is told, what the caller plans to send, and how that is framed.

/// How the length of a request body is told (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BodyLength {
    /// Neither `Content-Length` nor `Transfer-Encoding`: there is no body.
    #[default]
    None,
    /// `Content-Length`, in bytes; zero is possible.
    Known(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl BodyLength {
    /// Whether no body byte follows.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Known(0))
    }
}

/// How the length of a response body is told (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseLength {
    /// There is no body, whatever the fields say: the response to HEAD, a 1xx, 204 or 304, or a 2xx to
    /// CONNECT.
    None,
    /// `Content-Length`, in bytes; zero is possible.
    Known(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Neither: until the server closes the connection. Whether it is complete cannot be told.
    CloseDelimited,
}

impl From<BodyLength> for ResponseLength {
    fn from(length: BodyLength) -> Self {
        match length {
            BodyLength::None => Self::None,
            BodyLength::Known(length) => Self::Known(length),
            BodyLength::Chunked => Self::Chunked,
        }
    }
}

/// What the caller will send as the body of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPlan {
    /// Nothing. Written as `Content-Length: 0`; not in answer to HEAD, where the length would be that
    /// of a body which was not made.
    Empty,
    /// Exactly that many bytes.
    Length(u64),
    /// Any number of bytes: chunked for HTTP/1.1, until the end of the connection for HTTP/1.0.
    Streamed,
    /// No body, and no HTTP any more: `101 Switching Protocols` or a 2xx to CONNECT.
    Upgrade,
}

/// How the body of the response is framed: what [`respond`](super::Server::respond) chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    /// No body byte may be sent: the response is complete. Also for a body that was announced in
    /// answer to HEAD.
    None,
    /// As many bytes as announced.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Bytes until the connection closes (HTTP/1.0).
    CloseDelimited,
    /// What follows is not HTTP.
    Upgraded,
}

/// What to send before and after a piece of body. The piece itself stays with the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    prefix: [u8; 18],
    start: u8,
    suffix: &'static [u8],
}

impl Framing {
    pub(crate) const NONE: Self = Self { prefix: [0; 18], start: 18, suffix: b"" };

    pub(crate) const fn suffix_only(suffix: &'static [u8]) -> Self {
        Self { suffix, ..Self::NONE }
    }

    /// The size line of a chunk of `len` bytes, and what ends it (RFC 9112 §7.1).
    pub(crate) fn chunk(len: u64, suffix: &'static [u8]) -> Self {
        let mut prefix = [0; 18];
        let mut start = 16_u8;
        let mut rest = len;
        if let Some((digits, line_end)) = prefix.split_at_mut_checked(16) {
            line_end.copy_from_slice(b"\r\n");
            for digit in digits.iter_mut().rev() {
                let nibble = (rest & 15) as u8;
                *digit = if nibble < 10 {
                    b'0'.wrapping_add(nibble)
                } else {
                    b'a'.wrapping_add(nibble.wrapping_sub(10))
                };
                start = start.wrapping_sub(1);
                rest >>= 4;
                if rest == 0 {
                    break;
                }
            }
        }
        Self { prefix, start, suffix }
    }

    /// To be sent before the piece: the chunk's size line, or nothing.
    pub fn prefix(&self) -> &[u8] {
        self.prefix.get(usize::from(self.start)..).unwrap_or_default()
    }

    /// To be sent after the piece: the chunk's end, after the last one the end of the body too, or
    /// nothing.
    pub const fn suffix(&self) -> &'static [u8] {
        self.suffix
    }
}
