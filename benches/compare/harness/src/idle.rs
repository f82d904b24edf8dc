//! What a connection that does nothing takes of the server's memory.
//!
//! The resident memory of the process is read before and after; the difference is divided. What the kernel
//! keeps for a socket is not in it, and is the same for all.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use common::HELLO;
use load::request::request;
use load::response::{Judge, Place as Part};
use serde::Serialize;

use crate::measure::count;
use crate::process::{Machine, Place, Serving};
use crate::servers::Server;
use crate::verify::Check;
use crate::{Bench, Outcome, table};

/// Connections, if the limit of descriptors lets us.
const CONNECTIONS: usize = 10_000;
const MEBIBYTE: f64 = 1_048_576.0;
/// Until a server has put away what it needs no more.
const REST: Duration = Duration::from_secs(1);
/// Connections that ask at the same time.
const BURST: usize = 200;

/// Bytes.
#[derive(Clone, Copy, Debug, Serialize)]
struct Memory {
    /// The whole process before, with one connection served.
    before: f64,
    /// Of each connection that is open and has said nothing yet.
    open: f64,
    /// Of each connection that had one answer.
    idle: f64,
}

/// Measures each server and prints a table.
pub(crate) fn run(bench: &Bench) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let connections = bench.affordable(CONNECTIONS);
    let (mut rows, mut found) = (Vec::new(), serde_json::Map::new());
    for &server in &bench.servers {
        eprintln!("idle: {}", server.name);
        match measure(bench, server, connections) {
            Ok(memory) => {
                let cell = |bytes: f64| format!("{bytes:.0}");
                let base = format!("{:.1}", memory.before / MEBIBYTE);
                rows.push(vec![server.name.to_owned(), base, cell(memory.open), cell(memory.idle)]);
                found.insert(server.name.to_owned(), serde_json::to_value(memory)?);
            }
            Err(error) => {
                bench.machine.check()?;
                outcome.wrong(format!("{}, idle: {error}", server.name));
            }
        }
    }
    let title = format!("Resident memory of the process, and of each of {connections} connections");
    table::print(&title, &["", "process, MiB", "open, bytes", "after an answer, bytes"], &rows);
    outcome.found = found.into();
    Ok(outcome)
}

fn measure(bench: &Bench, server: Server, connections: usize) -> io::Result<Memory> {
    let mut serving = Serving::start(&bench.machine, &bench.programs, server, 1, Place::Server)?;
    fill(&bench.machine, &serving, connections).map_err(|error| serving.explain(error))
}

fn fill(machine: &Machine, serving: &Serving, connections: usize) -> io::Result<Memory> {
    Check::Plaintext.run(serving.port).map_err(io::Error::other)?;
    machine.sleep(REST)?;
    let before = resident(serving.pid())?;
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        machine.check()?;
        streams.push(connect(serving.port)?);
    }
    machine.sleep(REST)?;
    let open = resident(serving.pid())?;
    ask_on_all(machine, serving.port, &mut streams)?;
    machine.sleep(REST)?;
    let idle = resident(serving.pid())?;
    let each = |now: f64| (now - before) / count(connections as u64);
    Ok(Memory { before, open: each(open), idle: each(idle) })
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// One request and its answer on each connection.
fn ask_on_all(machine: &Machine, port: u16, streams: &mut [TcpStream]) -> io::Result<()> {
    let request = request(&format!("127.0.0.1:{port}"), "/plaintext", 0, false);
    let mut judge = Judge::new(HELLO.len() as u64);
    for streams in streams.chunks_mut(BURST) {
        machine.check()?;
        for stream in &mut *streams {
            stream.write_all(&request)?;
        }
        for stream in streams {
            answer(stream, &mut judge)?;
        }
    }
    Ok(())
}

fn answer(stream: &mut TcpStream, judge: &mut Judge) -> io::Result<()> {
    let (mut part, mut bytes, mut buffer) = (Part::default(), Vec::new(), [0; 1024]);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(io::Error::other("the server closed a connection"));
        }
        bytes.extend_from_slice(&buffer[..read]);
        let (done, ended) = judge.read(&mut part, &bytes).map_err(io::Error::other)?;
        if ended > 0 {
            return Ok(());
        }
        bytes.drain(..done);
    }
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> io::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.map(|kibibytes| count(kibibytes * 1024)).ok_or(io::Error::other("no VmRSS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_used_is_seen() {
        let pid = std::process::id();
        let before = resident(pid).expect("our own");
        let memory = vec![1_u8; 32 << 20];
        let after = resident(pid).expect("our own");
        assert!(std::hint::black_box(&memory)[1 << 20] == 1 && after - before > 30e6, "{before} and {after}");
    }
}
