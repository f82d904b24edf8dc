//! What both roles do to receive: a head, then a body, then trailers (RFC 9112 §2.1, §6 and §7).

use core::num::NonZeroUsize;

use super::body::ResponseLength;
use super::chunked::{Chunked, Found};
use super::head::{self, Progress, Section};
use super::start_line::MethodKind;
use crate::{Config, FieldTable, RecvError};

/// The message that is being received.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    max_head: u32,
    max_target: u32,
    max_chunk_extensions: u32,
    max_trailers: u32,
    progress: Progress,
    body: Body,
}

#[derive(Clone, Copy, Debug)]
enum Body {
    Length(u64),
    Chunked(Chunked),
    CloseDelimited,
}

/// The next thing in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// `len` bytes, which end where the consumed bytes end.
    Data {
        at: usize,
        len: usize,
    },
    /// A trailer section with fields; they are in the table.
    Trailers,
    End,
    NeedInput,
}

impl Reader {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            max_head: config.max_head_bytes,
            max_target: config.max_target_bytes,
            max_chunk_extensions: config.max_chunk_extension_bytes,
            max_trailers: config.max_trailer_bytes,
            progress: Progress::NONE,
            body: Body::Length(0),
        }
    }

    /// Whether nothing of a head was looked at.
    pub(super) fn is_new(&self) -> bool {
        self.progress == Progress::NONE
    }

    /// Forgets what was read.
    pub(super) fn restart(&mut self) {
        self.progress = Progress::NONE;
        self.body = Body::Length(0);
    }

    /// Reads the head of a request into `table`. Returns its length once it is complete.
    pub(super) fn request(
        &mut self,
        input: &[u8],
        table: &mut FieldTable,
    ) -> Result<Option<usize>, RecvError> {
        let section = Section::Request { max_bytes: self.max_head, max_target: self.max_target };
        let len = head::parse(input, &mut self.progress, section, table)?;
        if len.is_some() {
            self.expect(table.head.body.into());
        }
        Ok(len)
    }

    /// Reads the head of a response to a request with that method. Returns its length once it is
    /// complete.
    pub(super) fn response(
        &mut self,
        input: &[u8],
        method: MethodKind,
        table: &mut FieldTable,
    ) -> Result<Option<usize>, RecvError> {
        let section = Section::Response { max_bytes: self.max_head, method };
        let len = head::parse(input, &mut self.progress, section, table)?;
        if len.is_some() {
            self.expect(table.response.body);
        }
        Ok(len)
    }

    fn expect(&mut self, length: ResponseLength) {
        self.body = match length {
            ResponseLength::None => Body::Length(0),
            ResponseLength::Known(length) => Body::Length(length),
            ResponseLength::Chunked => Body::Chunked(Chunked::new(self.max_chunk_extensions)),
            ResponseLength::CloseDelimited => Body::CloseDelimited,
        };
    }

    /// Reads on in the body. Returns the bytes consumed with what was found.
    #[inline]
    pub(super) fn body(&mut self, input: &[u8], table: &mut FieldTable) -> Result<(usize, Piece), RecvError> {
        match &mut self.body {
            Body::Length(0) => Ok((0, Piece::End)),
            Body::Length(_) | Body::CloseDelimited if input.is_empty() => Ok((0, Piece::NeedInput)),
            Body::CloseDelimited => Ok((input.len(), Piece::Data { at: 0, len: input.len() })),
            Body::Length(left) => {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left = left.saturating_sub(len as u64);
                Ok((len, Piece::Data { at: 0, len }))
            }
            Body::Chunked(chunked) => {
                let (used, found) =
                    if chunked.in_trailers() { (0, Found::Trailers) } else { chunked.advance(input)? };
                match found {
                    Found::NeedInput => Ok((used, Piece::NeedInput)),
                    Found::Data { at } => Ok((used, Piece::Data { at, len: used.saturating_sub(at) })),
                    Found::Trailers => self.trailers(input, used, table),
                }
            }
        }
    }

    /// Whether the body comes in chunks, and the last of them was not seen.
    #[inline]
    pub(super) fn in_chunks(&self) -> bool {
        matches!(self.body, Body::Chunked(_))
    }

    /// Reads a chunk that is plain: see [`Chunked::plain_chunk`].
    #[inline]
    pub(super) fn plain_chunk(&mut self, input: &[u8]) -> Option<(usize, NonZeroUsize)> {
        match &mut self.body {
            Body::Chunked(chunked) => chunked.plain_chunk(input),
            _ => None,
        }
    }

    #[inline(never)]
    fn trailers(
        &mut self,
        input: &[u8],
        start: usize,
        table: &mut FieldTable,
    ) -> Result<(usize, Piece), RecvError> {
        let section = Section::Trailers { max_bytes: self.max_trailers };
        let rest = input.get(start..).unwrap_or_default();
        let Some(len) = head::parse(rest, &mut self.progress, section, table)? else {
            return Ok((start, Piece::NeedInput));
        };
        table.head.start = head::offset(start);
        table.head.len = head::offset(len);
        self.body = Body::Length(0);
        let piece = if table.spans().is_empty() { Piece::End } else { Piece::Trailers };
        Ok((start.saturating_add(len), piece))
    }

    /// How many payload bytes are still to come, if that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        match self.body {
            Body::Length(left) => Some(left),
            Body::Chunked(_) | Body::CloseDelimited => None,
        }
    }

    /// Whether the end of the connection completes the body (RFC 9112 §6.3).
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self.body, Body::CloseDelimited)
    }
}
