//! One connection: between a socket and the core.

use alloc::vec::Vec;
use core::time::Duration;

use sinew_proto::http1::{CloseAction, Server};
use sinew_proto::{Config, FieldTable, Instant};

use crate::answer::Answer;
use crate::{INPUT, SEND_ROOM, Socket};

/// How long a socket may take to close before it is needed for somebody else.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Connection {
    core: Server,
    answer: Answer,
    /// Received and not used up. A receive buffer is a ring, and a head may lie across its end; the
    /// core wants it in one piece.
    input: [u8; INPUT],
    filled: usize,
    /// The length of the send queue when it was last looked at.
    queued: usize,
    connected: bool,
    end_told: bool,
    closed: bool,
    /// When a socket that was closed is broken off.
    give_up: Option<Instant>,
}

/// Whether whatever the core writes for one event can be queued.
fn has_room<S: Socket>(socket: &S) -> bool {
    socket.send_capacity() - socket.send_queue() >= SEND_ROOM
}

impl Connection {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            core: Server::new(config),
            answer: Answer::Given,
            input: [0; INPUT],
            filled: 0,
            queued: 0,
            connected: false,
            end_told: false,
            closed: false,
            give_up: None,
        }
    }

    /// Does what can be done now. Returns the next deadline.
    pub(crate) fn poll<S: Socket>(
        &mut self,
        socket: &mut S,
        fields: &mut FieldTable,
        out: &mut Vec<u8>,
        now: Instant,
    ) -> Option<Instant> {
        // Before it was once connected, a socket that cannot receive is not one at its end.
        self.connected |= socket.may_send();
        if !self.connected {
            return None;
        }
        let queued = socket.send_queue();
        self.core.written(queued < self.queued, queued > 0, now);
        if let Err(error) = self.core.handle_timeout(now) {
            self.core.fail(&error, None, out); // 408
            if has_room(socket) {
                socket.send_slice(out);
            }
            out.clear();
        }
        loop {
            let moved = self.receive(socket, now);
            let done = self.work(socket, fields, out, now);
            if !moved && !done {
                break;
            }
        }
        self.queued = socket.send_queue();
        self.core.written(false, self.queued > 0, now);
        self.close(socket, now);
        self.core.poll_timeout().into_iter().chain(self.give_up).min()
    }

    /// Moves input out of the socket, as much as there is room for.
    fn receive<S: Socket>(&mut self, socket: &mut S, now: Instant) -> bool {
        if !self.core.wants_read() {
            return false;
        }
        if !socket.may_recv() {
            if !self.end_told {
                self.core.end_of_input(now);
            }
            return !core::mem::replace(&mut self.end_told, true);
        }
        let room = self.input.get_mut(self.filled..).unwrap_or_default();
        let mut count = 0;
        socket.recv(|bytes| {
            count = bytes.len().min(room.len());
            room[..count].copy_from_slice(&bytes[..count]);
            count
        });
        self.filled += count;
        count > 0
    }

    /// Gives the input to the core, while there is room for what it may write. Returns whether anything
    /// was used up or written.
    fn work<S: Socket>(
        &mut self,
        socket: &mut S,
        fields: &mut FieldTable,
        out: &mut Vec<u8>,
        now: Instant,
    ) -> bool {
        let mut used = 0;
        let mut worked = false;
        loop {
            let held = !has_room(socket);
            self.core.hold_body(held, now);
            if held {
                break;
            }
            let more = match self.core.poll(&self.input[used..self.filled], fields, now) {
                Ok(step) => {
                    used += step.consumed;
                    self.answer.act(&step.event, &mut self.core, out)
                }
                Err(error) => {
                    self.core.fail(&error, None, out); // 400, 414, 431, ..
                    true
                }
            };
            let sent = socket.send_slice(out);
            debug_assert_eq!(sent, out.len(), "SEND_ROOM is too small");
            out.clear();
            worked |= more;
            if !more {
                break;
            }
        }
        self.input.copy_within(used..self.filled, 0);
        self.filled -= used;
        worked
    }

    /// Does what the core wants done with the socket.
    fn close<S: Socket>(&mut self, socket: &mut S, now: Instant) {
        let action = self.core.close_action();
        if action == CloseAction::Abort || self.give_up.is_some_and(|due| due <= now) {
            socket.abort();
            self.give_up = None;
        } else if action != CloseAction::None && !self.closed {
            // What is queued is sent before the end of it.
            socket.close();
            self.closed = true;
        }
        // A peer that never closes its side must not hold the socket.
        if action == CloseAction::AfterFlush && self.give_up.is_none() && socket.is_open() {
            self.give_up = Some(now.saturating_add(CLOSE_TIMEOUT));
        }
    }
}
