//! Plain functions as handlers, and waiting from a thread that may block.
//!
//! ```
//! use std::io::Read;
//! use sinew_app::{blocking, get, Body, BodyError, Router};
//!
//! // Runs on a thread where it may block: reading is a plain call.
//! fn count(body: Body) -> Result<String, BodyError> {
//!     let mut reader = body.into_reader();
//!     let mut bytes = 0;
//!     let mut buf = [0; 4096];
//!     loop {
//!         match reader.read(&mut buf)? {
//!             0 => return Ok(format!("{bytes} bytes")),
//!             n => bytes += n,
//!         }
//!     }
//! }
//!
//! async fn help() -> &'static str {
//!     "send me something to count"
//! }
//!
//! let app: Router = Router::new().route("/count", get(help).post(blocking(count)));
//! ```
//!
//! The arguments are extracted as for an async handler, on the event loop, and only then the
//! function is handed to [`Handle::run`]. So a body collected by `Json` or `Bytes` takes no thread
//! while it arrives. If no thread is to be had, the answer is `503 Service Unavailable` with
//! `Retry-After: 1`; if the function panics, it is `500 Internal Server Error`.

use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::{Handle, Handler, IntoResponse, Method, MethodRouter, Response};

/// A handler from a plain function, for routes that mix both kinds. See the
/// [module](mod@crate::blocking).
pub fn blocking<F>(f: F) -> Blocking<F> {
    Blocking(f)
}

/// See [`blocking()`].
#[derive(Clone, Copy, Debug)]
pub struct Blocking<F>(F);

impl<F: Send + 'static> Blocking<F> {
    /// Calls the function by `call`, on a thread of `handle`.
    pub(crate) async fn run<R, C>(self, handle: Handle, call: C) -> Response
    where
        R: IntoResponse,
        C: FnOnce(F) -> R + Send + 'static,
    {
        match handle.run(move || call(self.0).into_response()).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        }
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        pub fn $name<F, T, S>(f: F) -> MethodRouter<S>
        where
            Blocking<F>: Handler<T, S>,
            S: Clone + Send + Sync + 'static,
        {
            crate::$name(blocking(f))
        }
    )*};
}

functions! {
    /// Answers GET, and HEAD, by a plain function.
    get
    /// Answers HEAD by a plain function.
    head
    /// Answers POST by a plain function.
    post
    /// Answers PUT by a plain function.
    put
    /// Answers DELETE by a plain function.
    delete
    /// Answers PATCH by a plain function.
    patch
    /// Answers OPTIONS by a plain function.
    options
    /// Answers TRACE by a plain function.
    trace
    /// Answers every method that has no handler of its own by a plain function.
    any
}

/// Answers `method` by a plain function.
pub fn on<F, T, S>(method: Method, f: F) -> MethodRouter<S>
where
    Blocking<F>: Handler<T, S>,
    S: Clone + Send + Sync + 'static,
{
    crate::on(method, blocking(f))
}

/// Waits for `future` on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    #[derive(Default)]
    struct Signal {
        woken: Mutex<bool>,
        changed: Condvar,
    }

    impl Wake for Signal {
        fn wake(self: Arc<Self>) {
            *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.changed.notify_one();
        }
    }

    let signal = Arc::new(Signal::default());
    let waker = Waker::from(signal.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let mut woken = signal.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = signal.changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }
}
