//! The driver: one future that serves one connection.
//!
//! A turn goes through the same steps in the same order, as long as something moves: deadlines,
//! handler and response body, events from the input, flush, close, read. Reading goes on while a
//! handler is at work, so that a client that is gone is noticed; what waits to be written never
//! blocks reading. Every step that cannot go on has arranged for the task to be woken.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use sinew_app::{Body, BodyError, Request, Service, Upgraded};
use sinew_proto::http1::{BodyLength, CloseAction, RequestHead, RequestHeadBuf, Server, server::Kind};
use sinew_proto::{Instant, RecvError};

use crate::exchange::{Exchange, HIGH_WATER, Progress, internal_error};
use crate::scratch::Scratch;
use crate::transport::Transport;
use crate::{Guard, Io, Phase, Rejected, Runtime, Serving, upgraded};

/// Rounds of a turn before other connections of the thread get theirs.
const ROUNDS: usize = 16;

/// While a response is awaited, at most this much of what follows is taken from the socket.
const READ_AHEAD: usize = 16 * 1024;

/// How long a connection that waits for a request stays open once the server drains: until the
/// runtime has looked at its socket again. A request that had arrived by then is not lost, even if
/// the signal was noticed first.
const LAST_CALL: Duration = Duration::from_millis(10);

/// Serves one connection. A future that completes when the connection is closed.
///
/// Made by [`Serving::connection`].
pub struct Connection<I, R: Runtime, S> {
    transport: Transport<I, R>,
    serving: Arc<Serving<R, S>>,
    core: Server,
    peer: Option<SocketAddr>,
    guard: Guard,
    exchange: Option<Box<Exchange>>,
    /// What has taken over.
    upgraded: Option<Box<dyn Upgraded>>,
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

impl<I: Io, R: Runtime, S: Service> Connection<I, R, S> {
    pub(crate) fn new(io: I, serving: Arc<Serving<R, S>>, peer: Option<SocketAddr>, guard: Guard) -> Self {
        Self {
            transport: Transport::new(io, &serving.runtime),
            core: Server::new(&serving.config.http1),
            peer,
            guard,
            exchange: None,
            upgraded: None,
            drain: Drain::No,
            serving,
        }
    }

