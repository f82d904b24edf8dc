//! Instructions per operation, counted by valgrind: the same on a busy machine as on an idle one.
//!
//! | arguments | |
//! |---|---|
//! | none | prints a table |
//! | `--check` | compares with `counts.txt`; fails if a count is off by more than three percent |
//! | `--store` | writes `counts.txt` |
//! | `--time` | how long a head of mixed traffic takes, in nanoseconds, here and in httparse |
//! | `WORKLOAD N` | runs one workload N times and nothing else: this is what is counted |
//!
//! A workload is counted twice with different N, so that the start of the process drops out.
#![forbid(unsafe_code)]

mod buffer;
mod counts;
mod driver;
mod heads;
mod websocket;
mod workloads;

use std::process::ExitCode;

use workloads::WORKLOADS;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        [] => counts::table(),
        ["--check"] => counts::check(),
        ["--store"] => counts::store(),
        ["--time"] => {
            workloads::time_mixed();
            Ok(())
        }
        [name, times] => match (WORKLOADS.iter().find(|(known, _)| known == name), times.parse()) {
            (Some((_, run)), Ok(times)) => {
                run(times);
                Ok(())
            }
            _ => Err(usage()),
        },
        _ => Err(usage()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let names: Vec<&str> = WORKLOADS.iter().map(|(name, _)| *name).collect();
    format!(
        "usage: sinew-benches [--check | --store | --time | WORKLOAD TIMES], with one of:\n  {}",
        names.join("\n  ")
    )
}
