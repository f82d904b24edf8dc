//! System calls for a request: counted by the kernel's tracepoints through `perf`, which costs little, or by
//! `strace`, which slows the server so much that fewer events are ready at a time.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::measure::{Rounds, count, load};
use crate::process::{Place, Serving};
use crate::workloads::Workload;
use crate::{Bench, Outcome, table};

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Perf,
    Strace,
}

/// System calls for a request, by name.
type Calls = BTreeMap<String, f64>;

/// The name under which all of them are.
const ALL: &str = "all";
/// Those that a server makes while it serves.
const NAMES: &[&str] = &[
    "accept4",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "futex",
    "poll",
    "ppoll",
    "read",
    "readv",
    "recvfrom",
    "recvmsg",
    "sched_yield",
    "sendmsg",
    "sendto",
    "timerfd_settime",
    "write",
    "writev",
];
const EVENTS: &str = "/sys/kernel/tracing/events/syscalls";
/// How long a tool takes to attach.
const ATTACH: Duration = Duration::from_millis(500);

/// Counts for each server and workload, and prints a table.
pub(crate) fn run(bench: &Bench, workloads: &[Workload]) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let Some(tool) = Tool::find() else {
        outcome.wrong("system calls: neither perf with its tracepoints nor strace can be used".to_owned());
        return Ok(outcome);
    };
    let mut found: BTreeMap<&str, BTreeMap<&str, Calls>> = BTreeMap::new();
    for workload in workloads {
        for &server in &bench.servers {
            eprintln!("system calls: {}, {}", workload.name, server.name);
            let calls = Serving::start(&bench.machine, &bench.programs, server, 1, Place::Server)
                .and_then(|mut serving| measure(bench, tool, &mut serving, workload));
            bench.machine.check()?;
            match calls {
                Ok(calls) => _ = found.entry(workload.name).or_default().insert(server.name, calls),
                Err(error) => outcome.wrong(format!("{}, {}: {error}", server.name, workload.name)),
            }
        }
    }
    print(bench, tool, workloads, &found);
    outcome.found = serde_json::to_value(&found)?;
    Ok(outcome)
}

fn measure(bench: &Bench, tool: Tool, serving: &mut Serving, workload: &Workload) -> io::Result<Calls> {
    for check in workload.checks {
        check.run(serving.port).map_err(io::Error::other)?;
    }
    let machine = &bench.machine;
    let mut command = tool.command(serving.pid());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let counting = machine.start(command, Place::Anywhere)?;
    machine.sleep(ATTACH)?;
    // All is counted, the connecting too, so that the whole run has to be divided by.
    let rounds = Rounds { count: 1, secs: 1.0, warm_up: 0.0, client: Place::Client, spin: false };
    let report = load(machine, &bench.programs, serving, workload, rounds)?;
    counting.interrupt()?;
    let output = counting.output(machine, Duration::from_secs(10))?;
    let calls = tool.read(&String::from_utf8_lossy(&output.stderr));
    if calls.get(ALL).is_none_or(|&all| all == 0.0) {
        return Err(io::Error::other(format!("{} counted nothing", tool.name())));
    }
    Ok(calls.into_iter().map(|(name, calls)| (name, calls / count(report.all_responses))).collect())
}

