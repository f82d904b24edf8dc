//! Where handles and driver find the state of a connection.
//!
//! It lies in a mutex, but for the time in which the driver polls the handler: then it is with that
//! thread, so that the handler takes its messages straight out of what was read, and writes into the
//! one buffer that is written at the end of the turn, without a lock. What other threads want in the
//! meantime waits in the mutex until the turn ends; no one waits for a handler.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sinew_proto::Instant;
use sinew_proto::websocket::{CloseCode, Connection};

use super::state::{MESSAGE_COST, State, remember, remember_one_more};
use super::{CloseReason, Message, WebSocketError};

/// What handles and driver share.
pub(super) struct Shared {
    home: Mutex<Home>,
    /// Something waits at home for the state: whoever has it looks there before it sends, so that a
    /// message does not overtake one that its sender has heard of.
    late: AtomicBool,
}

struct Home {
    /// Away for the time of a turn.
    state: Option<Box<State>>,
    /// Whether messages could be sent when it went, and how many bytes of them.
    open: bool,
    room: usize,
    late: Option<Box<Late>>,
    peer_close: Option<Box<CloseReason>>,
    receiver_gone: bool,
    senders: usize,
    driver: Option<Waker>,
}

/// What came while the state was away.
#[derive(Default)]
struct Late {
    messages: VecDeque<Message>,
    close: Option<CloseReason>,
    discard: bool,
    /// Who is to ask again.
    wakers: Vec<Waker>,
}

thread_local! {
    /// The turn that this thread is in.
    static TURN: RefCell<Turn> = const { RefCell::new(Turn { of: 0, state: None }) };
}

/// The state of the connection whose handler is being polled. A handler may poll another connection
/// itself: turns nest.
pub(super) struct Turn {
    /// The address of the [`Shared`] that it belongs to.
    of: usize,
    state: Option<Box<State>>,
}

impl Shared {
    pub(super) fn new(core: Connection, lends: bool, send_limit: usize, now: Instant) -> Arc<Self> {
        let home = Home {
            state: Some(Box::new(State::new(core, lends, send_limit, now))),
            open: false,
            room: 0,
            late: None,
            peer_close: None,
            receiver_gone: false,
            senders: 1,
            driver: None,
        };
        Arc::new(Self { home: Mutex::new(home), late: AtomicBool::new(false) })
    }

    /// What tells it from others.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn lock(&self) -> MutexGuard<'_, Home> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if this is its turn.
    #[inline]
    fn in_turn<T>(&self, now: impl FnOnce(&mut State) -> Option<T>) -> Option<T> {
        let of = self.address();
        // A thread that ends has no turn.
        let turn = TURN.try_with(|turn| {
            // What is called from inside of such a call, by a waker of the application, comes late.
            let mut turn = turn.try_borrow_mut().ok()?;
            if turn.of == of { turn.state.as_deref_mut().and_then(now) } else { None }
        });
        turn.ok().flatten()
    }

    /// Does something with the state: of this thread's turn, or at home. If it is with another thread,
    /// `late` is done at home instead.
    fn with<T>(&self, now: impl FnOnce(&mut State) -> T, late: impl FnOnce(&mut Home) -> T) -> T {
        let mut now = Some(now);
        let here = self.in_turn(|state| {
            self.catch_up(state);
            now.take().map(|now| now(state))
        });
        if let Some(result) = here {
            return result;
        }
        self.with_home(|home| {
            if let (Some(state), Some(now)) = (&mut home.state, now) {
                return now(state);
            }
            // Whoever hears of what happens here finds this set.
            self.late.store(true, Ordering::Relaxed);
            late(home)
        })
    }

    /// Does in the middle of a turn what has come late so far.
    #[inline]
    fn catch_up(&self, state: &mut State) {
        if self.late.load(Ordering::Relaxed) {
            self.settle_late(state);
        }
    }

