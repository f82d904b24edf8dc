//! The terms of permessage-deflate: what to offer, what to accept (RFC 7692 §7.1).

use alloc::string::String;
use core::fmt::Write as _;

use super::extensions::{Extension, Extensions};
use super::handshake::HandshakeError;

/// The extension's name. It is compared byte by byte.
const NAME: &str = "permessage-deflate";

/// The size of an LZ77 window as its base-2 logarithm: 9 to 15, for 512 bytes to 32 KiB (RFC 7692
/// §7.1.2). The standard knows 8 too, with which the DEFLATE library cannot compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

/// A number that is no size of a window: it is not between 9 and 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a window has 9 to 15 bits")]
pub struct InvalidWindowBits;

impl WindowBits {
    /// 512 bytes.
    pub const MIN: Self = Self(9);
    /// 32 KiB.
    pub const MAX: Self = Self(15);

    /// A window of 2^`bits` bytes.
    ///
    /// # Errors
    /// [`InvalidWindowBits`] unless 9 <= `bits` <= 15.
    ///
    /// ```
    /// use sinew_proto::websocket::WindowBits;
    /// assert_eq!(WindowBits::new(15), Ok(WindowBits::MAX));
    /// assert!(WindowBits::new(8).is_err());
    /// ```
    pub const fn new(bits: u8) -> Result<Self, InvalidWindowBits> {
        if bits >= Self::MIN.0 && bits <= Self::MAX.0 { Ok(Self(bits)) } else { Err(InvalidWindowBits) }
    }

    /// The logarithm, 9 to 15.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for WindowBits {
    /// [`WindowBits::MAX`]: the most compression, and what peers expect that ask for nothing.
    fn default() -> Self {
        Self::MAX
    }
}

/// How to compress messages, if the peer takes part (RFC 7692 §7.1). The same for a server, which
/// holds offers against it, and a client, which offers it.
///
/// It costs memory from the first compressed message on, for each direction by the size of its window.
/// A server compresses in the server's window and decompresses in the client's, a client the other way
/// round:
///
/// | bits of the window | 9 | 10 | 11 | 12 | 13 | 14 | 15 |
/// |---|---|---|---|---|---|---|---|
/// | KiB to compress | 148 | 150 | 154 | 162 | 178 | 210 | 274 |
/// | KiB to decompress | 47 | 47 | 47 | 47 | 47 | 47 | 47 |
///
/// ```
/// use sinew_proto::websocket::{DeflateConfig, WindowBits};
/// let config = DeflateConfig { server_max_window_bits: WindowBits::new(11)?, ..DeflateConfig::default() };
/// assert_eq!(config.threshold, 256);
/// # Ok::<(), sinew_proto::websocket::InvalidWindowBits>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// The largest window of what the server compresses. Default 15.
    pub server_max_window_bits: WindowBits,
    /// The largest window of what the client compresses. A server can ask this only of clients that
    /// say they can (RFC 7692 §7.1.2.2); others use 15. Default 15.
    pub client_max_window_bits: WindowBits,
    /// Whether the server forgets its window after every message (RFC 7692 §7.1.1.1): less
    /// compression, but nothing is kept between messages. Default `false`.
    pub server_no_context_takeover: bool,
    /// Whether the client forgets its window after every message (RFC 7692 §7.1.1.2). Default `false`.
    pub client_no_context_takeover: bool,
    /// How hard to try, from 1, fast, to 9, small; held to that range. Default 6: in our measurements
    /// small messages of JSON become 4 % larger than with 8, in less than half the time.
    pub level: u8,
    /// Messages of fewer bytes are sent as they are: compressing them saves little or nothing.
    /// Default 256 bytes.
    pub threshold: usize,
}

impl DeflateConfig {
    /// The defaults: see the fields.
    pub const DEFAULT: Self = Self {
        server_max_window_bits: WindowBits::MAX,
        client_max_window_bits: WindowBits::MAX,
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        level: 6,
        threshold: 256,
    };

