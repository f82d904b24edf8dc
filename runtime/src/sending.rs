//! A response body that is a file, on its way into a socket that takes files.
//!
//! Invariants: nothing waits in the output while the file is sent, so bytes leave in their order; a
//! call takes one piece, so that other connections get their turns; what the kernel has not in memory
//! is brought there by a thread that may block before the socket is given it.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::fs::File;
use std::io;
use std::sync::Arc;

use sinew_app::{FileBody, Handle};

use crate::Io;

/// Bytes given to the socket at a time.
const PIECE: u64 = 256 * 1024;

/// Bytes that are looked for in memory at a time, and brought there: a multiple of [`PIECE`].
const WINDOW: u64 = 1024 * 1024;

/// How the file goes to the socket.
#[derive(Default)]
pub(crate) struct Sending {
    /// The socket does not take this file: it is read and written like any other body.
    copies: bool,
    /// Up to where the kernel has the file in memory, as far as is known.
    loaded: u64,
    loading: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What came of giving the file to the socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// So many bytes.
    Some(u64),
    /// None; the socket is full.
    Full,
    /// None; a thread brings the next bytes into memory.
    Loading,
    /// None, now or later: the body is to be read.
    Refused,
    /// The file has ended too early.
    Short,
    /// The peer is gone.
    Gone,
}

impl Sending {
    /// Whether the socket has not refused the file.
    pub(crate) fn may_be_given(&self) -> bool {
        !self.copies
    }

    /// Gives the socket a piece of the file, if it takes one.
    pub(crate) fn poll<I: Io>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
        body: &mut FileBody,
        handle: &Handle,
    ) -> Given {
        if self.poll_loaded(cx, body, handle).is_pending() {
            return Given::Loading;
        }
        let (offset, left) = (body.offset(), body.remaining());
        let known = self.loaded.saturating_sub(offset).max(1);
        let len = usize::try_from(left.min(PIECE).min(known)).unwrap_or(usize::MAX);
        match io.poll_sendfile(cx, body.file(), offset, len) {
            Poll::Pending => Given::Full,
            Poll::Ready(Ok(0)) => {
                drop(body.ends_early());
                Given::Short
            }
            Poll::Ready(Ok(n)) => {
                let n = (n as u64).min(left);
                body.sent(n);
                Given::Some(n)
            }
            Poll::Ready(Err(error)) => match error.kind() {
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::NotConnected
                | io::ErrorKind::TimedOut => Given::Gone,
                // The trouble is the file's, or the pair's: reading it tells which.
                _ => {
                    self.copies = true;
                    Given::Refused
                }
            },
        }
    }

    /// Ready when the next piece is in memory, as far as that can be known.
    fn poll_loaded(&mut self, cx: &mut Context<'_>, body: &FileBody, handle: &Handle) -> Poll<()> {
        if let Some(loading) = &mut self.loading {
            core::task::ready!(loading.as_mut().poll(cx));
            self.loading = None;
        }
        let offset = body.offset();
        if offset < self.loaded {
            return Poll::Ready(());
        }
        let len = body.remaining().min(WINDOW);
        // Not looked at again once it was brought: where memory is short, pages may be gone by then,
        // and a call that blocks is better than none at all.
        self.loaded = offset.saturating_add(len);
        if memory::holds(body.file(), offset, len) {
            return Poll::Ready(());
        }
        let mut loading = load(body.file().clone(), offset, len, handle.clone());
        if loading.as_mut().poll(cx).is_pending() {
            self.loading = Some(loading);
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

fn load(file: Arc<File>, offset: u64, len: u64, handle: Handle) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        // Without a thread, and after an error, the socket's call will block or tell.
        let _ = handle.run_patiently(move || memory::load(&file, offset, len)).await;
    })
}

/// The kernel's memory of files.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod memory {
    use std::fs::File;
    use std::io::IoSliceMut;
    use std::num::NonZero;

    use rustix::fs::{Advice, fadvise};
    use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};

    /// Whether the first and the last of `len` bytes are in memory; what lies between came with them,
    /// as a rule. True also where the file system does not tell.
    pub(super) fn holds(file: &File, offset: u64, len: u64) -> bool {
        let last = offset.saturating_add(len.saturating_sub(1));
        [offset, last].into_iter().all(|at| {
            let mut byte = [0];
            let read = preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
            !matches!(read, Err(Errno::AGAIN))
        })
    }

    /// Brings `len` bytes into memory. Blocks.
    pub(super) fn load(file: &File, offset: u64, len: u64) {
        /// The kernel may bring less than it was asked for.
        const STEP: u64 = 128 * 1024;

        // All of it is asked for before any of it is waited for.
        let _ = fadvise(file, offset, NonZero::new(len), Advice::WillNeed);
        let last = offset.saturating_add(len.saturating_sub(1));
        let mut at = offset;
        while at < last && pread(file, &mut [0], at).is_ok() {
            at = at.saturating_add(STEP);
        }
        let _ = pread(file, &mut [0], last);
    }

    #[cfg(test)]
    mod tests {
        use std::{env, fs, process};

        use super::*;

        #[test]
        fn what_was_loaded_is_held() {
            const LEN: u64 = 5 << 20;
            let path = env::temp_dir().join(format!("sinew-memory-{}", process::id()));
            fs::write(&path, vec![1; usize::try_from(LEN).unwrap()]).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            fs::remove_file(&path).unwrap();
            // Where the file system can forget it, it does.
            file.sync_all().unwrap();
            fadvise(&file, 0, None, Advice::DontNeed).unwrap();
            println!("forgotten and told so: {}", !holds(&file, 1 << 20, 1 << 20));
            for (offset, len) in [(1 << 20, 1 << 20), (LEN - 7, 7), (3, LEN - 3)] {
                load(&file, offset, len);
                assert!(holds(&file, offset, len), "{len} from {offset}");
            }
            // Past the end there is nothing to bring.
            load(&file, LEN, 10);
            assert!(holds(&file, LEN, 10));
        }
    }
}

/// Elsewhere nothing is known of it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod memory {
    use std::fs::File;

    pub(super) fn holds(_: &File, _: u64, _: u64) -> bool {
        true
    }

    pub(super) fn load(_: &File, _: u64, _: u64) {}
}
