//! The loop: what is done, whose time has come, what to do next.
//!
//! Invariant: a connection keeps its socket and its place until none of its operations is under way.
//! Otherwise one of them could act on the connection that gets the same number next.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use clap::Parser as _;
use sinew_proto::{Instant, http1::CloseAction};
use slab::Slab;

use crate::pool::Buffer;
use crate::ring::{Done, Ring, Socket};
use crate::service::{HIGH_WATER, Options, Session, Shared};

/// Stands for the listener among the deadlines; the others are places in the slab.
const LISTENER: usize = usize::MAX;

/// How long to wait after accepting has failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Output buffers that are kept for the next answers. Who has nothing to send has none.
const SPARES: usize = 64;

/// Serves until the ring fails.
///
/// # Errors
/// The one of the ring; `Unsupported` or `PermissionDenied` if the kernel refuses it.
pub(crate) fn run() -> io::Result<()> {
    let options = Options::parse();
    let ring = Ring::new()?;
    let listener = options.listen()?;
    let shared = Shared::new(options.config());
    let thread = Thread { ring, shared, spares: Vec::new() };
    Loop { listener, connections: Slab::new(), deadlines: BTreeSet::new(), thread }.run()
}

struct Loop {
    listener: TcpListener,
    connections: Slab<Connection>,
    /// Whom to call when. An entry may be too early, never too late.
    deadlines: BTreeSet<(Instant, usize)>,
    thread: Thread,
}

/// What all connections share.
struct Thread {
    ring: Ring,
    shared: Shared,
    spares: Vec<Vec<u8>>,
}

impl Thread {
    /// Keeps an output buffer for the next answer.
    fn spare(&mut self, mut buffer: Vec<u8>) {
        if self.spares.len() < SPARES && buffer.capacity() > 0 {
            buffer.clear();
            self.spares.push(buffer);
        }
    }
}

struct Connection {
    socket: Socket,
    session: Session,
    /// Input that the core wants to see again, with more behind it.
    tail: Vec<u8>,
    /// What waits to be sent, after what the kernel has.
    out: Vec<u8>,
    receiving: Receiving,
    sending: bool,
    write_shut: bool,
    over: bool,
    /// The entry among the deadlines.
    armed: Option<Instant>,
}

/// The operation that receives.
#[derive(Clone, Copy, PartialEq)]
enum Receiving {
    No,
    Yes,
    /// It was told to stop, and has not ended yet.
    Stopping,
}

impl Loop {
    fn run(&mut self) -> io::Result<()> {
        self.thread.ring.accept(&self.listener);
        let mut now = self.thread.shared.tick();
        loop {
            // The wait ends at the first deadline: no timer of the kernel's has to be set and unset.
            let due = self.deadlines.first().map(|(due, _)| *due);
            self.thread.ring.wait(due.map(|due| due.saturating_since(now)))?;
            now = self.thread.shared.tick();
            while let Some(done) = self.thread.ring.next() {
                match done {
                    Done::Accepted { result, more } => self.accepted(result, more, now),
                    Done::Received { token, result, more } => {
                        self.connections[token].received(result, more, &mut self.thread, now);
                        self.turn(token, now);
                    }
                    Done::Sent { token, result, bytes } => {
                        self.connections[token].sent(result.ok(), bytes, token, &mut self.thread, now);
                        self.turn(token, now);
                    }
                }
            }
            while let Some(&(due, token)) = self.deadlines.first().filter(|(due, _)| *due <= now) {
                self.deadlines.remove(&(due, token));
                if token == LISTENER {
                    self.thread.ring.accept(&self.listener);
                } else if let Some(connection) = self.connections.get_mut(token) {
                    connection.armed = None;
                    connection.work(&[], &mut self.thread, now);
                    self.turn(token, now);
                }
            }
        }
    }

    fn accepted(&mut self, result: io::Result<TcpStream>, more: bool, now: Instant) {
        match result {
            Ok(socket) => {
                let _ = socket.set_nodelay(true);
                let place = self.connections.vacant_entry();
                let token = place.key();
                let connection = place.insert(Connection {
                    socket: self.thread.ring.open(socket, token),
                    session: Session::new(&self.thread.shared.config),
                    tail: Vec::new(),
                    out: Vec::new(),
                    receiving: Receiving::No,
                    sending: false,
                    write_shut: false,
                    over: false,
                    armed: None,
                });
                connection.work(&[], &mut self.thread, now); // its time counts from here
                self.turn(token, now);
            }
            // It was gone before we came.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            // No descriptors, no memory: the connections wait in the kernel, and so do we.
            Err(error) => {
                eprintln!("accept: {error}");
                self.deadlines.insert((now.saturating_add(ACCEPT_PAUSE), LISTENER));
                return;
            }
        }
        if !more {
            self.thread.ring.accept(&self.listener);
        }
    }

