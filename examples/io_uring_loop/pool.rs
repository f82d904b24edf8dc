//! The buffers for reading. All connections share them: the kernel takes one when bytes have come, the
//! loop works on what is in it and puts it back.
//!
//! Buffers are lent through a table that the kernel reads: an entry for each, and how many entries were
//! ever made. It is made of atomics, so writing to it while the kernel reads needs no `unsafe`.
//!
//! Invariant: a buffer is either in `lent`, and then it is the kernel's and nobody touches it, or in a
//! [`Buffer`], and then no entry of the table names it.

use std::ops::Deref;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The name of this pool in the ring.
pub(crate) const GROUP: u16 = 0;

/// A power of two, and few, that they stay in the cache: the kernel takes them in turn. Where they are
/// used up, receiving ends and is started again.
const BUFFERS: u16 = 64;
const BUFFER_SIZE: u16 = 4 * 1024;

pub(crate) struct Pool {
    /// By number. Empty while the loop has it.
    lent: Vec<Vec<u8>>,
    table: Box<Table>,
    /// How many entries were ever made. Wraps around.
    made: u16,
}

/// `struct io_uring_buf_ring`, which begins on a page.
#[repr(C, align(4096))]
struct Table([Entry; BUFFERS as usize]);

/// `struct io_uring_buf`. What the first of them has in `made` is the count of the table.
#[derive(Default)]
#[repr(C)]
struct Entry {
    address: AtomicU64,
    len: AtomicU32,
    number: AtomicU16,
    made: AtomicU16,
}

/// What was received. To be put back.
pub(crate) struct Buffer {
    /// Which one of the pool; `None` at the end of the input.
    number: Option<u16>,
    bytes: Vec<u8>,
    len: usize,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Pool {
    pub(crate) fn new() -> Self {
        let table = Box::new(Table(std::array::from_fn(|_| Entry::default())));
        let mut pool = Self { lent: vec![Vec::new(); usize::from(BUFFERS)], table, made: 0 };
        for number in 0..BUFFERS {
            pool.put(Buffer { number: Some(number), bytes: vec![0; usize::from(BUFFER_SIZE)], len: 0 });
        }
        pool
    }

    /// Where the table is, and how many entries it has.
    pub(crate) fn table(&self) -> (u64, u16) {
        ((&raw const *self.table).expose_provenance() as u64, BUFFERS)
    }

    /// The buffer that the kernel has filled and so given back.
    pub(crate) fn take(&mut self, number: Option<u16>, len: usize) -> Buffer {
        let bytes = number.map(|number| std::mem::take(&mut self.lent[usize::from(number)]));
        Buffer { number, bytes: bytes.unwrap_or_default(), len }
    }

    /// Lends the buffer to the kernel.
    pub(crate) fn put(&mut self, buffer: Buffer) {
        let Some(number) = buffer.number else { return };
        let place = &mut self.lent[usize::from(number)];
        if !place.is_empty() {
            return; // the kernel has it: what came is a buffer of another ring
        }
        *place = buffer.bytes;
        let entry = &self.table.0[usize::from(self.made % BUFFERS)];
        entry.address.store(place.as_mut_ptr().expose_provenance() as u64, Ordering::Relaxed);
        entry.len.store(BUFFER_SIZE.into(), Ordering::Relaxed);
        entry.number.store(number, Ordering::Relaxed);
        self.made = self.made.wrapping_add(1);
        // With this, the kernel sees the entry.
        self.table.0[0].made.store(self.made, Ordering::Release);
    }
}
