//! Frames on the wire (RFC 6455 §5.2): headers and masks.

use super::ProtocolError;
use crate::work;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// The first byte of a frame.
    #[inline]
    pub(super) const fn first_byte(self, fin: bool, compressed: bool) -> u8 {
        self.bits() | if fin { FIN } else { 0 } | if compressed { COMPRESSED } else { 0 }
    }

    pub(super) const fn is_control(self) -> bool {
        self.bits() >= 8
    }
}

/// Most payload bytes of a control frame (RFC 6455 §5.5).
pub(super) const MAX_CONTROL: usize = 125;

const FIN: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x30;
const MASKED: u8 = 0x80;

/// The first byte of a message in one frame.
const TEXT: u8 = FIN | 1;
const BINARY: u8 = FIN | 2;

/// The largest length that stands in the second byte itself.
const SHORT_MASKED: u8 = MASKED + 125;

/// A length in the next two bytes, or in the next eight.
const LEN_16: u8 = 0x7e;
const LEN_64: u8 = 0x7f;

/// The highest bit of a length is not used.
pub(super) const MAX_LEN: u64 = u64::MAX >> 1;

/// The header of a frame that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// The first reserved bit: the message is compressed (RFC 7692 §6).
    pub(super) compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) len: u64,
    /// Zero where nothing is masked: the same.
    pub(super) mask: Mask,
    /// How many bytes the header takes.
    pub(super) size: usize,
}

