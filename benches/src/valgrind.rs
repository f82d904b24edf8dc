//! Counting: a process that runs a workload, under callgrind.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::workloads::Workload;

/// Instructions of one operation, for each workload: as many at once as there are processors.
pub(crate) fn count_all(workloads: &[&'static Workload]) -> Result<Vec<(&'static str, u64)>, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(vec![Ok(0); workloads.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(workload) = workloads.get(at) else { break };
                    let counted = count(workload);
                    counts.lock().unwrap_or_else(PoisonError::into_inner)[at] = counted;
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    workloads.iter().zip(counts).map(|(workload, count)| Ok((workload.name, count?))).collect()
}

/// Instructions of one operation.
fn count(workload: &Workload) -> Result<u64, String> {
    let few = whole(workload, workload.times)?;
    let many = whole(workload, 2 * workload.times)?;
    Ok(many.saturating_sub(few) / u64::from(workload.times))
}

/// Instructions of a whole process that runs the workload so many times.
fn whole(workload: &Workload, times: u32) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([workload.name, &times.to_string()])
        // Without `rep movsb`, by which the C library copies what is long on some processors: callgrind
        // counts each byte of it as an instruction.
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS")
        .output()
        .map_err(|error| format!("valgrind does not start ({error}); is it installed?"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} failed:\n{report}", workload.name));
    }
    collected(&report).ok_or_else(|| format!("valgrind reported no count for {}:\n{report}", workload.name))
}

/// `==PID== Collected : 123456`
fn collected(report: &str) -> Option<u64> {
    report.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_the_report() {
        let report = "==17== \n==17== Events    : Ir\n==17== Collected : 5168306\n==17== \n";
        assert_eq!(collected(report), Some(5_168_306));
        assert_eq!(collected("==17== Events    : Ir"), None);
        assert_eq!(collected("==17== Collected : many"), None);
    }
}
