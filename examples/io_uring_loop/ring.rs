//! io_uring with owned buffers: whoever starts an operation gives its memory away, and gets it back
//! when the operation is done. So the interface is safe, and whoever uses it cannot break it.
//!
//! Invariant, on which the `unsafe` blocks rest: memory that the kernel may touch lies in `pool` or
//! in `sends`, and nothing reads, writes, moves or frees it there. It is taken out when the kernel has
//! said that it is done with it, and not before; a ring that is dropped leaks what was not taken out.
//!
//! What there is to do is told to the kernel in one call, [`Ring::wait`], which also brings what is done
//! by then; it is told sooner only if the queue is full. The kernel works for this ring inside that call
//! alone, so it never interrupts the loop.

use std::io;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use io_uring::types::{Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use slab::Slab;

use crate::pool::{Buffer, GROUP, Pool};

/// The queues are small, that they stay in the cache. A turn that has more to do tells it in parts, and
/// what does not fit into the second queue waits in the kernel.
const ENTRIES: u32 = 128;
const COMPLETIONS: u32 = 512;

/// So many sockets, at most, are known to the ring by the number of their connection, which spares a
/// look into the table of descriptors for each operation.
const SLOTS: u32 = 4096;

/// What an operation is, in the lowest bits of its user data. Above them: the connection it is for, or
/// the place of its bytes in `sends`.
const KIND: u64 = 3;
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const CANCEL: u64 = 3;

pub(crate) struct Ring {
    kernel: IoUring,
    /// Both are leaked with the ring: closing it does not wait for what it has begun, and the kernel may
    /// still read and write there.
    pool: ManuallyDrop<Pool>,
    sends: ManuallyDrop<Slab<Send>>,
    /// How many sockets it can know by number.
    slots: u32,
}

struct Send {
    token: usize,
    bytes: Vec<u8>,
}

/// A socket, and whether the ring knows it by number: then that holds it open too, until [`Ring::close`].
pub(crate) struct Socket {
    stream: TcpStream,
    slot: Option<u32>,
}

impl Socket {
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }
}

/// What is done. Without `more` the operation has ended, and has to be started again for others.
pub(crate) enum Done {
    /// A connection came.
    Accepted { result: io::Result<TcpStream>, more: bool },
    /// Bytes came; none at the end. `WouldBlock`: there were no buffers, or it was told to stop.
    Received { token: usize, result: io::Result<Buffer>, more: bool },
    /// So many of the bytes were sent. Here they are.
    Sent { token: usize, result: io::Result<usize>, bytes: Vec<u8> },
}