fn print(bench: &Bench, tool: Tool, workloads: &[Workload], found: &BTreeMap<&str, BTreeMap<&str, Calls>>) {
    let head: Vec<&str> = [""].into_iter().chain(bench.servers.iter().map(|server| server.name)).collect();
    let row = |workload: &Workload| {
        let calls = |name: &&str| found.get(workload.name)?.get(name)?.get(ALL).copied();
        let cells = head.iter().skip(1).map(|name| table::number(calls(name), 2));
        [workload.name.to_owned()].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let rows: Vec<_> = workloads.iter().map(row).collect();
    table::print(&format!("System calls for a request, counted by {}", tool.name()), &head, &rows);
    let Some((name, servers)) = workloads.first().and_then(|first| found.get_key_value(first.name)) else {
        return;
    };
    for (server, calls) in servers {
        let mut kinds: Vec<_> =
            calls.iter().filter(|(kind, calls)| *kind != ALL && **calls >= 0.005).collect();
        kinds.sort_by(|a, b| b.1.total_cmp(a.1));
        let kinds: Vec<_> = kinds.iter().map(|(kind, calls)| format!("{kind} {calls:.2}")).collect();
        println!("{name}, {server}: {}", kinds.join(", "));
    }
}

impl Tool {
    fn find() -> Option<Self> {
        let works = |program: &str, arguments: &[&str]| {
            let command = &mut Command::new(program);
            let status = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        if works("perf", &["stat", "-e", "raw_syscalls:sys_enter", "true"]) {
            Some(Self::Perf)
        } else {
            works("strace", &["-f", "-c", "true"]).then_some(Self::Strace)
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Strace => "strace",
        }
    }

    /// What counts the calls of a process, all its threads, until it is interrupted.
    fn command(self, pid: u32) -> Command {
        let pid = pid.to_string();
        match self {
            Self::Perf => {
                let known =
                    NAMES.iter().filter(|name| Path::new(EVENTS).join(format!("sys_enter_{name}")).exists());
                let events = known.fold("raw_syscalls:sys_enter".to_owned(), |events, name| {
                    format!("{events},syscalls:sys_enter_{name}")
                });
                let mut command = Command::new("perf");
                command.args(["stat", "-x,", "-e", &events, "-p", &pid]);
                command
            }
            Self::Strace => {
                let mut command = Command::new("strace");
                command.args(["-f", "-c", "-p", &pid]);
                command
            }
        }
    }

    /// How often each was called, from what the tool prints.
    fn read(self, text: &str) -> Calls {
        match self {
            Self::Perf => text.lines().filter_map(perf_line).collect(),
            Self::Strace => {
                let mut calls: Calls = text.lines().filter_map(strace_line).collect();
                let all = calls.values().sum();
                calls.insert(ALL.to_owned(), all);
                calls
            }
        }
    }
}

/// `29,,syscalls:sys_enter_read,740742,100.00,,`
fn perf_line(line: &str) -> Option<(String, f64)> {
    let mut fields = line.split(',');
    let calls: u64 = fields.next()?.parse().ok()?;
    let (_, event) = fields.nth(1)?.split_once(':')?;
    let name = event.strip_prefix("sys_enter")?;
    Some((name.strip_prefix('_').unwrap_or(ALL).to_owned(), count(calls)))
}

/// ` 51.20    0.004500           1      4213        12 recvfrom`, where the errors may be missing
fn strace_line(line: &str) -> Option<(String, f64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (name, calls) = (fields.last()?, fields.get(3)?.parse::<u64>().ok()?);
    (*name != "total").then(|| ((*name).to_owned(), count(calls)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_print() {
        let perf = "29,,raw_syscalls:sys_enter,740742,100.00,,\n7,,syscalls:sys_enter_read,740742,100.00,,\n\
                    <not counted>,,syscalls:sys_enter_poll,0,100.00,,\n";
        let wanted = Calls::from([(ALL.to_owned(), 29.0), ("read".to_owned(), 7.0)]);
        assert_eq!(Tool::Perf.read(perf), wanted);
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
                      ------ ----------- ----------- --------- --------- ----------------\n\
                      51.20    0.004500           1         7         2 read\n\
                      48.80    0.004300           1        22           sendto\n\
                      ------ ----------- ----------- --------- --------- ----------------\n\
                      100.00    0.008800           1        29         2 total\n";
        let wanted =
            Calls::from([(ALL.to_owned(), 29.0), ("read".to_owned(), 7.0), ("sendto".to_owned(), 22.0)]);
        assert_eq!(Tool::Strace.read(strace), wanted);
    }
}
