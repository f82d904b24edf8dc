//! The timers of a connection: is the peer there, does it read, does it close.

use core::time::Duration;

use super::Config;
use crate::Instant;
use crate::time::millis;

/// What to do once a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// Ask the peer whether it is there.
    Ping,
    /// It did not answer.
    Pong,
    /// It did not close.
    Close,
    /// It did not read.
    Write,
}

#[derive(Clone, Debug)]
pub(super) struct Deadlines {
    /// Milliseconds; zero is off.
    ping_interval: u32,
    pong_timeout: u32,
    close_timeout: u32,
    write_timeout: u32,
    wait: Wait,
    /// The caller does not read: silence means nothing.
    held: bool,
    /// Since when output waits without a byte being taken.
    stalled: Option<Instant>,
}

/// What is waited for on the receiving side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Anything, since then.
    Anything(Instant),
    /// Anything, after a ping at that time.
    Pong(Instant),
    /// The end, since then.
    Close(Instant),
    Nothing,
}

impl Deadlines {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self {
            ping_interval: millis(config.ping_interval),
            pong_timeout: millis(config.pong_timeout),
            close_timeout: millis(config.close_timeout),
            write_timeout: millis(config.write_timeout),
            wait: Wait::Anything(now),
            held: false,
            stalled: None,
        }
    }

    /// The peer is there.
    #[inline]
    pub(super) fn heard(&mut self, now: Instant) {
        if matches!(self.wait, Wait::Anything(_) | Wait::Pong(_)) {
            self.wait = Wait::Anything(now);
        }
    }

    pub(super) fn hold(&mut self, held: bool, now: Instant) {
        if self.held && !held {
            self.heard(now);
        }
        self.held = held;
    }

    /// From now on the end is waited for; longer if that has begun anew.
    pub(super) fn closing(&mut self, now: Instant) {
        self.wait = Wait::Close(now);
    }

    /// The end has come: nothing more is waited for, but that output is taken.
    pub(super) fn ended(&mut self) {
        self.wait = Wait::Nothing;
    }

    pub(super) fn stop(&mut self) {
        self.wait = Wait::Nothing;
        self.stalled = None;
    }

    pub(super) fn written(&mut self, progress: bool, pending: bool, now: Instant) {
        // A peer that still reads what stands before the close frame cannot have answered it.
        if progress && matches!(self.wait, Wait::Close(_)) {
            self.wait = Wait::Close(now);
        }
        if !pending {
            self.stalled = None;
        } else if progress || self.stalled.is_none() {
            self.stalled = Some(now);
        }
    }

    fn receive(&self) -> Option<(Instant, Expired)> {
        let (since, after, what) = match self.wait {
            Wait::Close(since) => (since, self.close_timeout, Expired::Close),
            Wait::Anything(_) | Wait::Pong(_) if self.held => return None,
            Wait::Anything(since) => (since, self.ping_interval, Expired::Ping),
            Wait::Pong(since) => (since, self.pong_timeout, Expired::Pong),
            Wait::Nothing => return None,
        };
        after_millis(since, after).map(|at| (at, what))
    }

    fn write(&self) -> Option<Instant> {
        self.stalled.and_then(|since| after_millis(since, self.write_timeout))
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        let receive = self.receive().map(|(at, _)| at);
        receive.into_iter().chain(self.write()).min()
    }

    /// One that has passed. After [`Expired::Ping`] the answer is waited for.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Expired> {
        if self.write().is_some_and(|at| at <= now) {
            return Some(Expired::Write);
        }
        let (_, what) = self.receive().filter(|(at, _)| *at <= now)?;
        if what == Expired::Ping {
            self.wait = Wait::Pong(now);
        }
        Some(what)
    }
}

fn after_millis(since: Instant, millis: u32) -> Option<Instant> {
    (millis > 0).then(|| since.saturating_add(Duration::from_millis(u64::from(millis))))
}
