//! Events as a client reads them (HTML standard, 9.2.5 and 9.2.6).
//!
//! Invariant: what is kept between two calls is the unfinished line, the fields of the unfinished event
//! and the last event ID, all bounded by [`Limits`]. A byte is searched once for the end of its line, the first
//! sixteen of a line as a block before that, and read once as part of it.
#![expect(
    clippy::inline_always,
    reason = "counted: calls for each line are an eighth of what an event takes"
)]

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use memchr::memchr2;

use crate::{Step, utf8, work};

/// How much of a stream a [`Decoder`] keeps: at most a line and an event, and the ID of an event before.
/// Its buffers grow by doubling, and stay.
///
/// ```
/// use sinew_proto::sse::Limits;
/// let limits = Limits { max_line_bytes: 4096, ..Limits::default() };
/// assert_eq!(limits.max_event_bytes, 1024 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a line as it was received, without its end; a BOM counts. Stops lines without
    /// end, comments included; over it: [`SseError::LineTooLong`]. Default 256 KiB.
    pub max_line_bytes: usize,
    /// Most bytes of the data of an event, with LF after each line, its type and its ID together, as
    /// UTF-8. Stops events without end; over it: [`SseError::EventTooLarge`]. Default 1 MiB.
    pub max_event_bytes: usize,
}

impl Limits {
    /// The defaults: see the fields.
    pub const DEFAULT: Self = Self { max_line_bytes: 256 * 1024, max_event_bytes: 1024 * 1024 };
}

impl Default for Limits {
    /// [`Limits::DEFAULT`].
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The stream is over a limit. Nothing else can be wrong with one: the standard ignores what it does
/// not know. The texts are static: nothing of the peer's bytes is in them.
///
/// ```
/// use sinew_proto::sse::SseError;
/// assert_eq!(SseError::LineTooLong.rule(), "HTML 9.2.5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SseError {
    /// A line is longer than [`Limits::max_line_bytes`].
    #[error("a line of the event stream is too long")]
    LineTooLong,
    /// An event is larger than [`Limits::max_event_bytes`].
    #[error("an event of the event stream is too large")]
    EventTooLarge,
}

impl SseError {
    /// The section of the HTML standard that says what was limited.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::LineTooLong => "HTML 9.2.5",
            Self::EventTooLarge => "HTML 9.2.6",
        }
    }
}

/// An event that was received: what the standard dispatches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'d> {
    /// The event type; `message` unless the server named another.
    pub event: &'d str,
    /// The data: the lines with LF between them.
    pub data: &'d str,
    /// The last event ID of the stream, which this event or one before it has set.
    pub last_event_id: &'d str,
}

/// What [`Decoder::advance`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event is complete: see [`Decoder::message`].
    Message,
    /// All of the input is used up. Call again with more, or not at all.
    NeedInput,
}

