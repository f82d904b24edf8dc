//! The bytes of a file as a body.
//!
//! A small file is read at once and leaves in one packet with its head. A large one is not read here:
//! the kernel copies it to the socket where it can, else it comes in pieces, each a job of its own on
//! the pool for blocking work. So a slow client holds a connection but never a thread, and memory does
//! not depend on the length of the file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use sinew_app::{Body, FileBody};

use crate::log::Log;

/// Bytes up to which a file is small. Up to twice as many cost the same either way, and this much is
/// what a slow client may hold in memory.
const SMALL: u64 = 64 * 1024;

/// The body of `range` of a file. `name` is for the log. Blocks.
pub(crate) fn body(file: File, range: &Range<u64>, log: &Log, name: &str) -> io::Result<Body> {
    let len = range.end - range.start;
    if len <= SMALL {
        let content = read(&file, range)?;
        if content.len() as u64 == len {
            return Ok(content.into());
        }
        // It has shrunk: what was announced cannot be sent, and the client is to see that.
    }
    let (log, name) = (log.clone(), name.to_owned());
    let body = FileBody::new(file, range.clone());
    Ok(body.on_error(move |error| log.problem(&format!("{name} was broken off: {error}"))).into())
}

/// The range, or what is there of it.
fn read(mut file: &File, range: &Range<u64>) -> io::Result<Vec<u8>> {
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start))?;
    }
    let len = range.end - range.start;
    let mut content = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.take(len).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn collect(body: Body) -> Result<Vec<u8>, sinew_app::BodyError> {
        smol::block_on(body.collect(10_000_000)).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn any_range_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..700_000_u32).map(|i| i.to_le_bytes()[i as usize % 3]).collect();
        fs::write(&path, &content).unwrap();
        for range in [0..700_000, 0..1, 5..65_541, 5..65_542, 131_072..262_144, 699_999..700_000, 3..3] {
            let body = body(File::open(&path).unwrap(), &range, &Log::off(), "file").unwrap();
            assert_eq!(body.exact_len(), Some(range.end - range.start));
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert!(collect(body).unwrap() == content[range.clone()], "{range:?}");
        }
    }

    #[test]
    fn a_file_that_shrinks_breaks_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (len, now) in [(300_000, 200_000), (300_000, 0), (100, 99), (100, 0)] {
            fs::write(&path, vec![7; len]).unwrap();
            let (file, range) = (File::open(&path).unwrap(), 0..len as u64);
            let shrink = || File::options().write(true).open(&path).unwrap().set_len(now).unwrap();
            // A small one has to shrink before it is read, of a large one nothing is read before that.
            shrink();
            let body = body(file, &range, &Log::off(), "file").unwrap();
            assert_eq!(body.exact_len(), Some(len as u64));
            assert!(collect(body).is_err(), "{len} to {now}");
        }
    }
}
