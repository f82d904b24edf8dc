//! An event set for the sockets that a server accepts.
//!
//! `async-io` tells of a socket once and wants to be asked again, by a system call for each wait. This set is
//! told of a socket when it comes and when it goes, and reports every change. For `async-io` it is one
//! descriptor, however many sockets are in it, and asking again is one call for all that became ready.
//!
//! Invariant: a change is reported once. It is kept in the table until the socket takes it, and taken *before*
//! the system call that may find nothing: what changes in between is kept for the next wait.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Registry, Token};
use slab::Slab;
use smol::{Async, Task, future};

use crate::SmolSocket;
use crate::serve::Spawner;

/// Events taken from the kernel at a time.
const EVENTS: usize = 1_024;

/// How often the set is asked before `async-io` has its turn, with timers and everything else.
const ROUNDS: usize = 8;

/// A direction of a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// Each member keeps it, and with the last of them its task ends.
#[derive(Debug)]
pub(crate) struct Set {
    core: Arc<Core>,
    /// Ends when it is dropped.
    _dispatch: Option<Task<()>>,
}

/// What the members and the task share.
#[derive(Debug)]
struct Core {
    registry: Async<Registry>,
    sources: Mutex<Slab<Source>>,
}

impl Core {
    fn sources(&self) -> MutexGuard<'_, Slab<Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whom `events` concern. Returns how many they are.
    fn tell(&self, events: &Events) -> usize {
        for event in events {
            let mut sources = self.sources();
            let waker = sources.get_mut(event.token().0).and_then(|source| source.notice(event));
            drop(sources);
            waker.into_iter().for_each(Waker::wake);
        }
        events.iter().count()
    }
}

impl Set {
    /// An empty set, with a task of `spawner`.
    pub(crate) fn new(spawner: &Spawner) -> io::Result<Arc<Self>> {
        let poll = mio::Poll::new()?;
        let registry = Async::new_nonblocking(poll.registry().try_clone()?)?;
        let core = Arc::new(Core { registry, sources: Mutex::default() });
        let dispatch = spawner.start(dispatch(poll, core.clone()));
        Ok(Arc::new(Self { core, _dispatch: dispatch }))
    }

    /// A socket, which does not block, as a member.
    pub(crate) fn socket<S: AsRawFd>(self: &Arc<Self>, socket: S) -> io::Result<SmolSocket<S>> {
        let fd = socket.as_raw_fd();
        let key = self.core.sources().insert(Source::default());
        // It fits: there are fewer descriptors.
        let key = u32::try_from(key).map_err(io::Error::other)?;
        // From here on the place is given back, whatever happens.
        let place = Place { set: self.clone(), key, fd };
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.core.registry.get_ref().register(&mut SourceFd(&fd), Token(place.key()), interest)?;
        Ok(Member { place, socket, ended: false }.into())
    }
}

#[cfg(test)]
impl Set {
    pub(crate) fn member_count(&self) -> usize {
        self.core.sources().len()
    }

    /// Dead once nothing of the set is left.
    pub(crate) fn life(&self) -> std::sync::Weak<dyn std::any::Any + Send + Sync> {
        Arc::<Core>::downgrade(&self.core)
    }
}

/// Wakes the tasks whose sockets have changed.
async fn dispatch(mut poll: mio::Poll, core: Arc<Core>) {
    let mut events = Events::with_capacity(EVENTS);
    while poll_fn(|cx| core.registry.poll_readable(cx)).await.is_ok() {
        for _ in 0..ROUNDS {
            // One call asks the set; `async-io` needs six to come back to it. While some sockets are served,
            // others get something. Where there was but one, most likely nothing has come yet.
            let asked = poll.poll(&mut events, Some(Duration::ZERO));
            if asked.is_err() || core.tell(&events) < 2 {
                break;
            }
            future::yield_now().await;
        }
    }
}

/// A member, as the set knows it. Small, because there is one for each connection.
#[derive(Debug, Default)]
struct Source {
    /// Of the task that has the socket; both directions are one task's.
    waker: Option<Waker>,
    awaits_read: bool,
    awaits_write: bool,
    /// What was told and not taken.
    read: bool,
    write: bool,
    /// Reading never blocks again, and nothing more is told about it.
    ended: bool,
}

impl Source {
    /// What the kernel tells. Returns whom to wake.
    fn notice(&mut self, event: &Event) -> Option<Waker> {
        let failed = event.is_error();
        self.ended |= event.is_read_closed() || failed;
        self.read |= event.is_readable() || self.ended;
        self.write |= event.is_writable() || event.is_write_closed() || failed;
        if (self.awaits_read && self.read) || (self.awaits_write && self.write) {
            (self.awaits_read, self.awaits_write) = (false, false);
            return self.waker.take();
        }
        None
    }

    /// Whether it is worth a try, which is forgotten with the answer.
    fn take(&mut self, direction: Direction) -> bool {
        match direction {
            Direction::Read => mem::take(&mut self.read),
            Direction::Write => mem::take(&mut self.write),
        }
    }

    /// Has `waker` woken when `direction` is worth a try. Returns one that is not needed any more.
    fn wait(&mut self, direction: Direction, waker: &Waker) -> Option<Waker> {
        match direction {
            Direction::Read => self.awaits_read = true,
            Direction::Write => self.awaits_write = true,
        }
        if self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return None;
        }
        self.waker.replace(waker.clone())
    }
}

/// A socket in the set.
#[derive(Debug)]
pub(crate) struct Member<S> {
    // Left before the socket is closed.
    place: Place,
    socket: S,
    ended: bool,
}

impl<S> Member<S> {
    pub(crate) fn get_ref(&self) -> &S {
        &self.socket
    }

    /// Ready if something has changed since it was last ready, and once in the beginning.
    pub(crate) fn poll_ready(&mut self, direction: Direction, cx: &Context<'_>) -> Poll<()> {
        let mut sources = self.place.set.core.sources();
        let Some(source) = sources.get_mut(self.place.key()) else {
            return Poll::Ready(());
        };
        self.ended = source.ended;
        if source.take(direction) {
            return Poll::Ready(());
        }
        let old = source.wait(direction, cx.waker());
        drop(sources);
        // Not under the lock: dropping a waker may run anything.
        drop(old);
        Poll::Pending
    }

    /// Whether the end of what can be read was told: a wait would not hear of it again.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }
}

/// A place in the set, held while a socket has it.
#[derive(Debug)]
struct Place {
    set: Arc<Set>,
    key: u32,
    fd: RawFd,
}

impl Place {
    fn key(&self) -> usize {
        self.key as usize
    }
}

/// A place may be given out again at once. What is told of its last owner then looks like something of the
/// next, who tries in vain and waits on.
impl Drop for Place {
    fn drop(&mut self) {
        // It fails only for a socket that could not be registered.
        let _ = self.set.core.registry.get_ref().deregister(&mut SourceFd(&self.fd));
        let source = self.set.core.sources().try_remove(self.key());
        drop(source);
    }
}
