//! A connection that speaks WebSocket, as far as one thread at a time sees it: the core, what was read,
//! what is to be written, and who waits.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::mem;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use sinew_proto::http1::CloseAction;
use sinew_proto::websocket::{CloseCode, CloseFrame, Connection, Event, MessageKind, ProtocolError};
use sinew_proto::{Instant, SendQueue};

use super::{CloseReason, Message, WebSocketError};
use crate::upgrade::Received;

/// Messages that nobody has asked for yet are read up to this many bytes, so that pings and close
/// frames behind them are seen.
const READ_AHEAD: usize = 64 * 1024;

/// What a queued message takes next to its payload, about.
pub(super) const MESSAGE_COST: usize = 64;

/// While more than this waits to be written, of several pings only the last is answered.
const PONG_LIMIT: usize = 16 * 1024;

/// How long answers to messages are waited for that came before a close frame or a broken rule.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest payload of a short frame, and the header before it when a client sends it.
const SHORT: usize = 125;
const SHORT_HEADER: usize = 6;

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
    /// Messages that were read and not asked for.
    ready: VecDeque<Message>,
    ready_bytes: usize,
    /// They are enough, until half of them are taken: what is left over of the input is moved each time
    /// that some of it is read.
    full: bool,
    /// Nobody asks for messages any more.
    discards: bool,
    /// A message was taken, and nothing was asked for since: it may still be answered, whatever came
    /// behind it.
    busy: bool,
    /// Until when, if something came that ends the connection.
    answers_until: Option<Instant>,
    /// What came breaks a rule; the peer is not told yet.
    deferred: Option<ProtocolError>,
    /// Nothing more comes.
    over: bool,
    /// The peer has sent a close frame, with a reason or without one.
    peer_closed: bool,
    pub(super) peer_close: Option<Box<CloseReason>>,
    /// Told once to who receives, and to everybody who sends.
    error: Option<WebSocketError>,
    error_told: bool,
    /// A close frame to be sent after what was sent before.
    close_request: Option<Box<CloseReason>>,
    /// There is something to do for the driver.
    pub(super) wants_turn: bool,
    receiver: Option<Waker>,
    /// Nobody waits with these any more. They are dropped where no lock is held: with its last waker a
    /// task may go, and with the task a socket.
    pub(super) retired: Vec<Waker>,
    /// Who waits to send, or until everything is written.
    waiting: Vec<(Until, Waker)>,
}

/// What somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// There is room to send.
    Room,
    /// Everything is written.
    Written,
}

