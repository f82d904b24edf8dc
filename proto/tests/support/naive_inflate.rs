//! A reader of DEFLATE (RFC 1951) as plain as can be, a bit at a time: a second opinion, which also
//! says how far back a distance goes.

/// What whole blocks decompress to, and the largest distance in them.
pub(crate) fn inflate(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut bits = Bits { bytes, at: 0 };
    let (mut out, mut farthest) = (Vec::new(), 0);
    while bits.at.div_ceil(8) < bytes.len() {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let (len, complement) = (bits.take(16)?, bits.take(16)?);
                if len ^ complement != 0xffff {
                    return None;
                }
                for _ in 0..len {
                    out.push(u8::try_from(bits.take(8)?).ok()?);
                }
            }
            1 => {
                let lengths: Vec<u8> = (0..288)
                    .map(|n| {
                        [8, 9, 7, 8][usize::from(n >= 144) + usize::from(n >= 256) + usize::from(n >= 280)]
                    })
                    .collect();
                block(&mut bits, &Code::new(&lengths), &Code::new(&[5; 30]), &mut out, &mut farthest)?;
            }
            2 => {
                let (literals, distances) = tables(&mut bits)?;
                block(&mut bits, &literals, &distances, &mut out, &mut farthest)?;
            }
            _ => return None,
        }
        if last {
            bits.at = bits.at.next_multiple_of(8);
        }
    }
    Some((out, farthest))
}

fn block(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    out: &mut Vec<u8>,
    farthest: &mut usize,
) -> Option<()> {
    loop {
        let symbol = literals.read(bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            out.push(byte);
            continue;
        }
        let len = match symbol {
            256 => return Some(()),
            257..=264 => symbol - 254,
            265..=284 => {
                let extra = (symbol - 261) / 4;
                (((symbol - 261) % 4 + 4) << extra) + 3 + bits.take(extra)?
            }
            285 => 258,
            _ => return None,
        };
        let symbol = distances.read(bits)?;
        let distance = if symbol < 4 {
            symbol + 1
        } else {
            let extra = symbol / 2 - 1;
            ((symbol % 2 + 2) << extra) + 1 + bits.take(extra)?
        };
        *farthest = distance.max(*farthest);
        for _ in 0..len {
            out.push(out[out.len().checked_sub(distance)?]);
        }
    }
}

/// The codes of a block that brings its own (RFC 1951 §3.2.7).
fn tables(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
    let mut lengths = [0; 19];
    for &place in &ORDER[..bits.take(4)? + 4] {
        lengths[place] = u8::try_from(bits.take(3)?).ok()?;
    }
    let code = Code::new(&lengths);
    let mut lengths: Vec<u8> = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match code.read(bits)? {
            16 => (*lengths.last()?, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            length => (u8::try_from(length).ok()?, 1),
        };
        lengths.extend(std::iter::repeat_n(value, times));
    }
    Some((Code::new(&lengths[..literals]), Code::new(&lengths[literals..])))
}

/// A Huffman code, as the symbols by length and value of their code (RFC 1951 §3.2.2).
struct Code(std::collections::BTreeMap<(u8, usize), usize>);

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let (mut next, mut symbols) = (0, std::collections::BTreeMap::new());
        for length in 1..=15 {
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, l)| **l == length) {
                symbols.insert((length, next), symbol);
                next += 1;
            }
            next <<= 1;
        }
        Self(symbols)
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let mut code = 0;
        for length in 1..=15 {
            code = (code << 1) | bits.take(1)?;
            if let Some(&symbol) = self.0.get(&(length, code)) {
                return Some(symbol);
            }
        }
        None
    }
}

struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    /// A number of that many bits, the lowest first.
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value |= usize::from((byte >> (self.at % 8)) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }
}