    /// One turn. `Ready` when the connection is over, for whatever reason.
    fn turn(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<()> {
        let now = self.serving.runtime.now();
        let phase = self.guard.poll_phase(cx);
        if phase == Phase::Aborted {
            return Poll::Ready(());
        }
        if self.upgraded.is_some() {
            return self.turn_upgraded(cx, scratch, phase);
        }
        for round in 0..ROUNDS {
            if let Err(error) = self.core.handle_timeout(now) {
                self.reject(error, scratch);
            }
            self.poll_exchange(cx, scratch, now);
            if phase == Phase::Draining && round == 0 && self.drain(cx, scratch, now).is_err() {
                return Poll::Ready(());
            }
            self.process_tail(cx, scratch, now);
            if self.upgraded.is_some() {
                return self.turn_upgraded(cx, scratch, phase);
            }

            let was_high = self.transport.output.len() >= HIGH_WATER;
            if self.flush(cx, now).is_err() {
                return Poll::Ready(());
            }
            if was_high && self.transport.output.len() < HIGH_WATER {
                continue;
            }
            if self.transport.close(cx, self.core.close_action()).is_ready() {
                return Poll::Ready(());
            }
            if self.wants_read(cx, now) {
                match self.read(cx, scratch, now) {
                    Poll::Ready(Ok(())) => continue,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            let last_call = if let Drain::LastCall(until) = self.drain { Some(until) } else { None };
            let due = self.core.poll_timeout().into_iter().chain(last_call).min();
            if self.transport.poll_timer(cx, due, &self.serving.runtime).is_pending() {
                return Poll::Pending;
            }
            // A deadline has passed since `now`.
            break;
        }
        // There is more to do; others first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The server drains: what is in flight is finished; what waits for a request, waits a moment
    /// longer.
    fn drain(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, now: Instant) -> io::Result<()> {
        let waits = self.exchange.is_none()
            && self.transport.tail.is_empty()
            && self.core.wants_read()
            && self.core.close_action() == CloseAction::None;
        match self.drain {
            Drain::No if waits => {
                self.drain = Drain::LastCall(now.saturating_add(LAST_CALL));
                return Ok(());
            }
            Drain::LastCall(until) if waits && now < until => return Ok(()),
            // The turn may come late, with the request there by now.
            Drain::LastCall(_) if waits => {
                if let Poll::Ready(result) = self.read(cx, scratch, now) {
                    result?;
                }
            }
            Drain::No | Drain::LastCall(_) | Drain::Yes => {}
        }
        self.begin_last();
        Ok(())
    }

    /// No request after the one that has begun.
    fn begin_last(&mut self) {
        if self.drain != Drain::Yes {
            self.drain = Drain::Yes;
            self.core.shutdown();
        }
    }

    /// Feeds what was left over to the core.
    fn process_tail(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, now: Instant) {
        let mut tail = std::mem::take(&mut self.transport.tail);
        let consumed = self.process(&tail, cx, scratch, now);
        if consumed < tail.len() {
            tail.drain(..consumed);
            self.transport.tail = tail;
        }
    }

    /// Feeds input to the core until it wants more, waits for a response, or is closed. Returns how
    /// much was consumed.
    fn process(&mut self, input: &[u8], cx: &mut Context<'_>, scratch: &mut Scratch, now: Instant) -> usize {
        let mut at = 0;
        while self.transport.output.len() < HIGH_WATER {
            let rest = &input[at..];
            let step = match self.core.advance(rest, &mut scratch.table, now) {
                Ok(step) => step,
                Err(error) => {
                    self.reject(error, scratch);
                    continue;
                }
            };
            at += step.consumed;
            match step.event {
                Kind::Request => {
                    let head = RequestHead::new(rest, &scratch.table);
                    self.exchange = Some(Box::new(self.begin(&head, &input[at..])));
                }
                Kind::Data { at, len } => self.deliver(&rest[at..at + len]),
                // Not merged into the head; the application does not see them yet.
                Kind::Trailers => {}
                Kind::End => {
                    if let Some(incoming) =
                        self.exchange.as_mut().and_then(|exchange| exchange.incoming.take())
                    {
                        incoming.end(Ok(()));
                    }
                }
                // The handler is polled only now, with all that has arrived.
                Kind::NeedInput | Kind::Paused => {
                    if !self.poll_exchange(cx, scratch, now) {
                        break;
                    }
                }
                Kind::Upgraded | Kind::Closed => break,
            }
        }
        at
    }

    /// Hands a request to the service. A body that has arrived with its head needs no queue.
    fn begin(&self, head: &RequestHead<'_>, following: &[u8]) -> Exchange {
        let (incoming, body) = match head.body() {
            BodyLength::None | BodyLength::Known(0) => (None, Body::empty()),
            length => {
                let known = if let BodyLength::Known(length) = length { Some(length) } else { None };
                let whole = known.and_then(|length| following.get(..usize::try_from(length).ok()?));
                if let Some(whole) = whole {
                    (None, Body::from(Bytes::copy_from_slice(whole)))
                } else {
                    let (incoming, body) = Body::incoming(known, self.serving.config.body_buffer.0);
                    (Some(incoming), body)
                }
            }
        };
        let mut owned = RequestHeadBuf::new();
        owned.copy_from(head);
        let request = Request::new(owned, body).with_peer(self.peer).with_handle(self.serving.handle.clone());
        let service = &self.serving.service;
        let handler = catch_unwind(AssertUnwindSafe(|| service.call(request)));
        let handler = handler.unwrap_or_else(|_| internal_error().into());
        Exchange::new(handler, incoming)
    }

    /// Gives a piece of the request body to whoever reads it; if nobody does, it is dropped.
    fn deliver(&mut self, piece: &[u8]) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        if let Some(incoming) = &exchange.incoming {
            if incoming.push(Bytes::copy_from_slice(piece)).is_err() {
                exchange.incoming = None;
            }
        }
    }

    /// Polls handler and response body. Returns whether the exchange is over.
    fn poll_exchange(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, now: Instant) -> bool {
        let Some(exchange) = &mut self.exchange else {
            return false;
        };
        let handle = &self.serving.handle;
        let output = &mut self.transport.output;
        match exchange.poll(cx, &mut self.core, output, || scratch.date(), handle) {
            Progress::Waiting => return false,
            Progress::Complete => {}
            Progress::Broken => self.core.abort(),
            Progress::Switched(upgrade) => {
                let mut protocol = upgrade.begin(now);
                if self.transport.end_of_input {
                    protocol.end_of_input();
                }
                self.upgraded = Some(protocol);
            }
        }
        self.exchange = None;
        true
    }

    /// The client is wrong: the handler is dropped, and the client gets the answer to its error if
    /// no other was begun.
    fn reject(&mut self, error: RecvError, scratch: &mut Scratch) {
        if let Some(incoming) = self.exchange.take().and_then(|exchange| exchange.incoming) {
            incoming.end(Err(BodyError::Protocol(error)));
        }
        let answered = self.core.fail(&error, Some(&scratch.date()), self.transport.output.buffer());
        if let Some(on_rejected) = &self.serving.config.on_rejected {
            on_rejected(&Rejected { peer: self.peer, error, answered });
        }
    }

    /// Writes what waits.
    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) -> io::Result<()> {
        let progress = self.transport.flush(cx)?;
        self.core.written(progress, !self.transport.output.is_empty(), now);
        Ok(())
    }

    /// Whether to read: the core wants input and somebody takes it; or a response is awaited, and
    /// reading shows whether the client is still there.
    fn wants_read(&mut self, cx: &Context<'_>, now: Instant) -> bool {
        if self.transport.end_of_input {
            return false;
        }
        if !self.core.wants_read() {
            return self.core.close_action() == CloseAction::None && self.transport.tail.len() < READ_AHEAD;
        }
        let Some(exchange) = &mut self.exchange else {
            self.core.hold_body(false, now);
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
                    false
                }
                Poll::Pending => false,
            },
        };
        self.core.hold_body(!wanted, now);
        wanted
    }