/// Reads an event stream (HTML standard, 9.2.5 and 9.2.6). No sockets, no clock: bytes go in, events
/// come out.
///
/// The caller owns the input. It gives what it has to [`poll`](Self::poll) (or
/// [`advance`](Self::advance)), drops the consumed bytes, acts on the event, and calls again until there
/// is none. An event is seen with the last byte that it needs: a CR that may yet be half of a CRLF is not
/// waited for.
///
/// As the standard says, a BOM at the very start is dropped, bytes that are not UTF-8 are read as
/// U+FFFD, comments and unknown fields are skipped, and an event without data is none, though its ID
/// counts. A stream that ends inside an event ends without it: there is nothing to call, only
/// [`restart`](Self::restart) before the bytes of another connection.
///
/// ```
/// use sinew_proto::sse::{Decoder, Limits};
///
/// let mut decoder = Decoder::new(&Limits::default());
/// let mut input = &b"data: one\n\nid: 2\ndata: two\n\ndata: cut of"[..];
/// let mut seen = Vec::new();
/// loop {
///     let step = decoder.poll(input)?;
///     input = &input[step.consumed..];
///     let Some(message) = step.event else { break };
///     seen.push(message.data.to_owned());
/// }
/// assert_eq!(seen, ["one", "two"]);
/// assert!(input.is_empty());
/// // The connection is gone. What to send as `Last-Event-ID` on the next one:
/// decoder.restart();
/// assert_eq!(decoder.last_event_id(), "2");
/// # Ok::<(), sinew_proto::sse::SseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Limits,
    /// No line is complete yet: it may begin with a BOM.
    at_start: bool,
    /// The last byte was CR: an LF right after it belongs to it.
    after_cr: bool,
    /// The fields below are those of an event that the caller has seen.
    dispatched: bool,
    failed: Option<SseError>,
    /// How much more the event may hold.
    room: usize,
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    data: String,
    /// The type that the event that is being read has set.
    event: String,
    /// It has set one. What is in `event` otherwise is that of an event before, which is likely to come
    /// again and then is not decoded again.
    has_event: bool,
    /// The ID that the event that is being read has set: in force when that is over.
    id: String,
    /// It has set one. `id` is of no use otherwise, not a copy of `last_event_id`: an empty line must
    /// not cost as much as the longest ID.
    has_id: bool,
    last_event_id: String,
    reconnection_time: Option<Duration>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new(limits: &Limits) -> Self {
        let &Limits { max_line_bytes, max_event_bytes } = limits;
        Self {
            limits: Limits { max_line_bytes, max_event_bytes },
            at_start: true,
            after_cr: false,
            dispatched: false,
            failed: None,
            room: max_event_bytes,
            line: Vec::new(),
            data: String::new(),
            event: String::new(),
            has_event: false,
            id: String::new(),
            has_id: false,
            last_event_id: String::new(),
            reconnection_time: None,
        }
    }

    /// Looks at the input and returns the next event, or `None` if it needs more.
    ///
    /// # Errors
    /// [`SseError`] if the stream is over a limit. Nothing of the input is consumed then, and every
    /// further call says the same until [`restart`](Self::restart).
    pub fn poll(&mut self, input: &[u8]) -> Result<Step<Option<Message<'_>>>, SseError> {
        let Step { consumed, event } = self.advance(input)?;
        let event = (event == Kind::Message).then(|| self.message());
        Ok(Step { consumed, event })
    }

    /// [`poll`](Self::poll) without a borrow in its result: for a caller that keeps the decoder and its
    /// input in one place and loops.
    ///
    /// # Errors
    /// As for [`poll`](Self::poll).
    pub fn advance(&mut self, input: &[u8]) -> Result<Step<Kind>, SseError> {
        work::step(1);
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.dispatched {
            self.forget_event();
        }
        let result = self.advance_lines(input);
        self.failed = result.err();
        result
    }

    /// The event that the last call of [`advance`](Self::advance) found. At other times it is of no
    /// use: the fields that have arrived of an event.
    pub fn message(&self) -> Message<'_> {
        Message {
            event: if self.has_event && !self.event.is_empty() { &self.event } else { "message" },
            data: &self.data,
            last_event_id: &self.last_event_id,
        }
    }

    /// The last event ID: what to send as `Last-Event-ID`, unless it is empty (9.2.3). It is set when an
    /// event is over, with or without data.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// How long the server wants its clients to wait before they connect again, if it said so. In force
    /// from the line that says it, also when its event never ends. A number over 2^64 - 1 milliseconds
    /// counts as that. The server is not to be trusted with it: bound it.
    pub const fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// The stream is over, and the next input is the start of another one from the same source. What has
    /// arrived of an event is dropped, and an error forgotten. The last event ID and the reconnection
    /// time stay.
    ///
    /// Read to the letter, 9.2.6 has an event without an ID on the new stream reset the last event ID.
    /// Browsers keep it, as Web Platform Tests ask for (`format-field-id-2`), and so does this.
    pub fn restart(&mut self) {
        self.at_start = true;
        self.after_cr = false;
        self.failed = None;
        self.line.clear();
        self.has_id = false;
        self.forget_event();
    }

    fn forget_event(&mut self) {
        self.dispatched = false;
        self.data.clear();
        self.has_event = false;
        self.room = self.limits.max_event_bytes;
    }

    fn advance_lines(&mut self, input: &[u8]) -> Result<Step<Kind>, SseError> {
        let mut rest = input;
        loop {
            if self.after_cr && !rest.is_empty() {
                self.after_cr = false;
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            let Some((piece, end, tail)) = split_line(rest) else {
                self.keep(rest)?;
                return Ok(Step { consumed: input.len(), event: Kind::NeedInput });
            };
            work::step(piece.len().saturating_add(1));
            self.after_cr = end == b'\r';
            rest = tail;
            let complete = if self.line.is_empty() {
                if piece.len() > self.limits.max_line_bytes {
                    return Err(SseError::LineTooLong);
                }
                self.process(piece)?
            } else {
                self.process_kept(piece)?
            };
            if complete {
                return Ok(Step { consumed: input.len().saturating_sub(rest.len()), event: Kind::Message });
            }
        }
    }

    /// Keeps a piece of a line until its end arrives.
    fn keep(&mut self, piece: &[u8]) -> Result<(), SseError> {
        work::step(piece.len());
        if self.line.len().saturating_add(piece.len()) > self.limits.max_line_bytes {
            return Err(SseError::LineTooLong);
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    /// The line that was kept is complete, and `piece` is the last of it.
    #[inline(never)]
    fn process_kept(&mut self, piece: &[u8]) -> Result<bool, SseError> {
        self.keep(piece)?;
        let mut line = mem::take(&mut self.line);
        let result = self.process(&line);
        // Its memory serves the next one.
        line.clear();
        self.line = line;
        result
    }

    /// A line, as 9.2.6 processes it. A line is decoded by itself: its end is a byte that UTF-8 has
    /// nowhere else, and so is the colon.
    #[inline(always)]
    fn process(&mut self, mut line: &[u8]) -> Result<bool, SseError> {
        work::step(line.len());
        if self.at_start {
            self.at_start = false;
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        if let Some(value) = value(line, b"data") {
            // The LF has to fit as well.
            spend(&mut self.room, 1)?;
            decode(value, &mut self.data, &mut self.room)?;
            self.data.push('\n');
        } else if let Some(value) = value(line, b"id") {
            if !value.contains(&0) {
                if self.has_id {
                    self.room = self.room.saturating_add(self.id.len());
                }
                self.has_id = true;
                self.id.clear();
                decode(value, &mut self.id, &mut self.room)?;
            }
        } else if let Some(value) = value(line, b"event") {
            if self.has_event {
                self.room = self.room.saturating_add(self.event.len());
            }
            self.has_event = true;
            if self.event.as_bytes() == value {
                spend(&mut self.room, value.len())?;
            } else {
                self.event.clear();
                decode(value, &mut self.event, &mut self.room)?;
            }
        } else if let Some(value) = value(line, b"retry") {
            self.retry(value);
        }
        // A comment has no name; other names mean nothing.
        Ok(false)
    }

    fn retry(&mut self, value: &[u8]) {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return;
        }
        let millis = value.iter().fold(0_u64, |number, digit| {
            number.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
        });
        self.reconnection_time = Some(Duration::from_millis(millis));
    }

    /// An empty line. Returns whether it ends an event that has data.
    fn dispatch(&mut self) -> bool {
        if self.has_id {
            self.has_id = false;
            // The memory of the one before serves the next.
            mem::swap(&mut self.id, &mut self.last_event_id);
        }
        // Every line of data has left an LF.
        self.dispatched = self.data.pop().is_some();
        if !self.dispatched {
            self.forget_event();
        }
        self.dispatched
    }
}

/// The line that begins there, its end and what follows.
#[inline]
fn split_line(input: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let at = near_line_end(input).or_else(|| memchr2(b'\r', b'\n', input))?;
    let (line, tail) = input.split_at_checked(at)?;
    let (end, tail) = tail.split_first()?;
    Some((line, *end, tail))
}

/// The first CR or LF, if it is among the first 16 bytes. Most lines of most streams are shorter than
/// a search is worth.
#[inline]
fn near_line_end(input: &[u8]) -> Option<usize> {
    let block: &[u8; 16] = input.first_chunk()?;
    line_end(*block.first_chunk()?).or_else(|| Some(8 | line_end(*block.last_chunk()?)?))
}

/// The first CR or LF in eight bytes.
#[inline]
fn line_end(block: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let block = u64::from_le_bytes(block);
    // The lowest bit is right, and only one above a right one can be wrong: there the difference borrows.
    let zeros = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes & HIGH;
    let ends = zeros(block ^ u64::from_le_bytes([b'\r'; 8])) | zeros(block ^ u64::from_le_bytes([b'\n'; 8]));
    (ends != 0).then(|| (ends.trailing_zeros() / 8) as usize)
}

/// The value in a line with that name: what follows the colon and one blank; empty without a colon.
#[inline]
fn value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    match line.strip_prefix(name)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] | value @ [] => Some(value),
        _ => None,
    }
}

