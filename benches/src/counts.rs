//! Counts, and the table of them that is kept: `counts.txt`.

use crate::stored::{Stored, built, line};
use crate::valgrind::count_all;
use crate::workloads::{WORKLOADS, Workload};

const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt");

/// How often a workload runs whose counts cannot be compared.
const RUNS: u32 = 8;

/// Prints what is counted, of peers too.
pub(crate) fn table() -> Result<(), String> {
    println!("{}", built());
    println!("{:>12}  workload", "instructions");
    for (name, count) in count_all(&WORKLOADS.iter().collect::<Vec<_>>())? {
        println!("{}", line(name, count));
    }
    Ok(())
}

/// Those of our own.
fn ours() -> Vec<&'static Workload> {
    WORKLOADS.iter().filter(|workload| workload.peer().is_none()).collect()
}

/// Keeps what is counted.
pub(crate) fn store() -> Result<(), String> {
    let stored = Stored { built: &built(), counts: count_all(&ours())? };
    std::fs::write(STORED, stored.write()).map_err(|error| format!("{STORED}: {error}"))
}

/// Compares what is counted with what was kept, if both come from the same compiler. If not, the
/// workloads run, and that nothing was compared is said.
pub(crate) fn check() -> Result<(), String> {
    let text = std::fs::read_to_string(STORED).map_err(|error| format!("{STORED}: {error}"))?;
    let stored = Stored::parse(&text).map_err(|error| format!("{STORED}: {error}"))?;
    let built = built();
    if let Some(why) = stored.not_comparable(&built) {
        let ours = ours();
        for workload in &ours {
            workload.run(RUNS);
        }
        println!("NOT COMPARED: {why}. All {} workloads ran, and nothing else was checked.", ours.len());
        return Ok(());
    }
    let counted = count_all(&ours())?;
    for (name, count) in &counted {
        println!("{}", line(name, *count));
    }
    let problems = stored.compare(&counted);
    if problems.is_empty() {
        println!("{built}: {} counts, none off by more than 3 %", counted.len());
        return Ok(());
    }
    Err(format!("{}\n`--store` keeps the counts, if they are meant", problems.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_of_ours_is_stored_and_no_other() {
        let text = std::fs::read_to_string(STORED).expect("the counts");
        let stored = Stored::parse(&text).expect("a table");
        let stored: Vec<&str> = stored.counts.iter().map(|(name, _)| *name).collect();
        let known: Vec<&str> = ours().iter().map(|workload| workload.name).collect();
        assert_eq!(stored, known);
    }
}
