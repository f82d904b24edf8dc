//! A connection while it speaks HTTP.
//!
//! A turn goes through the same steps in the same order, as long as something moves: deadlines,
//! handler and response body, events from the input, flush, close, read. Reading goes on while a
//! handler is at work, so that a client that is gone is noticed; what waits to be written never
//! blocks reading. Every step that cannot go on has arranged for the task to be woken.

mod events;

use core::net::SocketAddr;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::mem;

use sinew_app::{BodyError, ClientWatch, Gone, Service, Upgraded};
use sinew_proto::http1::{CloseAction, Server};
use sinew_proto::{Config, Instant};

use crate::exchange::{Exchange, HIGH_WATER, Progress, Slot};
use crate::scratch::Scratch;
use crate::sending::Given;
use crate::transport::{TURN_BYTES, Transport};
use crate::{Io, OnDisconnect, Phase, Runtime, Serving};

/// Rounds of a turn before other connections of the thread get theirs.
const ROUNDS: usize = 16;

/// Events of a turn before other connections get theirs: a body in chunks of one byte has so many in
/// 24 KiB.
const EVENTS: usize = 4_096;

/// While a response is awaited, at most this much of what follows is taken from the socket.
const READ_AHEAD: usize = 16 * 1024;

/// How long a connection that waits for a request stays open once the server drains: until the
/// runtime has looked at its socket again. A request that had arrived by then is not lost, even if
/// the signal was noticed first.
const LAST_CALL: Duration = Duration::from_millis(10);

/// How long a connection that is to be refused may take to send its request.
const REFUSED_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection whose sending side is ended waits for its client to close, once the server
/// drains: a client on the other side of the world has its answer by then, and most have closed. One
/// that still sends after it may get a reset.
const DRAIN_LINGER: Duration = Duration::from_millis(500);

/// How often a socket that nobody reads from is asked whether it has failed, while a request is at
/// work.
const PROBE: Duration = Duration::from_secs(1);

/// What lasts from turn to turn.
pub(crate) struct Http {
    core: Server,
    pub(crate) peer: Option<SocketAddr>,
    /// The core may have something to say without further input.
    unasked: bool,
    /// There are enough connections: this one's first request is answered with 503.
    refused: bool,
    exchange: Slot,
    /// Tells the handler of the exchange what becomes of its client.
    watch: ClientWatch,
    /// An exchange whose client is gone, and whose handler finishes its work.
    unheard: Option<Box<Exchange>>,
    /// What is written is sent, and then the connection is over: its client has left.
    left: bool,
    /// When the socket is asked whether it has failed.
    probe: Option<Instant>,
    /// How long it lingers, once the server drains.
    linger_until: Option<Instant>,
    drain: Drain,
}

/// How far a connection is with ending, once its server drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drain {
    No,
    /// It waits for a request until then.
    LastCall(Instant),
    /// What is in flight is the last.
    Yes,
}

impl Http {
    pub(crate) fn new(config: &Config, peer: Option<SocketAddr>, refused: bool) -> Self {
        let mut config = config.clone();
        if refused {
            config.idle_timeout = at_most(config.idle_timeout, REFUSED_TIMEOUT);
            config.head_timeout = at_most(config.head_timeout, REFUSED_TIMEOUT);
        }
        Self {
            core: Server::new(&config),
            peer,
            // Its first deadline.
            unasked: true,
            refused,
            exchange: Slot::EMPTY,
            watch: ClientWatch::new(),
            unheard: None,
            left: false,
            probe: None,
            linger_until: None,
            drain: Drain::No,
        }
    }

