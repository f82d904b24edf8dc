//! Instructions per operation, counted by valgrind: the same on a busy machine as on an idle one.
//!
//! | arguments | |
//! |---|---|
//! | none | prints a table |
//! | `--check` | compares with `counts.txt`; fails if a count is off by more than three percent |
//! | `--store` | writes `counts.txt` |
//! | `--time` | what has a peer by the clock, next to it, in turns: a table of quotients |
//! | `WORKLOAD N` | runs one workload N times and nothing else: this is what is counted |
//!
//! A workload is counted twice with different N, so that the start of the process drops out.
#![forbid(unsafe_code)]

mod app;
mod buffer;
mod counts;
mod driver;
mod handlers;
mod heads;
mod http1;
mod http_net;
mod httparse;
mod sse;
mod stored;
mod time;
mod tungstenite;
mod valgrind;
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
            time::table();
            Ok(())
        }
        [name, times] => match (workloads::find(name), times.parse()) {
            (Some(workload), Ok(times)) => {
                workload.run(times);
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
    let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
    format!(
        "usage: sinew-benches [--check | --store | --time | WORKLOAD TIMES], with one of:\n  {}",
        names.join("\n  ")
    )
}