impl Ring {
    /// A ring, if the kernel has what is needed here.
    ///
    /// # Errors
    /// `Unsupported` or `PermissionDenied` if not.
    pub(crate) fn new() -> io::Result<Self> {
        // The youngest thing in need is the deferred work, of Linux 6.1: who has that, has the others. The
        // queue without an array of indices is of Linux 6.6, and a bonus.
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(COMPLETIONS);
        let kernel = builder.clone().setup_no_sqarray().build(ENTRIES).or_else(|_| builder.build(ENTRIES));
        let kernel = kernel.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                io::Error::new(io::ErrorKind::Unsupported, "the kernel is older than Linux 6.1")
            }
            _ => error,
        })?;
        let (pool, sends) = (ManuallyDrop::new(Pool::new()), ManuallyDrop::new(Slab::new()));
        let mut ring = Self { kernel, pool, sends, slots: SLOTS };
        ring.lend()?;
        // There may be no more of them than descriptors. With none it works too.
        while ring.slots > 0 && ring.kernel.submitter().register_files_sparse(ring.slots).is_err() {
            ring.slots /= 2;
        }
        Ok(ring)
    }

    /// Lends the buffers for reading to the kernel.
    fn lend(&mut self) -> io::Result<()> {
        let (address, entries) = self.pool.table();
        // SAFETY: there is a table of so many entries at this address, and it stays there: it has an
        // allocation of its own, which a ring that is dropped leaks.
        unsafe { self.kernel.submitter().register_buf_ring_with_flags(address, entries, GROUP, 0) }
    }

    /// Takes connections until told that there will be no more.
    pub(crate) fn accept(&mut self, listener: &TcpListener) {
        let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC);
        self.push(&accept.build().user_data(ACCEPT));
    }

    /// Makes a socket known by the number of its connection, which no other has before it is closed.
    pub(crate) fn open(&mut self, stream: TcpStream, token: usize) -> Socket {
        let register = |slot: &u32| {
            *slot < self.slots
                && self.kernel.submitter().register_files_update(*slot, &[stream.as_raw_fd()]).is_ok()
        };
        let slot = u32::try_from(token).ok().filter(register);
        Socket { stream, slot }
    }

    /// Closes a socket of which no operation is under way.
    pub(crate) fn close(&mut self, socket: Socket) {
        let Socket { stream, slot } = socket;
        drop(stream);
        if let Some(slot) = slot {
            let cleared = self.kernel.submitter().register_files_update(slot, &[-1]);
            debug_assert!(cleared.is_ok(), "{cleared:?}");
        }
    }

    /// Receives until told that there will be no more. The socket is to stay open until then.
    pub(crate) fn receive(&mut self, socket: &Socket, token: usize) {
        // The kernel takes a buffer of the pool when bytes have come: a connection that waits holds none.
        let receive = match socket.slot {
            Some(slot) => opcode::RecvMulti::new(Fixed(slot), GROUP),
            None => opcode::RecvMulti::new(Fd(socket.stream.as_raw_fd()), GROUP),
        };
        self.push(&receive.build().user_data(RECEIVE | (token as u64) << 2));
    }

    /// Has receiving end soon, with `WouldBlock`. What has come by then is told before.
    pub(crate) fn stop_receiving(&mut self, token: usize) {
        let cancel = opcode::AsyncCancel::new(RECEIVE | (token as u64) << 2).build();
        self.push(&cancel.flags(squeue::Flags::SKIP_SUCCESS).user_data(CANCEL));
    }

    /// Sends once, perhaps not all. The socket is to stay open until that is done.
    pub(crate) fn send(&mut self, socket: &Socket, token: usize, bytes: Vec<u8>) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let place = self.sends.insert(Send { token, bytes });
        let address = self.sends[place].bytes.as_ptr();
        let send = match socket.slot {
            Some(slot) => opcode::Send::new(Fixed(slot), address, len),
            None => opcode::Send::new(Fd(socket.stream.as_raw_fd()), address, len),
        };
        self.push(&send.build().user_data(SEND | (place as u64) << 2));
    }

    /// Lends the buffer to the kernel again.
    pub(crate) fn recycle(&mut self, buffer: Buffer) {
        self.pool.put(buffer);
    }

    /// Tells the kernel what there is to do, and waits until something is done, or so long.
    pub(crate) fn wait(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let limit = patience.unwrap_or(Duration::from_secs(3600));
        let limit = Timespec::new().sec(limit.as_secs()).nsec(limit.subsec_nanos());
        match self.kernel.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&limit)) {
            Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// The next thing that is done.
    pub(crate) fn next(&mut self) -> Option<Done> {
        loop {
            let entry = self.kernel.completion().next()?;
            let (kind, place) = (entry.user_data() & KIND, (entry.user_data() >> 2) as usize);
            let more = cqueue::more(entry.flags());
            let result = match usize::try_from(entry.result()) {
                Ok(result) => Ok(result),
                Err(_) => Err(io::Error::from_raw_os_error(-entry.result())),
            };
            return Some(match kind {
                ACCEPT => Done::Accepted { result: result.map(|_| adopt(&entry)), more },
                RECEIVE => Done::Received { token: place, result: self.received(&entry, result), more },
                SEND => {
                    let Send { token, bytes } = self.sends.remove(place);
                    Done::Sent { token, result, bytes }
                }
                // There was nothing to stop any more.
                _ => continue,
            });
        }
    }

    fn received(&mut self, entry: &cqueue::Entry, result: io::Result<usize>) -> io::Result<Buffer> {
        let buffer = self.pool.take(cqueue::buffer_select(entry.flags()), *result.as_ref().unwrap_or(&0));
        result.map(|_| buffer).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOBUFS | libc::ECANCELED) => io::ErrorKind::WouldBlock.into(),
            _ => error,
        })
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: an entry is made by one of the functions above. `send` gives the address of a `Vec` in
        // `sends`, with its length; it stays there until the one completion of this entry names its
        // place. The memory of a `Vec` stays where it is when the `Vec` itself moves (`sends` may grow).
        // The others give no address. Dropping the ring leaks what is left.
        while unsafe { self.kernel.submission().push(entry) }.is_err() {
            // The queue is full. The kernel empties it, even if it has something to complain of.
            let _ = self.kernel.submit();
        }
    }
}

/// The socket in the result of an accept that went well.
fn adopt(entry: &cqueue::Entry) -> TcpStream {
    // SAFETY: the kernel has opened this descriptor for the one who reads this completion, and each
    // completion is read once. So nobody else has it or will close it.
    unsafe { OwnedFd::from_raw_fd(entry.result()) }.into()
}