/// Takes so many bytes of what an event may hold.
#[inline]
fn spend(room: &mut usize, bytes: usize) -> Result<(), SseError> {
    *room = room.checked_sub(bytes).ok_or(SseError::EventTooLarge)?;
    Ok(())
}

/// Appends `value` to `text`, with U+FFFD for what is not UTF-8 (Encoding standard, "UTF-8 decode
/// without BOM").
#[inline]
fn decode(value: &[u8], text: &mut String, room: &mut usize) -> Result<(), SseError> {
    let Some(value) = utf8::whole(value) else {
        return decode_broken(value, text, room);
    };
    spend(room, value.len())?;
    text.push_str(value);
    Ok(())
}

/// One U+FFFD for each longest beginning of a sequence that breaks off.
#[cold]
fn decode_broken(value: &[u8], text: &mut String, room: &mut usize) -> Result<(), SseError> {
    for chunk in value.utf8_chunks() {
        let replacement = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
        spend(room, chunk.valid().len().saturating_add(replacement.len()))?;
        text.push_str(chunk.valid());
        text.push_str(replacement);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_of_a_line_is_found_next_to_any_bytes() {
        // After a right one the difference borrows, so what follows it matters, and what is before.
        for at in 0..16 {
            for end in *b"\r\n" {
                for other in 0..=u8::MAX {
                    let mut input = [other; 20];
                    input[at] = end;
                    let expected = input[..16].iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                    assert_eq!(near_line_end(&input), expected, "{input:?}");
                    assert_eq!(near_line_end(&input[..16]), expected, "{input:?}");
                    assert_eq!(near_line_end(&input[..15]), None, "no block");
                    input[at] = other;
                    let expected = matches!(other, b'\r' | b'\n').then_some(0);
                    assert_eq!(near_line_end(&input), expected, "{input:?}");
                }
            }
        }
    }
}
