//! UTF-8 judged as it arrives (RFC 6455 §8.1).

pub(super) use crate::utf8::whole;

/// Where a character at the end of `bytes` is cut; their length if none is.
fn cut_at(bytes: &[u8]) -> usize {
    for (back, &byte) in (1..=3).zip(bytes.iter().rev()) {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
            _ => 1,
        };
        return if length > back { bytes.len().saturating_sub(back) } else { bytes.len() };
    }
    bytes.len()
}

/// Whether `bytes`, shorter than a character, can begin one.
fn can_begin(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), str::is_empty)
}

/// A character that was cut: its first bytes, at most three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    bytes: [u8; 4],
    len: u8,
}

impl Cut {
    /// Whether no character waits for its end.
    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Judges the next bytes and hands the text in them to `take`, in one or two pieces. `false` as
    /// soon as a byte can belong to no text.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(&str)) -> bool {
        while self.len > 0 {
            let Some((&first, rest)) = bytes.split_first() else {
                return true;
            };
            self.keep(&[first]);
            bytes = rest;
            let waiting = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
            if let Some(character) = whole(waiting) {
                take(character);
                self.len = 0;
            } else if !can_begin(waiting) {
                return false;
            }
        }
        let (text, rest) = bytes.split_at_checked(cut_at(bytes)).unwrap_or_default();
        let Some(text) = whole(text).filter(|_| can_begin(rest)) else {
            return false;
        };
        self.keep(rest);
        if !text.is_empty() {
            take(text);
        }
        true
    }

    fn keep(&mut self, bytes: &[u8]) {
        for (slot, &byte) in self.bytes.iter_mut().skip(usize::from(self.len)).zip(bytes) {
            *slot = byte;
            self.len = self.len.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// What `pieces` give: the text, or the number of pieces that were fine before the bad one.
    fn feed(pieces: &[&[u8]]) -> Result<(String, bool), usize> {
        let mut cut = Cut::default();
        let mut text = String::new();
        for (i, piece) in pieces.iter().enumerate() {
            if !cut.push(piece, |part| text.push_str(part)) {
                return Err(i);
            }
        }
        Ok((text, cut.is_empty()))
    }

    #[test]
    fn every_split_of_text_gives_the_text() {
        let text = "κόσμε 日本語 🦀 plain ascii that is long enough to be looked at by wide registers 🦀é";
        let bytes = text.as_bytes();
        for a in 0..=bytes.len() {
            for b in a..=bytes.len() {
                let got = feed(&[&bytes[..a], &bytes[a..b], &bytes[b..]]);
                assert_eq!(got, Ok((text.into(), true)), "{a} {b}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(feed(&single), Ok((text.into(), true)));
    }

    #[test]
    fn the_first_bad_byte_is_found_when_it_comes() {
        // Byte by byte: the index of the piece that cannot be.
        for (bytes, bad) in [
            (&b"\x80"[..], 0),
            (b"a\xc0", 1),
            (b"\xc3\x28", 1),
            (b"\xe0\x80", 1), // overlong
            (b"\xed\xa0", 1), // a surrogate
            (b"\xf4\x90", 1), // above U+10FFFF
            (b"\xf5", 0),
            (b"\xf0\x9f\xa6a", 3),
            (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90", 12),
        ] {
            let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(feed(&pieces), Err(bad), "{bytes:x?}");
            assert_eq!(feed(&[bytes]), Err(0), "{bytes:x?}");
        }
    }

    #[test]
    fn a_cut_character_is_remembered() {
        for bytes in [&b"a\xc3"[..], b"\xe2\x82", b"\xf0\x9f\xa6"] {
            assert_eq!(feed(&[bytes]).map(|(_, complete)| complete), Ok(false), "{bytes:x?}");
        }
    }
}
