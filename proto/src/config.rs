//! Every limit and every deadline, in one place.

use core::time::Duration;

/// Limits and deadlines of a connection. Each field names what it stops. A server and a client take
/// the same ones; where a field is of use to one of them alone, it says so.
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
    /// Most bytes of the first line and the fields together, the empty line included. Stops heads
    /// without end; over it: [`HeadTooLarge`](crate::RecvError::HeadTooLarge), 431. An input buffer
    /// needs three bytes more, in one piece: for an empty line before the head, and to see that it is
    /// over the limit. Default 16 KiB.
    pub max_head_bytes: u32,
    /// Most bytes of a request target (server). Stops targets without end; over it:
    /// [`TargetTooLong`](crate::RecvError::TargetTooLong), 414. Default 8 KiB.
    pub max_target_bytes: u32,
    /// Most field lines of a head, and of a trailer section. Stops thousands of tiny fields, which
    /// cost more than their bytes; over it: [`TooManyFields`](crate::RecvError::TooManyFields), 431.
    /// Default 100.
    pub max_fields: u16,
    /// Most bytes of chunk extensions and needless zeros before chunk sizes, for a whole message.
    /// Stops extensions without end (CVE-2024-22019); over it:
    /// [`ChunkExtensionsTooLarge`](crate::RecvError::ChunkExtensionsTooLarge), 400. Default 16 KiB.
    pub max_chunk_extension_bytes: u32,
    /// Most bytes of a trailer section, the empty line at its end included. Stops trailers without end;
    /// over it:
    /// [`TrailersTooLarge`](crate::RecvError::TrailersTooLarge), 431. Default 8 KiB.
    pub max_trailer_bytes: u32,
    /// Most payload bytes of a request body that are read and thrown away after the response is
    /// complete, to keep the connection (server); with more to come the connection closes. Stops a
    /// peer from making us read what nobody wants. Default 256 KiB.
    pub max_drain_bytes: u32,
    /// Most interim responses to one request (client). Stops a server that answers without end and
    /// never with a final response; over it:
    /// [`TooManyInterimResponses`](crate::RecvError::TooManyInterimResponses). Default 16.
    pub max_interim_responses: u8,
    /// From the first byte of a head to its last. Stops slowloris; after it:
    /// [`HeadTimeout`](crate::RecvError::HeadTimeout), 408. Default 10 s.
    pub head_timeout: Duration,
    /// How long a connection may wait for the first byte of a request (server) or for the next
    /// request to be sent (client). Stops sockets that only hold a place; after it the connection
    /// closes without a word. Default 60 s.
    pub idle_timeout: Duration,
    /// How long a body may arrive at any rate, before [`Self::body_min_rate`] holds. Default 5 s.
    pub body_grace: Duration,
    /// Fewest payload bytes a second, averaged since the body began. Stops bodies that trickle;
    /// under it: [`BodyTimeout`](crate::RecvError::BodyTimeout), 408. What came faster earns time,
    /// but no silence beyond [`Self::idle_timeout`]. Zero is off: for a client that reads events as
    /// they happen. Default 1 KiB/s.
    pub body_min_rate: u32,
    /// How long output may wait without the peer taking a byte. Stops readers that never read;
    /// after it: [`WriteTimeout`](crate::RecvError::WriteTimeout), and the connection is dropped.
    /// Default 30 s.
    pub write_timeout: Duration,
    /// How long to read and throw away input after the last answer of a connection (server), so
    /// that the answer is not lost to a reset (RFC 9112 §9.6). Stops clients that never close.
    /// Default 2 s.
    pub linger_timeout: Duration,
    /// From the last byte of a request to the first one of its response, and from one interim
    /// response to the next (client). Stops servers that never answer; after it:
    /// [`ResponseTimeout`](crate::RecvError::ResponseTimeout). Default 60 s.
    pub response_timeout: Duration,
    /// How long to wait for `100 Continue` before the body is sent without it (client, RFC 9110
    /// §10.1.1). Stops servers that know no expectations from holding up a request. Default 1 s.
    pub continue_timeout: Duration,
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
        max_interim_responses: 16,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        body_grace: Duration::from_secs(5),
        body_min_rate: 1024,
        write_timeout: Duration::from_secs(30),
        linger_timeout: Duration::from_secs(2),
        response_timeout: Duration::from_secs(60),
        continue_timeout: Duration::from_secs(1),
    };
}

impl Default for Config {
    /// [`Config::DEFAULT`]: every limit and every deadline on, each at the value its field names.
    fn default() -> Self {
        Self::DEFAULT
    }
}
