//! Frames for the tests, right and wrong ones.

/// The masking key of everything that a fixture shows (RFC 6455 §5.7).
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame that may break every rule.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) fin: bool,
    /// The three reserved bits, the first one highest.
    pub(crate) reserved: u8,
    pub(crate) opcode: u8,
    pub(crate) key: Option<[u8; 4]>,
    /// How many bytes the length takes after the second one: 0, 2 or 8; the fewest if not given.
    pub(crate) length_bytes: Option<u8>,
    /// The length that is written, if it is not that of the payload.
    pub(crate) claims: Option<u64>,
    pub(crate) payload: Vec<u8>,
}

impl Draft {
    pub(crate) fn new(opcode: u8, payload: &[u8], key: Option<[u8; 4]>) -> Self {
        let payload = payload.to_vec();
        Self { fin: true, reserved: 0, opcode, key, length_bytes: None, claims: None, payload }
    }

    pub(crate) fn more(mut self) -> Self {
        self.fin = false;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = self.claims.unwrap_or(self.payload.len() as u64);
        let length_bytes = self.length_bytes.unwrap_or(match length {
            0..=125 => 0,
            126..=65_535 => 2,
            _ => 8,
        });
        let mut bytes = vec![u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode];
        let masked = u8::from(self.key.is_some()) << 7;
        let big_endian = length.to_be_bytes();
        match length_bytes {
            0 => bytes.push(masked | u8::try_from(length).expect("a length of seven bits")),
            2 => {
                bytes.push(masked | 0x7e);
                bytes.extend_from_slice(&big_endian[6..]);
            }
            _ => {
                bytes.push(masked | 0x7f);
                bytes.extend_from_slice(&big_endian);
            }
        }
        bytes.extend_from_slice(self.key.as_ref().map_or(&[], |key| &key[..]));
        let key = self.key.unwrap_or_default();
        bytes.extend(self.payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
        bytes
    }
}
