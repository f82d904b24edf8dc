//! From bytes to requests: what the core finds in the input, and who gets it.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use sinew_app::{Body, BodyError, Disconnect, Gone, Incoming, Request, Response, Service, StatusCode};
use sinew_proto::RecvError;
use sinew_proto::http1::{BodyLength, RequestHead, server::Kind};

use super::Turn;
use crate::exchange::{self, Exchange, HIGH_WATER, Progress, internal_error};
use crate::input::Input;
use crate::scratch::Scratch;
use crate::{Io, Rejected, Runtime, Serving};

impl<I: Io, R: Runtime, S: Service> Turn<'_, I, R, S> {
    /// Feeds what was left over to the core.
    pub(super) fn process_tail(&mut self, cx: &mut Context<'_>) {
        if self.scratch.tail.is_empty() && !self.http.unasked {
            debug_assert!(self.has_nothing_to_say(), "a deadline or an end is missed");
            return;
        }
        let mut tail = mem::take(&mut self.scratch.tail);
        let consumed = self.process(Input::from(&tail[..]), cx);
        tail.drain(..consumed);
        self.scratch.tail = tail;
    }

    /// Whether the core would say nothing new, and change nothing, if it were asked.
    fn has_nothing_to_say(&mut self) -> bool {
        let mut asked = self.http.core.clone();
        let step = asked.advance(&[], &mut self.scratch.table, self.now);
        let core = &self.http.core;
        step.is_ok_and(|step| !matches!(step.event, Kind::Request | Kind::Data { .. } | Kind::End))
            && asked.poll_timeout() == core.poll_timeout()
            && asked.close_action() == core.close_action()
            && asked.wants_read() == core.wants_read()
    }

    /// Feeds input to the core until it wants more, waits for a response, or is closed. Returns how
    /// much was consumed.
    pub(super) fn process(&mut self, input: Input<'_>, cx: &mut Context<'_>) -> usize {
        let mut at = 0;
        // The pieces of a body that stand in one read are handed on as one.
        let mut pieces = Pieces::default();
        // The handler was polled when its request was there, and nothing has happened since.
        let mut polled = false;
        self.http.unasked = true;
        while self.scratch.output.len() < HIGH_WATER && self.budget.events > 0 {
            self.budget.events -= 1;
            let rest = &input.bytes[at..];
            let step = match self.http.core.advance(rest, &mut self.scratch.table, self.now) {
                Ok(step) => step,
                Err(error) => {
                    // A handler that finishes whatever its client does gets what came before.
                    self.deliver(&mut pieces);
                    self.reject(error);
                    continue;
                }
            };
            let from = at;
            at += step.consumed;
            if let Kind::Data { at, len } = step.event {
                if self.http.exchange.as_ref().is_some_and(|exchange| exchange.incoming.is_some()) {
                    pieces.add(input, from + at, len);
                }
                continue;
            }
            if !pieces.is_empty() {
                self.deliver(&mut pieces);
            }
            match step.event {
                Kind::Request => {
                    let disconnect = self.watch();
                    let head = RequestHead::new(rest, &self.scratch.table);
                    let (request, incoming) = self.receive(&head, input, at, disconnect);
                    if !request.body().is_empty() && incoming.is_none() {
                        at = self.pass_over_body(input.bytes, at);
                    }
                    polled = self.begin(request, incoming, cx);
                }
                Kind::Data { .. } => {}
                // Not merged into the head (RFC 9110 §6.5.1).
                Kind::Trailers => {
                    if let Some(incoming) = self.http.exchange.as_ref().and_then(|e| e.incoming.as_ref()) {
                        incoming.set_trailers(self.scratch.table.trailers(rest));
                    }
                }
                Kind::End => {
                    if let Some(incoming) =
                        self.http.exchange.as_mut().and_then(|exchange| exchange.incoming.take())
                    {
                        incoming.end(Ok(()));
                    }
                }
                // A handler whose body was still to come is polled only now, with all that has arrived.
                Kind::NeedInput | Kind::Paused => {
                    if mem::take(&mut polled) || !self.poll_exchange(cx) {
                        self.http.unasked = false;
                        break;
                    }
                }
                Kind::Upgraded | Kind::Closed => {
                    self.http.unasked = false;
                    break;
                }
            }
        }
        if !pieces.is_empty() {
            self.deliver(&mut pieces);
        }
        at
    }

    /// What tells a request that its client is gone.
    fn watch(&mut self) -> Disconnect {
        if self.http.watch.is_new() {
            self.http.watch = mem::take(&mut self.scratch.spare_watch);
        }
        let disconnect = self.http.watch.begin();
        if self.transport.end_of_input {
            self.http.watch.ended();
        }
        disconnect
    }

    /// The request with what is known of its client, and where the rest of its body goes. A body that
    /// stands whole in the input, from `at` on, needs no queue.
    fn receive(
        &self,
        head: &RequestHead<'_>,
        input: Input<'_>,
        at: usize,
        disconnect: Disconnect,
    ) -> (Request, Option<Incoming>) {
        let (incoming, body) = match head.body() {
            BodyLength::None | BodyLength::Known(0) => (None, Body::empty()),
            length => {
                let known = if let BodyLength::Known(length) = length { Some(length) } else { None };
                let end = known.and_then(|length| at.checked_add(usize::try_from(length).ok()?));
                if let Some(end) = end.filter(|end| *end <= input.bytes.len()) {
                    (None, Body::from(input.whole(at..end)))
                } else {
                    let (incoming, body) = Body::incoming(known, self.serving.config.body_buffer.0);
                    (Some(incoming), body)
                }
            }
        };
        let handle = self.serving.handle.clone();
        (Request::received(head, body, self.http.peer, handle, disconnect), incoming)
    }

    /// Tells the core of a body that the handler has whole, from `at` on. Returns where it ends.
    fn pass_over_body(&mut self, input: &[u8], mut at: usize) -> usize {
        while let Ok(step) = self.http.core.advance(&input[at..], &mut self.scratch.table, self.now) {
            at += step.consumed;
            if !matches!(step.event, Kind::Data { .. }) {
                break;
            }
        }
        at
    }

    /// Hands a request to the service. If all of it has arrived, its handler is polled, and most often
    /// answers, at once. Returns whether it was polled and has not answered.
    fn begin(&mut self, request: Request, incoming: Option<Incoming>, cx: &mut Context<'_>) -> bool {
        let at_once = incoming.is_none();
        let Serving { service, handle, .. } = self.serving;
        let response = if self.http.refused {
            self.http.core.shutdown();
            Ok(overloaded())
        } else {
            self.serving.counters.requests.add_one();
            let call = || {
                let mut answer = service.call(request);
                match at_once.then(|| Pin::new(&mut answer).poll(cx)) {
                    Some(Poll::Ready(response)) => Ok(response),
                    Some(Poll::Pending) | None => Err(answer),
                }
            };
            catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Ok(internal_error()))
        };
        let Scratch { output, dates, spare_exchange, .. } = &mut *self.scratch;
        let answer = match response {
            Ok(response) if at_once => {
                let date = dates.at(self.serving.number, self.now);
                match exchange::answer(response, &mut self.http.core, output, date, handle) {
                    Err(Progress::Complete) => self.http.watch.settle(Gone::Answered),
                    Err(progress) => _ = self.follow(progress),
                    Ok(body) => self.http.exchange.fill(Exchange::sending(body), spare_exchange),
                }
                return false;
            }
            Ok(response) => response.into(),
            Err(answer) => answer,
        };
        self.http.exchange.fill(Exchange::new(answer, incoming), spare_exchange);
        at_once
    }

    /// Gives pieces of the request body to whoever reads it; if nobody does, they are dropped.
    fn deliver(&mut self, pieces: &mut Pieces) {
        let piece = pieces.take();
        let Some(exchange) = self.http.exchange.as_mut() else {
            return;
        };
        if let Some(incoming) = &exchange.incoming {
            if incoming.push(piece).is_err() {
                exchange.incoming = None;
                self.http.core.discard_body();
            }
        }
    }

    /// The client is wrong: its request is given up, and it gets the answer to its error if no other
    /// was begun.
    pub(super) fn reject(&mut self, error: RecvError) {
        self.http.give_up(BodyError::Protocol(error), self.serving.config.on_disconnect);
        let Scratch { output, dates, .. } = &mut *self.scratch;
        let answered =
            self.http.core.fail(&error, Some(dates.at(self.serving.number, self.now)), output.buffer());
        self.serving.counters.rejected.add_one();
        if let Some(on_rejected) = &self.serving.config.on_rejected {
            on_rejected(&Rejected { peer: self.http.peer, error, answered });
        }
    }
}

/// What was found of a request body and not handed on: one piece, which may be lent, or a copy of several.
#[derive(Default)]
struct Pieces {
    one: Bytes,
    several: Vec<u8>,
}

impl Pieces {
    /// One more piece, of `len` bytes of the input from `at` on.
    fn add(&mut self, input: Input<'_>, at: usize, len: usize) {
        if self.is_empty() {
            self.one = input.part(at..at + len);
            return;
        }
        self.several.extend_from_slice(&mem::take(&mut self.one));
        self.several.extend_from_slice(&input.bytes[at..at + len]);
    }

    fn is_empty(&self) -> bool {
        self.one.is_empty() && self.several.is_empty()
    }

    /// All of them as one.
    fn take(&mut self) -> Bytes {
        if self.several.is_empty() { mem::take(&mut self.one) } else { mem::take(&mut self.several).into() }
    }
}

/// The answer to a request for which there is no room.
fn overloaded() -> Response {
    let mut response = Response::new(StatusCode::SERVICE_UNAVAILABLE, "503 Service Unavailable\n");
    let added = response.headers_mut().append("retry-after", "1");
    debug_assert!(added.is_ok());
    response
}
