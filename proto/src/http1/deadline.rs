//! The timers of a connection: at most one for what is received and one for what is sent.

use core::time::Duration;

use crate::time::millis;
use crate::{Config, Instant};

/// What the receiving side waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// For nothing that has a deadline: a handler is at work, or the caller holds the body.
    Nothing,
    /// On a server for the first byte of a request, on a client for the next request to be sent.
    Request,
    /// For the rest of a head.
    Head,
    /// For the first byte of a response.
    Response,
    /// For `100 Continue`, or any other answer.
    Continue,
    /// For a body at its least rate.
    Body,
    /// For the peer to close, its last bytes thrown away.
    Linger,
}

/// Which deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    Receive(Waiting),
    Write,
}

/// Durations in milliseconds, to keep a connection small; zero is off.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines {
    head: u32,
    idle: u32,
    grace: u32,
    rate: u32,
    write: u32,
    linger: u32,
    response: u32,
    proceed: u32,
    waiting: Waiting,
    /// When `waiting` began; for a body moved later by the time it was held.
    since: Instant,
    /// Payload bytes since then.
    received: u64,
    /// When the last of them came; moved like `since`.
    last: Instant,
    held: Option<Instant>,
    write_due: Option<Instant>,
}

impl Deadlines {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            head: millis(config.head_timeout),
            idle: millis(config.idle_timeout),
            grace: millis(config.body_grace),
            rate: config.body_min_rate,
            write: millis(config.write_timeout),
            linger: millis(config.linger_timeout),
            response: millis(config.response_timeout),
            proceed: millis(config.continue_timeout),
            waiting: Waiting::Nothing,
            since: Instant::from_nanos(0),
            received: 0,
            last: Instant::from_nanos(0),
            held: None,
            write_due: None,
        }
    }

    /// Waits for `what` from now on, or goes on doing so.
    pub(crate) fn wait(&mut self, what: Waiting, now: Instant) {
        if self.waiting != what {
            self.waiting = what;
            self.since = now;
            self.received = 0;
            self.last = now;
            self.held = None;
        }
    }

    /// Since when a request is waited for, if nothing else is.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let waits = self.waiting == Waiting::Request && self.held.is_none() && self.write_due.is_none();
        waits.then_some(self.since)
    }

    /// A request is waited for since then, and nothing else.
    pub(crate) fn restart(&mut self, since: Instant) {
        self.waiting = Waiting::Request;
        self.since = since;
        self.received = 0;
        self.last = since;
        self.held = None;
        self.write_due = None;
    }

    /// Nothing that is received has a deadline any more.
    pub(crate) fn stop_receiving(&mut self) {
        self.waiting = Waiting::Nothing;
    }

    /// Nothing that is sent has a deadline any more.
    pub(crate) fn stop_sending(&mut self) {
        self.write_due = None;
    }

    /// Payload has arrived.
    pub(crate) fn received(&mut self, bytes: usize, now: Instant) {
        self.received = self.received.saturating_add(bytes as u64);
        self.last = now;
    }

    /// Stops or restarts the clock of a body while the caller does not want more of it.
    pub(crate) fn hold(&mut self, held: bool, now: Instant) {
        match (held, self.held) {
            (true, None) => self.held = Some(now),
            (false, Some(start)) => {
                let pause = now.saturating_since(start.max(self.since));
                self.since = self.since.saturating_add(pause);
                self.last = self.last.saturating_add(pause);
                self.held = None;
            }
            _ => {}
        }
    }

    /// Output waits (`pending`), and the peer has just taken some of it or it is new (`progress`).
    pub(crate) fn written(&mut self, progress: bool, pending: bool, now: Instant) {
        // What begins with the last byte that the peer gets.
        let moves = match self.waiting {
            Waiting::Linger => progress || pending,
            Waiting::Response | Waiting::Continue => progress,
            _ => false,
        };
        if moves {
            self.since = now;
        }
        if !pending || self.write == 0 {
            self.write_due = None;
        } else if progress || self.write_due.is_none() {
            self.write_due = Some(after(now, self.write));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        match (self.receive_due(), self.write_due) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(crate) fn expired(&self, now: Instant) -> Option<Expired> {
        if self.write_due.is_some_and(|due| due <= now) {
            Some(Expired::Write)
        } else if self.receive_due().is_some_and(|due| due <= now) {
            Some(Expired::Receive(self.waiting))
        } else {
            None
        }
    }

    fn receive_due(&self) -> Option<Instant> {
        let timeout = match self.waiting {
            Waiting::Nothing => return None,
            Waiting::Request => self.idle,
            Waiting::Head => self.head,
            Waiting::Linger => self.linger,
            Waiting::Response => self.response,
            Waiting::Continue => self.proceed,
            Waiting::Body if self.held.is_some() || self.rate == 0 => return None,
            Waiting::Body => {
                // The grace, then as long as the bytes so far may take at the least rate.
                let earned =
                    self.received.saturating_mul(1_000).checked_div(u64::from(self.rate)).unwrap_or(u64::MAX);
                let due = after(self.since, self.grace).saturating_add(Duration::from_millis(earned));
                // What came fast does not buy a silence longer than that of an idle connection.
                let silence = after(self.last, self.idle.max(self.grace));
                return Some(if self.idle == 0 { due } else { due.min(silence) });
            }
        };
        (timeout != 0).then(|| after(self.since, timeout))
    }
}

fn after(start: Instant, millis: u32) -> Instant {
    start.saturating_add(Duration::from_millis(u64::from(millis)))
}
