//! A file as a body: carried along, and read only by who asks for its bytes.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::{Body, BodyError, Handle};

/// Bytes of a piece. While the driver sends one, the next is read.
const PIECE: u64 = 128 * 1024;

/// A part of a file, to become a [`Body`]: see [`Body::from_file`].
pub struct FileBody {
    file: Arc<File>,
    at: u64,
    end: u64,
    handle: Handle,
    reading: Option<Reading>,
    on_error: Option<OnError>,
}

type Reading = Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + Send>>;
type OnError = Box<dyn FnOnce(&io::Error) + Send>;

impl FileBody {
    /// The bytes of `range`, counted from the beginning of the file. Where the file is read or written
    /// by others in the meantime does not matter: every read says from where.
    pub fn new(file: impl Into<Arc<File>>, range: Range<u64>) -> Self {
        let Range { start: at, end } = range;
        Self { file: file.into(), at, end, handle: Handle::default(), reading: None, on_error: None }
    }

    /// Calls `f` if the file breaks the body off: it cannot be read, or it is shorter by now than was
    /// announced. Not if the client leaves. `f` must not block.
    pub fn on_error(mut self, f: impl FnOnce(&io::Error) + Send + 'static) -> Self {
        self.on_error = Some(Box::new(f));
        self
    }

    /// The file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Where the next byte lies in the file.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// For drivers: the next `n` bytes were sent, by other means than reading them here.
    pub fn sent(&mut self, n: u64) {
        self.at = self.at.saturating_add(n).min(self.end);
    }

    /// For drivers: the file has ended before the body has. Returns what breaks the body off.
    pub fn ends_early(&mut self) -> BodyError {
        self.fail(io::Error::new(io::ErrorKind::UnexpectedEof, "the file shrank"))
    }

    pub(crate) fn attach(&mut self, handle: &Handle) {
        self.handle = handle.clone();
    }

    /// Whether nobody is in the middle of reading it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.reading.is_none()
    }

    fn fail(&mut self, error: io::Error) -> BodyError {
        if let Some(on_error) = self.on_error.take() {
            on_error(&error);
        }
        error.into()
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let want = self.remaining().min(PIECE);
        if want == 0 {
            return Poll::Ready(None);
        }
        let reading = self.reading.get_or_insert_with(|| {
            let (file, at, handle) = (self.file.clone(), self.at, self.handle.clone());
            Box::pin(async move {
                let read = handle.run_patiently(move || read_piece(&file, at, want)).await;
                read.unwrap_or_else(|error| Err(io::Error::other(error)))
            })
        });
        let read = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        Poll::Ready(Some(match read {
            // The length is announced already: nothing but breaking off tells the client.
            Ok(piece) if piece.is_empty() => Err(self.ends_early()),
            Ok(piece) => {
                self.sent(piece.len() as u64);
                Ok(piece.into())
            }
            Err(error) => Err(self.fail(error)),
        }))
    }
}

impl From<FileBody> for Body {
    fn from(file: FileBody) -> Self {
        Self::of_file(file)
    }
}

impl fmt::Debug for FileBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBody")
            .field("file", &self.file)
            .field("offset", &self.at)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// `want` bytes, or as many as there are.
fn read_piece(file: &File, at: u64, want: u64) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; usize::try_from(want).unwrap_or(0)];
    let mut filled = 0;
    while filled < piece.len() {
        match read_at(file, &mut piece[filled..], at.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    Ok(piece)
}

#[cfg(unix)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

/// Where there are no reads from a place, a file must not be shared between bodies.
#[cfg(not(any(unix, windows)))]
fn read_at(mut file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read as _, Seek as _};
    file.seek(io::SeekFrom::Start(offset))?;
    file.read(buf)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::{env, fs, process};

    use futures_lite::future::block_on;

    use super::*;

    /// A file without a name.
    fn file(name: &str, content: &[u8]) -> File {
        let path = env::temp_dir().join(format!("sinew-{name}-{}", process::id()));
        fs::write(&path, content).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        file
    }

    #[test]
    fn a_file_comes_in_pieces_and_whole() {
        let content: Vec<u8> = (0..700_000_u32).map(|i| i.to_le_bytes()[i as usize % 3]).collect();
        let file = Arc::new(file("whole", &content));
        // Two at a time read the same file without disturbing each other.
        let mut other = Body::from_file(file.clone(), 0..700_000);
        for range in [0..700_000, 0..1, 5..131_077, 131_072..262_144, 699_999..700_000, 3..3] {
            assert!(block_on(other.chunk()).unwrap().is_some());
            let body = Body::from_file(file.clone(), range.clone());
            assert_eq!(body.exact_len(), Some(range.end - range.start));
            let read = block_on(body.collect(1 << 20)).unwrap();
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert!(read == content[range.clone()], "{range:?}");
        }
        // A range the wrong way round has nothing in it.
        let (start, end) = (9, 5);
        assert!(Body::from_file(file, start..end).is_empty());
    }

    #[test]
    fn a_file_that_shrinks_breaks_off_and_tells() {
        let file = Arc::new(file("shrinks", &vec![7; 300_000]));
        let told = Arc::new(AtomicBool::new(false));
        let tell = told.clone();
        let body = FileBody::new(file.clone(), 0..300_000).on_error(move |error| {
            tell.store(error.kind() == io::ErrorKind::UnexpectedEof, Ordering::SeqCst);
        });
        file.set_len(200_000).unwrap();
        let mut body = Body::from(body);
        let mut total = 0;
        let error = block_on(async {
            loop {
                match body.chunk().await {
                    Ok(Some(piece)) => total += piece.len(),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            }
        });
        assert!(error.is_some_and(|error| error.to_string().contains("shrank")));
        assert_eq!(total, 200_000);
        assert!(told.load(Ordering::SeqCst));
    }

    #[test]
    fn a_file_that_grows_ends_where_it_was_announced() {
        let file = Arc::new(file("grows", b"0123456789"));
        let body = Body::from_file(file.clone(), 2..8);
        file.set_len(1_000).unwrap();
        assert_eq!(block_on(body.collect(100)).unwrap(), "234567");
    }

    #[test]
    fn what_was_sent_otherwise_is_not_read() {
        let mut body = Body::from_file(file("sent", b"0123456789"), 0..10);
        let part = body.as_file().unwrap();
        assert_eq!((part.offset(), part.remaining()), (0, 10));
        part.sent(4);
        assert_eq!(body.exact_len(), Some(6));
        assert_eq!(block_on(body.chunk()).unwrap().unwrap(), "456789");
        assert!(block_on(body.chunk()).unwrap().is_none() && body.is_empty());
    }
}
