//! A virtual connection and its two ends.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use sinew_proto::sim::{End, Read, Wire, Write};
use sinew_runtime::Io;

use crate::Network;
use crate::world::{Alarm, Event, World};

/// One end of a virtual connection: a client's, made by [`Sim::connect`](crate::Sim::connect), or the
/// server's, which the driver has.
///
/// Methods borrow it, so one task may read while another one writes: put it in an `Rc` for that. Only
/// one may read at a time, and one write. Dropped, it is closed as a socket would be: with input that
/// nobody has read, the other end sees a reset.
///
/// ```
/// use sinew_sim::{Network, Sim};
///
/// let sim = Sim::new(1);
/// let (one, other) = sim.pair();
/// let echo = sim.spawn(async move {
///     let mut bytes = Vec::new();
///     other.read_to_end(&mut bytes).await?;
///     other.write_all(&bytes).await
/// });
/// let heard = sim.run_until(async {
///     one.write_all(b"hello").await?;
///     one.shutdown_write().await?;
///     let mut heard = Vec::new();
///     one.read_to_end(&mut heard).await?;
///     echo.await?;
///     std::io::Result::Ok(heard)
/// });
/// assert_eq!(heard??, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SimStream {
    link: Arc<Link>,
    end: End,
}

/// A connection: the wire, and who waits for it.
struct Link {
    number: u64,
    world: Arc<World>,
    network: Network,
    state: Mutex<State>,
    /// Goes off when the wire changes.
    change: Waker,
}

struct State {
    wire: Wire,
    alarm: Option<Alarm>,
    waiting: [Waiting; 2],
}

#[derive(Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// This end is closed.
    closed: bool,
}

/// Wakes whom the time lets go on.
struct Change(Weak<Link>);

impl Wake for Change {
    fn wake(self: Arc<Self>) {
        let Some(link) = self.0.upgrade() else { return };
        let mut state = link.now();
        state.alarm = None;
        link.changed(state, None);
    }
}

/// The two ends of a new connection: the client's and the server's.
pub(crate) fn pair(world: &Arc<World>, network: Network, number: u64) -> (SimStream, SimStream) {
    let mut random = world.fork();
    let faults = network.draw(&mut random);
    let mut wire = Wire::new(random.next_u64(), faults);
    wire.advance_to(world.now());
    let link = Arc::new_cyclic(|link: &Weak<Link>| Link {
        number,
        world: world.clone(),
        network,
        state: Mutex::new(State { wire, alarm: None, waiting: Default::default() }),
        change: Arc::new(Change(link.clone())).into(),
    });
    world.note(Event::Connect, number, 0);
    (SimStream { link: link.clone(), end: End::A }, SimStream { link, end: End::B })
}

impl Link {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of this moment.
    fn now(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.wire.advance_to(self.world.now());
        state
    }

    /// The task asks in vain and is woken at once: `true` if that is what happens now.
    fn is_spurious(&self, cx: &Context<'_>) -> bool {
        let spurious = self.world.one_in(self.network.spurious_one_in);
        if spurious {
            cx.waker().wake_by_ref();
        }
        spurious
    }

    /// Something is different: whoever can go on is woken, and nobody else, as a wake too many would hide
    /// one that was forgotten. `room`: the end that may have more room to write than before.
    fn changed(&self, mut state: MutexGuard<'_, State>, room: Option<End>) {
        let mut woken = Vec::new();
        let State { wire, waiting, .. } = &mut *state;
        for end in [End::A, End::B] {
            let Waiting { reader, writer, closed } = &mut waiting[end as usize];
            // Without room these look, and take nothing.
            let broken = *closed || wire.socket(end).write(&[]) == Write::Reset;
            if broken || wire.socket(end).read(&mut []) != Read::Blocked {
                woken.extend(reader.take());
            }
            if broken || room == Some(end) {
                woken.extend(writer.take());
            }
        }
        self.set_alarm(&mut state);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    fn set_alarm(&self, state: &mut State) {
        let due = state.wire.next_change();
        if state.alarm.map(|(at, _)| at) == due {
            return;
        }
        if let Some(alarm) = state.alarm.take() {
            self.world.cancel_alarm(alarm);
        }
        state.alarm = due.map(|at| self.world.set_alarm(at, self.change.clone()));
    }

    fn note(&self, event: Event, end: End, how_much: usize) {
        self.world.note(event, self.number * 2 + end as u64, how_much as u64);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(alarm) = self.state().alarm.take() {
            self.world.cancel_alarm(alarm);
        }
    }
}

impl SimStream {
    /// The number of the connection, from 1: the first one that was made has it.
    pub fn number(&self) -> u64 {
        self.link.number
    }

