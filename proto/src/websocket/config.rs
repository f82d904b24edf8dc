//! Limits and deadlines of a WebSocket connection.

use core::time::Duration;

/// Limits and deadlines of a WebSocket connection; the same for both roles. Each field names what it
/// stops.
///
/// ```
/// use core::time::Duration;
/// use sinew_proto::websocket::Config;
/// let config = Config { max_message_bytes: 16 << 20, max_frame_bytes: 16 << 20, ..Config::default() };
/// assert_eq!(config.ping_interval, Duration::from_secs(30));
/// ```
///
/// Deadlines are kept in whole milliseconds, at most about 49 days; a deadline of zero is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Most payload bytes of a message, after decompression. Stops messages without end; over it:
    /// [`MessageTooLarge`](super::ProtocolError::MessageTooLarge), close code 1009. Without
    /// [`Self::stream`] a connection that receives a message in pieces holds it in memory. Default
    /// 1 MiB.
    pub max_message_bytes: u64,
    /// Most payload bytes of a frame, as sent. Known, and refused, before the first of them is looked
    /// at; over it: [`FrameTooLarge`](super::ProtocolError::FrameTooLarge), close code 1009. Default
    /// 1 MiB.
    pub max_frame_bytes: u64,
    /// Most frames of a message, empty ones included. Stops messages of endless tiny pieces, which
    /// cost more than their bytes; over it:
    /// [`TooManyFragments`](super::ProtocolError::TooManyFragments), close code 1008. Default 4,096.
    pub max_fragments: u32,
    /// Hands out messages in the pieces that arrive ([`Event::Piece`](super::Event::Piece)) instead of
    /// whole ones: then a message takes no memory, whatever its size. Default off.
    pub stream: bool,
    /// How long nothing may be received before a ping is sent. Stops peers that are gone from holding
    /// a place. Default 30 s.
    pub ping_interval: Duration,
    /// From a ping to the first byte of anything; after it:
    /// [`PongTimeout`](super::ProtocolError::PongTimeout), and the connection is dropped. Default 20 s.
    pub pong_timeout: Duration,
    /// From a close frame of ours to that of the peer, and from there to the end of its stream; anew
    /// with every byte of output that the peer takes. Stops peers that never close; after it the
    /// connection is closed in any case. Default 5 s.
    pub close_timeout: Duration,
    /// How long output may wait without the peer taking a byte. Stops readers that never read; after
    /// it: [`WriteTimeout`](super::ProtocolError::WriteTimeout), and the connection is dropped.
    /// Default 30 s.
    pub write_timeout: Duration,
}

impl Config {
    /// The defaults: see the fields.
    pub const DEFAULT: Self = Self {
        max_message_bytes: 1 << 20,
        max_frame_bytes: 1 << 20,
        max_fragments: 4096,
        stream: false,
        ping_interval: Duration::from_secs(30),
        pong_timeout: Duration::from_secs(20),
        close_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(30),
    };
}

impl Default for Config {
    /// [`Config::DEFAULT`]: every limit and every deadline on, each at the value its field names.
    fn default() -> Self {
        Self::DEFAULT
    }
}