impl Header {
    /// The header that `input` begins with, or `None` if it is not complete. What is wrong is found
    /// as soon as it can be seen. Whether a message may begin or go on is not judged here.
    #[inline]
    pub(super) fn parse(input: &[u8], masked: bool) -> Result<Option<Self>, ProtocolError> {
        work::step(1);
        let [first, rest @ ..] = input else {
            return Ok(None);
        };
        if first & RESERVED != 0 {
            return Err(ProtocolError::ReservedBits);
        }
        let Some(opcode) = Opcode::from_bits(first & 0x0f) else {
            return Err(ProtocolError::ReservedOpcode);
        };
        let fin = first & FIN != 0;
        let compressed = first & COMPRESSED != 0;
        if opcode.is_control() {
            if compressed {
                return Err(ProtocolError::ReservedBits);
            }
            if !fin {
                return Err(ProtocolError::FragmentedControl);
            }
        }
        let [second, rest @ ..] = rest else {
            return Ok(None);
        };
        if (second & MASKED != 0) != masked {
            return Err(if masked { ProtocolError::NotMasked } else { ProtocolError::Masked });
        }
        let short = second & !MASKED;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(ProtocolError::ControlTooLong);
        }
        let (len, rest) = match short {
            LEN_16 => {
                let Some((len, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (u64::from(u16::from_be_bytes(*len)), rest)
            }
            LEN_64 => {
                let Some((len, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (u64::from_be_bytes(*len), rest)
            }
            len => (u64::from(len), rest),
        };
        let shortest = match short {
            LEN_16 => len > 125,
            LEN_64 => len > 0xffff && len <= MAX_LEN,
            _ => true,
        };
        if !shortest {
            return Err(ProtocolError::InvalidLength);
        }
        let (mask, rest) = if masked {
            let Some((key, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (Mask(*key), rest)
        } else {
            (Mask::NONE, rest)
        };
        let size = input.len().saturating_sub(rest.len());
        Ok(Some(Self { fin, compressed, opcode, len, mask, size }))
    }

    /// The payload of this frame, `len` bytes that are there as a whole, unmasked.
    #[inline]
    pub(super) fn payload<'b>(&self, input: &'b mut [u8], len: usize) -> &'b mut [u8] {
        let rest = input.split_at_mut_checked(self.size).unwrap_or_default().1;
        let payload = rest.split_at_mut_checked(len).unwrap_or_default().0;
        let mut mask = self.mask;
        mask.apply(payload);
        payload
    }
}

/// A whole message to a server, of at most 125 bytes: by far the most frequent frame.
#[derive(Clone, Copy)]
pub(super) struct Short {
    pub(super) text: bool,
    pub(super) len: usize,
    pub(super) mask: Mask,
}

impl Short {
    /// How many bytes its header takes.
    pub(super) const HEADER: usize = 6;

    /// How many bytes it takes.
    #[inline]
    pub(super) const fn consumed(self) -> usize {
        Self::HEADER.saturating_add(self.len)
    }

    /// The frame that `input` begins with, if it is one of these and all of it is there. Anything else
    /// is for [`Header::parse`].
    #[inline]
    pub(super) fn parse(input: &[u8]) -> Option<Self> {
        let [first @ (TEXT | BINARY), second @ MASKED..=SHORT_MASKED, a, b, c, d, rest @ ..] = input else {
            return None;
        };
        let len = usize::from(second & !MASKED);
        (len <= rest.len()).then_some(Self { text: *first == TEXT, len, mask: Mask([*a, *b, *c, *d]) })
    }
}

/// The bytes before a payload that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeaderBytes {
    bytes: [u8; 14],
    len: u8,
}

impl HeaderBytes {
    #[inline]
    pub(super) fn new(opcode: Opcode, fin: bool, compressed: bool, len: u64, mask: Option<Mask>) -> Self {
        let first = opcode.first_byte(fin, compressed);
        let masked = if mask.is_some() { MASKED } else { 0 };
        let mut bytes = [0; 14];
        let [.., high, low] = len.to_be_bytes();
        let size = match len {
            0..=125 => {
                bytes = put(bytes, 0, [first, masked | low]);
                2_u8
            }
            126..=0xffff => {
                bytes = put(bytes, 0, [first, masked | LEN_16, high, low]);
                4
            }
            _ => {
                bytes = put(bytes, 0, [first, masked | LEN_64]);
                bytes = put(bytes, 2, len.to_be_bytes());
                10
            }
        };
        match mask {
            Some(Mask(key)) => {
                Self { bytes: put(bytes, usize::from(size), key), len: size.saturating_add(4) }
            }
            None => Self { bytes, len: size },
        }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// `header` with `bytes` at `at`.
#[inline]
fn put<const N: usize>(mut header: [u8; 14], at: usize, bytes: [u8; N]) -> [u8; 14] {
    if let Some(slot) = header.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *slot = bytes;
    }
    header
}

/// A masking key, turned to the next byte of the payload (RFC 6455 §5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask(pub(super) [u8; 4]);

impl Mask {
    pub(super) const NONE: Self = Self([0; 4]);

    /// Masks or unmasks: it is the same. The key is then turned to the byte after.
    #[inline]
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        if self.0 == [0; 4] {
            return;
        }
        let [a, b, c, d] = self.0;
        // Blocks of a size that becomes vector instructions, then whole keys, then what is left.
        let mut blocks = bytes.chunks_exact_mut(16);
        for block in &mut blocks {
            xor(block, [a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d]);
        }
        let mut words = blocks.into_remainder().chunks_exact_mut(4);
        for word in &mut words {
            xor(word, self.0);
        }
        let rest = words.into_remainder();
        xor(rest, self.0);
        self.0.rotate_left(rest.len());
    }
}

#[inline]
fn xor<const N: usize>(bytes: &mut [u8], key: [u8; N]) {
    for (byte, key) in bytes.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn masks_continue_over_pieces_of_any_size() {
        let plain: Vec<u8> = (0..200_u8).collect();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let expected: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for size in 1..=plain.len() {
            let mut bytes = plain.clone();
            let mut mask = Mask(key);
            bytes.chunks_mut(size).for_each(|piece| mask.apply(piece));
            assert_eq!(bytes, expected, "{size}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for opcode in
            [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong]
        {
            for len in [0, 1, 125, 126, 127, 0xffff, 0x1_0000, u64::MAX >> 1] {
                for mask in [None, Some(Mask([1, 2, 3, 4]))] {
                    let control = opcode.is_control();
                    if control && len > 125 {
                        continue;
                    }
                    let header = HeaderBytes::new(opcode, true, !control, len, mask);
                    let bytes = header.as_bytes();
                    let read = Header::parse(bytes, mask.is_some()).unwrap().unwrap();
                    let expected = Header {
                        fin: true,
                        compressed: !control,
                        opcode,
                        len,
                        mask: mask.unwrap_or_default(),
                        size: bytes.len(),
                    };
                    assert_eq!(read, expected);
                    for cut in 0..bytes.len() {
                        assert_eq!(Header::parse(&bytes[..cut], mask.is_some()), Ok(None));
                    }
                }
            }
        }
    }
}
