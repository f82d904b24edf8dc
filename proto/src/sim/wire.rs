//! A virtual wire: two directions of bytes on a virtual clock, with faults that follow from a seed.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::Random;
use crate::Instant;

/// What a wire does to the bytes. The default is a perfect wire: everything arrives at once.
///
/// ```
/// use core::time::Duration;
/// use sinew_proto::sim::{Cut, CutKind, Faults};
/// // The server sees the first 100 bytes, and then the end.
/// let faults = Faults { cut_to_b: Some(Cut { after: 100, kind: CutKind::Truncate }), ..Faults::gentle() };
/// assert_eq!(faults.capacity, Faults::default().capacity);
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    /// Least and greatest time from writing to arrival. Order is kept.
    pub delay: (Duration, Duration),
    /// Bytes arrive in pieces of 1 to this many; 0 for as they were written.
    pub max_piece: usize,
    /// One in so many pieces is held up for [`Self::stall`]; 0 for none.
    pub stall_one_in: u64,
    /// How long a piece is held up.
    pub stall: Duration,
    /// Most bytes on their way in one direction, those included that arrived and were not read. A
    /// write takes no more: that is what pushes back.
    pub capacity: usize,
    /// Where the direction from A to B breaks.
    pub cut_to_b: Option<Cut>,
    /// Where the direction from B to A breaks.
    pub cut_to_a: Option<Cut>,
}

/// A direction breaks when so many bytes were written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many bytes arrive.
    pub after: u64,
    /// What comes then.
    pub kind: CutKind,
}

/// How a direction breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutKind {
    /// The receiver sees the end of the input; what is written later is lost.
    Truncate,
    /// Both sides see a reset; what is on its way is lost.
    Reset,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay: (Duration::ZERO, Duration::ZERO),
            max_piece: 0,
            stall_one_in: 0,
            stall: Duration::ZERO,
            capacity: 64 * 1024,
            cut_to_b: None,
            cut_to_a: None,
        }
    }
}

impl Faults {
    /// Everything arrives, late and in small pieces: up to 50 ms, up to 100 bytes, now and then half
    /// a second later.
    pub fn gentle() -> Self {
        Self {
            delay: (Duration::ZERO, Duration::from_millis(50)),
            max_piece: 100,
            stall_one_in: 50,
            stall: Duration::from_millis(500),
            ..Self::default()
        }
    }
}

/// One end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first end: in the examples the client's.
    A,
    /// The second end.
    B,
}

/// What reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes were put into the buffer; 0 only if it has no room.
    Bytes(usize),
    /// Nothing now.
    Blocked,
    /// The other end will send nothing more.
    End,
    /// The connection is broken; what was on its way is lost.
    Reset,
}

/// What writing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// So many bytes were taken.
    Taken(usize),
    /// There is no room now.
    Blocked,
    /// The connection is broken, or this end has finished.
    Reset,
}

