//! Timeouts and limits in the words of somebody who runs a server.

use std::time::Duration;

use sinew_proto::Config;
use sinew_runtime::{BodyBuffer, ConnectionConfig};

/// How long clients may take. Each stops one way to hold a server up; zero turns it off.
///
/// ```
/// use std::time::Duration;
/// use sinew_system::Timeouts;
/// let patient = Timeouts { idle: Duration::from_secs(300), ..Timeouts::default() };
/// assert_eq!(patient.head, Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last; 10 s unless set. After it: 408.
    pub head: Duration,
    /// How long a connection may wait for a request; 60 s unless set. After it: closed without a word.
    pub idle: Duration,
    /// How long a body may arrive at any rate; 5 s unless set. After it, [`body_rate`](Self::body_rate)
    /// holds.
    pub body_grace: Duration,
    /// Fewest bytes a second of a body, on average; 1,024 unless set. Under it: 408.
    pub body_rate: u32,
    /// How long a client may take no byte of an answer; 30 s unless set. After it: reset.
    pub write: Duration,
    /// How long to go on reading after the last answer, so that it is not lost to a reset; 2 s unless set.
    pub linger: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let Config {
            head_timeout,
            idle_timeout,
            body_grace,
            body_min_rate,
            write_timeout,
            linger_timeout,
            ..
        } = Config::DEFAULT;
        Self {
            head: head_timeout,
            idle: idle_timeout,
            body_grace,
            body_rate: body_min_rate,
            write: write_timeout,
            linger: linger_timeout,
        }
    }
}

impl Timeouts {
    #[doc(hidden)]
    pub fn set(self, config: &mut ConnectionConfig) {
        let http = &mut config.http1;
        http.head_timeout = self.head;
        http.idle_timeout = self.idle;
        http.body_grace = self.body_grace;
        http.body_min_rate = self.body_rate;
        http.write_timeout = self.write;
        http.linger_timeout = self.linger;
    }
}

/// How much clients may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a request's head; 16 KiB unless set. Over it: 431.
    pub head: u32,
    /// Most bytes of a request target; 8 KiB unless set. Over it: 414.
    pub target: u32,
    /// Most field lines of a head; 100 unless set. Over it: 431.
    pub fields: u16,
    /// Most bytes of chunk extensions in a message; 16 KiB unless set. Over it: 400.
    pub chunk_extensions: u32,
    /// Most bytes of a trailer section; 8 KiB unless set. Over it: 431.
    pub trailers: u32,
    /// Most bytes of an unwanted body that are read to keep the connection; 256 KiB unless set. Over it:
    /// closed.
    pub drain: u32,
    /// Bytes of a body that may wait for their handler before reading stops; 64 KiB unless set.
    pub body_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let config = Config::DEFAULT;
        Self {
            head: config.max_head_bytes,
            target: config.max_target_bytes,
            fields: config.max_fields,
            chunk_extensions: config.max_chunk_extension_bytes,
            trailers: config.max_trailer_bytes,
            drain: config.max_drain_bytes,
            body_buffer: BodyBuffer::default().0,
        }
    }
}

impl Limits {
    #[doc(hidden)]
    pub fn set(self, config: &mut ConnectionConfig) {
        config.body_buffer = BodyBuffer(self.body_buffer);
        let http = &mut config.http1;
        http.max_head_bytes = self.head;
        http.max_target_bytes = self.target;
        http.max_fields = self.fields;
        http.max_chunk_extension_bytes = self.chunk_extensions;
        http.max_trailer_bytes = self.trailers;
        http.max_drain_bytes = self.drain;
    }
}
