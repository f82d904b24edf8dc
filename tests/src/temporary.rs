//! Files that are gone when a test is.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file of its own name. Dropped, it is removed.
#[derive(Debug)]
pub struct TempFile(PathBuf);

impl TempFile {
    /// A file with that content.
    pub fn new(content: &[u8]) -> Self {
        let file = Self::sparse(0);
        file.open().write_all(content).expect("a temporary file can be written");
        file
    }

    /// A file of `len` zeros that take no room.
    pub fn sparse(len: u64) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("sinew-{}-{}-end", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        File::create_new(&path).and_then(|file| file.set_len(len)).expect("a temporary file");
        Self(path)
    }

    /// A handle to read and to write.
    pub fn open(&self) -> File {
        File::options().read(true).write(true).open(&self.0).expect("the temporary file is there")
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// How many descriptors of this process lead to it.
    #[cfg(target_os = "linux")]
    pub fn descriptors(&self) -> usize {
        let all = fs::read_dir("/proc/self/fd").expect("our own descriptors");
        let targets = all.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target == &self.0).count()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // Some systems do not remove what is still open.
        let _ = fs::remove_file(&self.0);
    }
}

/// `len` bytes in which every place looks different from its neighbours, and from places a power of two
/// away.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..len).map(next).collect()
}
