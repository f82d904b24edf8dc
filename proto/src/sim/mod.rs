//! A simulated network: two connections on a virtual wire and a virtual clock.
//!
//! Nothing here is random that does not follow from a seed, and nothing waits: an hour of timeouts
//! passes in microseconds, and a run that fails can be repeated from its seed. The wire delays, cuts
//! in pieces, stalls, truncates and resets ([`Faults`]); each end is a [`Peer`] that is called when
//! something may have changed. [`ServerPeer`] and [`ClientPeer`] are the loops around
//! [`http1::Server`](crate::http1::Server) and [`http1::Client`](crate::http1::Client), [`Script`]
//! plays bytes that were written by hand. For a loop of your own write a `Peer` around it, and put it
//! on the wire against one of these:
//!
//! ```
//! use core::time::Duration;
//! use sinew_proto::sim::{self, End, Faults, Outcome, Peer, Read, Script, Socket, Wire};
//! use sinew_proto::Instant;
//!
//! /// The loop to be tested: it answers each line with the same line.
//! #[derive(Default)]
//! struct Echo { line: Vec<u8>, out: Vec<u8>, closed: bool }
//!
//! impl Peer for Echo {
//!     fn turn(&mut self, socket: &mut Socket<'_>) {
//!         let mut buffer = [0; 64];
//!         match socket.read(&mut buffer) {
//!             Read::Bytes(len) => self.line.extend_from_slice(&buffer[..len]),
//!             Read::End | Read::Reset => { socket.close(); self.closed = true; }
//!             Read::Blocked => {}
//!         }
//!         while let Some(end) = self.line.iter().position(|&b| b == b'\n') {
//!             self.out.extend(self.line.drain(..=end));
//!         }
//!         if let sim::Write::Taken(len) = socket.write(&self.out) {
//!             self.out.drain(..len);
//!         }
//!     }
//!     fn deadline(&self) -> Option<Instant> { None }
//!     fn is_done(&self) -> bool { self.closed }
//! }
//!
//! for seed in 0..100 {
//!     let mut wire = Wire::new(seed, Faults::gentle());
//!     let mut client = Script::new().bytes(b"one\ntwo\n").pause(Duration::from_secs(1)).bytes(b"three\n").finish();
//!     let mut echo = Echo::default();
//!     let outcome = sim::run(&mut wire, &mut client, &mut echo, Duration::from_secs(60));
//!     assert_eq!((outcome, client.received()), (Outcome::Done, &b"one\ntwo\nthree\n"[..]), "seed {seed}");
//! }
//! ```

mod client;
mod link;
mod message;
mod random;
mod script;
mod server;
mod wire;

use core::time::Duration;

pub use client::{Answer, Ask, ClientPeer};
pub use message::{Body, Fields, Received};
pub use random::Random;
pub use script::Script;
pub use server::{Reply, ServerPeer};
pub use wire::{Cut, CutKind, End, Faults, Read, Socket, Wire, Write};

use crate::Instant;

/// One end of a wire: a loop that is called instead of waiting.
pub trait Peer {
    /// Called when something may have changed: bytes or an end arrived, there is room to write, time
    /// has passed. Does what can be done without waiting, and returns.
    fn turn(&mut self, socket: &mut Socket<'_>);

    /// When to be called at the latest.
    fn deadline(&self) -> Option<Instant>;

    /// Whether it has closed its end, or wants nothing more.
    fn is_done(&self) -> bool;
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both ends are done.
    Done,
    /// Nothing will ever happen again, and an end is not done: it waits for something without a
    /// deadline, or does not act on one that has passed.
    Stuck,
    /// The time limit has passed.
    TimeLimit,
}

/// Turns on one point in time after which a peer counts as stuck.
const MAX_TURNS: u32 = 100_000;

/// Runs two peers on a wire until both are done, for at most `limit` on the clock of the wire.
pub fn run(wire: &mut Wire, a: &mut impl Peer, b: &mut impl Peer, limit: Duration) -> Outcome {
    let end = wire.now().saturating_add(limit);
    let mut turns = 0_u32;
    loop {
        let before = wire.moves();
        a.turn(&mut wire.socket(End::A));
        b.turn(&mut wire.socket(End::B));
        if a.is_done() && b.is_done() {
            return Outcome::Done;
        }
        turns = turns.saturating_add(1);
        if turns > MAX_TURNS {
            return Outcome::Stuck;
        }
        if wire.moves() != before {
            continue;
        }
        let due = [wire.next_change(), a.deadline(), b.deadline()].into_iter().flatten().min();
        match due {
            None => return Outcome::Stuck,
            Some(due) if due > end => return Outcome::TimeLimit,
            // A deadline that a turn has just seen may have been due in this very moment.
            Some(due) if due > wire.now() => {
                turns = 0;
                wire.advance_to(due);
            }
            Some(_) => {}
        }
    }
}