impl State {
    pub(super) fn new(core: Connection, lends: bool, send_limit: usize, now: Instant) -> Self {
        Self {
            core,
            input: Vec::new(),
            start: 0,
            end: 0,
            output: SendQueue::new(),
            unsent: 0,
            send_limit: send_limit.max(1),
            lends,
            now,
            ready: VecDeque::new(),
            ready_bytes: 0,
            full: false,
            discards: false,
            busy: false,
            answers_until: None,
            deferred: None,
            over: false,
            peer_closed: false,
            peer_close: None,
            error: None,
            error_told: false,
            close_request: None,
            wants_turn: false,
            receiver: None,
            retired: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// The most frequent case of [`poll_recv`](Self::poll_recv), without a detour through memory.
    #[inline]
    pub(super) fn recv_short(&mut self) -> Option<Bytes> {
        if !self.ready.is_empty() {
            return None;
        }
        let input = self.input.get_mut(self.start..self.end)?;
        let payload = self.core.poll_short(input, self.now)?;
        self.start += SHORT_HEADER + payload.len();
        self.busy = true;
        Some(Bytes::copy_from_slice(payload))
    }

    /// The most frequent case of [`poll_send`](Self::poll_send). `false` means anything else.
    #[inline]
    pub(super) fn send_short(&mut self, payload: &[u8]) -> bool {
        if !self.lends || payload.len() > SHORT || self.room() == 0 || self.may_send().is_err() {
            return false;
        }
        self.core.send(sinew_proto::websocket::Message::Binary(payload), self.output.buffer()).is_ok()
    }

    /// The next message. `None` at the end.
    pub(super) fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Message>, WebSocketError>> {
        self.busy = false;
        if self.ready.is_empty() && self.start < self.end {
            if let Some(message) = self.next_message() {
                self.busy = true;
                return Poll::Ready(Ok(Some(message)));
            }
        }
        self.poll_ready(cx)
    }

    fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Message>, WebSocketError>> {
        if let Some(message) = self.ready.pop_front() {
            self.ready_bytes -= message.len() + MESSAGE_COST;
            if self.full && self.ready_bytes <= READ_AHEAD / 2 {
                self.full = false;
                self.wants_turn = true;
            }
            if self.ready.is_empty() {
                // A socket that waits owns no memory for messages.
                self.ready = VecDeque::new();
            }
            self.busy = true;
            return Poll::Ready(Ok(Some(message)));
        }
        // What comes behind the last message is done now.
        self.wants_turn |= self.over && self.core.close_action() == CloseAction::None;
        self.settle_deferred();
        if self.over {
            let error = if self.error_told { None } else { self.error };
            self.error_told = true;
            return Poll::Ready(error.map_or(Ok(None), Err));
        }
        let replaced = remember(&mut self.receiver, cx);
        self.retired.extend(replaced);
        Poll::Pending
    }

    /// Sends a message, once there is room.
    pub(super) fn poll_send(
        &mut self,
        message: &Message,
        cx: &Context<'_>,
    ) -> Poll<Result<(), WebSocketError>> {
        self.may_send()?;
        if self.room() == 0 {
            self.wait(Until::Room, cx);
            return Poll::Pending;
        }
        Poll::Ready(self.write(message))
    }

    /// How many bytes may be sent yet. A message that is begun within them is sent as a whole.
    pub(super) fn room(&self) -> usize {
        self.send_limit.saturating_sub(self.output.len() + self.unsent)
    }

    /// Ready when everything is written.
    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), WebSocketError>> {
        if let Some(error) = self.error {
            return Poll::Ready(Err(error));
        }
        if self.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        self.wait(Until::Written, cx);
        Poll::Pending
    }

    /// Closes, once what was sent before is written.
    pub(super) fn close(&mut self, reason: CloseReason) -> Result<(), WebSocketError> {
        self.may_send()?;
        self.close_request = Some(Box::new(reason));
        self.wants_turn = true;
        Ok(())
    }

    /// Closes for a reason that goes before the one of a socket which was dropped.
    pub(super) fn close_with(&mut self, reason: CloseReason) {
        if self.core.can_send() {
            self.close_request = Some(Box::new(reason));
            self.wants_turn = true;
        }
    }

    /// Nobody asks for messages any more.
    pub(super) fn discard(&mut self) {
        self.discards = true;
        self.retired.extend(self.receiver.take());
        self.ready_bytes = 0;
        self.full = false;
        self.ready = VecDeque::new();
        self.wants_turn = true;
    }

    /// The next message in the input, and what comes before it.
    fn next_message(&mut self) -> Option<Message> {
        loop {
            let input = self.input.get_mut(self.start..self.end).unwrap_or_default();
            let step = match self.core.poll(input, self.now) {
                Ok(step) => step,
                Err(error) => {
                    self.deferred = Some(error);
                    self.begin_end();
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
                    self.peer_close = frame.map(|frame| Box::new(frame.into()));
                    self.begin_end();
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

    /// Something has come that ends the connection.
    fn begin_end(&mut self) {
        self.answers_until = Some(self.now.saturating_add(ANSWER_TIMEOUT));
        self.settle_deferred();
    }

    /// Whether a message that came before the end may still be answered.
    fn may_answer(&self) -> bool {
        let waits = (self.busy || !self.ready.is_empty()) && !self.discards;
        waits && self.answers_until.is_none_or(|until| self.now < until)
    }

    /// Ends the connection for what breaks a rule, unless messages from before are to be answered.
    fn settle_deferred(&mut self) {
        if !self.may_answer() {
            if let Some(error) = self.deferred.take() {
                self.fail(error);
            }
        }
    }

    fn fail(&mut self, error: ProtocolError) {
        self.error.get_or_insert(WebSocketError::Protocol(error));
        self.core.fail(error, self.now, self.output.buffer());
    }

    #[inline]
    pub(super) fn may_send(&self) -> Result<(), WebSocketError> {
        match self.error {
            Some(error) => Err(error),
            None if self.close_request.is_some() || !self.core.can_send() => Err(WebSocketError::Closed),
            None => Ok(()),
        }
    }

    #[inline]
    pub(super) fn write(&mut self, message: &Message) -> Result<(), WebSocketError> {
        self.wants_turn = true;
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

    fn is_flushed(&self) -> bool {
        self.output.is_empty() && self.unsent == 0
    }

    /// The connection is gone. It has ended well if the peer has closed, and got all there was for it.
    pub(super) fn disconnect(&mut self) {
        self.core.abort();
        self.over = true;
        // Whoever broke a rule did so before.
        if let Some(error) = self.deferred.take() {
            self.error.get_or_insert(WebSocketError::Protocol(error));
        }
        if !(self.peer_closed && self.is_flushed()) {
            self.error.get_or_insert(WebSocketError::Disconnected);
        }
    }

    /// Reads on behind what the handler has asked for. What comes after the end is thrown away.
    fn read_ahead(&mut self) {
        while !self.over && !self.full {
            let Some(message) = self.next_message() else {
                break;
            };
            if !self.discards {
                self.ready_bytes += message.len() + MESSAGE_COST;
                self.ready.push_back(message);
                self.full = self.ready_bytes >= READ_AHEAD;
            }
        }
        if self.over {
            self.start = self.end;
        }
    }

    /// Everything that the connection itself has to say.
    fn write_control(&mut self) {
        if let Some(close) = self.close_request.take() {
            let frame = CloseFrame { code: close.code, reason: &close.reason };
            // A peer that has closed gets its own code back, unless ours says more.
            if !self.peer_closed || close.code != CloseCode::NORMAL || !close.reason.is_empty() {
                // Checked when it was asked for; or the peer was faster.
                let _ = self.core.close(Some(frame), self.now, self.output.buffer());
            }
        }
        self.settle_deferred();
        // A peer that does not read gets no more pongs; one that closes gets its answer, after those
        // to its messages.
        let writes = match (self.peer_closed, self.may_answer()) {
            (true, answers) => !answers,
            (false, _) => self.output.len() + self.unsent < PONG_LIMIT,
        };
        if writes {
            self.core.write_control(self.now, self.output.buffer());
        }
    }

    fn wait(&mut self, until: Until, cx: &Context<'_>) {
        if !self.waiting.iter().any(|(other, waker)| *other == until && waker.will_wake(cx.waker())) {
            self.waiting.push((until, cx.waker().clone()));
        }
    }

    /// Everybody who waits for something that has happened.
    pub(super) fn take_wakers(&mut self) -> (Option<Waker>, Vec<Waker>) {
        let receiver = if self.over || !self.ready.is_empty() { self.receiver.take() } else { None };
        if self.waiting.is_empty() {
            return (receiver, Vec::new());
        }
        let room = self.may_send().is_err() || self.room() >= self.send_limit.div_ceil(2);
        let written = self.is_flushed() || self.error.is_some();
        let happened = |until: Until| if until == Until::Room { room } else { written };
        let all = mem::take(&mut self.waiting).into_iter();
        let (woken, waiting): (Vec<_>, Vec<_>) = all.partition(|(until, _)| happened(*until));
        self.waiting = waiting;
        (receiver, woken.into_iter().map(|(_, waker)| waker).collect())
    }

    /// The driver begins its turn, with what it has read.
    pub(super) fn begin_turn(
        &mut self,
        input: &mut Received<'_>,
        output: &mut SendQueue<Bytes>,
        now: Instant,
    ) {
        self.now = now;
        mem::swap(&mut self.input, input.buffer);
        (self.start, self.end) = (input.start, input.end);
        if output.is_empty() && self.output.is_empty() {
            // Lends it the buffer of the thread.
            mem::swap(&mut self.output, output);
        }
    }

    /// The driver ends its turn: the handler has done what it could. Returns how much was consumed.
    pub(super) fn end_turn(&mut self, input: &mut Received<'_>, output: &mut SendQueue<Bytes>) -> usize {
        self.read_ahead();
        self.write_control();
        if output.is_empty() {
            mem::swap(&mut self.output, output);
        }
        self.unsent = output.len();
        self.wants_turn = false;
        mem::swap(&mut self.input, input.buffer);
        self.end = 0;
        mem::replace(&mut self.start, 0) - input.start
    }

    pub(super) fn end_of_input(&mut self) {
        self.core.end_of_input();
    }

    pub(super) fn drain(&mut self, now: Instant) {
        if self.may_send().is_ok() {
            self.now = now;
            let reason = "the server is shutting down".into();
            self.close_with(CloseReason { code: CloseCode::GOING_AWAY, reason });
        }
    }

    /// Returns whether there is more to write.
    pub(super) fn written(&mut self, progress: bool, pending: usize, now: Instant) -> bool {
        self.unsent = pending;
        self.core.written(progress, pending > 0, now);
        self.now = now;
        self.write_control();
        pending == 0 && !self.output.is_empty()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        self.now = now;
        self.settle_deferred();
        match self.core.handle_timeout(now) {
            // A ping goes out, however much waits before it.
            Ok(()) => {
                self.core.write_control(now, self.output.buffer());
            }
            Err(error) => {
                self.fail(error);
                self.over = true;
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let answers = self.answers_until.filter(|_| self.may_answer());
        self.core.poll_timeout().into_iter().chain(answers).min()
    }

    pub(super) fn wants_read(&mut self, now: Instant) -> bool {
        let full = self.full && !self.over;
        self.core.hold_input(full, now);
        self.core.wants_read() && !full
    }

    pub(super) fn close_action(&self) -> CloseAction {
        match self.core.close_action() {
            // The driver has to take that first, and asks again.
            CloseAction::Linger | CloseAction::AfterFlush if !self.output.is_empty() => CloseAction::None,
            action => action,
        }
    }
}

/// Returns the waker that is replaced, if it is another one.
pub(super) fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        slot => slot.replace(cx.waker().clone()),
    }
}

pub(super) fn remember_one_more(wakers: &mut Vec<Waker>, cx: &Context<'_>) {
    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
        wakers.push(cx.waker().clone());
    }
}
