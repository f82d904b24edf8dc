//! One request on its way to its response.
//!
//! Invariant: there is an exchange from the event `Request` until its response is written in full,
//! or the connection gives up.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use sinew_app::{Body, Handle, Incoming, Response, ResponseFuture, StatusCode, Upgrade};
use sinew_proto::http1::{BodyMode, BodyPlan, ResponseHead, Server};
use sinew_proto::{HttpDate, SendError, SendQueue};

use crate::Io;
use crate::sending::{Given, Sending};

/// While this much output waits, no more of a response body is asked for, and no further request is
/// looked at.
pub(crate) const HIGH_WATER: usize = 256 * 1024;

pub(crate) struct Exchange {
    answer: Answer,
    /// Where the rest of the request body goes, while somebody may read it.
    pub(crate) incoming: Option<Incoming>,
    /// `100 Continue` was written, and nobody has taken note of it.
    pub(crate) continued: bool,
    sending: Sending,
}

/// The place of an exchange. Its memory goes from one connection of a thread to the next: one that waits
/// for a request has none.
pub(crate) struct Slot(Option<Box<Option<Exchange>>>);

impl Slot {
    pub(crate) const EMPTY: Self = Self(None);

    pub(crate) fn fill(&mut self, exchange: Exchange, spare: &mut Slot) {
        if self.0.is_none() {
            self.0 = spare.0.take();
        }
        **self.0.get_or_insert_default() = Some(exchange);
    }

    /// Drops the exchange and keeps its memory.
    pub(crate) fn clear(&mut self) {
        if let Some(slot) = &mut self.0 {
            **slot = None;
        }
    }

    /// Leaves the memory of a slot that is empty in `spare`.
    pub(crate) fn lend(&mut self, spare: &mut Slot) {
        if self.0.is_some() {
            *spare = Self(self.0.take());
        }
    }

    pub(crate) fn take(&mut self) -> Option<Exchange> {
        self.0.take().and_then(|slot| *slot)
    }

    pub(crate) fn as_ref(&self) -> Option<&Exchange> {
        self.0.as_deref()?.as_ref()
    }

    pub(crate) fn as_mut(&mut self) -> Option<&mut Exchange> {
        self.0.as_deref_mut()?.as_mut()
    }

    pub(crate) fn is_some(&self) -> bool {
        self.as_ref().is_some()
    }

    pub(crate) fn is_none(&self) -> bool {
        !self.is_some()
    }
}

enum Answer {
    Handling(ResponseFuture),
    Sending(Body),
}

/// How an exchange stands after it was polled.
#[derive(Debug)]
pub(crate) enum Progress {
    /// It waits for the handler, for the response body, or for room in the output.
    Waiting,
    /// The response is written.
    Complete,
    /// The response cannot be completed: the connection has to be broken off.
    Broken,
    /// The response is written, and another protocol takes over.
    Switched(Upgrade),
}

impl Exchange {
    pub(crate) fn new(handler: ResponseFuture, incoming: Option<Incoming>) -> Self {
        Self { answer: Answer::Handling(handler), incoming, continued: false, sending: Sending::default() }
    }

    /// One whose head is written, and whose request is complete.
    pub(crate) fn sending(body: Body) -> Self {
        Self { answer: Answer::Sending(body), incoming: None, continued: false, sending: Sending::default() }
    }

    /// Whether the handler is at work: nothing of the response is written.
    pub(crate) fn is_handling(&self) -> bool {
        matches!(self.answer, Answer::Handling(_))
    }

    /// Polls the handler alone, for a response that nobody will get. Returns whether it has ended.
    pub(crate) fn poll_unheard(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.answer {
            Answer::Handling(handler) => catch_unwind(AssertUnwindSafe(|| Pin::new(handler).poll(cx)))
                .map_or(true, |polled| polled.is_ready()),
            Answer::Sending(_) => true,
        }
    }