    /// Since when it waits for a request, if that is all there is to know: another one that
    /// [waits](Self::wait) since then does the same.
    #[inline]
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let Self { unasked, refused, left, drain, probe, linger_until, .. } = *self;
        let waits = !(unasked || refused || left)
            && drain == Drain::No
            && self.exchange.is_none()
            && self.unheard.is_none()
            && probe.is_none()
            && linger_until.is_none();
        if waits { self.core.idle_since() } else { None }
    }

    /// What was left by a connection that was idle serves another one, which has been idle since
    /// then.
    pub(crate) fn wait(&mut self, since: Instant, peer: Option<SocketAddr>) {
        self.core.restart(since);
        self.peer = peer;
    }

    /// Leaves in the scratch what the next request of any connection needs, and this one does not
    /// while it has none.
    pub(crate) fn lend(&mut self, scratch: &mut Scratch) {
        if self.exchange.is_none() {
            self.exchange.lend(&mut scratch.spare_exchange);
            scratch.spare_watch = mem::take(&mut self.watch);
        }
    }

    /// Whether a part of a response is written and the rest is not.
    pub(crate) fn is_sending(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| !exchange.is_handling())
    }

    /// Ends an exchange without its response. A handler that is to finish is kept for that.
    fn give_up(&mut self, why: BodyError, config: OnDisconnect) {
        let Some(mut exchange) = self.exchange.take() else {
            return;
        };
        if let Some(incoming) = exchange.incoming.take() {
            incoming.end(Err(why));
        }
        if config == OnDisconnect::Finish && exchange.is_handling() {
            self.unheard = Some(Box::new(exchange));
        }
        self.watch.settle(Gone::Lost);
    }

    /// The connection is gone.
    pub(crate) fn disconnected(&mut self, config: OnDisconnect) {
        self.give_up(BodyError::Disconnected, config);
    }

    /// `Ready` when nobody is at work whom the client has left.
    #[inline]
    pub(crate) fn poll_unheard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.unheard.is_none() { Poll::Ready(()) } else { self.finish_unheard(cx) }
    }

    #[cold]
    fn finish_unheard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.unheard.as_mut().is_some_and(|exchange| !exchange.poll_unheard(cx)) {
            return Poll::Pending;
        }
        self.unheard = None;
        Poll::Ready(())
    }

    /// The next deadline, of the core or its own.
    #[inline]
    fn due(&self) -> Option<Instant> {
        let mut due = self.core.poll_timeout();
        let last_call = if let Drain::LastCall(until) = self.drain { Some(until) } else { None };
        for own in [last_call, self.probe, self.linger_until].into_iter().flatten() {
            due = Some(due.map_or(own, |due| due.min(own)));
        }
        due
    }
}

/// The lesser of two times, where zero is none.
fn at_most(timeout: Duration, limit: Duration) -> Duration {
    if timeout.is_zero() { limit } else { timeout.min(limit) }
}

/// How a turn ended; it is pending if there is more to do, and the task is woken for that.
pub(crate) enum End {
    /// It waits until then, or for something else.
    Waits(Option<Instant>),
    /// The connection is over.
    Closed,
    /// Another protocol takes over.
    Switched(Box<dyn Upgraded>),
}

/// What a turn works with.
pub(crate) struct Turn<'a, I, R: Runtime, S> {
    pub(crate) http: &'a mut Http,
    pub(crate) transport: &'a mut Transport<I, R>,
    pub(crate) serving: &'a Serving<R, S>,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) now: Instant,
    /// What this turn may still do.
    pub(crate) budget: Budget,
    /// What takes over, once it is known.
    pub(crate) switched: Option<Box<dyn Upgraded>>,
}

/// What a connection may do before others of its thread get their turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    bytes: usize,
    events: usize,
}

impl Budget {
    pub(crate) const NEW: Self = Self { bytes: TURN_BYTES, events: EVENTS };

    fn is_spent(self) -> bool {
        self.bytes == 0 || self.events == 0
    }
}

