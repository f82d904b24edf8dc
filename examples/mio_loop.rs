//! The protocol core in an event loop of one's own: one thread, one `mio::Poll`, any number of
//! connections. What a loop around the core has to do, and no more:
//!
//! - Buffers belong to the loop. Every connection reads into the same one and is parsed in place; it
//!   keeps what is left over: the beginning of a head, or an answer that its client does not take yet.
//! - One ordered set holds the deadlines, at most one entry for each connection.
//! - Who does not read is not read from, and is dropped when the write deadline passes.
//! - The core says how a connection ends: [`CloseAction`].
//!
//! `cargo run --release --example mio_loop`, then `curl -T file localhost:8080`. What is answered
//! stands in `service/mod.rs`; the same on io_uring in `io_uring_loop`.
#![forbid(unsafe_code)]

mod service;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use clap::Parser;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, event::Event};
use service::{HIGH_WATER, Options, Session, Shared};
use sinew_proto::{Instant, http1::CloseAction};
use slab::Slab;

/// The token of the listener; the others are places in the slab.
const LISTENER: usize = usize::MAX;

/// Reads of one connection before the others get their turn.
const ROUNDS: usize = 16;

/// How long to wait after accepting has failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = options.listen()?;
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, Token(LISTENER), Interest::READABLE)?;
    let mut server = Loop {
        poll,
        listener,
        paused: false,
        connections: Slab::new(),
        deadlines: BTreeSet::new(),
        unfinished: Vec::new(),
        thread: Thread {
            shared: Shared::new(options.config()),
            input: vec![0; 64 * 1024],
            spare: Vec::new(),
        },
    };
    server.run()
}

struct Loop {
    poll: Poll,
    listener: TcpListener,
    /// Accepting has failed; the listener has a deadline for the next try.
    paused: bool,
    connections: Slab<Connection>,
    /// Whom to call when. An entry may be too early, never too late: then it is a call for nothing,
    /// which costs less than to move it with every request.
    deadlines: BTreeSet<(Instant, usize)>,
    /// Whose turn ended with more to do. Sockets tell only once that they are ready.
    unfinished: Vec<usize>,
    thread: Thread,
}

/// What all connections share.
struct Thread {
    shared: Shared,
    /// What was read last.
    input: Vec<u8>,
    /// The output buffer of the connection at work. One that cannot send it all keeps it.
    spare: Vec<u8>,
}

struct Connection {
    socket: TcpStream,
    session: Session,
    /// Input that the core wants to see again, with more behind it.
    tail: Vec<u8>,
    /// What waits to be sent.
    out: Vec<u8>,
    readable: bool,
    writable: bool,
    write_shut: bool,
    /// The entry among the deadlines.
    armed: Option<Instant>,
}

enum Turn {
    /// It waits for its socket or its deadline.
    Wait,
    /// There is more to do; others first.
    Again,
    Close,
}