    #[cold]
    fn settle_late(&self, state: &mut State) {
        let mut home = self.lock();
        self.late.store(false, Ordering::Relaxed);
        let sent = home.late().settle(state);
        home.open = state.may_send().is_ok();
        home.room = state.room();
        drop(home);
        // The application may own their memory, and be called.
        drop(sent);
    }

    /// Does something at home, and wakes the driver if it has something to do for it.
    fn with_home<T>(&self, change: impl FnOnce(&mut Home) -> T) -> T {
        let mut home = self.lock();
        let result = change(&mut home);
        let wanted = home.state.as_mut().is_some_and(|state| mem::take(&mut state.wants_turn));
        let driver = if wanted { home.driver.take() } else { None };
        let retired = home.state.as_mut().map(|state| mem::take(&mut state.retired));
        drop(home);
        drop(retired);
        wake(driver);
        result
    }

    /// The next message. `None` at the end.
    #[inline]
    pub(super) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Result<Option<Message>, WebSocketError>> {
        match self.in_turn(State::recv_short) {
            Some(payload) => Poll::Ready(Ok(Some(Message::Binary(payload)))),
            None => self.poll_recv_any(cx),
        }
    }

    fn poll_recv_any(&self, cx: &Context<'_>) -> Poll<Result<Option<Message>, WebSocketError>> {
        self.with(
            |state| state.poll_recv(cx),
            |home| {
                remember_one_more(&mut home.late().wakers, cx);
                Poll::Pending
            },
        )
    }

    /// Sends a message, once there is room.
    #[inline]
    pub(super) fn poll_send(&self, message: &Message, cx: &Context<'_>) -> Poll<Result<(), WebSocketError>> {
        if let Message::Binary(payload) = message {
            let sent = self.in_turn(|state| {
                self.catch_up(state);
                state.send_short(payload).then_some(())
            });
            if sent.is_some() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_send_any(message, cx)
    }

    fn poll_send_any(&self, message: &Message, cx: &Context<'_>) -> Poll<Result<(), WebSocketError>> {
        self.with(|state| state.poll_send(message, cx), |home| home.poll_send(message, cx))
    }

    /// Ready when everything is written.
    pub(super) fn poll_flush(&self, cx: &Context<'_>) -> Poll<Result<(), WebSocketError>> {
        self.with(
            |state| state.poll_flush(cx),
            |home| {
                remember_one_more(&mut home.late().wakers, cx);
                Poll::Pending
            },
        )
    }

    pub(super) fn close(&self, reason: CloseReason) -> Result<(), WebSocketError> {
        if !reason.code.is_sendable() || reason.reason.len() > CloseReason::MAX_BYTES {
            return Err(WebSocketError::InvalidClose);
        }
        let again = reason.clone();
        self.with(|state| state.close(reason), |home| home.close(again))
    }

    /// Closes for a reason that goes before the one of a socket which was dropped.
    pub(super) fn close_with(&self, reason: CloseReason) {
        let again = reason.clone();
        self.with(|state| state.close_with(reason), |home| home.late().close = Some(again));
    }

    pub(super) fn peer_close(&self) -> Option<CloseReason> {
        let here = self.with(|state| state.peer_close.clone(), |_| None);
        here.or_else(|| self.lock().peer_close.clone()).map(|reason| *reason)
    }

    pub(super) fn is_open(&self) -> bool {
        self.with(|state| state.may_send().is_ok(), |home| home.is_open())
    }

    pub(super) fn add_sender(&self) {
        self.lock().senders += 1;
    }

    pub(super) fn drop_sender(&self) {
        let mut home = self.lock();
        home.senders -= 1;
        let last = home.is_dropped();
        drop(home);
        if last {
            self.close_dropped();
        }
    }

    pub(super) fn drop_receiver(&self) {
        let mut home = self.lock();
        home.receiver_gone = true;
        let last = home.is_dropped();
        drop(home);
        self.with(State::discard, |home| home.late().discard = true);
        if last {
            self.close_dropped();
        }
    }

    /// Nobody will say anything more.
    fn close_dropped(&self) {
        // It may be closing already.
        let code = if std::thread::panicking() { CloseCode::INTERNAL_ERROR } else { CloseCode::NORMAL };
        let _ = self.close(CloseReason { code, reason: String::new() });
    }

    /// Takes the state for a turn of this thread. Returns the turn that this one is inside of.
    pub(super) fn begin_turn(&self, cx: &Context<'_>, begin: impl FnOnce(&mut State)) -> Turn {
        let mut home = self.lock();
        let replaced = remember(&mut home.driver, cx);
        let mut state = home.state.take();
        if let Some(state) = &mut state {
            begin(state);
            home.open = state.may_send().is_ok();
            home.room = state.room();
        }
        drop(home);
        drop(replaced);
        TURN.replace(Turn { of: self.address(), state })
    }

    /// Brings the state home, does with it what came in the meantime, and wakes whom that concerns.
    pub(super) fn end_turn<T>(&self, outer: Turn, end: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = TURN.replace(outer).state?;
        let mut home = self.lock();
        let mut late = home.late.take().map(|late| *late).unwrap_or_default();
        self.late.store(false, Ordering::Relaxed);
        let sent = late.settle(&mut state);
        let result = end(&mut state);
        if state.peer_close.is_some() {
            home.peer_close.clone_from(&state.peer_close);
        }
        let (receiver, senders) = state.take_wakers();
        let retired = mem::take(&mut state.retired);
        home.state = Some(state);
        drop(home);
        // The application may own their memory, and be called.
        drop((sent, retired));
        wake(receiver);
        senders.into_iter().chain(late.wakers).for_each(Waker::wake);
        Some(result)
    }

    /// Changes the state outside of a turn, for the driver, and wakes whom that concerns. Returns
    /// whether that was anybody.
    pub(super) fn update<T: Default>(&self, change: impl FnOnce(&mut State) -> T) -> (T, bool) {
        let mut home = self.lock();
        let Some(state) = &mut home.state else {
            return (T::default(), false);
        };
        let result = change(state);
        let (receiver, senders) = state.take_wakers();
        let retired = mem::take(&mut state.retired);
        drop(home);
        drop(retired);
        let woken = receiver.is_some() || !senders.is_empty();
        wake(receiver);
        senders.into_iter().for_each(Waker::wake);
        (result, woken)
    }

    /// Asks the state outside of a turn, for the driver.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&mut State) -> T) -> Option<T> {
        self.lock().state.as_deref_mut().map(question)
    }
}

