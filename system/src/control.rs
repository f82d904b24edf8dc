//! A server that runs, as its owner sees it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sinew_runtime::{Counts, Gate, Shutdown};

use crate::Address;

/// What adapter and owner share.
#[doc(hidden)]
pub struct Control {
    shutdown: Shutdown,
    gate: Gate,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Each keeps the application. Empty when the server has ended.
    workers: Vec<Worker>,
    /// What those have done that are gone.
    done: Counts,
    end: Option<io::Result<()>>,
    /// There until then.
    life: Option<Arc<()>>,
    next_key: u64,
    waiting: HashMap<u64, Waker>,
}

/// Tells what a worker has done.
type Worker = Box<dyn Fn() -> Counts + Send>;

impl State {
    fn counts(&self) -> Counts {
        self.workers.iter().map(|worker| worker()).fold(self.done, |sum, each| sum + each)
    }
}

impl Control {
    pub(crate) fn new(gate: Gate) -> Self {
        let state = State { life: Some(Arc::default()), ..State::default() };
        Self { shutdown: Shutdown::new(), gate, state: Mutex::new(state), ended: Condvar::new() }
    }

    /// Dead once the server has ended.
    pub(crate) fn life(&self) -> Weak<()> {
        self.state().life.as_ref().map(Arc::downgrade).unwrap_or_default()
    }

    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    pub(crate) fn count(&self, worker: Worker) {
        self.state().workers.push(worker);
    }

    fn end(&self, result: io::Result<()>) {
        let mut state = self.state();
        state.done = state.counts();
        let workers = std::mem::take(&mut state.workers);
        drop(state);
        // Without the lock, because it is code of others; and before anybody hears of the end.
        drop(workers);
        let mut state = self.state();
        state.life = None;
        state.end.get_or_insert(result);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.ended.notify_all();
        waiting.into_values().for_each(Waker::wake);
    }

    fn has_ended(&self) -> bool {
        self.state().end.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says how a server has ended, at the latest when it is dropped: then what is left of it is told to end at
/// once. To be made before anything runs.
#[doc(hidden)]
#[derive(Debug)]
pub struct Ending(Arc<Control>);

impl Ending {
    pub fn new(control: Arc<Control>) -> Self {
        Self(control)
    }

    pub fn with(self, result: io::Result<()>) {
        if result.is_err() {
            self.0.shutdown.abort();
        }
        self.0.end(result);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            self.0.shutdown.abort();
            self.0.end(Err(io::Error::other("the runtime of the server has ended before it")));
        }
    }
}

/// A server that runs: `spawn` gives it. As a future it completes when the server has ended.
///
/// Dropped, it leaves the server running. A clone is the same server.
pub struct ServerHandle {
    addresses: Arc<[Address]>,
    control: Arc<Control>,
    /// Of its waker, once it is awaited.
    key: Option<u64>,
}

impl ServerHandle {
    pub(crate) fn new(addresses: Vec<Address>, control: Arc<Control>) -> Self {
        Self { addresses: addresses.into(), control, key: None }
    }

    /// Where it listens, in the order in which it was told to; ports that the system chose are filled in.
    pub fn local_addrs(&self) -> &[Address] {
        &self.addresses
    }

    /// The first of its TCP addresses.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(Address::as_tcp)
    }

    /// Shuts it down gracefully: it accepts nobody any more, finishes what is in flight, and ends; what
    /// takes longer than the drain timeout is dropped. Does not wait: await the handle, or
    /// [`wait`](Self::wait).
    pub fn shut_down(&self) {
        self.control.shutdown.trigger();
    }

    /// Ends it now: what is in flight is dropped.
    pub fn abort(&self) {
        self.control.shutdown.abort();
    }

    /// Whether it was told to shut down, by anybody.
    pub fn is_shutting_down(&self) -> bool {
        self.control.shutdown.is_triggered()
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        let state = self.control.state();
        let mut counts = state.counts();
        counts.connections_open = self.control.gate.open() as u64;
        counts
    }

    /// Blocks this thread until the server has ended.
    ///
    /// # Errors
    /// Why it ended before it was told to, or that its signal panicked. The error is told once.
    pub fn wait(&self) -> io::Result<()> {
        let mut state = self.control.state();
        loop {
            if let Some(end) = &mut state.end {
                return std::mem::replace(end, Ok(()));
            }
            state = self.control.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same, for at most `timeout`. `None` if the server has not ended by then.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<io::Result<()>> {
        let state = self.control.state();
        let waiting = |state: &mut State| state.end.is_none();
        let (mut state, _) = self
            .control
            .ended
            .wait_timeout_while(state, timeout, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        state.end.as_mut().map(|end| std::mem::replace(end, Ok(())))
    }
}

impl Future for ServerHandle {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let control = self.control.clone();
        let mut state = control.state();
        if let Some(end) = &mut state.end {
            return Poll::Ready(std::mem::replace(end, Ok(())));
        }
        let key = self.key.unwrap_or(state.next_key);
        if self.key.is_none() {
            state.next_key += 1;
            self.key = Some(key);
        }
        let replaced = state.waiting.insert(key, cx.waker().clone());
        // Not under the lock: dropping a waker may run anything.
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Clone for ServerHandle {
    fn clone(&self) -> Self {
        Self { addresses: self.addresses.clone(), control: self.control.clone(), key: None }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = self.control.state().waiting.remove(&key);
            drop(waker);
        }
    }
}

/// Awaits a server, and shuts it down when it is dropped before.
#[doc(hidden)]
pub async fn run_to_end(server: ServerHandle) -> io::Result<()> {
    struct Guard(ServerHandle);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.shut_down();
        }
    }
    let guard = Guard(server);
    guard.0.clone().await
}

/// How long threads may take to end.
const JOIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits for threads to end, but not for one whose handler blocks it for ever.
#[doc(hidden)]
pub fn join_all<T>(threads: Vec<JoinHandle<T>>) {
    let give_up = Instant::now() + JOIN_TIMEOUT;
    for thread in threads {
        while !thread.is_finished() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            // One that panicked has closed its connections; the others went on.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("addresses", &self.addresses)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("shutdown", &self.shutdown).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_runtime::Admission;

    fn server() -> (ServerHandle, Arc<Control>) {
        let control = Arc::new(Control::new(Gate::new(Admission::default())));
        (ServerHandle::new(Vec::new(), control.clone()), control)
    }

    #[test]
    fn whoever_awaits_it_no_more_leaves_nothing() {
        let (server, control) = server();
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let mut awaited = server.clone();
            for _ in 0..3 {
                assert!(Pin::new(&mut awaited).poll(&mut cx).is_pending());
                assert!(Pin::new(&mut awaited.clone()).poll(&mut cx).is_pending());
            }
            assert_eq!(control.state().waiting.len(), 1);
        }
        assert_eq!(control.state().waiting.len(), 0);
    }

    #[test]
    fn an_end_that_nobody_tells_is_an_error_and_drops_what_is_left() {
        let (server, control) = server();
        let life = control.life();
        drop(Ending::new(control));
        assert_eq!(life.strong_count(), 0);
        assert_eq!(server.control.shutdown().phase(), sinew_runtime::Phase::Aborted);
        assert!(server.wait().is_err());
        assert!(server.wait().is_ok(), "it is told once");
    }

    #[test]
    fn a_good_end_stays_one() {
        let (server, control) = server();
        Ending::new(control).with(Ok(()));
        assert!(server.wait().is_ok());
        assert!(!server.is_shutting_down());
    }
}
