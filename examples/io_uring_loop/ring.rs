//! io_uring with owned buffers: whoever starts an operation gives its memory away, and gets it back
//! when the operation is done. So the interface is safe, and whoever uses it cannot break it.
//!
//! Invariant, on which both `unsafe` blocks rest: memory that the kernel may touch lies in `pool` or
//! in `sends`, and nothing reads, writes, moves or frees it there. It is taken out when the kernel has
//! said that it is done with it, and not before; a ring that is dropped leaks what was not taken out.
//!
//! Buffers for reading are lent to the kernel, all in one pool. It picks one when bytes have come: a
//! connection that waits holds none.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};
use slab::Slab;

const ENTRIES: u32 = 1024;
const BUFFERS: u16 = 64;
const BUFFER_SIZE: u16 = 16 * 1024;

/// The name of the pool.
const GROUP: u16 = 0;

/// What an operation is, in the lowest bits of its user data. Above them: the connection it is for, or
/// the place of its bytes in `sends`.
const KIND: u64 = 3;
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const PROVIDE: u64 = 3;

pub(crate) struct Ring {
    kernel: IoUring,
    /// By number. Empty while the loop has it.
    pool: Vec<Vec<u8>>,
    sends: Slab<Send>,
}

struct Send {
    token: usize,
    bytes: Vec<u8>,
}

/// What is done.
pub(crate) enum Done {
    /// A connection came. Without `more` there will be no other before the next [`Ring::accept`].
    Accepted { result: io::Result<TcpStream>, more: bool },
    /// Bytes came; none at the end. `WouldBlock`: to be tried again.
    Received { token: usize, result: io::Result<Buffer> },
    /// So many of the bytes were sent. Here they are.
    Sent { token: usize, result: io::Result<usize>, bytes: Vec<u8> },
}

/// What was received. To be given back by [`Ring::recycle`].
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

impl Ring {
    /// A ring, if the kernel has what is needed here.
    ///
    /// # Errors
    /// `Unsupported` or `PermissionDenied` if not.
    pub(crate) fn new() -> io::Result<Self> {
        let kernel = IoUring::new(ENTRIES)?;
        let mut probe = Probe::new();
        kernel.submitter().register_probe(&mut probe)?;
        let codes =
            [opcode::Accept::CODE, opcode::Recv::CODE, opcode::Send::CODE, opcode::ProvideBuffers::CODE];
        let has = kernel.params();
        let features =
            has.is_feature_nodrop() && has.is_feature_ext_arg() && has.is_feature_skip_cqe_on_success();
        if !features || codes.iter().any(|code| !probe.is_supported(*code)) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel is too old"));
        }
        let pool = vec![Vec::new(); usize::from(BUFFERS)];
        let mut ring = Self { kernel, pool, sends: Slab::new() };
        for number in 0..BUFFERS {
            ring.provide(number, vec![0; usize::from(BUFFER_SIZE)]);
        }
        Ok(ring)
    }

    /// Takes connections until told that there will be no more.
    pub(crate) fn accept(&mut self, listener: &TcpListener) {
        let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC);
        self.push(&accept.build().user_data(ACCEPT));
    }

    /// Receives once. The socket is to stay open until that is done.
    pub(crate) fn receive(&mut self, socket: &TcpStream, token: usize) {
        // No address: the kernel takes a buffer of the pool.
        let receive = opcode::Recv::new(Fd(socket.as_raw_fd()), ptr::null_mut(), BUFFER_SIZE.into());
        let receive = receive.buf_group(GROUP).build().flags(squeue::Flags::BUFFER_SELECT);
        self.push(&receive.user_data(RECEIVE | (token as u64) << 2));
    }

    /// Sends once, perhaps not all. The socket is to stay open until that is done.
    pub(crate) fn send(&mut self, socket: &TcpStream, token: usize, bytes: Vec<u8>) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let place = self.sends.insert(Send { token, bytes });
        let address = self.sends[place].bytes.as_ptr();
        let send = opcode::Send::new(Fd(socket.as_raw_fd()), address, len);
        self.push(&send.build().user_data(SEND | (place as u64) << 2));
    }

    /// Lends the buffer to the kernel again.
    pub(crate) fn recycle(&mut self, buffer: Buffer) {
        if let Some(number) = buffer.number {
            self.provide(number, buffer.bytes);
        }
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
    pub(crate) fn next(&mut self) -> io::Result<Option<Done>> {
        loop {
            let Some(entry) = self.kernel.completion().next() else { return Ok(None) };
            let (kind, place) = (entry.user_data() & KIND, (entry.user_data() >> 2) as usize);
            let result = match usize::try_from(entry.result()) {
                Ok(result) => Ok(result),
                Err(_) => Err(io::Error::from_raw_os_error(-entry.result())),
            };
            return Ok(Some(match kind {
                ACCEPT => Done::Accepted {
                    result: result.map(|_| adopt(&entry)),
                    more: cqueue::more(entry.flags()),
                },
                RECEIVE => Done::Received { token: place, result: self.received(&entry, result) },
                SEND => {
                    let Send { token, bytes } = self.sends.remove(place);
                    Done::Sent { token, result, bytes }
                }
                _ => match result {
                    Ok(_) => continue,
                    Err(error) => return Err(error),
                },
            }));
        }
    }

    fn received(&mut self, entry: &cqueue::Entry, result: io::Result<usize>) -> io::Result<Buffer> {
        let number = cqueue::buffer_select(entry.flags());
        let bytes = number.map(|number| std::mem::take(&mut self.pool[usize::from(number)]));
        let mut buffer = Buffer { number, bytes: bytes.unwrap_or_default(), len: 0 };
        match result {
            Ok(len) => {
                buffer.len = len;
                Ok(buffer)
            }
            Err(error) => {
                self.recycle(buffer);
                // All buffers are in use for the moment.
                let again = error.raw_os_error() == Some(libc::ENOBUFS);
                Err(if again { io::ErrorKind::WouldBlock.into() } else { error })
            }
        }
    }

    fn provide(&mut self, number: u16, bytes: Vec<u8>) {
        let place = &mut self.pool[usize::from(number)];
        if !place.is_empty() {
            return; // the kernel has it: what came is a buffer of another ring
        }
        *place = bytes;
        let address = place.as_mut_ptr();
        let provide = opcode::ProvideBuffers::new(address, BUFFER_SIZE.into(), 1, GROUP, number);
        // Completes only if it fails.
        self.push(&provide.build().flags(squeue::Flags::SKIP_SUCCESS).user_data(PROVIDE));
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: an entry is made by one of the functions above, and has at most one address in it.
        // `accept` and `receive` give none. `send` gives that of a `Vec` in `sends`, with its length; it
        // stays there until the one completion of this entry names its place. `provide` gives that of a
        // `Vec` of BUFFER_SIZE bytes in `pool`; it stays there until the one completion of a receive
        // that names its number. The memory of a `Vec` stays where it is when the `Vec` itself moves
        // (`sends` may grow). Dropping the ring leaks them all.
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

impl Drop for Ring {
    fn drop(&mut self) {
        // Closing a ring does not wait for what it has begun: the kernel may still write here.
        std::mem::forget(std::mem::take(&mut self.pool));
        std::mem::forget(std::mem::take(&mut self.sends));
    }
}