impl<I: Io, R: Runtime, S: Service> Turn<'_, I, R, S> {
    pub(crate) fn run(mut self, cx: &mut Context<'_>, phase: Phase) -> Poll<End> {
        // The connection may outlast it, and is waited for until it ends.
        let _ = self.http.poll_unheard(cx);
        if self.http.core.poll_timeout().is_some_and(|due| due <= self.now) {
            self.http.unasked = true;
            if self.read_late(cx).is_err() {
                return Poll::Ready(End::Closed);
            }
            if let Err(error) = self.http.core.handle_timeout(self.now) {
                self.reject(error);
            }
            self.http.unasked = true;
        }
        for round in 0..ROUNDS {
            if self.poll_exchange(cx) {
                self.http.unasked = true;
            }
            if phase == Phase::Draining && round == 0 && self.drain(cx).is_err() {
                return Poll::Ready(End::Closed);
            }
            self.process_tail(cx);
            if let Some(protocol) = self.switched.take() {
                return Poll::Ready(End::Switched(protocol));
            }

            let was_high = self.scratch.output.len() >= HIGH_WATER;
            let Ok(more) = self.flush(cx) else {
                return Poll::Ready(End::Closed);
            };
            if more || (was_high && self.scratch.output.len() < HIGH_WATER) {
                continue;
            }
            if self
                .transport
                .close(cx, self.http.core.close_action(), self.scratch.output.is_empty())
                .is_ready()
            {
                return Poll::Ready(End::Closed);
            }
            if (self.http.left && self.scratch.output.is_empty()) || self.has_lingered(phase) {
                return Poll::Ready(End::Closed);
            }
            if self.budget.is_spent() {
                break;
            }
            if self.wants_read(cx) {
                self.http.probe = None;
                match self.read(cx) {
                    Poll::Ready(Ok(())) => continue,
                    Poll::Ready(Err(_)) => return Poll::Ready(End::Closed),
                    Poll::Pending => {}
                }
            } else if self.has_failed() {
                return Poll::Ready(End::Closed);
            }
            // It may have been left in this turn, with news that it has not seen.
            let _ = self.http.poll_unheard(cx);
            return Poll::Ready(End::Waits(self.http.due()));
        }
        // The read of the last round may have been the end of a handshake.
        if let Some(protocol) = self.switched.take() {
            return Poll::Ready(End::Switched(protocol));
        }
        // There is more to do; others first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A deadline has passed. What has arrived in time is not late because nobody has looked.
    fn read_late(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.process_tail(cx);
        // What is left of the tail was in time, too.
        if self.switched.is_none() && !self.budget.is_spent() && self.wants_read(cx) {
            if let Poll::Ready(result) = self.read(cx) {
                result?;
            }
        }
        Ok(())
    }

    /// The server drains: what is in flight is finished; what waits for a request, waits a moment
    /// longer.
    fn drain(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let waits = self.http.exchange.is_none()
            && self.scratch.tail.is_empty()
            && self.http.core.wants_read()
            && self.http.core.close_action() == CloseAction::None;
        match self.http.drain {
            Drain::No if waits => {
                self.http.drain = Drain::LastCall(self.now.saturating_add(LAST_CALL));
                return Ok(());
            }
            Drain::LastCall(until) if waits && self.now < until => return Ok(()),
            // The turn may come late, with the request there by now.
            Drain::LastCall(_) if waits => {
                if let Poll::Ready(result) = self.read(cx) {
                    result?;
                }
            }
            Drain::No | Drain::LastCall(_) | Drain::Yes => {}
        }
        self.begin_last();
        Ok(())
    }

    /// Whether a connection that only waits for its client has done so for long enough. The core has
    /// its own deadline for that; while the server drains, this one is shorter.
    fn has_lingered(&mut self, phase: Phase) -> bool {
        if phase == Phase::Running || !self.transport.is_write_shut() {
            return false;
        }
        let until = self.http.linger_until.get_or_insert(self.now.saturating_add(DRAIN_LINGER));
        *until <= self.now
    }

    /// Whether the connection is lost, while reading would not show it. Asked now and then.
    fn has_failed(&mut self) -> bool {
        let http = &mut *self.http;
        if http.exchange.is_none() {
            http.probe = None;
            return false;
        }
        match http.probe {
            Some(at) if self.now < at => return false,
            Some(_) if self.transport.has_failed() => return true,
            _ => http.probe = Some(self.now.saturating_add(PROBE)),
        }
        false
    }

    /// No request after the one that has begun.
    fn begin_last(&mut self) {
        if self.http.drain != Drain::Yes {
            self.http.drain = Drain::Yes;
            self.http.core.shutdown();
            self.http.unasked = true;
        }
    }

    /// Polls handler and response body. Returns whether the core may have something new to say: the
    /// exchange is over, or the client was told to send its body, whose deadline begins.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(exchange) = self.http.exchange.as_mut() else {
            return false;
        };
        let Serving { handle, number, .. } = self.serving;
        let (number, now) = (*number, self.now);
        let Scratch { output, dates, .. } = &mut *self.scratch;
        let progress = exchange.poll(cx, &mut self.http.core, output, || dates.at(number, now), handle);
        let continued = mem::take(&mut exchange.continued);
        self.follow(progress) || continued
    }

    /// Does what follows from how the exchange stands. Returns whether it is over.
    fn follow(&mut self, progress: Progress) -> bool {
        let mut how = Gone::Answered;
        match progress {
            Progress::Waiting => return false,
            Progress::Complete => {}
            Progress::Broken => {
                self.http.core.abort();
                how = Gone::Lost;
            }
            Progress::Switched(upgrade) => {
                let mut protocol = upgrade.begin(self.now);
                if self.transport.end_of_input {
                    protocol.end_of_input();
                }
                self.switched = Some(protocol);
            }
        }
        self.http.watch.settle(how);
        self.http.exchange.clear();
        true
    }

    /// Writes what waits, and then a piece of the body that is a file. Returns whether there may be
    /// more to write at once.
    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut progress = self.transport.flush(cx, &mut self.scratch.output)?;
        let mut pending = !self.scratch.output.is_empty();
        let given = if pending { None } else { self.give_file(cx) };
        match given {
            Some(Given::Some(_)) => {
                progress = true;
                pending = self.http.exchange.is_some();
            }
            Some(Given::Full) => pending = true,
            // It is not the peer that is waited for.
            Some(Given::Loading | Given::Refused | Given::Short | Given::Gone) | None => {}
        }
        self.http.core.written(progress, pending, self.now);
        Ok(matches!(given, Some(Given::Some(_) | Given::Refused)))
    }

    fn give_file(&mut self, cx: &mut Context<'_>) -> Option<Given> {
        let exchange = self.http.exchange.as_mut()?;
        let io = self.transport.io()?;
        let (given, progress) = exchange.poll_file(cx, io, &mut self.http.core, &self.serving.handle)?;
        if self.follow(progress) {
            self.http.unasked = true;
        }
        Some(given)
    }

    /// Whether to read: the core wants input and somebody takes it; or a response is awaited, and
    /// reading shows whether the client is still there.
    fn wants_read(&mut self, cx: &Context<'_>) -> bool {
        if self.transport.end_of_input {
            return false;
        }
        // Nothing is looked at while so much waits to be sent, so what is read would only pile up.
        let choked = self.scratch.output.len() >= HIGH_WATER;
        if choked {
            self.http.core.hold_body(true, self.now);
        }
        if choked || !self.http.core.wants_read() {
            return self.http.core.close_action() == CloseAction::None
                && self.scratch.tail.len() < READ_AHEAD;
        }
        let Some(exchange) = self.http.exchange.as_mut() else {
            self.http.core.hold_body(false, self.now);
            return true;
        };
        let wanted = match &exchange.incoming {
            // Nobody will read the body. Once the response is complete, the core throws it away.
            None => false,
            Some(incoming) => match incoming.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    // Told when the handler first asks: the moment for `100 Continue`.
                    incoming.watch(cx);
                    true
                }
                Poll::Ready(Err(_)) => {
                    exchange.incoming = None;
                    self.http.core.discard_body();
                    false
                }
                Poll::Pending => false,
            },
        };
        self.http.core.hold_body(!wanted, self.now);
        wanted
    }

    /// The client has ended its side, and is taken to be gone.
    fn leave(&mut self) {
        if self.http.is_sending() {
            self.http.core.abort();
        }
        self.http.left = self.http.exchange.is_some();
        self.http.give_up(BodyError::Disconnected, OnDisconnect::CancelWhenEnded);
    }

    /// One read, and the events in it.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let n = ready!(self.transport.read(cx, self.scratch))?;
        self.budget.bytes = self.budget.bytes.saturating_sub(n);
        if n == 0 {
            self.http.core.end_of_input(self.now);
            self.http.unasked = true;
            if self.serving.config.on_disconnect == OnDisconnect::CancelWhenEnded {
                self.leave();
            } else {
                self.http.watch.ended();
            }
            return Poll::Ready(Ok(()));
        }
        if let Drain::LastCall(_) = self.http.drain {
            // In time, and the last one.
            self.begin_last();
        }
        let end = self.scratch.tail.len() + n;
        let input = mem::take(&mut self.scratch.input);
        let read = input.filled(end);
        let consumed = self.process(read, cx);
        self.scratch.keep(&read.bytes[consumed..]);
        self.scratch.input = input;
        Poll::Ready(Ok(()))
    }
}
