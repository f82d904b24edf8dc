//! Whether the client of a request is still there.
//!
//! The driver knows, because it reads on while a handler is at work; [`Disconnect`] is how a handler
//! asks. Both ends share one small allocation that the driver makes with the first request of a
//! connection and uses again for the next one, unless somebody still holds it.

use std::convert::Infallible;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::{FromRequestParts, Parts};

/// Tells a handler that its client is gone, and how. An extractor; clones tell the same, in any task
/// and on any thread.
///
/// ```
/// use std::time::Duration;
/// use futures_lite::FutureExt as _;
/// use sinew_app::{Disconnect, Gone, Handle};
///
/// /// Waits for news, but not for longer than somebody waits for the answer.
/// async fn news(handle: Handle, disconnect: Disconnect) -> &'static str {
///     let news = async {
///         handle.sleep(Duration::from_secs(30)).await;
///         "nothing new"
///     };
///     let gone = async {
///         disconnect.await;
///         "nobody reads this"
///     };
///     news.or(gone).await
/// }
///
/// /// In a `blocking` handler, which nothing can cancel: ask between two steps.
/// fn report(disconnect: Disconnect) -> String {
///     let mut lines = String::new();
///     for line in 0..1_000 {
///         if disconnect.gone() == Some(Gone::Lost) {
///             break;
///         }
///         lines.push_str(&format!("{line}\n"));
///     }
///     lines
/// }
/// ```
///
/// Awaited, it gives the first [`Gone`] there is; [`lost`](Self::lost) waits on for a connection of
/// which only one side has ended. What the driver does with the handler is another question:
/// `ConnectionConfig::on_disconnect`. Unless it says otherwise, the future of a handler is dropped when
/// the connection is lost, and what it would do after `lost().await` is then not done; a token that was
/// given to another task or thread tells in any case.
///
/// An end that the client has sent is seen once everything before it was read. While the driver does not
/// read, because the handler leaves the body where it is or 16 KiB of further requests wait, the socket
/// is asked once a second for an error, so a reset is seen within a second and an end not at all. A
/// client that vanished without a word is seen by no one before something is sent to it.
///
/// A request that no driver made (in a test) has a client that never goes.
#[derive(Clone)]
pub struct Disconnect(Option<Arc<Shared>>);

/// How a client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gone {
    /// It has ended its side of the connection: it sends nothing more. Whether it still waits for the
    /// answer cannot be told; some clients do.
    Ended,
    /// The exchange is over: the response is handed to the connection in full, or another protocol has
    /// taken over. What becomes of the client after that is not told.
    Answered,
    /// The connection is lost, or the server has given it up: a reset, an error of the socket, a broken
    /// rule, a deadline, a response that broke off, the end of the server. Nothing reaches the client any
    /// more.
    Lost,
}

#[derive(Debug, Default)]
struct Shared {
    /// Zero, or what `Gone` it is; it only grows.
    gone: AtomicU8,
    /// By the key of who waits; most often nobody.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next_key: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Shared {
    fn gone(&self) -> Option<Gone> {
        match self.gone.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Gone::Ended),
            2 => Some(Gone::Answered),
            _ => Some(Gone::Lost),
        }
    }

    fn tell(&self, how: Gone) {
        let mut waiting = self.waiting();
        let number = how as u8 + 1;
        if self.gone.fetch_max(number, Ordering::AcqRel) < number {
            let wakers = std::mem::take(&mut waiting.wakers);
            // A waker may run anything: not under the lock.
            drop(waiting);
            for (_, waker) in wakers {
                waker.wake();
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disconnect {
    /// How the client is gone, or `None` while it is there as far as anybody knows.
    pub fn gone(&self) -> Option<Gone> {
        self.0.as_ref()?.gone()
    }

    /// Whether the client has ended its side, or its connection is over.
    pub fn is_gone(&self) -> bool {
        self.gone().is_some()
    }

    /// Whether the connection is lost: nothing reaches the client any more.
    pub fn is_lost(&self) -> bool {
        self.gone() == Some(Gone::Lost)
    }

    /// Completes when it is settled whether the client got its answer: [`Gone::Lost`], or
    /// [`Gone::Answered`]. A client that has ended its side may still get it.
    pub async fn lost(&self) -> Gone {
        self.wait(Gone::Answered).await
    }

    /// Completes with what is at least `least`.
    fn wait(&self, least: Gone) -> WaitGone {
        WaitGone { shared: self.0.clone(), least, key: None }
    }
}

impl IntoFuture for Disconnect {
    type Output = Gone;
    type IntoFuture = WaitGone;

    fn into_future(self) -> WaitGone {
        WaitGone { shared: self.0, least: Gone::Ended, key: None }
    }
}

impl IntoFuture for &Disconnect {
    type Output = Gone;
    type IntoFuture = WaitGone;

    fn into_future(self) -> WaitGone {
        self.wait(Gone::Ended)
    }
}

impl fmt::Debug for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Disconnect").field(&self.gone()).finish()
    }
}

impl<S: Sync> FromRequestParts<S> for Disconnect {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.disconnect().clone())
    }
}

