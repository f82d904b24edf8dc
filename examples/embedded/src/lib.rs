//! The core without `std`, without an operating system: a fixed number of sockets, buffers of fixed
//! size, and a time in milliseconds that the caller hands in. Shaped after smoltcp's `tcp::Socket`.
//!
//! ```text
//! loop {
//!     interface.poll(now, &mut device, &mut sockets);
//!     let due = service.poll(&mut http_sockets, now.total_millis());
//!     // sleep until a packet comes, or `due`, or what the interface says
//! }
//! ```
//!
//! What it takes from the heap: the field table, once, 16 bytes for each field line allowed, and the
//! buffer that the core writes to, once, about [`SEND_ROOM`] bytes. After that, nothing, except the three
//! bytes that the core takes for a moment when it writes an error. So a binary needs a global allocator,
//! and a small one does.
//!
//! GET is answered with `hello`, POST and PUT with their body while it arrives. Checked for a bare-metal
//! target by `cargo check --target thumbv7em-none-eabihf -p sinew-embedded`; on the host hundreds of
//! sockets are driven through it in virtual time (`tests/hundreds.rs`).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod connection;

use alloc::vec::Vec;
use core::time::Duration;

use connection::Connection;
use sinew_proto::{Config, FieldTable, Instant};

/// The input buffer of a connection: for the longest head or trailer section, the empty line that may
/// stand before a head, and the byte by which it is too long.
pub const INPUT: usize = CONFIG.max_head_bytes as usize + 3;

/// The least capacity of a socket's transmit buffer: for the longest that one event makes the core and
/// this service write. With twice as much, one half is filled while the other is on its way.
pub const SEND_ROOM: usize = INPUT + 512;

/// The limits of the core, for little memory.
pub const CONFIG: Config = Config {
    max_head_bytes: 1024,
    max_target_bytes: 256,
    max_fields: 24,
    max_chunk_extension_bytes: 256,
    max_trailer_bytes: 512,
    max_drain_bytes: 4096,
    head_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(20),
    write_timeout: Duration::from_secs(10),
    ..Config::DEFAULT
};

/// A socket with buffers of its own: what is used here of smoltcp's `tcp::Socket`.
pub trait Socket {
    /// Waits for a connection. Called when [`is_open`](Self::is_open) is false.
    fn listen(&mut self);
    /// Whether it listens, is connected, or is not done with closing.
    fn is_open(&self) -> bool;
    /// Whether it is connected, and [`close`](Self::close) was not called.
    fn may_send(&self) -> bool;
    /// Whether there is input, or may be: false when the peer has ended its side and all was read.
    fn may_recv(&self) -> bool;
    /// Lends received bytes that lie in one piece, perhaps none; takes away as many as the closure says.
    fn recv(&mut self, take: impl FnOnce(&[u8]) -> usize);
    /// How many bytes the transmit buffer holds.
    fn send_capacity(&self) -> usize;
    /// How many bytes of it wait to be sent or acknowledged.
    fn send_queue(&self) -> usize;
    /// Queues bytes and returns how many there was room for.
    fn send_slice(&mut self, bytes: &[u8]) -> usize;
    /// Ends the sending side when the queue is sent; receiving goes on.
    fn close(&mut self);
    /// Breaks the connection off.
    fn abort(&mut self);
}

/// An HTTP server on `N` sockets.
pub struct Service<const N: usize> {
    config: Config,
    connections: [Connection; N],
    fields: FieldTable,
    /// What the core writes to. Empty between two calls: it goes to the socket at once.
    out: Vec<u8>,
}

impl<const N: usize> Service<N> {
    /// A server with the limits of `config`, such as [`CONFIG`]. Heads and trailer sections are not
    /// allowed to be longer than there: they have to fit into [`INPUT`].
    pub fn new(mut config: Config) -> Self {
        config.max_head_bytes = config.max_head_bytes.min(CONFIG.max_head_bytes);
        config.max_trailer_bytes = config.max_trailer_bytes.min(CONFIG.max_trailer_bytes);
        Self {
            connections: core::array::from_fn(|_| Connection::new(&config)),
            fields: FieldTable::new(&config),
            out: Vec::with_capacity(SEND_ROOM),
            config,
        }
    }

    /// Lets every connection do what it can at the time `now`, in milliseconds since a point that the
    /// caller has chosen. Returns when to call again if nothing comes before.
    pub fn poll<S: Socket>(&mut self, sockets: &mut [S; N], now: u64) -> Option<u64> {
        let at = Instant::from_nanos(now.saturating_mul(1_000_000));
        let mut next: Option<Instant> = None;
        for (connection, socket) in self.connections.iter_mut().zip(sockets) {
            if !socket.is_open() {
                *connection = Connection::new(&self.config);
                socket.listen();
            }
            let due = connection.poll(socket, &mut self.fields, &mut self.out, at);
            next = next.into_iter().chain(due).min();
        }
        next.map(|due| due.as_nanos().div_ceil(1_000_000))
    }
}