/// A wire with two ends, and its clock.
#[derive(Clone, Debug)]
pub struct Wire {
    to_b: Lane,
    to_a: Lane,
    random: Random,
    faults: Faults,
    now: Instant,
    /// Everything that happened, as a number.
    fingerprint: u64,
    /// How much has happened: to see whether a turn did anything.
    moves: u64,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Lane {
    bytes: VecDeque<u8>,
    /// When pieces arrive, and how many bytes each has. Times never decrease.
    pieces: VecDeque<(Instant, usize)>,
    /// When the last piece arrives.
    latest: Instant,
    cut: Option<Cut>,
    written: u64,
    read: u64,
    /// The sender will write nothing more; arrives at that time.
    end: Option<Instant>,
    /// The connection is broken, seen by the receiver at that time.
    reset: Option<Instant>,
    /// The receiver has closed.
    deaf: bool,
}

impl Wire {
    /// A wire whose faults follow from `seed`.
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            to_b: Lane { cut: faults.cut_to_b, ..Lane::default() },
            to_a: Lane { cut: faults.cut_to_a, ..Lane::default() },
            random: Random::new(seed),
            faults,
            now: Instant::default(),
            fingerprint: seed,
            moves: 0,
        }
    }

    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// A number that tells runs apart: what was written and read, where and when. Two runs from the
    /// same seed have the same.
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many bytes this end has written, those included that were lost.
    pub const fn written_by(&self, end: End) -> u64 {
        match end {
            End::A => self.to_b.written,
            End::B => self.to_a.written,
        }
    }

    /// How many reads, writes and ends had an effect so far.
    pub const fn moves(&self) -> u64 {
        self.moves
    }

    /// One end as a socket.
    pub const fn socket(&mut self, end: End) -> Socket<'_> {
        Socket { wire: self, end }
    }

    /// When the next bytes, the next end or the next reset arrives, after now.
    pub fn next_change(&self) -> Option<Instant> {
        let lane = |lane: &Lane| {
            let piece = lane.pieces.front().map(|(at, _)| *at);
            let waits = if lane.deaf { [lane.reset, None, None] } else { [lane.reset, piece, lane.end] };
            waits.into_iter().flatten().filter(|at| *at > self.now).min()
        };
        [lane(&self.to_a), lane(&self.to_b)].into_iter().flatten().min()
    }

    /// Lets time pass until then.
    pub fn advance_to(&mut self, time: Instant) {
        self.now = self.now.max(time);
    }

    fn note(&mut self, what: u64, how_much: usize) {
        self.moves = self.moves.saturating_add(1);
        for part in [self.now.as_nanos(), what, how_much as u64] {
            self.fingerprint = Random::new(self.fingerprint ^ part).next_u64();
        }
    }

    const fn lanes(&mut self, end: End) -> (&mut Lane, &mut Lane) {
        match end {
            End::A => (&mut self.to_a, &mut self.to_b),
            End::B => (&mut self.to_b, &mut self.to_a),
        }
    }

    /// When something that is sent now arrives.
    fn arrival(&mut self) -> Instant {
        let (least, most) = self.faults.delay;
        self.now.saturating_add(self.random.between(least, most))
    }
}

/// One end of a [`Wire`], with the verbs of a socket that never blocks.
#[derive(Debug)]
pub struct Socket<'w> {
    wire: &'w mut Wire,
    end: End,
}