    /// Reads into `buf` and returns how many bytes; zero is the end.
    ///
    /// # Errors
    /// `ConnectionReset` if the connection is broken.
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read_at(cx, buf)).await
    }

    /// Appends everything up to the end to `bytes` and returns how many bytes.
    ///
    /// # Errors
    /// `ConnectionReset` if the connection is broken; what came before is in `bytes`.
    pub async fn read_to_end(&self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let before = bytes.len();
        let mut piece = [0; 4096];
        loop {
            match self.read(&mut piece).await? {
                0 => return Ok(bytes.len() - before),
                n => bytes.extend_from_slice(&piece[..n]),
            }
        }
    }

    /// Writes some of `bytes` and returns how many.
    ///
    /// # Errors
    /// `BrokenPipe` if the connection is broken or this end has shut down its sending side.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_write_at(cx, &[IoSlice::new(bytes)])).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `BrokenPipe` if the connection is broken or this end has shut down its sending side.
    pub async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let n = self.write(rest).await?;
            rest = &rest[n..];
        }
        Ok(())
    }

    /// Ends the sending side: the other end reads an end after the last byte. Reading goes on.
    ///
    /// # Errors
    /// None so far; it is the signature of a socket.
    pub async fn shutdown_write(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown_at(cx)).await
    }

    /// Breaks the connection: the other end gets a reset, and what is on its way is lost.
    pub fn reset(&self) {
        self.leave(Event::Reset);
    }

    /// How many bytes this end has written so far.
    pub fn written(&self) -> u64 {
        self.link.state().wire.written_by(self.end)
    }

    const fn other(&self) -> End {
        match self.end {
            End::A => End::B,
            End::B => End::A,
        }
    }

    /// Goes, once.
    fn leave(&self, event: Event) {
        let mut state = self.link.now();
        if !std::mem::replace(&mut state.waiting[self.end as usize].closed, true) {
            let mut socket = state.wire.socket(self.end);
            if matches!(event, Event::Reset) {
                socket.reset();
            } else {
                socket.close();
            }
            self.link.note(event, self.end, 0);
            self.link.changed(state, Some(self.other()));
        }
    }

    fn poll_read_at(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.link.is_spurious(cx) {
            return Poll::Pending;
        }
        let most = self.link.world.part(buf.len(), self.link.network.max_read);
        let mut state = self.link.now();
        if state.waiting[self.end as usize].closed {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        match state.wire.socket(self.end).read(&mut buf[..most]) {
            Read::Bytes(n) => {
                self.link.note(Event::Read, self.end, n);
                self.link.changed(state, Some(self.other()));
                Poll::Ready(Ok(n))
            }
            Read::Blocked => {
                state.waiting[self.end as usize].reader = Some(cx.waker().clone());
                self.link.set_alarm(&mut state);
                Poll::Pending
            }
            Read::End => {
                self.link.note(Event::ReadEnd, self.end, 0);
                Poll::Ready(Ok(0))
            }
            Read::Reset => {
                self.link.note(Event::ReadReset, self.end, 0);
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
    }

    /// Cut anywhere, so also in the middle of a slice; now and then past its end.
    fn poll_write_at(&self, cx: &Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.link.is_spurious(cx) {
            return Poll::Pending;
        }
        let len = bufs.iter().map(|buf| buf.len()).sum();
        let mut left = self.link.world.part(len, self.link.network.max_write);
        let mut state = self.link.now();
        if state.waiting[self.end as usize].closed {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        let mut total = 0;
        for buf in bufs.iter().filter(|buf| !buf.is_empty()) {
            let part = &buf[..buf.len().min(left)];
            if part.is_empty() {
                break;
            }
            match state.wire.socket(self.end).write(part) {
                Write::Taken(n) => {
                    total += n;
                    left -= n;
                    if n < part.len() {
                        break;
                    }
                }
                Write::Blocked => break,
                Write::Reset if total == 0 => {
                    self.link.note(Event::WriteReset, self.end, 0);
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                Write::Reset => break,
            }
        }
        if total == 0 && len > 0 {
            state.waiting[self.end as usize].writer = Some(cx.waker().clone());
            self.link.set_alarm(&mut state);
            return Poll::Pending;
        }
        self.link.note(Event::Write, self.end, total);
        self.link.changed(state, None);
        Poll::Ready(Ok(total))
    }

    fn poll_shutdown_at(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.link.is_spurious(cx) {
            return Poll::Pending;
        }
        let mut state = self.link.now();
        state.wire.socket(self.end).finish();
        self.link.note(Event::Finish, self.end, 0);
        self.link.changed(state, None);
        Poll::Ready(Ok(()))
    }
}

impl Io for SimStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_read_at(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll_write_at(cx, bufs)
    }

    fn poll_shutdown_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown_at(cx)
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.leave(Event::Close);
    }
}

impl fmt::Debug for SimStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStream")
            .field("number", &self.number())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
