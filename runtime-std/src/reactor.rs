//! One event loop on one thread: tasks, the wakers that name them, and events that wake.
//!
//! Invariants: a task is polled on the thread of its loop alone; a wake from anywhere puts it into
//! the queue once and, from another thread, ends the loop's sleep. A turn polls what was in the queue
//! when it began, so no task can keep the others, or the sockets, waiting.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use mio::{Events, Poll, Registry, Token};
use sinew_proto::Instant;
use slab::Slab;

use crate::source::{Direction, Readiness, Source};
use crate::timers::Timers;

/// The token of the loop's own waker.
const WAKE: Token = Token(usize::MAX);

/// Events taken from the kernel at a time.
const EVENTS: usize = 1_024;

pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    static CURRENT: RefCell<Option<LoopHandle>> = const { RefCell::new(None) };
}

/// A loop, as seen from its own and other threads.
#[derive(Clone, Debug)]
pub(crate) struct LoopHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Vec<Arc<TaskWaker>>>,
    inbox: Mutex<Vec<Boxed>>,
    sources: Mutex<Slab<Source>>,
    timers: Timers,
    registry: Registry,
    wake: mio::Waker,
    /// Whether the loop was told by `wake` to look around and has not begun to.
    interrupted: AtomicBool,
    epoch: std::time::Instant,
    /// Set before queue and inbox are emptied for the last time, and looked at under their locks: what
    /// comes later would stay there for ever, and keep this alive.
    stopped: AtomicBool,
}

/// A task on its way to its loop.
struct Boxed(Task);

impl std::fmt::Debug for Boxed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LoopHandle {
    /// The loop whose thread this is.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs a task on this loop, or drops it if the loop has ended.
    pub(crate) fn spawn(&self, task: Task) {
        let mut inbox = lock(&self.0.inbox);
        if self.is_stopped() {
            // Not under the lock: dropping a task may run anything.
            drop(inbox);
            drop(task);
            return;
        }
        inbox.push(Boxed(task));
        drop(inbox);
        self.interrupt();
    }

    /// Ends the loop after its turn. Its tasks are dropped.
    pub(crate) fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        self.interrupt();
    }

    fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.0.timers
    }

    /// Time since the epoch that all loops of a server share.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(0).saturating_add(self.0.epoch.elapsed())
    }

    pub(crate) fn add_source(&self) -> Token {
        Token(lock(&self.0.sources).insert(Source::new()))
    }

    /// A token may be given out again at once. An event for its last owner then looks like one for
    /// the next, who tries in vain and waits on.
    pub(crate) fn remove_source(&self, token: Token) {
        let source = lock(&self.0.sources).try_remove(token.0);
        // Not under the lock: dropping a waker may run anything.
        drop(source);
    }

    /// See [`Source::wait`].
    pub(crate) fn wait(&self, token: Token, readiness: &mut Readiness, direction: Direction, waker: &Waker) {
        let mut sources = lock(&self.0.sources);
        let old = sources.get_mut(token.0).and_then(|source| source.wait(readiness, direction, waker));
        drop(sources);
        drop(old);
    }

    #[cfg(test)]
    pub(crate) fn source_count(&self) -> usize {
        lock(&self.0.sources).len()
    }

    /// Dead once nothing of the loop is left.
    #[cfg(test)]
    pub(crate) fn life(&self) -> std::sync::Weak<dyn std::any::Any + Send + Sync> {
        Arc::<Shared>::downgrade(&self.0)
    }

    /// Ends the loop's sleep, unless this is its own thread: then it is awake.
    pub(crate) fn interrupt(&self) {
        let own =
            CURRENT.with_borrow(|current| current.as_ref().is_some_and(|own| Arc::ptr_eq(&own.0, &self.0)));
        if !own && !self.0.interrupted.swap(true, Ordering::AcqRel) {
            // It fails only if the event queue is gone, and then nobody sleeps on it.
            let _ = self.0.wake.wake();
        }
    }
}

/// Puts one task into the queue of its loop.
#[derive(Debug)]
struct TaskWaker {
    key: usize,
    home: LoopHandle,
    queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            let home = self.home.clone();
            let mut queue = lock(&home.0.queue);
            if !home.is_stopped() {
                queue.push(self);
                drop(queue);
                home.interrupt();
            }
        }
    }
}

struct Entry {
    task: Task,
    /// Tells this task from an earlier one with the same key.
    identity: Arc<TaskWaker>,
}

