//! The wish to end the process: SIGINT (Ctrl-C) and SIGTERM on Unix, Ctrl-C and the closing of the console on
//! other systems.
//!
//! Signals belong to the process, so what is here is shared by all of its threads and runtimes. From the first
//! call on they no longer end the process: whoever called has to. SIGHUP is left alone, so that `nohup` does
//! what it is for.
//!
//! Two signals of the same kind that come within the same moment may be seen as one.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

static WATCH: Mutex<Watch> = Mutex::new(Watch {
    installed: false,
    signals: 0,
    callbacks: Vec::new(),
    next_key: 0,
    waiting: BTreeMap::new(),
});

struct Watch {
    installed: bool,
    signals: u32,
    callbacks: Vec<Callback>,
    next_key: u64,
    waiting: BTreeMap<u64, Waker>,
}

struct Callback {
    call: Box<dyn FnMut(u32) + Send>,
    /// Once it is dead, the callback is forgotten.
    life: Option<Weak<()>>,
}

impl Callback {
    fn is_alive(&self) -> bool {
        self.life.as_ref().is_none_or(|life| life.strong_count() > 0)
    }
}

fn watch() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `f` at each signal, on a thread that is there for it, with the number of signals so far: 1, 2, and so
/// on.
///
/// `f` may do what other code may. While it runs, other signals wait. If it panics, it is still called the
/// next time. It is not called for signals that came before; [`Termination`] knows of them.
///
/// # Errors
/// What the system says when it is asked to tell of signals.
pub fn on_termination(f: impl FnMut(u32) + Send + 'static) -> io::Result<()> {
    add(Callback { call: Box::new(f), life: None })
}

/// The same as long as `life` lasts.
pub(crate) fn on_termination_while(life: Weak<()>, mut f: impl FnMut() + Send + 'static) -> io::Result<()> {
    add(Callback { call: Box::new(move |_| f()), life: Some(life) })
}

fn add(callback: Callback) -> io::Result<()> {
    let mut watch = watch();
    install(&mut watch)?;
    let all = std::mem::take(&mut watch.callbacks).into_iter().chain([callback]);
    let (callbacks, dead): (Vec<_>, Vec<_>) = all.partition(Callback::is_alive);
    watch.callbacks = callbacks;
    drop(watch);
    // Without the lock, because it is code of others.
    drop(dead);
    Ok(())
}

/// A future that is ready when the process shall end. It needs no runtime, and works on each.
///
/// A signal is not lost: one that came before this was made, but after the first use of this module, counts.
///
/// ```no_run
/// # async fn serve(_: impl Future<Output = ()>) {}
/// # async fn example() -> std::io::Result<()> {
/// let first = sinew_system::signals::Termination::new()?;
/// let second = first.next();
/// // The first signal begins the graceful end; who sends another does not want to wait.
/// serve(first).await;
/// # second.await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Termination {
    /// Ready after so many signals.
    wanted: u32,
    /// Of its waker, once it waits.
    key: Option<u64>,
}

impl Termination {
    /// Ready at the first signal.
    ///
    /// # Errors
    /// What the system says when it is asked to tell of signals.
    pub fn new() -> io::Result<Self> {
        install(&mut watch())?;
        Ok(Self { wanted: 1, key: None })
    }

    /// Ready at the signal after the one that this waits for: of the first, the second.
    pub fn next(&self) -> Self {
        Self { wanted: self.wanted.saturating_add(1), key: None }
    }

    /// How many signals there were.
    pub fn signals(&self) -> u32 {
        watch().signals
    }
}

impl Clone for Termination {
    fn clone(&self) -> Self {
        Self { wanted: self.wanted, key: None }
    }
}

impl Future for Termination {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut watch = watch();
        if watch.signals >= self.wanted {
            return Poll::Ready(());
        }
        let key = self.key.unwrap_or(watch.next_key);
        if self.key.is_none() {
            watch.next_key += 1;
            self.key = Some(key);
        }
        // What it replaces is dropped without the lock, because that is code of others.
        let replaced = watch.waiting.insert(key, cx.waker().clone());
        drop(watch);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Termination {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = watch().waiting.remove(&key);
            drop(waker);
        }
    }
}

/// A signal came. Called by one thread only.
fn signalled() {
    let (count, waiting, mut callbacks) = {
        let mut watch = watch();
        watch.signals = watch.signals.saturating_add(1);
        (watch.signals, std::mem::take(&mut watch.waiting), std::mem::take(&mut watch.callbacks))
    };
    // A panic of one must not make the process deaf to the next signal.
    for waker in waiting.into_values() {
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
    callbacks.retain(Callback::is_alive);
    for callback in &mut callbacks {
        let _ = catch_unwind(AssertUnwindSafe(|| (callback.call)(count)));
    }
    let mut watch = watch();
    let added = std::mem::replace(&mut watch.callbacks, callbacks);
    watch.callbacks.extend(added);
}

#[cfg(unix)]
fn install(watch: &mut Watch) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};

    if !watch.installed {
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || signals.forever().for_each(|_| signalled()))?;
        watch.installed = true;
    }
    Ok(())
}

#[cfg(not(unix))]
fn install(watch: &mut Watch) -> io::Result<()> {
    if !watch.installed {
        ctrlc::set_handler(signalled).map_err(io::Error::other)?;
        watch.installed = true;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn who_has_ended_is_forgotten() {
        let lasting = Arc::new(());
        on_termination_while(Arc::downgrade(&lasting), || ()).unwrap();
        for _ in 0..100 {
            let life = Arc::new(());
            on_termination_while(Arc::downgrade(&life), || ()).unwrap();
        }
        // The one that lasts, and the last one, whose end nobody has looked for yet.
        assert_eq!(watch().callbacks.len(), 2);
    }
}