impl Loop {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = self.thread.shared.tick();
            for event in &events {
                let token = event.token().0;
                if token == LISTENER && !self.paused {
                    self.accept(now);
                } else if let Some(connection) = self.connections.get_mut(token) {
                    connection.notice(event);
                    self.turn(token, now);
                }
            }
            for token in std::mem::take(&mut self.unfinished) {
                self.turn(token, now);
            }
            while let Some(&(due, token)) = self.deadlines.first().filter(|(due, _)| *due <= now) {
                self.deadlines.remove(&(due, token));
                if token == LISTENER {
                    self.paused = false;
                    self.accept(now);
                } else if let Some(connection) = self.connections.get_mut(token) {
                    connection.armed = None;
                    self.turn(token, now);
                }
            }
        }
    }

    /// How long to wait for events.
    fn patience(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        let (due, _) = self.deadlines.first()?;
        Some(due.saturating_since(self.thread.shared.now()))
    }

    fn accept(&mut self, now: Instant) {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => self.welcome(socket, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // It was gone before we came.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                // No descriptors, no memory: the connections wait in the kernel, and no event will tell.
                Err(error) => {
                    eprintln!("accept: {error}");
                    self.paused = true;
                    self.deadlines.insert((now.saturating_add(ACCEPT_PAUSE), LISTENER));
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, mut socket: TcpStream, now: Instant) {
        let place = self.connections.vacant_entry();
        let token = place.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut socket, Token(token), interest).is_err() {
            return;
        }
        let _ = socket.set_nodelay(true);
        place.insert(Connection {
            socket,
            session: Session::new(&self.thread.shared.config),
            tail: Vec::new(),
            out: Vec::new(),
            readable: true, // it may be: reading will tell
            writable: true,
            write_shut: false,
            armed: None,
        });
        self.turn(token, now);
    }

    /// Lets a connection do what it can, and sees to its deadline.
    fn turn(&mut self, token: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        match connection.turn(&mut self.thread, now) {
            Ok(Turn::Wait) => {}
            Ok(Turn::Again) => self.unfinished.push(token),
            Ok(Turn::Close) | Err(_) => {
                if let Some(armed) = connection.armed {
                    self.deadlines.remove(&(armed, token));
                }
                self.connections.remove(token); // closes the socket
                return;
            }
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
    /// What the poll has heard of the socket. An error shows when it is read or written.
    fn notice(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// Works on the input, sends, closes, reads, in this order, until nothing moves.
    fn turn(&mut self, thread: &mut Thread, now: Instant) -> io::Result<Turn> {
        if self.out.is_empty() {
            std::mem::swap(&mut self.out, &mut thread.spare);
        }
        let mut result = Ok(Turn::Again);
        for _ in 0..ROUNDS {
            let used = self.session.turn(&self.tail, &mut thread.shared, &mut self.out, now);
            self.tail.drain(..used);
            let was_high = self.out.len() >= HIGH_WATER;
            self.flush(now)?;
            if was_high && self.out.len() < HIGH_WATER {
                continue; // there may be more to answer
            }
            if self.is_over()? {
                return Ok(Turn::Close);
            }
            if !self.readable || was_high || !self.session.core.wants_read() {
                result = Ok(Turn::Wait);
                break;
            }
            self.read(thread, now)?;
        }
        if self.tail.is_empty() {
            self.tail = Vec::new();
        }
        if self.out.is_empty() {
            std::mem::swap(&mut self.out, &mut thread.spare);
        }
        result
    }

    /// One read. Its bytes are worked on where they are, unless older ones come first.
    fn read(&mut self, thread: &mut Thread, now: Instant) -> io::Result<()> {
        match self.socket.read(&mut thread.input) {
            Ok(0) => self.session.core.end_of_input(now),
            Ok(n) => {
                let mut input = &thread.input[..n];
                if self.tail.is_empty() {
                    let used = self.session.turn(input, &mut thread.shared, &mut self.out, now);
                    input = &input[used..];
                }
                self.tail.extend_from_slice(input);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends what the client takes, and tells the core: the write deadline hangs on it.
    fn flush(&mut self, now: Instant) -> io::Result<()> {
        let mut sent = 0;
        while self.writable && sent < self.out.len() {
            match self.socket.write(&self.out[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.drain(..sent);
        self.session.core.written(sent > 0, !self.out.is_empty(), now);
        Ok(())
    }

    /// Does what the core wants done with the socket. Returns whether it can be closed.
    fn is_over(&mut self) -> io::Result<bool> {
        match self.session.core.close_action() {
            CloseAction::None => Ok(false),
            CloseAction::Abort => Ok(true),
            CloseAction::AfterFlush => Ok(self.out.is_empty()),
            CloseAction::Linger => {
                if self.out.is_empty() && !self.write_shut {
                    self.socket.shutdown(Shutdown::Write)?;
                    self.write_shut = true;
                }
                Ok(false)
            }
        }
    }
}
