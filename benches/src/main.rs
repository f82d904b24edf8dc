//! Instructions per operation, counted by valgrind: the same on a busy machine as on an idle one.
//!
//! `cargo run --release -p sinew-benches` prints a table. `-- WORKLOAD N` runs one workload N times
//! and nothing else, which is what is counted; twice with different N, so that the start of the
//! process drops out.
#![forbid(unsafe_code)]

mod buffer;
mod driver;
mod websocket;
mod workloads;

use std::process::{Command, ExitCode};

use workloads::WORKLOADS;

/// The two counts of repetitions whose difference is taken.
const REPEAT: [u32; 2] = [1_000, 3_000];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => table(),
        [name, times] => match (WORKLOADS.iter().find(|(known, _)| known == name), times.parse()) {
            (Some((_, run)), Ok(times)) => {
                run(times);
                ExitCode::SUCCESS
            }
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: sinew-benches [WORKLOAD TIMES], with one of:");
    for (name, _) in WORKLOADS {
        eprintln!("  {name}");
    }
    ExitCode::FAILURE
}

fn table() -> ExitCode {
    println!("{:<28}{:>14}", "workload", "instructions");
    for (name, _) in WORKLOADS {
        let counts = REPEAT.map(|times| count(name, times));
        match counts {
            [Ok(few), Ok(many)] => {
                println!("{name:<28}{:>14}", (many - few) / u64::from(REPEAT[1] - REPEAT[0]));
            }
            [Err(why), _] | [_, Err(why)] => {
                eprintln!("{name}: {why}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Instructions of a whole process that runs the workload so many times.
fn count(workload: &str, times: u32) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([workload, &times.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not start ({error}); is it installed?"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    // `==PID== Collected : 123456`
    report
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .ok_or_else(|| format!("valgrind reported no count:\n{report}"))
}
