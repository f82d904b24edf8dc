//! Every limit and every deadline, in one place.

use core::time::Duration;

/// Limits and deadlines of a connection. Each field names what it stops.
///
/// ```
/// use core::time::Duration;
/// use sinew_proto::Config;
/// let config = Config { max_head_bytes: 32 * 1024, idle_timeout: Duration::from_secs(5), ..Config::default() };
/// assert_eq!(config.max_fields, 100);
/// ```
///
/// Deadlines are kept in whole milliseconds, at most about 49 days; a deadline of zero is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Most bytes of request line and fields together, the empty line included. Stops heads
    /// without end; over it: 431.
    pub max_head_bytes: u32,
    /// Most bytes of the request target. Stops targets without end; over it: 414.
    pub max_target_bytes: u32,
    /// Most field lines of a head, and of a trailer section. Stops thousands of tiny fields, which
    /// cost more than their bytes; over it: 431.
    pub max_fields: u16,
    /// Most bytes of chunk extensions and needless zeros before chunk sizes, for a whole message.
    /// Stops extensions without end (CVE-2024-22019); over it: 400.
    pub max_chunk_extension_bytes: u32,
    /// Most bytes of a trailer section. Stops trailers without end; over it: 431.
    pub max_trailer_bytes: u32,
    /// Most bytes of a request body that are read and thrown away after the response is complete,
    /// to keep the connection; with more to come the connection closes. Stops a peer from making
    /// us read what nobody wants.
    pub max_drain_bytes: u32,
    /// From the first byte of a head to its last. Stops slowloris; after it: 408.
    pub head_timeout: Duration,
    /// How long a connection may wait for the first byte of a request. Stops sockets that only
    /// hold a place; after it the connection closes without a word.
    pub idle_timeout: Duration,
    /// How long a body may arrive at any rate, before [`Self::body_min_rate`] holds.
    pub body_grace: Duration,
    /// Fewest payload bytes a second, averaged since the body began. Stops bodies that trickle;
    /// under it: 408. What came faster earns time, but no silence beyond [`Self::idle_timeout`].
    /// Zero is off.
    pub body_min_rate: u32,
    /// How long output may wait without the peer taking a byte. Stops readers that never read;
    /// after it the connection is dropped.
    pub write_timeout: Duration,
    /// How long to read and throw away input after the last answer of a connection, so that the
    /// answer is not lost to a reset (RFC 9112 §9.6).
    pub linger_timeout: Duration,
}

impl Config {
    /// The defaults: see the fields of [`Config::default`].
    pub const DEFAULT: Self = Self {
        max_head_bytes: 16 * 1024,
        max_target_bytes: 8 * 1024,
        max_fields: 100,
        max_chunk_extension_bytes: 16 * 1024,
        max_trailer_bytes: 8 * 1024,
        max_drain_bytes: 256 * 1024,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        body_grace: Duration::from_secs(5),
        body_min_rate: 1024,
        write_timeout: Duration::from_secs(30),
        linger_timeout: Duration::from_secs(2),
    };
}

impl Default for Config {
    /// Heads of 16 KiB, targets of 8 KiB, 100 fields, 16 KiB of chunk extensions, 8 KiB of
    /// trailers, 256 KiB drained; 10 s for a head, 60 s idle, bodies at 1 KiB/s after 5 s, 30 s
    /// without write progress, 2 s of linger.
    fn default() -> Self {
        Self::DEFAULT
    }
}
