//! Counts, and the table of them that is kept: `counts.txt`.

use std::collections::HashMap;
use std::process::Command;

use crate::workloads::WORKLOADS;

/// The two counts of repetitions whose difference is taken: multiples of the number of mixed heads.
const REPEAT: [u32; 2] = [512, 1024];

/// The difference from a stored count that is nothing, in percent. Counts repeat to the instruction on
/// one machine with one compiler; a C library that copies in another way moves some of them a little.
const TOLERANCE: u64 = 3;

const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt");

/// Prints what is counted.
pub(crate) fn table() -> Result<(), String> {
    println!("{:>12}  workload", "instructions");
    for (name, _) in WORKLOADS {
        println!("{}", line(name, count(name)?));
    }
    Ok(())
}

/// Keeps what is counted.
pub(crate) fn store() -> Result<(), String> {
    let mut text = String::new();
    for (name, _) in WORKLOADS {
        text.push_str(&line(name, count(name)?));
        text.push('\n');
    }
    std::fs::write(STORED, text).map_err(|error| format!("{STORED}: {error}"))
}

/// Compares what is counted with what was kept. A count that fell has to be stored too: else it could
/// grow again unseen.
pub(crate) fn check() -> Result<(), String> {
    let text = std::fs::read_to_string(STORED).map_err(|error| format!("{STORED}: {error}"))?;
    let stored: HashMap<&str, u64> = text.lines().filter_map(parse).collect();
    let mut wrong = Vec::new();
    // Other parsers are there for comparison alone.
    for (name, _) in WORKLOADS.iter().filter(|(name, _)| !name.ends_with(')')) {
        let now = count(name)?;
        let problem = stored.get(name).map_or(Some("is not stored"), |&before| verdict(before, now));
        println!("{}{}", line(name, now), problem.map(|problem| format!(": {problem}")).unwrap_or_default());
        if let Some(problem) = problem {
            let before = stored.get(name).copied().unwrap_or_default();
            wrong.push(format!("{name} {problem}: {before} before, {now} now"));
        }
    }
    let known = |name: &str| WORKLOADS.iter().any(|(workload, _)| *workload == name);
    for name in stored.keys().filter(|name| !known(name)) {
        wrong.push(format!("{name} is stored and not known"));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    wrong.push("`--store` keeps the counts, if they are meant".to_owned());
    Err(wrong.join("\n"))
}

/// What is wrong with a count, if something is.
fn verdict(before: u64, now: u64) -> Option<&'static str> {
    if now * 100 > before * (100 + TOLERANCE) {
        Some("grew")
    } else if now * (100 + TOLERANCE) < before * 100 {
        Some("fell, and is not stored")
    } else {
        None
    }
}

fn line(name: &str, count: u64) -> String {
    format!("{count:>12}  {name}")
}

fn parse(line: &str) -> Option<(&str, u64)> {
    let (count, name) = line.trim_start().split_once("  ")?;
    Some((name, count.parse().ok()?))
}

/// Instructions of one operation.
fn count(workload: &str) -> Result<u64, String> {
    let [few, many] = REPEAT.map(|times| whole(workload, times));
    Ok((many? - few?) / u64::from(REPEAT[1] - REPEAT[0]))
}

/// Instructions of a whole process that runs the workload so many times.
fn whole(workload: &str, times: u32) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([workload, &times.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not start ({error}); is it installed?"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{workload} failed:\n{report}"));
    }
    // `==PID== Collected : 123456`
    report
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .ok_or_else(|| format!("valgrind reported no count for {workload}:\n{report}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grew_or_fell_by_more_than_three_percent_is_told() {
        for (before, now, expected) in [
            (1_000, 1_000, None),
            (1_000, 1_030, None),
            (1_000, 1_031, Some("grew")),
            (1_030, 1_000, None),
            (1_031, 1_000, Some("fell, and is not stored")),
        ] {
            assert_eq!(verdict(before, now), expected, "{before} {now}");
        }
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        assert_eq!(parse(&line("head/two lines", 12)), Some(("head/two lines", 12)));
        assert_eq!(parse("x"), None);
    }

    #[test]
    fn every_workload_is_stored() {
        let text = std::fs::read_to_string(STORED).expect("the counts");
        let stored: Vec<&str> = text.lines().filter_map(parse).map(|(name, _)| name).collect();
        let known: Vec<&str> = WORKLOADS.iter().map(|(name, _)| *name).collect();
        assert_eq!(stored, known);
    }

    /// One run of each, so that none fails only when it is counted.
    #[test]
    fn every_workload_runs() {
        for (_, run) in WORKLOADS {
            run(2);
        }
    }
}