    /// The offer of a client: the value of `Sec-WebSocket-Extensions`.
    pub(super) fn offer(&self) -> String {
        let mut value = String::from(NAME);
        if self.server_no_context_takeover {
            value.push_str("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            value.push_str("; client_no_context_takeover");
        }
        if self.server_max_window_bits < WindowBits::MAX {
            push_bits(&mut value, "server_max_window_bits", self.server_max_window_bits.0);
        }
        // Without a value: whatever the server asks for.
        if self.client_max_window_bits < WindowBits::MAX {
            push_bits(&mut value, "client_max_window_bits", self.client_max_window_bits.0);
        } else {
            value.push_str("; client_max_window_bits");
        }
        value
    }

    /// The first offer of a client that can be accepted: the terms, and the value of
    /// `Sec-WebSocket-Extensions` that states them. `values` are well-formed.
    pub(super) fn accept<'b>(
        &self,
        values: impl Iterator<Item = &'b [u8]>,
    ) -> Option<(DeflateParams, String)> {
        let mut offers = values.flat_map(Extensions::new).filter_map(Result::ok);
        offers.find_map(|offer| self.accept_one(&offer))
    }

    /// What is wrong with an offer declines that offer (RFC 7692 §7.1), not the handshake.
    fn accept_one(&self, offer: &Extension<'_>) -> Option<(DeflateParams, String)> {
        let offer = Params::read(offer)?;
        let server_bits = match offer.server_max_window_bits {
            // Nothing smaller than it asks for can be done, and this cannot.
            Bits::NoValue | Bits::Value(8) => return None,
            Bits::Value(bits) => bits.min(self.server_max_window_bits.0),
            Bits::Absent => self.server_max_window_bits.0,
        };
        let client_bits = match offer.client_max_window_bits {
            Bits::Absent => 15,
            Bits::NoValue => self.client_max_window_bits.0,
            Bits::Value(bits) => bits.min(self.client_max_window_bits.0),
        };
        let params = DeflateParams {
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
            server_no_context_takeover: offer.server_no_context_takeover || self.server_no_context_takeover,
            client_no_context_takeover: offer.client_no_context_takeover || self.client_no_context_takeover,
            level: self.level,
            threshold: self.threshold,
        };
        let mut value = String::from(NAME);
        if params.server_no_context_takeover {
            value.push_str("; server_no_context_takeover");
        }
        if params.client_no_context_takeover {
            value.push_str("; client_no_context_takeover");
        }
        if offer.server_max_window_bits != Bits::Absent || server_bits < 15 {
            push_bits(&mut value, "server_max_window_bits", server_bits);
        }
        if client_bits < 15 {
            push_bits(&mut value, "client_max_window_bits", client_bits);
        }
        Some((params, value))
    }

    /// The terms that a server's answer to [`Self::offer`] states (RFC 7692 §7.1).
    pub(super) fn verify(&self, answer: &Extension<'_>) -> Result<DeflateParams, HandshakeError> {
        self.verify_params(answer).ok_or(HandshakeError::WrongDeflateTerms)
    }

    fn verify_params(&self, answer: &Extension<'_>) -> Option<DeflateParams> {
        let answer = Params::read(answer)?;
        // What was asked for has to be granted.
        if self.server_no_context_takeover && !answer.server_no_context_takeover {
            return None;
        }
        let server_bits = match answer.server_max_window_bits {
            Bits::NoValue => return None,
            Bits::Value(bits) => bits,
            Bits::Absent => 15,
        };
        if server_bits > self.server_max_window_bits.0 {
            return None;
        }
        let client_bits = match answer.client_max_window_bits {
            // A window of 256 bytes is legal to ask for, but cannot be honoured.
            Bits::NoValue | Bits::Value(8) => return None,
            Bits::Value(bits) => bits.min(self.client_max_window_bits.0),
            Bits::Absent => self.client_max_window_bits.0,
        };
        Some(DeflateParams {
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover || self.client_no_context_takeover,
            level: self.level,
            threshold: self.threshold,
        })
    }
}

