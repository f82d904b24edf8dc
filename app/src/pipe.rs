//! A bounded queue of body bytes between two tasks, or a task and a thread.
//!
//! Invariant: a sender waits while `limit` bytes or more are queued, so a queue holds at most
//! `limit` bytes plus one piece for each sending task.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};

use crate::Headers;
use crate::body::{BodyError, Closed};

/// Pieces under this many bytes may be put together.
const SMALL: usize = 4 * 1024;

#[derive(Debug)]
struct State {
    queue: VecDeque<Bytes>,
    queued: usize,
    limit: usize,
    /// How the stream ended; taken when the reader has seen it.
    end: Option<Result<(), BodyError>>,
    /// What came behind the bytes.
    trailers: Option<Box<Headers>>,
    sender_gone: bool,
    reader_gone: bool,
    /// The reader has asked for data at least once.
    wanted: bool,
    reader: Option<Waker>,
    /// Several tasks may share a sender.
    senders: Vec<Waker>,
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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

fn remember_sender(wakers: &mut Vec<Waker>, cx: &Context<'_>) {
    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
        wakers.push(cx.waker().clone());
    }
}

/// A queue that takes `limit` bytes before its sender has to wait.
pub(crate) fn pipe(limit: usize) -> (Sender, Receiver) {
    let shared = Arc::new(Mutex::new(State {
        queue: VecDeque::new(),
        queued: 0,
        limit: limit.max(1),
        end: None,
        trailers: None,
        sender_gone: false,
        reader_gone: false,
        wanted: false,
        reader: None,
        senders: Vec::new(),
    }));
    (Sender(shared.clone()), Receiver(shared))
}

/// The side that puts bytes in.
#[derive(Debug)]
pub(crate) struct Sender(Shared);

impl Sender {
    /// Ready when there is room, or when nobody will read: then an error.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = lock(&self.0);
        if state.reader_gone {
            Poll::Ready(Err(Closed))
        } else if state.queued < state.limit {
            Poll::Ready(Ok(()))
        } else {
            remember_sender(&mut state.senders, cx);
            Poll::Pending
        }
    }

    /// Asks to be woken by the next thing the reader does.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        remember_sender(&mut lock(&self.0).senders, cx);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        let state = lock(&self.0);
        state.wanted && !state.reader_gone
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.0).reader_gone
    }

    /// Puts bytes in whether or not there is room.
    pub(crate) fn push(&self, bytes: Bytes) -> Result<(), Closed> {
        let mut state = lock(&self.0);
        if state.reader_gone {
            return Err(Closed);
        }
        if !bytes.is_empty() {
            state.queued += bytes.len();
            state.queue.push_back(bytes);
            let reader = state.reader.take();
            drop(state);
            wake(reader);
        }
        Ok(())
    }

    /// Puts what the reader finds once it has come to the end.
    pub(crate) fn set_trailers(&self, trailers: Headers) {
        lock(&self.0).trailers = Some(Box::new(trailers));
    }

    /// As [`push`](Self::push), but small pieces that wait become one: a piece costs more than its bytes, and a client
    /// chooses how many it sends.
    pub(crate) fn push_merged(&self, bytes: Bytes) -> Result<(), Closed> {
        let mut state = lock(&self.0);
        let last = match state.queue.back() {
            Some(last) if last.len() < SMALL && bytes.len() < SMALL => state.queue.pop_back(),
            _ => None,
        };
        let Some(last) = last else {
            drop(state);
            return self.push(bytes);
        };
        // Nobody else has it, so this copies nothing but the new bytes.
        let mut merged = BytesMut::from(last);
        merged.extend_from_slice(&bytes);
        state.queued += bytes.len();
        state.queue.push_back(merged.freeze());
        Ok(())
    }

    /// Ends the stream.
    pub(crate) fn end(&self, how: Result<(), BodyError>) {
        let mut state = lock(&self.0);
        state.end.get_or_insert(how);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.sender_gone = true;
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }
}

/// The side that takes bytes out.
#[derive(Debug)]
pub(crate) struct Receiver(Shared);

impl Receiver {
    /// The next piece, the end, or the error that ended the stream. A sender that is gone without
    /// an end is [`BodyError::Aborted`].
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut state = lock(&self.0);
        let first = !std::mem::replace(&mut state.wanted, true);
        let was_full = state.queued >= state.limit;
        let item = if let Some(bytes) = state.queue.pop_front() {
            state.queued -= bytes.len();
            Some(Some(Ok(bytes)))
        } else {
            match (&state.end, state.sender_gone) {
                (Some(Ok(())), _) => Some(None),
                (Some(Err(_)), _) => {
                    state.end.replace(Ok(())).and_then(Result::err).map(|error| Some(Err(error)))
                }
                (None, true) => {
                    state.end = Some(Ok(()));
                    Some(Some(Err(BodyError::Aborted)))
                }
                (None, false) => {
                    remember(&mut state.reader, cx);
                    None
                }
            }
        };
        let room = was_full && state.queued < state.limit;
        let senders = if first || room { std::mem::take(&mut state.senders) } else { Vec::new() };
        drop(state);
        senders.into_iter().for_each(Waker::wake);
        item.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Receiver {
    /// Takes what came behind the bytes.
    pub(crate) fn take_trailers(&self) -> Option<Box<Headers>> {
        lock(&self.0).trailers.take()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.reader_gone = true;
        state.queue.clear();
        state.queued = 0;
        let senders = std::mem::take(&mut state.senders);
        drop(state);
        senders.into_iter().for_each(Waker::wake);
    }
}
