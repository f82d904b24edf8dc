//! What to do when accepting fails: an accept loop neither dies nor spins.

use core::time::Duration;
use std::io;

/// Whether an error of accept is about the connection that was to be accepted, not about the
/// listener: then the next one can be tried at once.
///
/// Anything else, running out of descriptors or memory above all, calls for a [`Backoff`].
pub fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Pauses between failing calls: 50 ms, then twice as long each time, up to a second.
///
/// ```
/// use std::time::Duration;
/// use sinew_runtime::Backoff;
/// let mut backoff = Backoff::default();
/// assert_eq!([backoff.pause(), backoff.pause()], [50, 100].map(Duration::from_millis));
/// backoff.reset();
/// assert_eq!(backoff.pause(), Duration::from_millis(50));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after one more failure.
    pub fn pause(&mut self) -> Duration {
        let pause = Duration::from_millis(50 << self.failures.min(5));
        self.failures = self.failures.saturating_add(1);
        pause.min(Duration::from_secs(1))
    }

    /// A call has succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
