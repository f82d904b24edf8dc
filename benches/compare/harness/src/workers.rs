//! Two threads next to one: whether they get in each other's way.
//!
//! On two cores, where the client needs one, nobody can see a server become twice as fast. What can be seen is
//! what a request costs: with threads that share nothing it costs the same, however many there are. Locks, a
//! cache line that two cores write to and threads that wake each other show as CPU time. So server and client
//! have both cores, with one thread and with two, in turn. The share of the busiest thread says whether there
//! was work for both.

use std::io;

use serde::Serialize;

use crate::measure::Found;
use crate::measure::{Rounds, load, median, ratio};
use crate::process::{Place, Serving};
use crate::servers::Server;
use crate::workloads::Workload;
use crate::{Bench, Outcome, table};

/// What was found of one server under one workload.
#[derive(Clone, Debug, Default, Serialize)]
struct Pair {
    one: Found,
    two: Found,
}

/// Measures each server with one thread and with two, and prints a table.
pub(crate) fn run(bench: &Bench, workloads: &[Workload], rounds: Rounds) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let rounds = Rounds { client: Place::Both, ..rounds };
    let (mut rows, mut found) = (Vec::new(), serde_json::Map::new());
    for &server in &bench.servers {
        for workload in workloads {
            eprintln!("workers: {}, {}", server.name, workload.name);
            let name = format!("{}, {}", server.name, workload.name);
            match measure(bench, server, workload, rounds) {
                Ok(pair) => {
                    rows.push(line(&name, &pair));
                    found.insert(name, serde_json::to_value(pair)?);
                }
                Err(error) => {
                    bench.machine.check()?;
                    outcome.wrong(format!("{name}, workers: {error}"));
                }
            }
        }
    }
    let title = format!(
        "CPU time for a request with one thread and with two, server and client on two cores; \
         {} rounds of {} s",
        rounds.count, rounds.secs
    );
    table::print(&title, &["", "one, µs", "two, µs", "two to one", "busiest of two"], &rows);
    outcome.found = found.into();
    Ok(outcome)
}

fn measure(bench: &Bench, server: Server, workload: &Workload, rounds: Rounds) -> io::Result<Pair> {
    let start = |threads| Serving::start(&bench.machine, &bench.programs, server, threads, Place::Both);
    let (mut one, mut two) = (start(1)?, start(2)?);
    let mut pair = Pair::default();
    for serving in [&one, &two] {
        for check in workload.checks {
            check.run(serving.port).map_err(io::Error::other)?;
        }
    }
    for _ in 0..rounds.count {
        pair.one.rounds.push(load(&bench.machine, &bench.programs, &mut one, workload, rounds)?);
        pair.two.rounds.push(load(&bench.machine, &bench.programs, &mut two, workload, rounds)?);
    }
    Ok(pair)
}

fn line(name: &str, pair: &Pair) -> Vec<String> {
    let (one, two) = (pair.one.cpu_us(), pair.two.cpu_us());
    // Sorted by the client, the busiest first.
    let shares = pair.two.rounds.iter().map(|round| {
        let busiest = round.cpu.first().copied().unwrap_or_default();
        100.0 * busiest / round.cpu.iter().sum::<f64>()
    });
    let share = median(shares.collect());
    vec![
        name.to_owned(),
        table::number(median(one.clone()), 2),
        table::number(median(two.clone()), 2),
        table::number(ratio(&two, &one), 2),
        format!("{} %", table::number(share, 0)),
    ]
}
