//! A connection that speaks WebSocket: what the driver turns, and what handlers hold on to.
//!
//! Both meet in [`State`]. While the driver polls the handler, the input lies there, so that a handler
//! takes its messages straight out of what was read, and what it sends goes into the one buffer that
//! is written at the end of the turn. Other tasks and threads get their messages from a queue that the
//! driver fills, a bounded number of bytes ahead.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sinew_proto::http1::CloseAction;
use sinew_proto::websocket::{CloseCode, Connection, Event, MessageKind, ProtocolError};
use sinew_proto::{Instant, SendQueue};

use super::{CloseReason, Message, WebSocketError};
use crate::upgrade::{Received, Upgraded};

/// Messages that nobody has asked for yet are read up to this many bytes, so that pings and close
/// frames behind them are seen.
const READ_AHEAD: usize = 64 * 1024;

/// What a queued message takes next to its payload, about.
const MESSAGE_COST: usize = 64;

/// While more than this waits to be written, of several pings only the last is answered.
const PONG_LIMIT: usize = 16 * 1024;

/// How much a receiver takes at a time, if it is there.
const BATCH: usize = 6;
const BATCH_BYTES: usize = 16 * 1024;

thread_local! {
    /// The turn that this thread is in.
    static TURN: RefCell<Turn> = const { RefCell::new(Turn { of: 0, room: 0, output: Vec::new() }) };
}

/// Where the handler writes while it is polled by its driver: the output of that turn, which needs no
/// lock. Only for frames that say nothing about what was sent before, and while all goes well; anything
/// else goes through the [`State`].
struct Turn {
    /// The address of the [`Shared`] of that connection; zero if there is none.
    of: usize,
    /// How many bytes may be sent yet.
    room: usize,
    output: Vec<u8>,
}

impl Turn {
    /// Writes a message, if this is the turn of that connection.
    #[inline]
    fn write(of: usize, message: &Message) -> bool {
        TURN.with_borrow_mut(|turn| {
            if turn.of != of || message.len() > SendQueue::<Bytes>::COPY_LIMIT || turn.room == 0 {
                return false;
            }
            turn.room = turn.room.saturating_sub(message.len() + MAX_HEADER);
            message.as_proto().write_plain(&mut turn.output);
            true
        })
    }

    /// Ends the turn of that connection, if it has one, and leaves its output to the state.
    fn end(of: usize, state: &mut State) {
        TURN.with_borrow_mut(|turn| {
            if turn.of == of {
                turn.of = 0;
                if state.output.is_empty() {
                    mem::swap(state.output.buffer(), &mut turn.output);
                } else {
                    state.output.buffer().append(&mut turn.output);
                }
            }
        });
    }
}

/// The longest header of a server's frame.
const MAX_HEADER: usize = 10;

pub(super) type Handler = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What handles and driver share.
pub(super) struct Shared(Mutex<State>);

pub(super) struct State {
    core: Connection,
    /// What the driver has read, from `start` to `end`; empty but in its turn.
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// What the driver is to write next.
    output: SendQueue<Bytes>,
    /// What it has taken and not written.
    unsent: usize,
    send_limit: usize,
    /// Whether large payloads are sent as they lie in memory.
    lends: bool,
    now: Instant,
    /// The driver is in its turn: it need not be woken.
    in_turn: bool,
    /// Messages that were read and not asked for.
    ready: VecDeque<Message>,
    ready_bytes: usize,
    end_of_input: bool,
    /// Nothing more comes.
    over: bool,
    /// The peer has sent a close frame, with a reason or without one.
    peer_closed: bool,
    peer_close: Option<CloseReason>,
    /// Told once to who receives, and to everybody who sends.
    error: Option<WebSocketError>,
    error_told: bool,
    /// A close frame to be sent after what was sent before.
    close_request: Option<CloseReason>,
    receiver_gone: bool,
    senders: usize,
    receiver: Option<Waker>,
    waiting_senders: Vec<Waker>,
    /// Who waits until everything is written.
    flushing: Vec<Waker>,
    driver: Option<Waker>,
}

