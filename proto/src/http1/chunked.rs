//! The chunked transfer coding, up to its trailer section (RFC 9112 §7.1).
//!
//! ```text
//! chunk     = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//! chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//! ```
//!
//! Stricter than the RFC: at most 16 digits, and no blank right after the size, where decoders
//! differ. A byte is looked at once, after at most eight of a line were tried as a plain one; nothing is
//! buffered.

use core::num::NonZeroUsize;

use crate::{RecvError, grammar, work};

/// A decoder between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunked {
    state: State,
    digits: u8,
    /// Of the size while it is read, of the data after that.
    remaining: u64,
    /// Bytes of extensions and leading zeros still allowed in this message.
    budget: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    /// Before the name of an extension.
    Extension,
    ExtensionName,
    AfterName,
    BeforeValue,
    Value,
    Quoted,
    QuotedPair,
    QuotedEnd,
    /// Blanks after a value: another extension has to follow.
    AfterValue,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
}

/// What the decoder found at the point it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    NeedInput,
    /// Data, from `at` in the input; it ends where the consumed bytes end.
    Data {
        at: usize,
    },
    /// The last chunk is over: the trailer section begins.
    Trailers,
}

impl Chunked {
    pub(crate) const fn new(budget: u32) -> Self {
        Self { state: State::Size, digits: 0, remaining: 0, budget }
    }

    /// Whether the last chunk was seen.
    pub(crate) fn in_trailers(&self) -> bool {
        self.state == State::Trailers
    }

    /// Decodes up to the first piece of data, the trailers, or the end of the input. Returns the
    /// bytes consumed with what was found.
    #[inline]
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<(usize, Found), RecvError> {
        match self.plain_chunk(input) {
            Some((at, len)) => Ok((at.saturating_add(len.get()), Found::Data { at })),
            None => self.advance_by_bytes(input),
        }
    }

    #[inline(never)]
    fn advance_by_bytes(&mut self, input: &[u8]) -> Result<(usize, Found), RecvError> {
        let mut at = 0_usize;
        loop {
            match self.state {
                State::Trailers => return Ok((at, Found::Trailers)),
                State::Data => return Ok(self.data(input, at)),
                _ => {}
            }
            let Some(&byte) = input.get(at) else {
                return Ok((at, Found::NeedInput));
            };
            self.line_byte(byte)?;
            at = at.saturating_add(1);
        }
    }

    /// Takes what there is of the data, which begins at `at`.
    fn data(&mut self, input: &[u8], at: usize) -> (usize, Found) {
        match self.take(self.remaining, input.len().saturating_sub(at)) {
            Some(len) => (at.saturating_add(len.get()), Found::Data { at }),
            None => (at, Found::NeedInput),
        }
    }

    /// Takes what is available of the data that is missing, if that is anything.
    #[inline]
    fn take(&mut self, missing: u64, available: usize) -> Option<NonZeroUsize> {
        let len = usize::try_from(missing).map_or(available, |missing| missing.min(available));
        let len = NonZeroUsize::new(len)?;
        self.remaining = missing.saturating_sub(len.get() as u64);
        self.state = if self.remaining == 0 { State::DataCr } else { State::Data };
        Some(len)
    }

    /// Takes a chunk whose line is all there and as plain as encoders write it: the CRLF of the data
    /// before, one to seven digits that do not begin with 0, CRLF; and what there is of its data.
    /// Returns where that begins, and its length. `None` says nothing, and nothing was taken.
    #[inline]
    pub(crate) fn plain_chunk(&mut self, input: &[u8]) -> Option<(usize, NonZeroUsize)> {
        let line = match (self.state, self.digits) {
            (State::DataCr, _) => input.strip_prefix(b"\r\n")?,
            (State::Size, 0) => input,
            _ => return None,
        };
        let (size, data) = plain_line(line)?;
        let len = self.take(size, data.len())?;
        let at = input.len().saturating_sub(data.len());
        work::step(at);
        Some((at, len))
    }

    /// One byte that is not data.
    fn line_byte(&mut self, byte: u8) -> Result<(), RecvError> {
        use State::*;
        work::step(1);
        let blank = byte == b' ' || byte == b'\t';
        self.state = match (self.state, byte) {
            (Size, b'\r') if self.digits > 0 => SizeLf,
            (Size, b';') if self.digits > 0 => self.extension(Extension)?,
            (Size, _) => self.size_digit(byte)?,

            (Extension, _) if blank => self.extension(Extension)?,
            (ExtensionName, _) if blank => self.extension(AfterName)?,
            (Extension | ExtensionName, _) if grammar::is_tchar(byte) => self.extension(ExtensionName)?,
            (ExtensionName | AfterName, b'=') => self.extension(BeforeValue)?,
            (ExtensionName | AfterName | Value | QuotedEnd | AfterValue, b';') => {
                self.extension(Extension)?
            }
            (ExtensionName | Value | QuotedEnd, b'\r') => SizeLf,
            (AfterName, _) if blank => self.extension(AfterName)?,

            (BeforeValue, _) if blank => self.extension(BeforeValue)?,
            (BeforeValue, b'"') => self.extension(Quoted)?,
            (BeforeValue | Value, _) if grammar::is_tchar(byte) => self.extension(Value)?,
            (Value | QuotedEnd | AfterValue, _) if blank => self.extension(AfterValue)?,
            (Quoted, b'"') => self.extension(QuotedEnd)?,
            (Quoted, b'\\') => self.extension(QuotedPair)?,
            (Quoted | QuotedPair, _) if grammar::is_field_content(&[byte]) => self.extension(Quoted)?,

            (SizeLf, b'\n') => {
                self.digits = 0;
                if self.remaining == 0 { Trailers } else { Data }
            }
            (DataCr, b'\r') => DataLf,
            (DataLf, b'\n') => Size,
            (DataCr | DataLf, _) => return Err(RecvError::InvalidChunkEnd),
            _ => return Err(RecvError::InvalidChunkLine),
        };
        Ok(())
    }

