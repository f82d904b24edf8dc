//! The directory that is served, as a sandbox.
//!
//! Every path is opened relative to a handle on the root, by the operating system where it can
//! (`openat2` with `RESOLVE_BENEATH`), component by component elsewhere. A symbolic link that leads
//! out is refused in the same step that opens it: there is no moment between a check and its use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cap_fs_ext::OpenOptionsSyncExt as _;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions, ReadDir};

/// The root.
#[derive(Debug)]
pub(crate) struct Root {
    dir: Dir,
    path: PathBuf,
}

impl Root {
    /// Opens a directory as the root.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let dir = Dir::open_ambient_dir(&path, ambient_authority())?;
        Ok(Self { dir, path })
    }

    /// Where the root is, without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is there, links followed.
    pub(crate) fn metadata(&self, relative: &Path) -> io::Result<Metadata> {
        self.inside(relative, |dir, path| dir.metadata(path))
    }

    /// Opens a regular file and says what it is. Never waits for the other end of a FIFO.
    pub(crate) fn open_file(&self, relative: &Path) -> io::Result<(fs::File, Metadata)> {
        let mut options = OpenOptions::new();
        options.read(true).nonblock(true);
        let file = self.inside(relative, |dir, path| dir.open_with(path, &options))?;
        let metadata = file.metadata()?;
        if metadata.is_file() { Ok((file.into_std(), metadata)) } else { Err(special()) }
    }

    /// The entries of a directory.
    pub(crate) fn read_dir(&self, relative: &Path) -> io::Result<ReadDir> {
        self.inside(relative, |dir, path| dir.read_dir(path))
    }

    /// Calls `open`, and once more if an absolute link stood in the way: the sandbox refuses them
    /// all, but those that lead back inside are somebody's way to lay out a site. The second call
    /// is in the sandbox too, so it does not matter if what was looked up is no longer true.
    fn inside<T>(&self, relative: &Path, open: impl Fn(&Dir, &Path) -> io::Result<T>) -> io::Result<T> {
        let error = match open(&self.dir, relative) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => error,
            other => return other,
        };
        match self.real(relative) {
            Some(real) if real.as_os_str().is_empty() => open(&self.dir, Path::new(".")),
            Some(real) if real != relative => open(&self.dir, &real),
            _ => Err(error),
        }
    }

    /// The same place without links, if it is inside the root. A name that does not exist is looked
    /// for in its directory; whether it exists outside of the root is not to be found out here.
    fn real(&self, relative: &Path) -> Option<PathBuf> {
        let path = self.path.join(relative);
        let real = fs::canonicalize(&path).ok().or_else(|| {
            let directory = fs::canonicalize(path.parent()?).ok()?;
            Some(directory.join(path.file_name()?))
        })?;
        real.strip_prefix(&self.path).map(Path::to_path_buf).ok()
    }
}

/// The error for what is neither a file nor a directory: a FIFO, a socket, a device.
pub(crate) fn special() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "neither a file nor a directory")
}