/// An event loop. [`run`](Self::run) makes the calling thread its own.
pub(crate) struct EventLoop {
    poll: Poll,
    handle: LoopHandle,
    tasks: Slab<Entry>,
}

impl EventLoop {
    pub(crate) fn new(epoch: std::time::Instant) -> io::Result<Self> {
        let poll = Poll::new()?;
        let shared = Shared {
            queue: Mutex::default(),
            inbox: Mutex::default(),
            sources: Mutex::default(),
            timers: Timers::default(),
            registry: poll.registry().try_clone()?,
            wake: mio::Waker::new(poll.registry(), WAKE)?,
            interrupted: AtomicBool::new(false),
            epoch,
            stopped: AtomicBool::new(false),
        };
        Ok(Self { poll, handle: LoopHandle(Arc::new(shared)), tasks: Slab::new() })
    }

    pub(crate) fn handle(&self) -> &LoopHandle {
        &self.handle
    }

    /// Runs until [`LoopHandle::stop`].
    pub(crate) fn run(mut self) -> io::Result<()> {
        let outer = CURRENT.replace(Some(self.handle.clone()));
        let result = self.turns();
        self.handle.0.stopped.store(true, Ordering::Release);
        // Tasks may wake and deregister while they are dropped: the loop is still there then.
        let arrived = std::mem::take(&mut *lock(&self.handle.0.inbox));
        let tasks = self.tasks.drain().map(|entry| entry.task);
        tasks.chain(arrived.into_iter().map(|Boxed(task)| task)).for_each(drop_quietly);
        let queue = std::mem::take(&mut *lock(&self.handle.0.queue));
        drop(queue);
        CURRENT.set(outer);
        result
    }

    fn turns(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut ready = Vec::new();
        while !self.handle.is_stopped() {
            self.take_in();
            std::mem::swap(&mut ready, &mut *lock(&self.handle.0.queue));
            for woken in ready.drain(..) {
                self.poll_task(woken);
            }
            let sleep = self.sleep_time();
            match self.poll.poll(&mut events, sleep) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            // Before anything is looked at: what comes from now on interrupts again.
            self.handle.0.interrupted.swap(false, Ordering::AcqRel);
            self.dispatch(&events);
            self.handle.0.timers.take_due(self.handle.now()).into_iter().for_each(Waker::wake);
        }
        Ok(())
    }

    /// New tasks get a place and their first turn.
    fn take_in(&mut self) {
        let arrived = std::mem::take(&mut *lock(&self.handle.0.inbox));
        for Boxed(task) in arrived {
            let entry = self.tasks.vacant_entry();
            let identity = Arc::new(TaskWaker {
                key: entry.key(),
                home: self.handle.clone(),
                queued: AtomicBool::new(false),
            });
            identity.wake_by_ref();
            entry.insert(Entry { task, identity });
        }
    }

    fn poll_task(&mut self, woken: Arc<TaskWaker>) {
        // Before the poll: a wake during it queues the task again. A swap, because it sees what was
        // written before a wake that found the task queued; a store could even pass the loads of the
        // poll, and that wake would be lost.
        woken.queued.swap(false, Ordering::AcqRel);
        let key = woken.key;
        let Some(entry) = self.tasks.get_mut(key).filter(|entry| Arc::ptr_eq(&entry.identity, &woken)) else {
            return;
        };
        let waker = Waker::from(woken);
        let mut cx = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| entry.task.as_mut().poll(&mut cx)));
        // A panic ends the task, not the loop.
        if polled.map_or(true, |state| state.is_ready()) {
            drop_quietly(self.tasks.remove(key).task);
        }
    }

    /// How long nothing will happen, rounded up to what the kernel can wait, so that the loop does
    /// not spin towards a deadline.
    fn sleep_time(&self) -> Option<Duration> {
        let busy = !lock(&self.handle.0.queue).is_empty() || !lock(&self.handle.0.inbox).is_empty();
        if busy || self.handle.is_stopped() {
            return Some(Duration::ZERO);
        }
        let wait = self.handle.0.timers.next()?.saturating_since(self.handle.now());
        if wait.is_zero() { Some(wait) } else { Some(wait.max(Duration::from_millis(1))) }
    }

    fn dispatch(&self, events: &Events) {
        for event in events {
            if event.token() == WAKE {
                continue;
            }
            let mut sources = lock(&self.handle.0.sources);
            let waker = sources.get_mut(event.token().0).and_then(|source| source.notice(event));
            drop(sources);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

/// Drops a task whose destructor may panic.
fn drop_quietly(task: Task) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
}