impl Shared {
    pub(super) fn new(core: Connection, lends: bool, send_limit: usize, now: Instant) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            core,
            input: Vec::new(),
            start: 0,
            end: 0,
            output: SendQueue::new(),
            unsent: 0,
            send_limit: send_limit.max(1),
            lends,
            now,
            in_turn: false,
            ready: VecDeque::new(),
            ready_bytes: 0,
            end_of_input: false,
            over: false,
            peer_closed: false,
            peer_close: None,
            error: None,
            error_told: false,
            close_request: None,
            receiver_gone: false,
            senders: 1,
            receiver: None,
            waiting_senders: Vec::new(),
            flushing: Vec::new(),
            driver: None,
        })))
    }

    /// What tells it from others.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message; more of them, if they are there, go to `taken`. `None` at the end.
    pub(super) fn poll_recv(
        &self,
        taken: &mut VecDeque<Message>,
        cx: &Context<'_>,
    ) -> Poll<Result<Option<Message>, WebSocketError>> {
        let mut state = self.lock();
        if state.ready.is_empty() && state.start < state.end {
            let first = state.next_message();
            if first.is_some() {
                state.take_batch(taken);
                return Poll::Ready(Ok(first));
            }
        }
        if let Some(message) = state.ready.pop_front() {
            mem::swap(&mut state.ready, taken);
            let was_full = state.is_full();
            state.ready_bytes = 0;
            let driver = if was_full { state.driver_to_wake() } else { None };
            drop(state);
            wake(driver);
            return Poll::Ready(Ok(Some(message)));
        }
        if state.over {
            let error = if state.error_told { None } else { state.error };
            state.error_told = true;
            return Poll::Ready(error.map_or(Ok(None), Err));
        }
        remember(&mut state.receiver, cx);
        Poll::Pending
    }

    /// Sends a message, once there is room.
    #[inline]
    pub(super) fn poll_send(&self, message: &Message, cx: &Context<'_>) -> Poll<Result<(), WebSocketError>> {
        if Turn::write(self.address(), message) {
            return Poll::Ready(Ok(()));
        }
        self.poll_send_locked(message, cx)
    }

    fn poll_send_locked(&self, message: &Message, cx: &Context<'_>) -> Poll<Result<(), WebSocketError>> {
        let mut state = self.lock();
        Turn::end(self.address(), &mut state);
        state.may_send()?;
        if state.output.len() + state.unsent >= state.send_limit {
            remember_one_more(&mut state.waiting_senders, cx);
            return Poll::Pending;
        }
        state.write(message)?;
        let driver = state.driver_to_wake();
        drop(state);
        wake(driver);
        Poll::Ready(Ok(()))
    }

    /// Ready when everything is written.
    pub(super) fn poll_flush(&self, cx: &Context<'_>) -> Poll<Result<(), WebSocketError>> {
        let mut state = self.lock();
        Turn::end(self.address(), &mut state);
        if let Some(error) = state.error {
            return Poll::Ready(Err(error));
        }
        if state.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        remember_one_more(&mut state.flushing, cx);
        Poll::Pending
    }

    pub(super) fn close(&self, reason: CloseReason) -> Result<(), WebSocketError> {
        if !reason.code.is_sendable() || reason.reason.len() > CloseReason::MAX_BYTES {
            return Err(WebSocketError::InvalidClose);
        }
        let mut state = self.lock();
        Turn::end(self.address(), &mut state);
        state.may_send()?;
        state.close_request = Some(reason);
        let driver = state.driver_to_wake();
        drop(state);
        wake(driver);
        Ok(())
    }

    /// Closes for a reason that goes before the one of a socket which was dropped.
    pub(super) fn close_with(&self, reason: CloseReason) {
        let mut state = self.lock();
        if state.core.can_send() {
            state.close_request = Some(reason);
        }
    }

    pub(super) fn peer_close(&self) -> Option<CloseReason> {
        self.lock().peer_close.clone()
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().may_send().is_ok()
    }

    pub(super) fn add_sender(&self) {
        self.lock().senders += 1;
    }

    pub(super) fn drop_sender(&self) {
        let mut state = self.lock();
        state.senders -= 1;
        let driver = state.handle_gone();
        drop(state);
        wake(driver);
    }

    pub(super) fn drop_receiver(&self) {
        let mut state = self.lock();
        state.receiver_gone = true;
        state.receiver = None;
        state.ready_bytes = 0;
        let ready = mem::take(&mut state.ready);
        let driver = state.handle_gone().or_else(|| state.driver_to_wake());
        drop(state);
        drop(ready);
        wake(driver);
    }
}

impl State {
    /// The next message in the input, and what comes before it.
    fn next_message(&mut self) -> Option<Message> {
        loop {
            let input = self.input.get_mut(self.start..self.end).unwrap_or_default();
            let step = match self.core.poll(input, self.now) {
                Ok(step) => step,
                Err(error) => {
                    self.fail(error);
                    continue;
                }
            };
            self.start += step.consumed;
            match step.event {
                Event::Binary(Cow::Borrowed(bytes)) => {
                    return Some(Message::Binary(Bytes::copy_from_slice(bytes)));
                }
                Event::Binary(Cow::Owned(bytes)) => return Some(Message::Binary(bytes.into())),
                Event::Text(text) => return Some(Message::Text(text.into_owned().into())),
                Event::Ping(_) => {
                    if self.output.len() + self.unsent < PONG_LIMIT {
                        self.core.write_control(self.now, self.output.buffer());
                    }
                }
                Event::Close(frame) => {
                    self.peer_closed = true;
                    self.peer_close = frame.map(Into::into);
                }
                // Pieces are asked for by a configuration that is not used here.
                Event::Pong(_) | Event::Piece { .. } => {}
                Event::NeedInput => return None,
                Event::Closed => {
                    self.over = true;
                    return None;
                }
            }
        }
    }

