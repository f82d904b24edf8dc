//! The loop: every connection always has a batch under way.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::retry_on_intr;

use crate::Report;
use crate::connection::Connection;
use crate::cpu;
use crate::response::Judge;

/// Longer than any part of a response that is read again.
const BUFFER: usize = 256 * 1024;
/// How often the clock is looked at when nothing is answered.
const GLANCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Not to sleep at all.
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// Nothing may take longer than what was planned and this.
const PATIENCE: Duration = Duration::from_secs(10);

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// Its process, whose CPU time is taken.
    pub pid: Option<u32>,
    /// Connections, all open before the first request.
    pub connections: usize,
    /// The bytes of one request.
    pub request: Vec<u8>,
    /// Requests that are sent at once on each connection.
    pub depth: u32,
    /// Bytes in the body of each response.
    pub body: u64,
    /// From the first request until it counts, at the earliest: first there have to be as many responses as
    /// there are connections.
    pub warm_up: Duration,
    /// How long it counts.
    pub time: Duration,
    /// The client asks for events again and again and never sleeps: the server has nobody to wake.
    pub spin: bool,
}

/// When measuring began.
struct Begin {
    at: Instant,
    responses: u64,
    cpu: cpu::Times,
    client: cpu::Times,
}

struct Drive<'a> {
    plan: &'a Plan,
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    batch: Vec<u8>,
    judge: Judge,
    buffer: Vec<u8>,
    responses: u64,
    /// Of each batch, while it is measured.
    latencies: Vec<Duration>,
}

/// Runs the plan.
///
/// # Errors
/// If anything goes wrong on any connection, if nothing was answered, or if the process is not there.
pub fn run(plan: &Plan) -> io::Result<Report> {
    let mut drive = Drive::connect(plan)?;
    let mut events = Vec::with_capacity(1024);
    let start = Instant::now();
    for index in 0..drive.connections.len() {
        drive.begin(index, start)?;
    }
    let mut begin = None;
    let patience = if plan.spin { AT_ONCE } else { GLANCE };
    loop {
        events.clear();
        retry_on_intr(|| epoll::wait(&drive.epoll, spare_capacity(&mut events), Some(&patience)))?;
        let now = Instant::now();
        match &begin {
            None if drive.is_warm(now.duration_since(start))? => begin = Some(drive.mark(now)?),
            Some(begin) if now.duration_since(begin.at) >= plan.time => return drive.report(begin, now),
            _ => {}
        }
        for &event in &events {
            drive.handle(event, now)?;
        }
    }
}

impl<'a> Drive<'a> {
    fn connect(plan: &'a Plan) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let connections: io::Result<Vec<_>> =
            (0..plan.connections).map(|_| Connection::open(plan.address)).collect();
        let connections = connections?;
        for (index, connection) in connections.iter().enumerate() {
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&epoll, connection.stream(), data, epoll::EventFlags::IN)?;
        }
        Ok(Self {
            plan,
            epoll,
            connections,
            batch: plan.request.repeat(plan.depth as usize),
            judge: Judge::new(plan.body),
            buffer: vec![0; BUFFER],
            responses: 0,
            latencies: Vec::with_capacity(1 << 20),
        })
    }

    fn begin(&mut self, index: usize, now: Instant) -> io::Result<()> {
        let all = self.connections[index].begin(&self.batch, self.plan.depth, now)?;
        if all { Ok(()) } else { self.watch(index, epoll::EventFlags::IN | epoll::EventFlags::OUT) }
    }

    fn watch(&self, index: usize, what: epoll::EventFlags) -> io::Result<()> {
        let data = epoll::EventData::new_u64(index as u64);
        Ok(epoll::modify(&self.epoll, self.connections[index].stream(), data, what)?)
    }

    fn handle(&mut self, event: epoll::Event, now: Instant) -> io::Result<()> {
        // The data is the index that was given to epoll.
        let index = usize::try_from(event.data.u64()).map_err(io::Error::other)?;
        let flags = event.flags;
        // Only a batch that is not all sent waits for this, so it cannot end with the same event.
        if flags.contains(epoll::EventFlags::OUT) && self.connections[index].send(&self.batch)? {
            self.watch(index, epoll::EventFlags::IN)?;
        }
        if flags.difference(epoll::EventFlags::OUT).is_empty() {
            return Ok(());
        }
        let received = self.connections[index].receive(&mut self.buffer, &mut self.judge)?;
        self.responses += u64::from(received.responses);
        if let Some(begun) = received.batch {
            self.latencies.push(now.duration_since(begun));
            self.begin(index, now)?;
        }
        Ok(())
    }

    fn is_warm(&self, time: Duration) -> io::Result<bool> {
        if time > self.plan.warm_up + PATIENCE {
            return Err(io::Error::other("not every connection is answered"));
        }
        Ok(time >= self.plan.warm_up && self.responses >= self.connections.len() as u64)
    }

    fn cpu(&self) -> io::Result<cpu::Times> {
        self.plan.pid.map_or(Ok(cpu::Times::new()), cpu::times)
    }

    fn mark(&mut self, now: Instant) -> io::Result<Begin> {
        self.latencies.clear();
        let client = cpu::times(std::process::id())?;
        Ok(Begin { at: now, responses: self.responses, cpu: self.cpu()?, client })
    }

    fn report(&mut self, begin: &Begin, now: Instant) -> io::Result<Report> {
        let cpu = cpu::between(&begin.cpu, &self.cpu()?);
        let client = cpu::between(&begin.client, &cpu::times(std::process::id())?);
        let responses = self.responses - begin.responses;
        if responses == 0 {
            return Err(io::Error::other("no response in the time measured"));
        }
        self.latencies.sort_unstable();
        let quantile = |percent: usize| {
            let last = self.latencies.len().saturating_sub(1);
            self.latencies.get(last * percent / 100).map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        Ok(Report {
            responses,
            all_responses: self.responses,
            seconds: now.duration_since(begin.at).as_secs_f64(),
            cpu,
            client_cpu: client.iter().sum(),
            median_us: quantile(50),
            p99_us: quantile(99),
        })
    }
}
