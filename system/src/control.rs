//! A server that runs, as its owner sees it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
    workers: Vec<Box<dyn Fn() -> Counts + Send>>,
    end: Option<io::Result<()>>,
    waiting: Vec<Waker>,
}

impl Control {
    pub(crate) fn new(gate: Gate) -> Self {
        Self { shutdown: Shutdown::new(), gate, state: Mutex::default(), ended: Condvar::new() }
    }

    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    pub(crate) fn count(&self, worker: Box<dyn Fn() -> Counts + Send>) {
        self.state().workers.push(worker);
    }

    fn end(&self, result: io::Result<()>) {
        let mut state = self.state();
        state.end.get_or_insert(result);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.ended.notify_all();
        waiting.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says how a server has ended, at the latest when it is dropped.
#[doc(hidden)]
#[derive(Debug)]
pub struct Ending(Arc<Control>);

impl Ending {
    pub fn new(control: Arc<Control>) -> Self {
        Self(control)
    }

    pub fn with(self, result: io::Result<()>) {
        self.0.end(result);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end(Err(io::Error::other("the runtime of the server has ended before it")));
    }
}

/// A server that runs: `spawn` gives it. As a future it completes when the server has ended.
///
/// Dropped, it leaves the server running. A clone is the same server.
#[derive(Clone)]
pub struct ServerHandle {
    addresses: Arc<[Address]>,
    control: Arc<Control>,
}

impl ServerHandle {
    pub(crate) fn new(addresses: Vec<Address>, control: Arc<Control>) -> Self {
        Self { addresses: addresses.into(), control }
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
        let mut counts =
            state.workers.iter().map(|worker| worker()).fold(Counts::default(), |sum, each| sum + each);
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.control.state();
        if let Some(end) = &mut state.end {
            return Poll::Ready(std::mem::replace(end, Ok(())));
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
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