    /// Takes what follows in the input, a few messages with one lock. Not beyond a control frame: a
    /// close frame ends sending, and what came before it may still be answered.
    fn take_batch(&mut self, taken: &mut VecDeque<Message>) {
        let mut bytes = 0;
        let data = |state: &Self| state.input[..state.end].get(state.start).is_some_and(|byte| byte & 8 == 0);
        while data(self) && taken.len() < BATCH && bytes < BATCH_BYTES {
            let Some(message) = self.next_message() else {
                break;
            };
            bytes += message.len();
            taken.push_back(message);
        }
    }

    fn fail(&mut self, error: ProtocolError) {
        self.error.get_or_insert(WebSocketError::Protocol(error));
        self.core.fail(error, self.now, self.output.buffer());
    }

    fn may_send(&self) -> Result<(), WebSocketError> {
        match self.error {
            Some(error) => Err(error),
            None if self.close_request.is_some() || !self.core.can_send() => Err(WebSocketError::Closed),
            None => Ok(()),
        }
    }

    fn write(&mut self, message: &Message) -> Result<(), WebSocketError> {
        if self.lends && message.len() > SendQueue::<Bytes>::COPY_LIMIT {
            let (kind, payload) = match message {
                Message::Text(text) => (MessageKind::Text, text.as_bytes()),
                Message::Binary(payload) => (MessageKind::Binary, payload),
            };
            let fragment = self.core.fragment(kind, payload.len() as u64, true);
            let fragment = fragment.map_err(|_| WebSocketError::Closed)?;
            self.output.buffer().extend_from_slice(fragment.prefix());
            self.output.push(payload.clone());
            return Ok(());
        }
        self.core.send(message.as_proto(), self.output.buffer()).map_err(|_| WebSocketError::Closed)
    }

    fn is_full(&self) -> bool {
        self.ready_bytes >= READ_AHEAD
    }

    fn is_flushed(&self) -> bool {
        self.output.is_empty() && self.unsent == 0
    }

    /// The connection is gone. It has ended well if the peer has closed, and got all there was for it.
    fn disconnect(&mut self) {
        self.core.abort();
        self.over = true;
        if !(self.peer_closed && self.is_flushed()) {
            self.error.get_or_insert(WebSocketError::Disconnected);
        }
    }

    /// Lets the handler write without a lock, as far as there is room.
    fn begin_turn(&mut self, of: usize) {
        if !self.lends || !self.output.is_empty() || self.may_send().is_err() {
            return;
        }
        let room = self.send_limit.saturating_sub(self.unsent);
        TURN.with_borrow_mut(|turn| {
            turn.of = of;
            turn.room = room;
            mem::swap(self.output.buffer(), &mut turn.output);
        });
    }

    /// Who has to be woken so that the driver sees what has changed.
    fn driver_to_wake(&mut self) -> Option<Waker> {
        if self.in_turn { None } else { self.driver.take() }
    }

    /// Nobody will say anything more: the connection is closed.
    fn handle_gone(&mut self) -> Option<Waker> {
        if self.senders > 0 || !self.receiver_gone || self.may_send().is_err() {
            return None;
        }
        self.close_request = Some(CloseReason { code: CloseCode::NORMAL, reason: String::new() });
        self.driver_to_wake()
    }

    /// Reads on behind what the handler has asked for. What comes after the end is thrown away.
    fn read_ahead(&mut self) {
        while !self.over && !self.is_full() {
            let Some(message) = self.next_message() else {
                break;
            };
            if !self.receiver_gone {
                self.ready_bytes += message.len() + MESSAGE_COST;
                self.ready.push_back(message);
            }
        }
        if self.over {
            self.start = self.end;
        }
    }

    /// Everything that the connection itself has to say.
    fn write_control(&mut self) {
        if let Some(CloseReason { code, reason }) = self.close_request.take() {
            let frame = sinew_proto::websocket::CloseFrame { code, reason: &reason };
            // Checked when it was asked for; or the peer was faster.
            let _ = self.core.close(Some(frame), self.now, self.output.buffer());
        }
        // A peer that does not read gets no more pongs; one that closes gets its answer.
        if self.output.len() + self.unsent < PONG_LIMIT || !self.core.can_send() {
            self.core.write_control(self.now, self.output.buffer());
        }
    }

