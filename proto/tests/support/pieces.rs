//! Ways to cut bytes in pieces.

/// A small generator for reproducible tests (xorshift64*): not for anything else.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(mixed).expect("31 bits") % limit
    }
}

/// Pieces of 1 to `longest` bytes.
pub(crate) fn at_random<'b>(bytes: &'b [u8], longest: usize, seed: u64) -> Vec<&'b [u8]> {
    let mut random = Random::new(seed);
    let mut pieces: Vec<&'b [u8]> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let len = (1 + random.below(longest)).min(rest.len());
        let (piece, tail) = rest.split_at(len);
        pieces.push(piece);
        rest = tail;
    }
    pieces
}
