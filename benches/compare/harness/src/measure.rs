//! Rounds: in each, every server has the same load for a moment, one after the other.

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use load::Report;
use serde::Serialize;

use crate::process::{Machine, Place, Serving, is_interrupt};
use crate::servers::Programs;
use crate::workloads::Workload;

/// How rounds are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    /// Seconds that count.
    pub(crate) secs: f64,
    /// Seconds before them.
    pub(crate) warm_up: f64,
    /// Where the client runs.
    pub(crate) client: Place,
    /// Whether it never sleeps.
    pub(crate) spin: bool,
}

/// What was found of one server under one workload.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Found {
    /// A report of each round.
    pub(crate) rounds: Vec<Report>,
    /// Why there is none, or why they ended early.
    pub(crate) excluded: Option<String>,
}

/// By the name of the server.
pub(crate) type Row = BTreeMap<&'static str, Found>;

impl Found {
    /// CPU time for one request of each round, in microseconds.
    pub(crate) fn cpu_us(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.cpu.iter().sum::<f64>() * 1e6 / count(round.responses)).collect()
    }

    /// Requests a second of each round.
    pub(crate) fn rate(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| count(round.responses) / round.seconds).collect()
    }

    /// How much of its core the client used in each round.
    pub(crate) fn client_share(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.client_cpu / round.seconds).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts that far")]
pub(crate) fn count(number: u64) -> f64 {
    number as f64
}

/// The one in the middle, or the mean of the two there.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().saturating_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// The median of the ratios within rounds: what slows the machine for a while slows both.
pub(crate) fn ratio(of: &[f64], to: &[f64]) -> Option<f64> {
    median(of.iter().zip(to).map(|(of, to)| of / to).collect())
}

/// Verifies each server for this workload, and measures those that are right.
///
/// # Errors
/// Only if we are to stop: what is wrong with a server stands in what was found of it.
pub(crate) fn row(
    machine: &Machine,
    programs: &Programs,
    servers: &mut [Serving],
    workload: &Workload,
    rounds: Rounds,
) -> io::Result<Row> {
    let mut row = Row::new();
    for server in &mut *servers {
        machine.check()?;
        let excluded = server.crash().or_else(|| verify(server, workload).err());
        row.insert(server.server.name, Found { rounds: Vec::new(), excluded });
    }
    for _ in 0..rounds.count {
        for server in &mut *servers {
            let Some(found) = row.get_mut(server.server.name) else { continue };
            if found.excluded.is_some() {
                continue;
            }
            match load(machine, programs, server, workload, rounds) {
                Ok(report) => found.rounds.push(report),
                Err(error) if is_interrupt(&error) => return Err(error),
                Err(error) => found.excluded = Some(error.to_string()),
            }
        }
    }
    Ok(row)
}

fn verify(server: &Serving, workload: &Workload) -> Result<(), String> {
    workload.checks.iter().try_for_each(|check| check.run(server.port))
}

/// Loads a server once.
///
/// # Errors
/// If the server ended, if the client found something wrong, or did not end.
pub(crate) fn load(
    machine: &Machine,
    programs: &Programs,
    server: &mut Serving,
    workload: &Workload,
    rounds: Rounds,
) -> io::Result<Report> {
    let mut command = Command::new(programs.load());
    command
        .args(["--port", &server.port.to_string(), "--pid", &server.pid().to_string()])
        .args(["--connections", &workload.connections.to_string()])
        .args(["--secs", &rounds.secs.to_string(), "--warm-up", &rounds.warm_up.to_string()])
        .args(rounds.spin.then_some("--spin"))
        .args(workload.arguments.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let most = Duration::from_secs_f64(rounds.secs + rounds.warm_up) + Duration::from_secs(20);
    let output = machine.start(command, rounds.client)?.output(machine, most)?;
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout)?);
    }
    Err(server.explain(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), Some(3.0));
    }

    #[test]
    fn a_slow_round_slows_no_ratio() {
        assert_eq!(ratio(&[2.0, 20.0, 2.0], &[1.0, 10.0, 1.0]), Some(2.0));
        assert_eq!(ratio(&[2.0], &[]), None);
    }

    #[test]
    fn time_for_a_request_is_that_of_all_threads() {
        let report = Report {
            responses: 1_000,
            all_responses: 2_000,
            seconds: 0.5,
            cpu: vec![0.003, 0.001],
            client_cpu: 0.4,
            median_us: 1.0,
            p99_us: 2.0,
        };
        let found = Found { rounds: vec![report], excluded: None };
        assert!((found.cpu_us()[0] - 4.0).abs() < 1e-9);
        assert!((found.rate()[0] - 2_000.0).abs() < 1e-9);
        assert!((found.client_share()[0] - 0.8).abs() < 1e-9);
    }
}
