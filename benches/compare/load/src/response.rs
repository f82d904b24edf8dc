//! Responses, recognised cheaply and judged completely: each has status 200 and a body of the length expected.
//!
//! [`Judge`] is shared by all connections of a run and knows what a head looks like; a [`Place`] is where one
//! connection is. The bytes of bodies are not compared here; the harness does that before it measures.

use std::fmt;

/// How a response says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

/// Where a connection is in what it receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Before or within a head.
    #[default]
    Head,
    /// So many bytes of a body with a length are missing.
    Body(u64),
    /// Before or within the line of a chunk; so many bytes of the body were there.
    Size(u64),
    /// So many bytes of a chunk are missing; so many bytes of the body with it.
    Chunk(u64, u64),
    /// Before the line end behind a chunk.
    ChunkEnd(u64),
    /// Before the empty line behind the last chunk.
    Last(u64),
}

/// A response that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

fn wrong<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(what.into()))
}

/// A head that was parsed, to recognise those like it.
#[derive(Clone, Debug)]
struct Template {
    before_date: Vec<u8>,
    after_date: Vec<u8>,
    len: usize,
    framing: Framing,
}

/// Bytes of a date: `Sun, 06 Nov 1994 08:49:37 GMT`.
const DATE: usize = 29;

impl Template {
    fn new(head: &[u8], framing: Framing) -> Self {
        let lower = head.to_ascii_lowercase();
        let date = find(&lower, b"\r\ndate: ").map(|at| at + b"\r\ndate: ".len());
        let (before, after) = match date {
            Some(at) if at + DATE <= head.len() => (&head[..at], &head[at + DATE..]),
            _ => (head, &[][..]),
        };
        Self { before_date: before.to_vec(), after_date: after.to_vec(), len: head.len(), framing }
    }

    fn matches(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.len
            && bytes[..self.before_date.len()] == self.before_date
            && bytes[self.len - self.after_date.len()..self.len] == self.after_date
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// What every response of a run has to be.
#[derive(Clone, Debug)]
pub struct Judge {
    body: u64,
    template: Option<Template>,
}

impl Judge {
    /// Responses with a body of that many bytes.
    pub fn new(body: u64) -> Self {
        Self { body, template: None }
    }

    /// Reads on from `place`. Returns how many bytes are done with and how many responses ended in them; what
    /// is left over has to be given again, with more behind it.
    ///
    /// # Errors
    /// [`Wrong`] if a response is.
    pub fn read(&mut self, place: &mut Place, bytes: &[u8]) -> Result<(usize, u32), Wrong> {
        let (mut at, mut ended) = (0, 0);
        while let Some(taken) = self.step(place, &bytes[at..])? {
            at += taken;
            if let Place::Body(0) = place {
                *place = Place::Head;
                ended += 1;
            }
        }
        Ok((at, ended))
    }

    /// One part of a response, or `None` if it is not all there.
    fn step(&mut self, place: &mut Place, bytes: &[u8]) -> Result<Option<usize>, Wrong> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let (next, taken) = match *place {
            Place::Head => match self.head(bytes)? {
                Some((len, Framing::Length(length))) => (Place::Body(length), len),
                Some((len, Framing::Chunked)) => (Place::Size(0), len),
                None => return Ok(None),
            },
            Place::Body(left) => {
                let taken = most(left, bytes);
                (Place::Body(left - taken as u64), taken)
            }
            Place::Size(body) => match chunk_size(bytes)? {
                Some((len, 0)) => (Place::Last(body), len),
                Some((len, size)) => (Place::Chunk(size, body.saturating_add(size)), len),
                None => return Ok(None),
            },
            Place::Chunk(left, body) => {
                let taken = most(left, bytes);
                let left = left - taken as u64;
                (if left == 0 { Place::ChunkEnd(body) } else { Place::Chunk(left, body) }, taken)
            }
            Place::ChunkEnd(body) => match line_end(bytes)? {
                Some(len) => (Place::Size(body), len),
                None => return Ok(None),
            },
            Place::Last(body) => match line_end(bytes)? {
                Some(len) if body == self.body => (Place::Body(0), len),
                Some(_) => return wrong(format!("{body} bytes in chunks in place of {}", self.body)),
                None => return Ok(None),
            },
        };
        *place = next;
        Ok(Some(taken))
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Option<(usize, Framing)>, Wrong> {
        if let Some(template) = self.template.as_ref().filter(|template| template.matches(bytes)) {
            return Ok(Some((template.len, template.framing)));
        }
        let Some(end) = find(bytes, b"\r\n\r\n") else {
            return if bytes.len() > 16 * 1024 { wrong("a head of more than 16 KiB") } else { Ok(None) };
        };
        let head = &bytes[..end + 4];
        let framing = parse(head)?;
        match framing {
            Framing::Length(length) if length != self.body => {
                return wrong(format!("{length} bytes in place of {}", self.body));
            }
            // Its end is only seen with a byte behind the head.
            Framing::Length(0) => return wrong("no body"),
            _ => {}
        }
        self.template = Some(Template::new(head, framing));
        Ok(Some((head.len(), framing)))
    }
}

fn most(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len())
}

fn parse(head: &[u8]) -> Result<Framing, Wrong> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("http/1.1 200") {
        return wrong(format!("status line: {status}"));
    }
    let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let value = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.trim());
    match (value("transfer-encoding"), value("content-length")) {
        (Some("chunked"), None) => Ok(Framing::Chunked),
        (None, Some(length)) => match length.parse() {
            Ok(length) => Ok(Framing::Length(length)),
            Err(_) => wrong(format!("Content-Length: {length}")),
        },
        other => wrong(format!("framing: {other:?}")),
    }
}

/// The line of a chunk: its length with the line end, and the size it says.
fn chunk_size(bytes: &[u8]) -> Result<Option<(usize, u64)>, Wrong> {
    let line = &bytes[..bytes.len().min(32)];
    let Some(end) = line.iter().position(|&byte| byte == b'\n') else {
        return if line.len() == 32 { wrong("the line of a chunk is long") } else { Ok(None) };
    };
    let size = std::str::from_utf8(&line[..end]).ok().and_then(|line| line.strip_suffix('\r'));
    match size.and_then(|size| u64::from_str_radix(size, 16).ok()) {
        Some(size) => Ok(Some((end + 1, size))),
        None => wrong(format!("the line of a chunk: {:?}", String::from_utf8_lossy(&line[..end]))),
    }
}

fn line_end(bytes: &[u8]) -> Result<Option<usize>, Wrong> {
    match bytes {
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [] | [b'\r'] => Ok(None),
        _ => wrong("no line end behind a chunk"),
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