    /// One read, and the events in it.
    fn read(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, now: Instant) -> Poll<io::Result<()>> {
        let n = ready!(self.transport.read(cx, scratch))?;
        if n == 0 {
            self.core.end_of_input(now);
            return Poll::Ready(Ok(()));
        }
        if let Drain::LastCall(_) = self.drain {
            // In time, and the last one.
            self.begin_last();
        }
        let end = self.transport.tail.len() + n;
        let input = std::mem::take(&mut scratch.input);
        let consumed = self.process(&input[..end], cx, scratch, now);
        self.transport.keep(&input[consumed..end]);
        scratch.input = input;
        Poll::Ready(Ok(()))
    }

    /// One turn of what has taken over. What is at work when the connection ends may finish that.
    fn turn_upgraded(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch, phase: Phase) -> Poll<()> {
        let Some(protocol) = &mut self.upgraded else {
            return Poll::Ready(());
        };
        let runtime = &self.serving.runtime;
        if self.transport.is_connected() {
            if phase == Phase::Draining && self.drain != Drain::Yes {
                self.drain = Drain::Yes;
                protocol.drain(runtime.now());
            }
            ready!(upgraded::turn(&mut self.transport, &mut **protocol, runtime, cx, scratch));
            self.transport.disconnect();
            protocol.disconnected();
        }
        upgraded::finish(&mut **protocol, runtime, cx)
    }
}

impl<I: Io, R: Runtime, S: Service> Future for Connection<I, R, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut scratch = Scratch::take(&this.serving.config.http1);
        this.transport.output.lend(&mut scratch.output);
        let result = this.turn(cx, &mut scratch);
        this.transport.output.give_back(&mut scratch.output);
        scratch.give_back();
        result
    }
}
