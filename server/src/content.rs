//! A file as a body: one piece in memory, whatever its size.
//!
//! Each piece is a job of its own on the pool for blocking work, so a slow client holds a
//! connection but never a thread.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use sinew_app::{Body, Handle, RunError};

use crate::log::Log;

/// Bytes of a piece. While the driver sends one, the next is read.
const PIECE: u64 = 128 * 1024;

/// When the pool is full in the middle of a file: how long to wait before asking again, and how
/// often. Without an answer for 30 s the connection is broken off.
const PAUSE: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 600;

/// The body of `range` of a file. Reads the first piece, so that a small file is one job in all.
/// `name` is for the log.
pub(crate) fn body(
    file: File,
    range: &Range<u64>,
    handle: &Handle,
    log: &Log,
    name: &str,
) -> io::Result<Body> {
    let len = range.end - range.start;
    if range.start > 0 {
        (&file).seek(SeekFrom::Start(range.start))?;
    }
    let first = read_piece(&file, len)?;
    if first.len() as u64 == len {
        return Ok(first.into());
    }
    let pieces = Pieces {
        remaining: len,
        first: Some(first),
        reading: None,
        file: Arc::new(file),
        handle: handle.clone(),
        log: log.clone(),
        name: name.to_owned(),
    };
    Ok(Body::from_sized_stream(len, pieces))
}

fn read_piece(file: &File, remaining: u64) -> io::Result<Vec<u8>> {
    let want = remaining.min(PIECE);
    let mut piece = Vec::with_capacity(usize::try_from(want).unwrap_or(0));
    file.take(want).read_to_end(&mut piece)?;
    Ok(piece)
}

struct Pieces {
    remaining: u64,
    first: Option<Vec<u8>>,
    reading: Option<Reading>,
    file: Arc<File>,
    handle: Handle,
    log: Log,
    name: String,
}

type Reading = Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + Send>>;

impl Pieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Ok(first));
        }
        let reading = self.reading.get_or_insert_with(|| {
            Box::pin(read_on_pool(self.handle.clone(), self.file.clone(), self.remaining))
        });
        let piece = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        Poll::Ready(piece)
    }
}

impl Stream for Pieces {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let piece = match ready!(self.poll_piece(cx)) {
            // The length is promised already: nothing but breaking off tells the client.
            Ok(piece) if piece.is_empty() => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file shrank"))
            }
            other => other,
        };
        match &piece {
            Ok(piece) => self.remaining = self.remaining.saturating_sub(piece.len() as u64),
            Err(error) => {
                self.remaining = 0;
                self.log.problem(&format!("{} was broken off: {error}", self.name));
            }
        }
        Poll::Ready(Some(piece))
    }
}

async fn read_on_pool(handle: Handle, file: Arc<File>, remaining: u64) -> io::Result<Vec<u8>> {
    for _ in 0..ATTEMPTS {
        let file = file.clone();
        match handle.run(move || read_piece(&file, remaining)).await {
            Ok(piece) => return piece,
            Err(RunError::Busy) => handle.sleep(PAUSE).await,
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Err(io::Error::other(RunError::Busy))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn collect(body: Body) -> Result<Vec<u8>, sinew_app::BodyError> {
        smol::block_on(body.collect(10_000_000)).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn a_file_comes_in_pieces_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..700_000_u32).map(|i| i.to_le_bytes()[i as usize % 3]).collect();
        fs::write(&path, &content).unwrap();
        for range in [0..700_000, 0..1, 5..131_077, 131_072..262_144, 699_999..700_000, 3..3] {
            let file = File::open(&path).unwrap();
            let body = body(file, &range, &Handle::default(), &Log::off(), "file").unwrap();
            assert_eq!(body.exact_len(), Some(range.end - range.start));
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert!(collect(body).unwrap() == content[range.clone()], "{range:?}");
        }
    }

    #[test]
    fn a_file_that_shrinks_breaks_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, vec![7; 300_000]).unwrap();
        let body =
            body(File::open(&path).unwrap(), &(0..300_000), &Handle::default(), &Log::off(), "file").unwrap();
        File::options().write(true).open(&path).unwrap().set_len(200_000).unwrap();
        assert!(collect(body).is_err());
    }
}
