//! What a server has done so far.

use core::ops::Add;
use core::sync::atomic::{AtomicU64, Ordering};

/// What a server has done since it began, and has open now. Each figure is right by itself; two of
/// them may be a moment apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that were accepted, refused ones included.
    pub connections_accepted: u64,
    /// Connections that were answered with 503, or closed, because there were enough.
    pub connections_refused: u64,
    /// Connections that are open now and were not refused.
    pub connections_open: u64,
    /// Errors of accepting: no descriptor or no memory was left.
    pub accept_errors: u64,
    /// Requests that reached the application: one is counted before its handler is called.
    pub requests: u64,
    /// Requests that were answered or broken off for the client's fault: see
    /// [`ConnectionConfig::on_rejected`](crate::ConnectionConfig::on_rejected).
    pub requests_rejected: u64,
    /// Connections that another protocol took over.
    pub upgrades: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            connections_accepted: self.connections_accepted + other.connections_accepted,
            connections_refused: self.connections_refused + other.connections_refused,
            connections_open: self.connections_open + other.connections_open,
            accept_errors: self.accept_errors + other.accept_errors,
            requests: self.requests + other.requests,
            requests_rejected: self.requests_rejected + other.requests_rejected,
            upgrades: self.upgrades + other.upgrades,
        }
    }
}

/// The figures of one worker.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) requests: Counter,
    pub(crate) rejected: Counter,
    pub(crate) upgrades: Counter,
}

impl Counters {
    /// The figures, without the connections that are open.
    pub(crate) fn read(&self) -> Counts {
        Counts {
            connections_accepted: self.accepted.get(),
            connections_refused: self.refused.get(),
            connections_open: 0,
            accept_errors: self.accept_errors.get(),
            requests: self.requests.get(),
            requests_rejected: self.rejected.get(),
            upgrades: self.upgrades.get(),
        }
    }
}

/// A figure that grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