impl Default for DeflateConfig {
    /// [`DeflateConfig::DEFAULT`]
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The terms of permessage-deflate on one connection, and how to compress under them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParams {
    server_max_window_bits: u8,
    client_max_window_bits: u8,
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    level: u8,
    threshold: usize,
}

impl DeflateParams {
    /// The window of what the server compresses, 8 to 15 bits.
    pub const fn server_max_window_bits(&self) -> u8 {
        self.server_max_window_bits
    }

    /// The window of what the client compresses, 8 to 15 bits.
    pub const fn client_max_window_bits(&self) -> u8 {
        self.client_max_window_bits
    }

    /// Whether the server forgets its window after every message.
    pub const fn server_no_context_takeover(&self) -> bool {
        self.server_no_context_takeover
    }

    /// Whether the client forgets its window after every message.
    pub const fn client_no_context_takeover(&self) -> bool {
        self.client_no_context_takeover
    }

    /// [`DeflateConfig::level`], 1 to 9.
    pub const fn level(&self) -> u8 {
        match self.level {
            0 => 1,
            level @ 1..=9 => level,
            _ => 9,
        }
    }

    /// [`DeflateConfig::threshold`], in bytes.
    pub const fn threshold(&self) -> usize {
        self.threshold
    }
}

impl From<DeflateConfig> for DeflateParams {
    /// The terms of two sides that both ask for exactly this.
    fn from(config: DeflateConfig) -> Self {
        Self {
            server_max_window_bits: config.server_max_window_bits.0,
            client_max_window_bits: config.client_max_window_bits.0,
            server_no_context_takeover: config.server_no_context_takeover,
            client_no_context_takeover: config.client_no_context_takeover,
            level: config.level,
            threshold: config.threshold,
        }
    }
}

/// A parameter that is a size.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Bits {
    #[default]
    Absent,
    NoValue,
    Value(u8),
}

/// The parameters as they stand.
#[derive(Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Bits,
    client_max_window_bits: Bits,
}

impl Params {
    /// Nothing if the extension is another one, or a parameter is unknown, stands twice or has a
    /// value that it cannot have (RFC 7692 §7.1).
    fn read(extension: &Extension<'_>) -> Option<Self> {
        if !is_permessage_deflate(extension) {
            return None;
        }
        let mut params = Self::default();
        for param in extension.params() {
            let flag = match param.name {
                b"server_no_context_takeover" => &mut params.server_no_context_takeover,
                b"client_no_context_takeover" => &mut params.client_no_context_takeover,
                b"server_max_window_bits" | b"client_max_window_bits" => {
                    let bits = if param.has_value() {
                        Bits::Value(window_bits(param.value())?)
                    } else {
                        Bits::NoValue
                    };
                    let slot = if param.name.starts_with(b"server") {
                        &mut params.server_max_window_bits
                    } else {
                        &mut params.client_max_window_bits
                    };
                    if core::mem::replace(slot, bits) != Bits::Absent {
                        return None;
                    }
                    continue;
                }
                _ => return None,
            };
            if param.has_value() || core::mem::replace(flag, true) {
                return None;
            }
        }
        Some(params)
    }
}

pub(super) fn is_permessage_deflate(extension: &Extension<'_>) -> bool {
    extension.name == NAME.as_bytes()
}

/// A decimal number from 8 to 15 without leading zeros (RFC 7692 §7.1.2.1).
fn window_bits(mut digits: impl Iterator<Item = u8>) -> Option<u8> {
    match (digits.next(), digits.next(), digits.next()) {
        (Some(digit @ b'8'..=b'9'), None, _) => Some(digit.wrapping_sub(b'0')),
        (Some(b'1'), Some(digit @ b'0'..=b'5'), None) => Some(digit.wrapping_sub(b'0').saturating_add(10)),
        _ => None,
    }
}

fn push_bits(value: &mut String, name: &str, bits: u8) {
    let written = write!(value, "; {name}={bits}");
    debug_assert!(written.is_ok(), "a String takes everything");
}
