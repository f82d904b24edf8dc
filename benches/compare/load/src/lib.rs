//! A client for load: it speaks HTTP/1.1 to one server over many connections, verifies every response and
//! counts what the server's process used meanwhile.
//!
//! It is one thread over epoll. A response whose head is like the first one's but for its date is recognised
//! by two comparisons; any other is parsed. So it costs less than the servers.
#![forbid(unsafe_code)]

pub mod connection;
pub mod cpu;
pub mod drive;
pub mod request;
pub mod response;

use serde::{Deserialize, Serialize};

/// What one run found, as the program prints it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Responses between the two moments of measuring.
    pub responses: u64,
    /// Responses of the whole run, those of the warm-up among them.
    pub all_responses: u64,
    /// The time measured.
    pub seconds: f64,
    /// CPU time of each thread of the server between the two moments, in seconds. Empty without a process.
    pub cpu: Vec<f64>,
    /// CPU time of the client between them, in seconds.
    pub client_cpu: f64,
    /// Half of the batches were answered within this, in microseconds.
    pub median_us: f64,
    /// 99 of 100 batches were answered within this, in microseconds.
    pub p99_us: f64,
}
