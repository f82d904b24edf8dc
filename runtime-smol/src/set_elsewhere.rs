//! Where sockets wait on `async-io` itself: systems other than Linux.

use std::io;
#[cfg(unix)]
use std::os::fd::AsFd as AsSocket;
#[cfg(windows)]
use std::os::windows::io::AsSocket;
use std::sync::Arc;

use smol::Async;

use crate::SmolSocket;
use crate::serve::Spawner;

/// Stands for the event set of Linux.
pub(crate) struct Set;

impl Set {
    #[expect(clippy::unnecessary_wraps, reason = "the one on Linux can fail")]
    pub(crate) fn new(_: &Spawner) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self))
    }

    #[expect(clippy::unused_self, reason = "the one on Linux has sockets in it")]
    pub(crate) fn socket<S: AsSocket>(&self, stream: S) -> io::Result<SmolSocket<S>> {
        Async::new_nonblocking(stream).map(SmolSocket::from)
    }
}