    /// Goes as far as possible. A panic of the handler is a 500, one of a body breaks off.
    pub(crate) fn poll<'d>(
        &mut self,
        cx: &mut Context<'_>,
        core: &mut Server,
        output: &mut SendQueue<Bytes>,
        date: impl FnOnce() -> &'d HttpDate,
        handle: &Handle,
    ) -> Progress {
        if let Answer::Handling(handler) = &mut self.answer {
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(handler).poll(cx)));
            let response = match polled {
                Ok(Poll::Pending) => {
                    if self.incoming.as_ref().is_some_and(Incoming::is_wanted) {
                        self.continued = core.send_continue(output.buffer());
                    }
                    return Progress::Waiting;
                }
                Ok(Poll::Ready(response)) => response,
                Err(_) => internal_error(),
            };
            // Whoever holds the request body now will read it, perhaps as the response's own body:
            // the last moment to ask for it.
            match &self.incoming {
                Some(incoming) if incoming.is_closed() => core.discard_body(),
                Some(_) => self.continued = core.send_continue(output.buffer()),
                None => {}
            }
            match answer(response, core, output, date(), handle) {
                Ok(body) => self.answer = Answer::Sending(body),
                Err(progress) => return progress,
            }
        }
        let Answer::Sending(body) = &mut self.answer else {
            return Progress::Waiting;
        };
        let sent = catch_unwind(AssertUnwindSafe(|| send(body, &self.sending, cx, core, output)));
        sent.unwrap_or(Progress::Broken)
    }

    /// Gives the socket a piece of the body, if that is a file. To be called when nothing else waits
    /// to be written. `None`: there is no file to give, or none that the socket takes.
    pub(crate) fn poll_file<I: Io>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
        core: &mut Server,
        handle: &Handle,
    ) -> Option<(Given, Progress)> {
        let Answer::Sending(body) = &mut self.answer else {
            return None;
        };
        let file = body.as_file().filter(|_| self.sending.may_be_given())?;
        let given = self.sending.poll(cx, io, file, handle);
        let progress = match given {
            Given::Some(n) => {
                let last = file.remaining() == 0;
                match core.frame_data(n, last) {
                    Ok(_) if last => Progress::Complete,
                    Ok(_) => Progress::Waiting,
                    Err(_) => Progress::Broken,
                }
            }
            Given::Full | Given::Loading | Given::Refused => Progress::Waiting,
            Given::Short | Given::Gone => Progress::Broken,
        };
        Some((given, progress))
    }
}

pub(crate) fn internal_error() -> Response {
    Response::new(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error\n")
}

/// Writes the head, and the body if it is there already. `Ok` is a body still to be sent.
pub(crate) fn answer(
    mut response: Response,
    core: &mut Server,
    output: &mut SendQueue<Bytes>,
    date: &HttpDate,
    handle: &Handle,
) -> Result<Body, Progress> {
    let upgrade = response.take_upgrade();
    let plan = match response.body().exact_len() {
        _ if upgrade.is_some() => BodyPlan::Upgrade,
        Some(0) => BodyPlan::Empty,
        Some(length) => BodyPlan::Length(length),
        None => BodyPlan::Streamed,
    };
    let head = ResponseHead { status: response.status(), fields: Some(response.headers()), date: Some(date) };
    let mode = if let Ok(mode) = core.respond(&head, plan, output.buffer()) {
        mode
    } else {
        // The application contradicts itself, in its framing fields or its status.
        response = internal_error();
        let head = ResponseHead { date: Some(date), ..ResponseHead::new(response.status()) };
        let plan = BodyPlan::Length(response.body().exact_len().unwrap_or(0));
        core.respond(&head, plan, output.buffer()).map_err(|_| Progress::Broken)?
    };
    match (mode, upgrade) {
        (BodyMode::Upgraded, Some(upgrade)) => return Err(Progress::Switched(upgrade)),
        (BodyMode::None, _) => return Err(Progress::Complete),
        _ => {}
    }
    // Not before it is needed: a copy of what was just written would have to wait for it.
    match response.take_body().into_full() {
        // Of a length that was told: nothing stands around it.
        Ok(bytes) => match core.frame_data(bytes.len() as u64, true) {
            Ok(_) => {
                output.push(bytes);
                Err(Progress::Complete)
            }
            Err(_) => Err(Progress::Broken),
        },
        Err(mut body) => {
            body.attach(handle);
            Ok(body)
        }
    }
}

/// Moves pieces of the body to the output until one side has to wait. A file that the socket may take
/// stays where it is. Panics if the body does.
fn send(
    body: &mut Body,
    sending: &Sending,
    cx: &mut Context<'_>,
    core: &mut Server,
    output: &mut SendQueue<Bytes>,
) -> Progress {
    while output.len() < HIGH_WATER {
        if sending.may_be_given() && body.as_file().is_some() {
            return Progress::Waiting;
        }
        // Looked at where it lies: a copy of what was just written would have to wait for it.
        let mut next = body.poll_chunk(cx);
        match &mut next {
            Poll::Pending => return Progress::Waiting,
            Poll::Ready(Some(Ok(piece))) => {
                let last = body.exact_len() == Some(0);
                if push(piece, last, core, output).is_err() {
                    // It does not fit the length that was announced.
                    return Progress::Broken;
                }
                if last {
                    return Progress::Complete;
                }
            }
            Poll::Ready(None) => {
                return match core.finish(None, output.buffer()) {
                    Ok(()) => Progress::Complete,
                    Err(_) => Progress::Broken,
                };
            }
            Poll::Ready(Some(Err(_))) => return Progress::Broken,
        }
    }
    Progress::Waiting
}

/// Frames a piece and puts it into the output: a small one is copied, a large one taken.
#[inline]
fn push(
    piece: &mut Bytes,
    last: bool,
    core: &mut Server,
    output: &mut SendQueue<Bytes>,
) -> Result<(), SendError> {
    if piece.len() <= SendQueue::<Bytes>::COPY_LIMIT {
        return core.write_data(piece, last, output.buffer());
    }
    let framing = core.frame_data(piece.len() as u64, last)?;
    output.buffer().extend_from_slice(framing.prefix());
    output.push(mem::take(piece));
    output.buffer().extend_from_slice(framing.suffix());
    Ok(())
}