    /// Everybody who waits for something that has happened.
    fn take_wakers(&mut self) -> (Option<Waker>, Vec<Waker>) {
        let receiver = if self.over || !self.ready.is_empty() { self.receiver.take() } else { None };
        let room = self.may_send().is_err() || self.output.len() + self.unsent < self.send_limit / 2 + 1;
        let mut senders = if room { mem::take(&mut self.waiting_senders) } else { Vec::new() };
        if self.is_flushed() || self.error.is_some() {
            senders.append(&mut self.flushing);
        }
        (receiver, senders)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

fn remember_one_more(wakers: &mut Vec<Waker>, cx: &Context<'_>) {
    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
        wakers.push(cx.waker().clone());
    }
}

/// The driver's side.
pub(super) struct Session {
    shared: Arc<Shared>,
    handler: Option<Handler>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, handler: Option<Handler>) -> Self {
        Self { shared, handler }
    }

    /// Changes the state, and wakes whom that concerns.
    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> (T, bool) {
        let mut state = self.shared.lock();
        let result = change(&mut state);
        let (receiver, senders) = state.take_wakers();
        drop(state);
        let woken = receiver.is_some() || !senders.is_empty();
        wake(receiver);
        senders.into_iter().for_each(Waker::wake);
        (result, woken)
    }

    /// Polls the handler, without the lock.
    fn poll_handler(&mut self, cx: &mut Context<'_>) {
        let Some(handler) = &mut self.handler else {
            return;
        };
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx)));
        if matches!(polled, Ok(Poll::Pending)) {
            return;
        }
        // Its destructors may panic, too.
        let handler = self.handler.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(handler)));
        if polled.is_err() || dropped.is_err() {
            self.shared.close_with(CloseReason { code: CloseCode::INTERNAL_ERROR, reason: String::new() });
        }
    }
}

/// A server that ends without waiting drops it: whoever holds the socket elsewhere is told.
impl Drop for Session {
    fn drop(&mut self) {
        self.update(State::disconnect);
    }
}

impl Upgraded for Session {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        input: Received<'_>,
        output: &mut SendQueue<Bytes>,
        now: Instant,
    ) -> usize {
        let mut state = self.shared.lock();
        state.now = now;
        state.in_turn = true;
        remember(&mut state.driver, cx);
        mem::swap(&mut state.input, input.buffer);
        (state.start, state.end) = (input.start, input.end);
        if output.is_empty() && state.output.is_empty() {
            // Lends it the buffer of the thread.
            mem::swap(&mut state.output, output);
        }
        let of = self.shared.address();
        state.begin_turn(of);
        drop(state);

        self.poll_handler(cx);

        let (consumed, _) = self.update(|state| {
            Turn::end(of, state);
            state.read_ahead();
            state.write_control();
            if output.is_empty() {
                mem::swap(&mut state.output, output);
            }
            state.unsent = output.len();
            mem::swap(&mut state.input, input.buffer);
            state.in_turn = false;
            state.end = 0;
            mem::replace(&mut state.start, 0) - input.start
        });
        consumed
    }

    fn end_of_input(&mut self) {
        let mut state = self.shared.lock();
        state.end_of_input = true;
        state.core.end_of_input();
    }

    fn disconnected(&mut self) {
        self.update(State::disconnect);
    }

    fn drain(&mut self, now: Instant) {
        self.update(|state| {
            state.now = now;
            if state.may_send().is_ok() {
                let reason = "the server is shutting down".into();
                state.close_request = Some(CloseReason { code: CloseCode::GOING_AWAY, reason });
            }
        });
    }

    fn written(&mut self, progress: bool, pending: usize, now: Instant) -> bool {
        let (more, woken) = self.update(|state| {
            state.unsent = pending;
            state.core.written(progress, pending > 0, now);
            state.now = now;
            state.write_control();
            pending == 0 && !state.output.is_empty()
        });
        more || woken
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.update(|state| {
            if state.core.poll_timeout().is_none_or(|due| due > now) {
                return;
            }
            state.now = now;
            match state.core.handle_timeout(now) {
                // A ping goes out, however much waits before it.
                Ok(()) => {
                    state.core.write_control(now, state.output.buffer());
                }
                Err(error) => {
                    state.fail(error);
                    state.over = true;
                }
            }
        });
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.shared.lock().core.poll_timeout()
    }

    fn wants_read(&mut self, now: Instant) -> bool {
        let mut state = self.shared.lock();
        let full = state.is_full() && !state.over;
        state.core.hold_input(full, now);
        state.core.wants_read() && !full
    }

    fn close_action(&mut self) -> CloseAction {
        let state = self.shared.lock();
        match state.core.close_action() {
            // The driver has to take that first, and asks again.
            CloseAction::Linger | CloseAction::AfterFlush if !state.output.is_empty() => CloseAction::None,
            action => action,
        }
    }

    fn is_finished(&self) -> bool {
        self.handler.is_none()
    }
}
