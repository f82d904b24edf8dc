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
    ExtensionName {
        empty: bool,
    },
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
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<(usize, Found), RecvError> {
        let mut at = 0_usize;
        loop {
            match self.state {
                State::Trailers => return Ok((at, Found::Trailers)),
                State::Data => {
                    let available = input.len().saturating_sub(at);
                    if available == 0 {
                        return Ok((at, Found::NeedInput));
                    }
                    let taken = usize::try_from(self.remaining).map_or(available, |n| n.min(available));
                    self.remaining = self.remaining.saturating_sub(taken as u64);
                    if self.remaining == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok((at.saturating_add(taken), Found::Data { at }));
                }
                State::Size | State::DataCr => {
                    if let Some(len) = self.plain_line(input.get(at..).unwrap_or_default()) {
                        at = at.saturating_add(len);
                        continue;
                    }
                }
                _ => {}
            }
            let Some(&byte) = input.get(at) else {
                return Ok((at, Found::NeedInput));
            };
            self.line_byte(byte)?;
            at = at.saturating_add(1);
        }
    }

    /// Takes what stands between two pieces of data if it is all there and as plain as encoders write
    /// it: the CRLF of the data, one to eight digits that do not begin with 0, CRLF. Returns its length.
    #[inline]
    fn plain_line(&mut self, input: &[u8]) -> Option<usize> {
        let line = match (self.state, self.digits) {
            (State::DataCr, _) => input.strip_prefix(b"\r\n")?,
            (State::Size, 0) => input,
            _ => return None,
        };
        if !matches!(line, [b'1'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]) {
            return None;
        }
        let mut size = 0_u64;
        let mut rest = line;
        while let [byte, after @ ..] = rest {
            let Some(digit) = char::from(*byte).to_digit(16).filter(|_| size >> 28 == 0) else {
                break;
            };
            size = (size << 4) | u64::from(digit);
            rest = after;
        }
        if !rest.starts_with(b"\r\n") {
            return None;
        }
        let taken = input.len().saturating_sub(rest.len()).saturating_add(2);
        work::step(taken);
        *self = Self { state: State::Data, digits: 0, remaining: size, budget: self.budget };
        Some(taken)
    }

    /// One byte that is not data.
    fn line_byte(&mut self, byte: u8) -> Result<(), RecvError> {
        use State::*;
        work::step(1);
        let blank = byte == b' ' || byte == b'\t';
        self.state = match (self.state, byte) {
            (Size, b'\r') if self.digits > 0 => SizeLf,
            (Size, b';') if self.digits > 0 => self.extension(ExtensionName { empty: true })?,
            (Size, _) => self.size_digit(byte)?,

            (ExtensionName { empty: true }, _) if blank => self.extension(ExtensionName { empty: true })?,
            (ExtensionName { empty: false }, _) if blank => self.extension(AfterName)?,
            (ExtensionName { .. }, _) if grammar::is_tchar(byte) => {
                self.extension(ExtensionName { empty: false })?
            }
            (ExtensionName { empty: false } | AfterName, b'=') => self.extension(BeforeValue)?,
            (ExtensionName { empty: false } | AfterName | Value | QuotedEnd | AfterValue, b';') => {
                self.extension(ExtensionName { empty: true })?
            }
            (ExtensionName { empty: false } | Value | QuotedEnd, b'\r') => SizeLf,
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
        let digit = char::from(byte).to_digit(16).ok_or(RecvError::InvalidChunkSize)?;
        if self.digits >= 16 {
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
