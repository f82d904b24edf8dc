//! The buffers of a thread, lent to the connection that is being polled: an idle connection owns
//! none.

use core::ops::Range;
use core::time::Duration;
use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sinew_app::ClientWatch;
use sinew_proto::{Config, DateCache, FieldTable, HttpDate, Instant, SendQueue};

use crate::exchange::Slot;
use crate::http::Http;
use crate::input::{READ_SIZE, ReadBuffer};

/// An output buffer that grew beyond this is not kept.
const KEEP_OUTPUT: usize = 256 * 1024;

/// Nor is memory for a tail beyond this.
const KEEP_TAIL: usize = 64 * 1024;

pub(crate) struct Scratch {
    /// Where reads go, behind what a connection had left over.
    pub(crate) input: ReadBuffer,
    /// Input of this connection that was not consumed.
    pub(crate) tail: Vec<u8>,
    /// What this connection has to send.
    pub(crate) output: SendQueue<Bytes>,
    /// What the last exchange has left, for the next one.
    pub(crate) spare_exchange: Slot,
    pub(crate) spare_watch: ClientWatch,
    /// What a connection had that is idle now, and the number of its [`Serving`](crate::Serving).
    pub(crate) spare_http: Option<(u64, Box<Http>)>,
    pub(crate) table: FieldTable,
    max_fields: u16,
    pub(crate) dates: Dates,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Scratch {
    /// Takes this thread's buffers. A connection that is polled inside of another one's turn gets
    /// new ones.
    pub(crate) fn take(config: &Config) -> Box<Self> {
        let mut scratch = SCRATCH.take().unwrap_or_else(|| {
            Box::new(Self {
                input: ReadBuffer::default(),
                tail: Vec::new(),
                output: SendQueue::new(),
                spare_exchange: Slot::EMPTY,
                spare_watch: ClientWatch::new(),
                spare_http: None,
                table: FieldTable::new(config),
                max_fields: config.max_fields,
                dates: Dates::new(),
            })
        });
        // Two servers with different limits may share a thread.
        if scratch.max_fields != config.max_fields {
            scratch.table = FieldTable::new(config);
            scratch.max_fields = config.max_fields;
        }
        scratch
    }

    /// Gives the buffers back to the thread. Nothing is in them any more.
    pub(crate) fn give_back(mut self: Box<Self>) {
        if self.output.buffer().capacity() > KEEP_OUTPUT {
            self.output = SendQueue::new();
        }
        if self.tail.capacity() > KEEP_TAIL {
            self.tail = Vec::new();
        }
        SCRATCH.set(Some(self));
    }

    /// Whether the connection has nothing that was read, or waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.output.is_empty()
    }

    /// A buffer that begins with a copy of the tail and has room for a read behind it.
    pub(crate) fn input_after_tail(&mut self) -> &mut [u8] {
        let len = self.tail.len() + READ_SIZE;
        // It may be longer, behind something long of another connection.
        let buffer = &mut self.input.for_reading(len)[..len];
        buffer[..self.tail.len()].copy_from_slice(&self.tail);
        buffer
    }

    /// Keeps what was not consumed.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.tail.clear();
        self.tail.extend_from_slice(rest);
    }
}

/// The date, asked of the system and written once a second. In between the clock of the runtime tells
/// that the second is not over.
pub(crate) struct Dates {
    cache: DateCache,
    /// Whose clock it is: each server counts from an epoch of its own.
    server: u64,
    /// From when to when the date is that of the cache.
    second: Range<Instant>,
}

impl Dates {
    fn new() -> Self {
        let never = Instant::default()..Instant::default();
        Self { cache: DateCache::new(0), server: 0, second: never }
    }

    /// The date at `now` on the clock of that server.
    pub(crate) fn at(&mut self, server: u64, now: Instant) -> &HttpDate {
        if self.server != server || !self.second.contains(&now) {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let left = Duration::from_nanos(1_000_000_000_u64.saturating_sub(since.subsec_nanos().into()));
            self.server = server;
            self.second = now..now.saturating_add(left);
            self.cache.at(since.as_secs());
        }
        self.cache.current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_read_is_never_larger_than_another() {
        let mut scratch = Scratch::take(&Config::default());
        assert_eq!(scratch.input_after_tail().len(), READ_SIZE);
        scratch.tail = vec![b'x'; 3 * READ_SIZE];
        assert_eq!(scratch.input_after_tail().len(), 4 * READ_SIZE);
        // The buffer has grown, and somebody else is next.
        scratch.tail.clear();
        assert_eq!(scratch.input_after_tail().len(), READ_SIZE);
    }
}
