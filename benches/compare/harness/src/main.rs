//! Compares HTTP servers: builds them, starts each on a core of its own, verifies what it answers, loads it in
//! rounds from another core, and prints what a request costs.
//!
//! `README.md` says what is measured, how, and what the limits of that are.
#![forbid(unsafe_code)]

mod idle;
mod measure;
mod process;
mod rates;
mod servers;
mod syscalls;
mod table;
mod verify;
mod workers;
mod workloads;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use measure::Rounds;
use process::Machine;
use servers::{Programs, SERVERS, Server};
use workloads::{SCALE, WORKERS, WORKLOADS, Workload};

/// Compares HTTP servers: CPU time for a request, and requests a second
#[derive(Debug, Parser)]
struct Options {
    /// These servers, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = server)]
    only: Vec<Server>,
    /// These workloads of the table, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = workload)]
    work: Vec<Workload>,
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds of each server in each round
    #[arg(long, default_value_t = 0.5)]
    secs: f64,
    /// The client never sleeps, so that no server has to wake it
    #[arg(long, conflicts_with_all = ["workers", "syscalls", "idle", "smoke"])]
    spin: bool,
    /// Write all that was found to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// System calls for a request, in place of the table
    #[arg(long)]
    syscalls: bool,
    /// Memory of idle connections, in place of the table
    #[arg(long)]
    idle: bool,
    /// The same request over 1 to 10,000 connections, in place of the table
    #[arg(long)]
    scale: bool,
    /// One thread next to two, in place of the table
    #[arg(long)]
    workers: bool,
    /// One short round, which fails if anything is wrong with any answer
    #[arg(long, conflicts_with_all = ["rounds", "secs"])]
    smoke: bool,
}

fn server(name: &str) -> Result<Server, String> {
    let names = || SERVERS.iter().map(|server| server.name).collect::<Vec<_>>().join(", ");
    let found = SERVERS.iter().find(|server| server.name == name);
    found.copied().ok_or_else(|| format!("one of {}", names()))
}

fn workload(name: &str) -> Result<Workload, String> {
    let names = || WORKLOADS.iter().map(|workload| workload.name).collect::<Vec<_>>().join(", ");
    let found = WORKLOADS.iter().find(|workload| workload.name == name);
    found.copied().ok_or_else(|| format!("one of {}", names()))
}

/// What every section needs.
struct Bench {
    machine: Machine,
    programs: Programs,
    servers: Vec<Server>,
    /// The limit of descriptors, of each process.
    descriptors: u64,
}

impl Bench {
    /// As many connections as asked for, or as the limit of descriptors leaves, which is said then.
    fn affordable(&self, connections: usize) -> usize {
        let limit = usize::try_from(self.descriptors.saturating_sub(SPARE)).unwrap_or(usize::MAX);
        if connections > limit {
            eprintln!("{connections} connections are too many for {} descriptors: {limit}", self.descriptors);
        }
        connections.min(limit)
    }
}

/// Descriptors that a process needs for other things.
const SPARE: u64 = 100;

/// What a section found.
#[derive(Default)]
struct Outcome {
    found: serde_json::Value,
    wrong: Vec<String>,
}

impl Outcome {
    /// Something is wrong with a server: it is said at once, and again at the end.
    fn wrong(&mut self, what: String) {
        eprintln!("EXCLUDED: {what}");
        self.wrong.push(what);
    }
}

fn run(options: &Options) -> io::Result<bool> {
    let bench = prepare(options)?;
    let mut sections = serde_json::Map::new();
    let mut wrong = Vec::new();
    let mut keep = |name: &str, outcome: Outcome| {
        sections.insert(name.to_owned(), outcome.found);
        wrong.extend(outcome.wrong);
    };
    let chosen = |default: &'static [Workload]| match options.work.as_slice() {
        [] => default,
        work => work,
    };
    let rounds = rounds(options);
    if !(options.syscalls || options.idle || options.scale || options.workers) {
        keep("table", rates::run(&bench, "Workloads", chosen(WORKLOADS), rounds)?);
    }
    if options.scale {
        keep("scale", rates::run(&bench, "Connections", &scale(&bench), rounds)?);
    }
    if options.syscalls {
        keep("syscalls", syscalls::run(&bench, chosen(WORKLOADS))?);
    }
    if options.idle {
        keep("idle", idle::run(&bench)?);
    }
    if options.workers {
        keep("workers", workers::run(&bench, chosen(WORKERS), rounds)?);
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&sections)?)?;
    }
    for what in &wrong {
        println!("excluded: {what}");
    }
    Ok(wrong.is_empty())
}

fn prepare(options: &Options) -> io::Result<Bench> {
    let machine = Machine::look()?;
    let descriptors = Machine::raise_descriptors()?;
    if machine.cores() < 2 {
        eprintln!("there is one core: client and servers share it");
    }
    let programs = Programs::find()?;
    let servers = if options.only.is_empty() { SERVERS.to_vec() } else { options.only.clone() };
    programs.build(&servers)?;
    machine.check()?;
    Ok(Bench { machine, programs, servers, descriptors })
}

/// The numbers of connections that the limit of descriptors allows.
fn scale(bench: &Bench) -> Vec<Workload> {
    let affordable = |workload: &&Workload| {
        usize::try_from(workload.connections).is_ok_and(|count| bench.affordable(count) == count)
    };
    SCALE.iter().filter(affordable).copied().collect()
}

fn rounds(options: &Options) -> Rounds {
    let client = process::Place::Client;
    if options.smoke {
        return Rounds { count: 1, secs: 0.3, warm_up: 0.05, client, spin: false };
    }
    Rounds { count: options.rounds.into(), secs: options.secs, warm_up: 0.15, client, spin: options.spin }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(right) if right || !options.smoke => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
