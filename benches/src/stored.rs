//! The table of counts that is kept, and how new ones compare with it.

use std::collections::HashMap;
use std::fmt::Write as _;

/// The difference from a stored count that is nothing, in percent. Counts repeat to a few instructions
/// with one compiler; a C library that copies or allocates in another way moves some of them a little.
const TOLERANCE: u64 = 3;

/// Counts, and what they depend on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored<'t> {
    /// See [`built`].
    pub(crate) built: &'t str,
    pub(crate) counts: Vec<(&'t str, u64)>,
}

/// On what a count depends beside the source: the compiler, and whether the processor has the vectors
/// by which `memchr` and the C library choose their code. Valgrind shows no later extension to them.
pub(crate) fn built() -> String {
    let vectors = if avx2() { " with AVX2" } else { "" };
    format!("rustc {}, {}{vectors}", env!("RUSTC_MINOR"), std::env::consts::ARCH)
}

#[cfg(target_arch = "x86_64")]
fn avx2() -> bool {
    std::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn avx2() -> bool {
    false
}

impl<'t> Stored<'t> {
    /// Reads what [`write`](Self::write) has written.
    ///
    /// # Errors
    /// Says which line is not as it is written.
    pub(crate) fn parse(text: &'t str) -> Result<Self, String> {
        let mut lines = text.lines();
        let built = lines.next().and_then(|line| line.strip_prefix("# "));
        let built = built.ok_or("the first line does not say by what was counted")?;
        let counts = lines.map(|line| count(line).ok_or_else(|| format!("no count: {line:?}")));
        Ok(Self { built, counts: counts.collect::<Result<_, _>>()? })
    }

    pub(crate) fn write(&self) -> String {
        let mut text = format!("# {}\n", self.built);
        for (name, count) in &self.counts {
            writeln!(text, "{}", line(name, *count)).expect("a string takes everything");
        }
        text
    }

    /// Why nothing can be said about counts of what was built so, if nothing can.
    pub(crate) fn not_comparable(&self, built: &str) -> Option<String> {
        let stored = self.built;
        (stored != built).then(|| format!("the counts that are stored are of {stored}, this is {built}"))
    }

    /// What is wrong with these counts, a line for each problem: one that is off by more than 3 %, in
    /// either direction, one that is not stored, one that is stored and was not counted. A count that
    /// fell has to be stored too: else it could grow again unseen.
    pub(crate) fn compare(&self, counted: &[(&str, u64)]) -> Vec<String> {
        let mut before: HashMap<&str, u64> = self.counts.iter().copied().collect();
        let mut problems = Vec::new();
        for &(name, now) in counted {
            match before.remove(name) {
                None => problems.push(format!("{name} is not stored: {now} now")),
                Some(before) => problems.extend(
                    verdict(before, now).map(|what| format!("{name} {what}: {before} before, {now} now")),
                ),
            }
        }
        let mut unknown: Vec<&str> = before.into_keys().collect();
        unknown.sort_unstable();
        problems.extend(unknown.iter().map(|name| format!("{name} is stored and not known")));
        problems
    }
}

/// What is wrong with a count, if something is.
fn verdict(before: u64, now: u64) -> Option<&'static str> {
    if now * 100 > before * (100 + TOLERANCE) {
        Some("grew")
    } else if now * 100 < before * (100 - TOLERANCE) {
        Some("fell, and is not stored")
    } else {
        None
    }
}

/// One line of the table.
pub(crate) fn line(name: &str, count: u64) -> String {
    format!("{count:>12}  {name}")
}

fn count(line: &str) -> Option<(&str, u64)> {
    let (count, name) = line.trim_start().split_once("  ")?;
    Some((name, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored<'static> {
        Stored { built: "rustc 1.0", counts: vec![("head/mixed", 1_000), ("driver/two lines", 10_000)] }
    }

    #[test]
    fn three_percent_are_nothing_and_more_is_told() {
        for (now, expected) in [
            (1_000, None),
            (1_029, None),
            (1_030, None),
            (1_031, Some("head/mixed grew: 1000 before, 1031 now")),
            (2_000, Some("head/mixed grew: 1000 before, 2000 now")),
            (971, None),
            (970, None),
            (969, Some("head/mixed fell, and is not stored: 1000 before, 969 now")),
            (0, Some("head/mixed fell, and is not stored: 1000 before, 0 now")),
        ] {
            let problems = stored().compare(&[("head/mixed", now), ("driver/two lines", 10_000)]);
            assert_eq!(problems.first().map(String::as_str), expected, "{now}");
            assert_eq!(problems.len(), usize::from(expected.is_some()));
        }
    }

    #[test]
    fn a_workload_that_is_not_stored_or_not_known_is_told() {
        let counted = [("head/mixed", 1_000), ("head/new", 7), ("driver/two lines", 10_000)];
        assert_eq!(stored().compare(&counted), ["head/new is not stored: 7 now"]);
        assert_eq!(stored().compare(&counted[..1]), ["driver/two lines is stored and not known"]);
        assert_eq!(stored().compare(&[]).len(), 2);
        assert_eq!(stored().compare(&[counted[0], counted[2]]), Vec::<String>::new());
    }

    #[test]
    fn counts_of_another_compiler_are_not_compared() {
        assert_eq!(stored().not_comparable("rustc 1.0"), None);
        let why = "the counts that are stored are of rustc 1.0, this is rustc 1.1";
        assert_eq!(stored().not_comparable("rustc 1.1").as_deref(), Some(why));
    }

    #[test]
    fn what_it_was_built_by_names_compiler_and_architecture() {
        let built = built();
        let minor = built.strip_prefix("rustc ").and_then(|rest| rest.split_once(", "));
        let (minor, processor) = minor.expect("a compiler and an architecture");
        assert!(minor.starts_with("1."));
        assert!(processor.starts_with(std::env::consts::ARCH));
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Stored::parse(&stored().write()), Ok(stored()));
    }

    #[test]
    fn a_table_that_is_damaged_is_refused() {
        for text in [
            "",
            "        1000  head/mixed\n",
            "# rustc 1.0\nhead/mixed\n",
            "# rustc 1.0\n   many  head/mixed\n",
        ] {
            assert!(Stored::parse(text).is_err(), "{text:?}");
        }
    }

    /// The column "now" of `docs/performance.md` has what is stored, as far as a count repeats.
    #[test]
    fn what_the_documents_say_is_stored() {
        let docs = include_str!("../../docs/performance.md");
        let stored = Stored::parse(include_str!("../counts.txt")).expect("the table that is stored");
        let table = docs.split("### Counts").nth(1).and_then(|rest| rest.split("\n\nhttparse").next());
        let rows = table.into_iter().flat_map(str::lines).filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let (name, now) = (cells.next()?, cells.nth(1)?);
            Some((name, now.replace(',', "").parse::<u64>().ok()?))
        });
        let mut seen = 0;
        for (name, now) in rows {
            let is_now = |(workload, count): &(&str, u64)| {
                // Sixteen requests are one operation, and its row says what each of them takes.
                let count = if workload.ends_with("x16") { count / 16 } else { *count };
                count.abs_diff(now) * 200 <= now
            };
            assert!(stored.counts.iter().any(is_now), "{name}: {now}");
            seen += 1;
        }
        assert!(seen >= 30, "{seen} rows");
    }
}