    /// `chunk-size = 1*HEXDIG`, here at most 16 of them.
    fn size_digit(&mut self, byte: u8) -> Result<State, RecvError> {
        let digit = hex_digit(byte);
        if digit > 15 || self.digits >= 16 {
            return Err(RecvError::InvalidChunkSize);
        }
        if self.digits > 0 && self.remaining == 0 {
            self.extension(State::Size)?;
        }
        self.digits = self.digits.saturating_add(1);
        self.remaining = (self.remaining << 4) | u64::from(digit);
        Ok(State::Size)
    }

    /// Spends a byte of the budget for what a chunk line does not need.
    fn extension(&mut self, next: State) -> Result<State, RecvError> {
        self.budget = self.budget.checked_sub(1).ok_or(RecvError::ChunkExtensionsTooLarge)?;
        Ok(next)
    }
}

/// The size in a plain line, and what follows the line; a size of 0 if there are no digits. With eight
/// bytes at once, of the line and what follows, none of them is compared with the end of the input.
#[inline]
fn plain_line(line: &[u8]) -> Option<(u64, &[u8])> {
    let mut size = 0_u64;
    for (digits, &byte) in line.first_chunk::<8>()?.iter().enumerate() {
        let digit = hex_digit(byte);
        if digit > 15 {
            let data = line.get(digits..)?.strip_prefix(b"\r\n")?;
            return Some((size, data));
        }
        size = (size << 4) | u64::from(digit);
        if size == 0 {
            return None;
        }
    }
    None
}

/// The value of a hexadecimal digit; above 15 for what is none.
#[inline]
fn hex_digit(byte: u8) -> u8 {
    let digit = byte.wrapping_sub(b'0');
    if digit <= 9 { digit } else { (byte | 0x20).wrapping_sub(b'a').saturating_add(10) }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::vec::Vec;

    use super::*;

    const AFTER: &[u8] = b"\r\n0123456789";

    /// Every text of up to five of these bytes.
    fn lines() -> Vec<Vec<u8>> {
        let mut lines = Vec::from([Vec::new()]);
        let mut from = 0;
        for _ in 0..5 {
            let to = lines.len();
            for line in from..to {
                for byte in *b"019aFg;\r\n" {
                    let longer = [&lines[line][..], &[byte]].concat();
                    lines.push(longer);
                }
            }
            from = to;
        }
        lines
    }

    #[test]
    fn a_plain_chunk_is_what_the_strict_way_makes_of_it() {
        let between = Chunked { state: State::DataCr, ..Chunked::new(9) };
        let mut plain = 0;
        for line in lines() {
            for (fresh, before) in [(Chunked::new(9), &b""[..]), (between, b"\r\n"), (between, b"")] {
                let input = [before, &line, AFTER].concat();
                let (mut fast, mut strict) = (fresh, fresh);
                if let Some((at, len)) = fast.plain_chunk(&input) {
                    let found = strict.advance_by_bytes(&input);
                    assert_eq!(found, Ok((at + len.get(), Found::Data { at })), "{input:?}");
                    plain += 1;
                }
                assert_eq!(fast, strict, "{input:?}");
            }
        }
        assert!(plain > 4_000, "only {plain} of them are plain");
    }

    #[test]
    fn what_encoders_write_is_plain() {
        let wire = b"\r\n400\r\ndata";
        for size in (0..28).map(|bit| 1_usize << bit) {
            for line in [format!("{size:x}\r\n"), format!("{size:X}\r\n")] {
                let mut decoder = Chunked::new(0);
                let input = [line.as_bytes(), wire].concat();
                let len = NonZeroUsize::new(wire.len().min(size)).expect("some data");
                assert_eq!(decoder.plain_chunk(&input), Some((line.len(), len)), "{line:?}");
                let ended = if size <= wire.len() { State::DataCr } else { State::Data };
                assert_eq!(decoder.state, ended, "{line:?}");
                assert_eq!(decoder.remaining, (size - len.get()) as u64, "{line:?}");
            }
        }
    }

    #[test]
    fn the_rest_is_left_to_the_strict_way() {
        for input in [
            "0\r\n\r\n.....",
            "01\r\n.......",
            "\r\n........",
            "1;a\r\n.....",
            "12345678\r\n...",
            "1\r\n1234",
        ] {
            let mut decoder = Chunked::new(9);
            assert_eq!(decoder.plain_chunk(input.as_bytes()), None, "{input:?}");
            assert_eq!(decoder, Chunked::new(9), "{input:?}");
        }
    }
}
