//! The driver's side of a connection that speaks WebSocket.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use bytes::Bytes;
use sinew_proto::http1::CloseAction;
use sinew_proto::websocket::CloseCode;
use sinew_proto::{Instant, SendQueue};

use super::CloseReason;
use super::shared::Shared;
use super::state::State;
use crate::upgrade::{Received, Upgraded};

pub(super) type Handler = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) struct Session {
    shared: Arc<Shared>,
    handler: Option<Handler>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, handler: Option<Handler>) -> Self {
        Self { shared, handler }
    }

    /// Polls the handler. Returns whether it has panicked.
    fn poll_handler(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(handler) = &mut self.handler else {
            return false;
        };
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx)));
        if polled.as_ref().is_ok_and(std::task::Poll::is_pending) {
            return false;
        }
        // Its destructors may panic, too.
        let handler = self.handler.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(handler)));
        polled.is_err() || dropped.is_err()
    }
}

/// A server that ends without waiting drops it: whoever holds the socket elsewhere is told.
impl Drop for Session {
    fn drop(&mut self) {
        self.shared.update(State::disconnect);
    }
}

impl Upgraded for Session {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut input: Received<'_>,
        output: &mut SendQueue<Bytes>,
        now: Instant,
    ) -> usize {
        let outer = self.shared.begin_turn(cx, |state| state.begin_turn(&mut input, output, now));
        let panicked = self.poll_handler(cx);
        let consumed = self.shared.end_turn(outer, |state| {
            if panicked {
                state.close_with(CloseReason { code: CloseCode::INTERNAL_ERROR, reason: String::new() });
            }
            state.end_turn(&mut input, output)
        });
        consumed.unwrap_or_default()
    }

    fn end_of_input(&mut self) {
        self.shared.update(State::end_of_input);
    }

    fn disconnected(&mut self) {
        self.shared.update(State::disconnect);
    }

    fn is_finished(&self) -> bool {
        self.handler.is_none()
    }

    fn drain(&mut self, now: Instant) {
        self.shared.update(|state| state.drain(now));
    }

    fn written(&mut self, progress: bool, pending: usize, now: Instant) -> bool {
        let (more, woken) = self.shared.update(|state| state.written(progress, pending, now));
        more || woken
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.shared.update(|state| state.handle_timeout(now));
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.shared.ask(|state| state.poll_timeout()).flatten()
    }

    fn wants_read(&mut self, now: Instant) -> bool {
        self.shared.ask(|state| state.wants_read(now)).unwrap_or_default()
    }

    fn close_action(&mut self) -> CloseAction {
        self.shared.ask(|state| state.close_action()).unwrap_or(CloseAction::None)
    }
}