impl Default for Disconnect {
    /// Of a client that never goes.
    fn default() -> Self {
        Self(None)
    }
}

/// Waits until a client is gone. Made by awaiting a [`Disconnect`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct WaitGone {
    shared: Option<Arc<Shared>>,
    least: Gone,
    key: Option<u64>,
}

impl Future for WaitGone {
    type Output = Gone;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Gone> {
        let Self { shared, least, key } = &mut *self;
        let Some(shared) = shared else {
            return Poll::Pending;
        };
        let mut waiting = shared.waiting();
        // Looked at under the lock that the driver takes to wake.
        if let Some(gone) = shared.gone().filter(|gone| *gone as u8 >= *least as u8) {
            return Poll::Ready(gone);
        }
        let key = *key.get_or_insert_with(|| {
            waiting.next_key += 1;
            waiting.next_key
        });
        match waiting.wakers.iter_mut().find(|(of, _)| *of == key) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => waiting.wakers.push((key, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for WaitGone {
    fn drop(&mut self) {
        if let (Some(shared), Some(key)) = (&self.shared, self.key) {
            shared.waiting().wakers.retain(|(of, _)| *of != key);
        }
    }
}

/// The driver's end of a [`Disconnect`]: it tells what becomes of the client of one request after
/// another. Dropped while a request is at work, it says that the connection is lost.
#[derive(Debug, Default)]
pub struct ClientWatch {
    shared: Option<Arc<Shared>>,
    at_work: bool,
}

impl ClientWatch {
    /// Nobody is watched yet.
    pub const fn new() -> Self {
        Self { shared: None, at_work: false }
    }

    /// Whether it has nothing to use again.
    pub const fn is_new(&self) -> bool {
        self.shared.is_none()
    }

    /// A request begins: the token for it. It allocates for the first request of a connection, and after
    /// one whose token somebody kept.
    pub fn begin(&mut self) -> Disconnect {
        self.settle(Gone::Lost);
        self.at_work = true;
        if !self.shared.as_ref().is_some_and(|shared| is_unshared(shared) && shared.gone().is_none()) {
            self.shared = Some(Arc::default());
        }
        Disconnect(self.shared.clone())
    }

    /// The client has ended its side.
    pub fn ended(&self) {
        if let Some(shared) = self.shared.as_ref().filter(|_| self.at_work) {
            shared.tell(Gone::Ended);
        }
    }

    /// The request is over, with [`Gone::Answered`] or [`Gone::Lost`].
    pub fn settle(&mut self, how: Gone) {
        if !std::mem::take(&mut self.at_work) {
            return;
        }
        // A token that nobody has kept is used again as it is.
        if let Some(shared) = self.shared.take_if(|shared| !is_unshared(shared)) {
            shared.tell(how);
        }
    }
}

/// Whether nobody else has it, and so nobody can come to have it. Everything in it is an atomic or behind
/// a lock, so that this is all there is to know before it is used again.
fn is_unshared(shared: &Arc<Shared>) -> bool {
    Arc::strong_count(shared) == 1
}

impl Drop for ClientWatch {
    fn drop(&mut self) {
        self.settle(Gone::Lost);
    }
}