    /// Lets a connection do what it can, and sees to its deadline.
    fn turn(&mut self, token: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        if !connection.over {
            connection.turn(token, &mut self.thread, now);
        }
        if connection.over {
            if let Some(armed) = connection.armed.take() {
                self.deadlines.remove(&(armed, token));
            }
            if connection.receiving != Receiving::No || connection.sending {
                let _ = connection.socket.shutdown(Shutdown::Both); // ends both at once
            } else {
                let connection = self.connections.remove(token);
                self.thread.ring.close(connection.socket);
            }
            return;
        }
        let Some(due) = connection.session.core.poll_timeout() else { return };
        if connection.armed.is_none_or(|armed| due < armed) {
            if let Some(armed) = connection.armed.replace(due) {
                self.deadlines.remove(&(armed, token));
            }
            self.deadlines.insert((due, token));
        }
    }
}

impl Connection {
    /// Sends, works on what is left, closes, receives, in this order.
    fn turn(&mut self, token: usize, thread: &mut Thread, now: Instant) {
        let mut was_high = self.out.len() >= HIGH_WATER;
        while self.send(token, thread, now) && was_high {
            self.work(&[], thread, now); // there may be more to answer
            was_high = self.out.len() >= HIGH_WATER;
        }
        match self.session.core.close_action() {
            CloseAction::None => {}
            CloseAction::Abort => self.over = true,
            CloseAction::AfterFlush => self.over = !self.sending,
            CloseAction::Linger if !self.sending && !self.write_shut => {
                self.write_shut = true;
                self.over = self.socket.shutdown(Shutdown::Write).is_err();
            }
            CloseAction::Linger => {}
        }
        let wants_read = self.session.core.wants_read() && self.out.len() < HIGH_WATER;
        match self.receiving {
            Receiving::No if wants_read && !self.over => {
                thread.ring.receive(&self.socket, token);
                self.receiving = Receiving::Yes;
            }
            Receiving::Yes if !wants_read => {
                thread.ring.stop_receiving(token);
                self.receiving = Receiving::Stopping;
            }
            _ => {}
        }
    }

    /// Gives the kernel what waits, if it has nothing yet.
    fn send(&mut self, token: usize, thread: &mut Thread, now: Instant) -> bool {
        if self.sending || self.out.is_empty() {
            return false;
        }
        thread.ring.send(&self.socket, token, std::mem::take(&mut self.out));
        self.sending = true;
        self.session.core.written(false, true, now);
        true
    }

    /// Bytes have come. What comes after receiving was told to stop is at most what one turn brings.
    fn received(&mut self, result: io::Result<Buffer>, more: bool, thread: &mut Thread, now: Instant) {
        if !more {
            self.receiving = Receiving::No;
        }
        match result {
            Ok(buffer) if self.over => thread.ring.recycle(buffer),
            Ok(buffer) => {
                if buffer.is_empty() {
                    self.session.core.end_of_input(now);
                }
                self.work(&buffer, thread, now);
                thread.ring.recycle(buffer);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.over = true,
        }
    }

    /// The bytes are worked on where they are, unless older ones come first.
    fn work(&mut self, input: &[u8], thread: &mut Thread, now: Instant) {
        if self.out.capacity() == 0 {
            self.out = thread.spares.pop().unwrap_or_default();
        }
        if self.tail.is_empty() {
            let used = self.session.turn(input, &mut thread.shared, &mut self.out, now);
            self.tail.extend_from_slice(&input[used..]);
        } else {
            self.tail.extend_from_slice(input);
            let used = self.session.turn(&self.tail, &mut thread.shared, &mut self.out, now);
            self.tail.drain(..used);
            if self.tail.is_empty() {
                self.tail = Vec::new();
            }
        }
        if self.out.is_empty() {
            thread.spare(std::mem::take(&mut self.out));
        }
    }

    /// Sends the rest, and tells the core how it goes: the write deadline hangs on it.
    fn sent(
        &mut self,
        sent: Option<usize>,
        mut bytes: Vec<u8>,
        token: usize,
        thread: &mut Thread,
        now: Instant,
    ) {
        self.sending = false;
        let Some(count) = sent else {
            self.over = true;
            return;
        };
        bytes.drain(..count);
        self.session.core.written(count > 0, !bytes.is_empty() || !self.out.is_empty(), now);
        if !bytes.is_empty() && !self.over {
            thread.ring.send(&self.socket, token, bytes);
            self.sending = true;
        } else {
            thread.spare(bytes);
        }
    }
}