impl Socket<'_> {
    /// The time.
    pub const fn now(&self) -> Instant {
        self.wire.now
    }

    /// Which end this is.
    pub const fn end(&self) -> End {
        self.end
    }

    /// Reads as much as has arrived and fits.
    pub fn read(&mut self, buffer: &mut [u8]) -> Read {
        let now = self.wire.now;
        let (lane, _) = self.wire.lanes(self.end);
        if lane.reset.is_some_and(|at| at <= now) {
            return Read::Reset;
        }
        let mut len = 0_usize;
        while let Some((_, left)) = lane.pieces.front_mut().filter(|(at, _)| *at <= now) {
            let part = (*left).min(buffer.len().saturating_sub(len));
            *left = left.saturating_sub(part);
            len = len.saturating_add(part);
            if *left > 0 {
                break;
            }
            lane.pieces.pop_front();
        }
        if len == 0 {
            let over = lane.pieces.is_empty() && lane.end.is_some_and(|at| at <= now);
            let full = buffer.is_empty() && lane.pieces.front().is_some_and(|(at, _)| *at <= now);
            return match (over, full) {
                (true, _) => Read::End,
                (false, true) => Read::Bytes(0),
                (false, false) => Read::Blocked,
            };
        }
        for (slot, byte) in buffer.iter_mut().zip(lane.bytes.drain(..len)) {
            *slot = byte;
        }
        lane.read = lane.read.saturating_add(len as u64);
        self.wire.note(self.end as u64, len);
        Read::Bytes(len)
    }

    /// Writes as much as there is room for.
    pub fn write(&mut self, bytes: &[u8]) -> Write {
        let Wire { now, faults, .. } = self.wire;
        let (now, capacity, longest) = (*now, faults.capacity, faults.max_piece);
        let (incoming, lane) = self.wire.lanes(self.end);
        if lane.end.is_some() && lane.cut.is_none_or(|cut| lane.written < cut.after)
            || incoming.reset.is_some_and(|at| at <= now)
        {
            return Write::Reset;
        }
        let taken = bytes.len().min(capacity.saturating_sub(lane.bytes.len()));
        if taken == 0 {
            return if bytes.is_empty() { Write::Taken(0) } else { Write::Blocked };
        }
        let arrives = lane.cut.map_or(taken, |cut| {
            let room = cut.after.saturating_sub(lane.written);
            usize::try_from(room).map_or(taken, |room| room.min(taken))
        });
        let cut = lane.cut.filter(|cut| lane.written.saturating_add(taken as u64) >= cut.after);
        lane.written = lane.written.saturating_add(taken as u64);
        let deaf = lane.deaf;
        let mut rest = bytes.get(..arrives).unwrap_or_default();
        while !rest.is_empty() && !deaf {
            let random = &mut self.wire.random;
            let len = match longest {
                0 => rest.len(),
                longest => usize::try_from(random.below(longest as u64)).unwrap_or(0).saturating_add(1),
            };
            let stalls = self.wire.faults.stall_one_in > 0 && random.chance(1, self.wire.faults.stall_one_in);
            let mut at = self.wire.arrival();
            if stalls {
                at = at.saturating_add(self.wire.faults.stall);
            }
            let (piece, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            let (_, lane) = self.wire.lanes(self.end);
            lane.latest = lane.latest.max(at);
            lane.bytes.extend(piece);
            lane.pieces.push_back((lane.latest, piece.len()));
            rest = after;
        }
        match cut.map(|cut| cut.kind) {
            Some(CutKind::Reset) => self.break_both(),
            Some(CutKind::Truncate) => self.end_outgoing(),
            // Nobody is there any more: that comes back as a reset.
            None if deaf => {
                let at = self.wire.arrival();
                let (incoming, _) = self.wire.lanes(self.end);
                incoming.reset.get_or_insert(at);
            }
            None => {}
        }
        self.wire.note(2_u64.saturating_add(self.end as u64), taken);
        Write::Taken(taken)
    }

    /// Ends this side's output: the other end reads what was written, then the end.
    pub fn finish(&mut self) {
        let (_, lane) = self.wire.lanes(self.end);
        if lane.end.is_none() {
            self.end_outgoing();
            self.wire.note(4_u64.saturating_add(self.end as u64), 0);
        }
    }

    /// Closes this end. If something came that was not read, the other end sees a reset and may lose
    /// what is on its way, as with TCP; else it sees the end.
    pub fn close(&mut self) {
        let (incoming, _) = self.wire.lanes(self.end);
        let unread = !incoming.bytes.is_empty();
        incoming.deaf = true;
        incoming.pieces.clear();
        incoming.bytes.clear();
        if unread {
            self.reset();
        } else {
            self.finish();
        }
    }

    /// Breaks the connection: the other end sees a reset, and what is on its way is lost.
    pub fn reset(&mut self) {
        let at = self.wire.arrival();
        let (incoming, outgoing) = self.wire.lanes(self.end);
        incoming.deaf = true;
        incoming.pieces.clear();
        incoming.bytes.clear();
        if outgoing.reset.is_none() {
            outgoing.reset = Some(at);
            self.wire.note(6_u64.saturating_add(self.end as u64), 0);
        }
    }

    fn end_outgoing(&mut self) {
        let at = self.wire.arrival();
        let (_, lane) = self.wire.lanes(self.end);
        let at = at.max(lane.latest);
        lane.end.get_or_insert(at);
    }

    fn break_both(&mut self) {
        let at = self.wire.arrival();
        let (incoming, outgoing) = self.wire.lanes(self.end);
        let at = at.max(outgoing.latest);
        incoming.reset.get_or_insert(at);
        outgoing.reset.get_or_insert(at);
    }
}
