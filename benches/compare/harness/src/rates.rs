//! The table of what a request costs, and the one of how many there are in a second.

use std::collections::BTreeMap;
use std::io;

use crate::Bench;
use crate::Outcome;
use crate::measure::{Found, Rounds, Row, median, ratio, row};
use crate::process::{Place, Serving};
use crate::table;
use crate::workloads::Workload;

/// Measures all servers under these workloads and prints two tables.
pub(crate) fn run(bench: &Bench, title: &str, workloads: &[Workload], rounds: Rounds) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut servers = Vec::new();
    for &server in &bench.servers {
        match Serving::start(&bench.machine, &bench.programs, server, 1, Place::Server) {
            Ok(serving) => servers.push(serving),
            Err(error) => outcome.wrong(format!("{}: {error}", server.name)),
        }
        bench.machine.check()?;
    }
    let Some(base) = servers.first().map(|serving| serving.server.name) else { return Ok(outcome) };
    let mut found = BTreeMap::new();
    for workload in workloads {
        eprintln!("{title}: {}", workload.name);
        let row = row(&bench.machine, &bench.programs, &mut servers, workload, rounds)?;
        for (server, found) in &row {
            if let Some(why) = &found.excluded {
                outcome.wrong(format!("{server}, {}: {why}", workload.name));
            }
        }
        found.insert(workload.name, row);
    }
    let names: Vec<&str> = servers.iter().map(|serving| serving.server.name).collect();
    let client = if rounds.spin { ", a client that never sleeps" } else { "" };
    let how = format!("{} rounds of {} s{client}", rounds.count, rounds.secs);
    print(
        &format!("{title}: CPU time for a request; {base} in µs, the others as ratios to it; {how}"),
        &names,
        workloads,
        &found,
        Found::cpu_us,
    );
    print(
        &format!("{title}: requests a second; {base} in thousands, the others as ratios to it; {how}"),
        &names,
        workloads,
        &found,
        |found| found.rate().into_iter().map(|rate| rate / 1e3).collect(),
    );
    for workload in workloads {
        // One that never sleeps is always busy.
        if let Some(row) = found.get(workload.name).filter(|_| !rounds.spin) {
            say_if_the_client_was_the_limit(workload, row);
        }
    }
    outcome.found = serde_json::to_value(&found)?;
    Ok(outcome)
}

/// Where the client had no time left, it saw fewer requests a second than the server could answer.
fn say_if_the_client_was_the_limit(workload: &Workload, row: &Row) {
    const BUSY: f64 = 0.95;
    let is_limited = |found: &Found| median(found.client_share()).is_some_and(|share| share > BUSY);
    let limited: Vec<&str> =
        row.iter().filter(|(_, found)| is_limited(found)).map(|(name, _)| *name).collect();
    if !limited.is_empty() {
        println!(
            "{}: the client's core was busy, more a second could not be seen: {}",
            workload.name,
            limited.join(", ")
        );
    }
}

fn print(
    title: &str,
    names: &[&'static str],
    workloads: &[Workload],
    found: &BTreeMap<&str, Row>,
    value: impl Fn(&Found) -> Vec<f64>,
) {
    let (Some(base), others) = (names.first(), names.get(1..).unwrap_or_default()) else { return };
    let line = |workload: &Workload| {
        let values = |name: &str| found.get(workload.name)?.get(name).map(&value);
        let to = values(base).unwrap_or_default();
        let ratios = others.iter().map(|name| ratio(&values(name).unwrap_or_default(), &to));
        let mut cells = vec![workload.name.to_owned(), table::number(median(to.clone()), 2)];
        cells.extend(ratios.map(|ratio| table::number(ratio, 2)));
        cells
    };
    let head: Vec<&str> = [""].iter().chain(names).copied().collect();
    table::print(title, &head, &workloads.iter().map(line).collect::<Vec<_>>());
}
