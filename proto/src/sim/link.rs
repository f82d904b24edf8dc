//! What a loop around a connection does with its socket, whichever side it is on.

use alloc::vec::Vec;

use super::{Read, Socket, Write};
use crate::http1::{Client, CloseAction, Server};
use crate::{Instant, RecvBuf, SendQueue};

/// More output than this, and nothing more is produced.
pub(super) const HIGH_WATER: usize = 16 * 1024;

/// The verbs of a connection that concern its transport.
pub(super) trait Core {
    fn end_of_input(&mut self, now: Instant);
    fn wants_read(&self) -> bool;
    fn written(&mut self, progress: bool, pending: bool, now: Instant);
    fn close_action(&self) -> CloseAction;
    fn abort(&mut self);
}

macro_rules! core {
    ($($Core:ident)+) => {
        $(impl Core for $Core {
            fn end_of_input(&mut self, now: Instant) { self.end_of_input(now); }
            fn wants_read(&self) -> bool { self.wants_read() }
            fn written(&mut self, progress: bool, pending: bool, now: Instant) { self.written(progress, pending, now); }
            fn close_action(&self) -> CloseAction { self.close_action() }
            fn abort(&mut self) { self.abort(); }
        })+
    };
}
core!(Server Client);

/// Buffers of a connection and the state of its socket.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) input: RecvBuf,
    pub(super) output: SendQueue<Vec<u8>>,
    /// The bytes are another protocol's: they are read whatever the core says.
    pub(super) upgraded: bool,
    ended: bool,
    finished: bool,
    /// The socket is closed.
    pub(super) closed: bool,
    /// The other end broke the connection.
    pub(super) reset: bool,
}

impl Link {
    pub(super) const fn new() -> Self {
        Self {
            input: RecvBuf::new(64 * 1024),
            output: SendQueue::new(),
            upgraded: false,
            ended: false,
            finished: false,
            closed: false,
            reset: false,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.output.len() < HIGH_WATER
    }

    /// Writes, closes, reads. Returns whether the connection has something new to look at.
    pub(super) fn transport(&mut self, core: &mut impl Core, socket: &mut Socket<'_>) -> bool {
        if self.closed {
            return false;
        }
        let wrote = self.flush(core, socket);
        match core.close_action() {
            CloseAction::None => {}
            CloseAction::AfterFlush if self.output.is_empty() => {
                socket.close();
                self.closed = true;
            }
            CloseAction::Linger if self.output.is_empty() => self.finish(socket),
            CloseAction::AfterFlush | CloseAction::Linger => {}
            CloseAction::Abort => {
                if !self.reset {
                    socket.reset();
                }
                self.closed = true;
            }
        }
        if self.closed {
            return false;
        }
        self.read(core, socket) || (wrote && self.has_room())
    }

    /// Ends the sending side, once.
    pub(super) fn finish(&mut self, socket: &mut Socket<'_>) {
        if !self.finished {
            self.finished = true;
            socket.finish();
        }
    }

    fn flush(&mut self, core: &mut impl Core, socket: &mut Socket<'_>) -> bool {
        let mut progress = false;
        loop {
            let result = self.output.slices().next().map(|slice| socket.write(slice));
            let Some(result) = result else { break };
            match result {
                Write::Taken(len) => {
                    self.output.consume(len);
                    progress = true;
                }
                Write::Blocked => break,
                Write::Reset => {
                    self.broken(core);
                    return false;
                }
            }
        }
        core.written(progress, !self.output.is_empty(), socket.now());
        progress
    }

    fn read(&mut self, core: &mut impl Core, socket: &mut Socket<'_>) -> bool {
        if self.ended || self.input.is_full() || !(core.wants_read() || self.upgraded) {
            return false;
        }
        match socket.read(self.input.spare(4096)) {
            Read::Bytes(len) => self.input.filled(len),
            Read::Blocked => return false,
            Read::End => {
                self.ended = true;
                core.end_of_input(socket.now());
            }
            Read::Reset => {
                self.broken(core);
                return false;
            }
        }
        true
    }

    fn broken(&mut self, core: &mut impl Core) {
        self.reset = true;
        self.closed = true;
        core.abort();
    }

    /// Whether the other side has ended.
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }
}
