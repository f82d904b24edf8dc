//! The buffers of a thread, lent to the connection that is being polled: an idle connection owns
//! none.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use sinew_proto::{Config, DateCache, FieldTable, HttpDate};

/// One read takes at most this many bytes.
const READ_SIZE: usize = 256 * 1024;

/// An output buffer that grew beyond this is not kept.
const KEEP_OUTPUT: usize = 256 * 1024;

pub(crate) struct Scratch {
    /// Where reads go, behind what a connection had left over.
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
    pub(crate) table: FieldTable,
    max_fields: u16,
    dates: DateCache,
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
                input: Vec::new(),
                output: Vec::new(),
                table: FieldTable::new(config),
                max_fields: config.max_fields,
                dates: DateCache::new(0),
            })
        });
        // Two servers with different limits may share a thread.
        if scratch.max_fields != config.max_fields {
            scratch.table = FieldTable::new(config);
            scratch.max_fields = config.max_fields;
        }
        scratch
    }

    /// Gives the buffers back to the thread.
    pub(crate) fn give_back(mut self: Box<Self>) {
        if self.output.capacity() > KEEP_OUTPUT {
            self.output = Vec::new();
        }
        SCRATCH.set(Some(self));
    }

    /// A buffer that begins with `tail` and has room for a read behind it.
    pub(crate) fn input_after(&mut self, tail: &[u8]) -> &mut [u8] {
        let len = tail.len() + READ_SIZE;
        if self.input.len() < len {
            self.input.resize(len, 0);
        }
        self.input[..tail.len()].copy_from_slice(tail);
        &mut self.input[..len]
    }

    /// The date of this second.
    pub(crate) fn date(&mut self) -> HttpDate {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        *self.dates.at(seconds)
    }
}
