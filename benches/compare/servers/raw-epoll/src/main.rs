//! The practical limit: level-triggered epoll, one read and one write for each event, canned answers.
//!
//! It looks at a request only as far as it has to in order to answer: it is no HTTP server. What a server
//! needs beyond its time is the price of HTTP, of routing and of being general.
#![forbid(unsafe_code)]

mod answers;
mod connection;

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::retry_on_intr;

use answers::{Answers, Second};
use connection::{Connection, Scratch, Waiting};

const BUFFER: usize = 512 * 1024;
const LISTENER: u64 = u64::MAX;

fn main() -> io::Result<()> {
    let options = common::options()?;
    common::on_threads(options.threads, move || serve(&common::listen(options.port)?))
}

/// One thread.
struct Loop {
    epoll: rustix::fd::OwnedFd,
    /// By the number of the descriptor.
    connections: Vec<Option<Box<Connection>>>,
    scratch: Scratch,
    answers: Answers,
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let second = Second::start();
    let scratch = Scratch { input: vec![0; BUFFER], output: Vec::new() };
    let mut this = Loop { epoll, connections: Vec::new(), scratch, answers: Answers::now() };
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        // Who attaches to the process to count its system calls interrupts this one.
        retry_on_intr(|| epoll::wait(&this.epoll, spare_capacity(&mut events), None))?;
        if second.is_over() {
            this.answers = Answers::now();
        }
        for &event in &events {
            match event.data.u64() {
                LISTENER => this.accept(listener)?,
                descriptor => this.turn(descriptor, event.flags)?,
            }
        }
    }
}

impl Loop {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let descriptor = usize::try_from(stream.as_raw_fd()).map_err(io::Error::other)?;
            epoll::add(&self.epoll, &stream, EventData::new_u64(descriptor as u64), EventFlags::IN)?;
            if self.connections.len() <= descriptor {
                self.connections.resize_with(descriptor + 1, || None);
            }
            self.connections[descriptor] = Some(Box::new(Connection::new(stream)));
        }
        Ok(())
    }

    fn turn(&mut self, descriptor: u64, ready: EventFlags) -> io::Result<()> {
        let Some(place) = usize::try_from(descriptor).ok().and_then(|at| self.connections.get_mut(at)) else {
            return Ok(());
        };
        let Some(connection) = place else { return Ok(()) };
        let before = if ready.contains(EventFlags::OUT) { Waiting::Writable } else { Waiting::Readable };
        let waiting = connection.turn(&mut self.scratch, &self.answers);
        if waiting == Waiting::Closed {
            // The kernel forgets the descriptor with the last of it.
            *place = None;
        } else if waiting != before {
            let interest = if waiting == Waiting::Writable { EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.epoll, &connection.stream, EventData::new_u64(descriptor), interest)?;
        }
        Ok(())
    }
}
