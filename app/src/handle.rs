//! What a handler may ask of the runtime it happens to run on, without naming it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Between two attempts to get a thread, and how many there are: see [`Handle::run_patiently`].
const PAUSE: Duration = Duration::from_millis(50);
const ATTEMPTS: u32 = 600;

/// What an adapter offers to handlers. The driver puts one into every request.
pub trait Host: Send + Sync + 'static {
    /// Runs `job` where it may block, or gives it back when the pool and its queue are full.
    fn offload(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Box<dyn FnOnce() + Send>>;

    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Completes when the server drains: it finishes what is in flight and begins nothing else.
    fn draining(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Whether the server drains.
    fn is_draining(&self) -> bool;
}

/// A handler's door to the runtime: time, and threads that may block. An extractor.
///
/// ```
/// use std::time::Duration;
/// use sinew_app::Handle;
/// async fn slow(handle: Handle) -> &'static str {
///     handle.sleep(Duration::from_millis(5)).await;
///     "done"
/// }
/// ```
///
/// A request that no driver made (in a test) has a detached handle: [`run`](Self::run) calls its
/// function on the spot, [`sleep`](Self::sleep) does not wait, and it never
/// [drains](Self::draining).
#[derive(Clone, Default)]
pub struct Handle(Option<Arc<dyn Host>>);

/// The pool for blocking work and its queue are full. As a response: `503 Service Unavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The pool and its queue are full; the function was not called.
    #[error("no thread is free for blocking work")]
    Busy,
    /// The function panicked.
    #[error("blocking work panicked")]
    Panicked,
}

impl Handle {
    /// A handle to `host`.
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self(Some(host))
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        if let Some(host) = &self.0 {
            host.sleep(duration).await;
        }
    }

    /// Completes when the server drains: it was told to shut down, and now waits for what is in flight,
    /// for as long as its drain timeout says. A handler or a body that would go on for long can come to
    /// an end then.
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures_lite::FutureExt as _;
    /// use sinew_app::Handle;
    ///
    /// /// Waits for news, but not when the server goes.
    /// async fn poll(handle: Handle) -> &'static str {
    ///     let news = async {
    ///         handle.sleep(Duration::from_secs(30)).await;
    ///         "nothing new"
    ///     };
    ///     let end = async {
    ///         handle.draining().await;
    ///         "ask again"
    ///     };
    ///     news.or(end).await
    /// }
    /// ```
    pub async fn draining(&self) {
        match self.drain_signal() {
            Some(signal) => signal.await,
            None => std::future::pending().await,
        }
    }

    /// Whether the server drains: see [`draining`](Self::draining).
    pub fn is_draining(&self) -> bool {
        self.0.as_ref().is_some_and(|host| host.is_draining())
    }

    /// [`draining`](Self::draining) as a future of its own, unless it would never complete.
    pub(crate) fn drain_signal(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        self.0.as_ref().map(|host| host.draining())
    }

    /// [`sleep`](Self::sleep) as a future of its own, if there is time here.
    pub(crate) fn timer(&self, duration: Duration) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        self.0.as_ref().map(|host| host.sleep(duration))
    }

    /// Calls `f` on a thread where it may block, and waits for what it returns. If this future is
    /// dropped, `f` still runs to its end.
    ///
    /// # Errors
    /// [`RunError::Busy`] if no thread is to be had; [`RunError::Panicked`] if `f` panics.
    pub async fn run<T, F>(&self, f: F) -> Result<T, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let Some(host) = &self.0 else { return Ok(f()) };
        let slot = Arc::new(Slot(Mutex::new(State::Waiting(None))));
        let completer = Completer(slot.clone());
        host.offload(Box::new(move || completer.complete(f()))).map_err(|_| RunError::Busy)?;
        Output(slot).await
    }

    /// The same for work in the middle of a response, which has no better answer than to wait: it asks
    /// again every 50 ms while no thread is to be had, for 30 s at most.
    ///
    /// # Errors
    /// As [`run`](Self::run), `Busy` only after that time.
    pub async fn run_patiently<T, F>(&self, f: F) -> Result<T, RunError>
    where
        F: FnOnce() -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        for _ in 0..ATTEMPTS {
            match self.run(f.clone()).await {
                Err(RunError::Busy) => self.sleep(PAUSE).await,
                result => return result,
            }
        }
        Err(RunError::Busy)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0.is_some()).finish()
    }
}

enum State<T> {
    Waiting(Option<Waker>),
    Done(T),
    Gone,
}

struct Slot<T>(Mutex<State<T>>);

impl<T> Slot<T> {
    fn settle(&self, state: State<T>) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Waiting(waker) = &mut *guard {
            let waker = waker.take();
            *guard = state;
            drop(guard);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// Settles the slot also when the job is dropped, by a panic in it or by a pool that goes away.
struct Completer<T>(Arc<Slot<T>>);

impl<T> Completer<T> {
    fn complete(&self, value: T) {
        self.0.settle(State::Done(value));
    }
}

impl<T> Drop for Completer<T> {
    fn drop(&mut self) {
        self.0.settle(State::Gone);
    }
}

struct Output<T>(Arc<Slot<T>>);

impl<T> Future for Output<T> {
    type Output = Result<T, RunError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut guard = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *guard, State::Gone) {
            State::Done(value) => Poll::Ready(Ok(value)),
            State::Gone => Poll::Ready(Err(RunError::Panicked)),
            State::Waiting(_) => {
                *guard = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}