impl Home {
    fn is_dropped(&self) -> bool {
        self.senders == 0 && self.receiver_gone
    }

    fn late(&mut self) -> &mut Late {
        self.late.get_or_insert_default()
    }

    fn is_open(&self) -> bool {
        self.open && self.late.as_ref().is_none_or(|late| late.close.is_none())
    }

    fn poll_send(&mut self, message: &Message, cx: &Context<'_>) -> Poll<Result<(), WebSocketError>> {
        if !self.is_open() {
            return Poll::Ready(Err(WebSocketError::Closed));
        }
        if self.room == 0 {
            remember_one_more(&mut self.late().wakers, cx);
            return Poll::Pending;
        }
        self.room = self.room.saturating_sub(message.len() + MESSAGE_COST);
        self.late().messages.push_back(message.clone());
        Poll::Ready(Ok(()))
    }

    fn close(&mut self, reason: CloseReason) -> Result<(), WebSocketError> {
        if !self.is_open() {
            return Err(WebSocketError::Closed);
        }
        self.late().close = Some(reason);
        Ok(())
    }
}

impl Late {
    /// Does what came while the state was away. Returns the messages, to be dropped without a lock.
    fn settle(&mut self, state: &mut State) -> VecDeque<Message> {
        let messages = mem::take(&mut self.messages);
        for message in &messages {
            // Before a close frame that the handler has asked for in the meantime. If one was written,
            // for an error, they came too late.
            let _ = state.write(message);
        }
        if let Some(reason) = self.close.take() {
            let _ = state.close(reason);
        }
        if mem::take(&mut self.discard) {
            state.discard();
        }
        messages
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
