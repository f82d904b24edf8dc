//! Small parts that many tests are made of.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use smol::channel::{Receiver, Sender};

use crate::PATIENCE;

/// Holds handlers back until it is opened, once and for all. Works on every runtime and thread.
#[derive(Clone, Debug)]
pub struct Gate(Sender<()>, Receiver<()>);

impl Default for Gate {
    fn default() -> Self {
        let (sender, receiver) = smol::channel::bounded(1);
        Self(sender, receiver)
    }
}

impl Gate {
    /// Lets everybody through.
    pub fn open(&self) {
        self.0.close();
    }

    /// Completes when it is open.
    pub async fn passed(&self) {
        let _ = self.1.recv().await;
    }

    /// Blocks the thread until it is open.
    pub fn pass(&self) {
        let _ = self.1.recv_blocking();
    }
}

/// A number that several threads count up.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n, Ordering::SeqCst);
    }

    /// The number now.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// The number once it has not changed for half a second.
    pub fn settled(&self) -> usize {
        let give_up = Instant::now() + PATIENCE;
        let mut before = self.now();
        let mut unchanged = 0;
        while unchanged < 10 {
            assert!(Instant::now() < give_up, "it goes on for ever: {before}");
            thread::sleep(Duration::from_millis(50));
            let now = self.now();
            unchanged = if now == before { unchanged + 1 } else { 0 };
            before = now;
        }
        before
    }
}

/// A fact that becomes true.
#[derive(Clone, Debug, Default)]
pub struct Flag(Arc<AtomicBool>);

impl Flag {
    /// It is true from now on.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it is true.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Something that makes it true by being dropped.
    pub fn on_drop(&self) -> SetOnDrop {
        SetOnDrop(self.clone())
    }
}

/// See [`Flag::on_drop`].
#[derive(Debug)]
pub struct SetOnDrop(Flag);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Waits until something is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < give_up, "still not so: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a program that a test runs is installed. If not, the test may pass over it, unless the
/// environment has `SINEW_REQUIRE_TOOLS=1`.
pub fn have_program(name: &str) -> bool {
    let found = Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("passed over: `{name}` is not installed");
        let required = std::env::var_os("SINEW_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(!required, "`{name}` is required by SINEW_REQUIRE_TOOLS");
    }
    found
}
