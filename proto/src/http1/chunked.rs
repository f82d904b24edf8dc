//! The chunked transfer coding, up to its trailer section (RFC 9112 §7.1).
//!
//! ```text
//! chunk     = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//! chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//! ```
//!
//! Stricter than the RFC: at most 16 digits, and no blank right after the size, where decoders
//! differ. A byte is looked at once; nothing is buffered.

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
            Some(found) => Ok(found),
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
    #[inline]
    fn data(&mut self, input: &[u8], at: usize) -> (usize, Found) {
        let available = input.len().saturating_sub(at);
        if available == 0 {
            return (at, Found::NeedInput);
        }
        let taken = usize::try_from(self.remaining).map_or(available, |n| n.min(available));
        self.remaining = self.remaining.saturating_sub(taken as u64);
        if self.remaining == 0 {
            self.state = State::DataCr;
        }
        (at.saturating_add(taken), Found::Data { at })
    }

    /// Takes a chunk whose line is all there and as plain as encoders write it: the CRLF of the data
    /// before, one to eight digits that do not begin with 0, CRLF.
    #[inline]
    fn plain_chunk(&mut self, input: &[u8]) -> Option<(usize, Found)> {
        let line = match (self.state, self.digits) {
            (State::DataCr, _) => input.strip_prefix(b"\r\n")?,
            (State::Size, 0) => input,
            _ => return None,
        };
        let mut size = 0_u64;
        let mut rest = line;
        while let [byte, after @ ..] = rest {
            let digit = hex_digit(*byte);
            if digit > 15 || size >> 28 != 0 {
                break;
            }
            size = (size << 4) | u64::from(digit);
            if size == 0 {
                return None;
            }
            rest = after;
        }
        let data = rest.strip_prefix(b"\r\n").filter(|_| size > 0)?;
        let at = input.len().saturating_sub(data.len());
        work::step(at);
        (self.state, self.remaining) = (State::Data, size);
        Some(self.data(input, at))
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

/// The value of a hexadecimal digit; above 15 for what is none.
#[inline]
fn hex_digit(byte: u8) -> u8 {
    let digit = byte.wrapping_sub(b'0');
    if digit <= 9 { digit } else { (byte | 0x20).wrapping_sub(b'a').saturating_add(10) }
}
