//! Runs every case of `tests/fixtures/*.http`: wire bytes in, events and answers out.
//!
//! Each case is given whole, byte by byte, cut in two at every place, and in random pieces. What is
//! seen must be what the case says, however the bytes arrive. `fixtures/README.md` has the format.

#[path = "support/driver.rs"]
mod driver;
#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/pieces.rs"]
mod pieces;
#[path = "support/text.rs"]
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fixture::{Case, render};
use text::escape;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn cases() -> Vec<Case> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory())
        .expect("the directory of fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "http"))
        .collect();
    files.sort();
    files.iter().flat_map(|path| fixture::read(path)).collect()
}

#[test]
fn whole() {
    let mut wrong = Vec::new();
    for case in cases() {
        let transcript = driver::run(&case.config, case.answer, [&case.input[..]], case.end);
        let seen = render(&transcript, &case.seen);
        if seen != case.seen {
            wrong.push(format!(
                "{}\n  expected\n    {}\n  seen\n    {}",
                case.name,
                case.seen.join("\n    "),
                seen.join("\n    ")
            ));
        }
        if case.written.as_ref().is_some_and(|w| *w != transcript.out) {
            wrong.push(format!("{}\n  wrote {}", case.name, escape(&transcript.out)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn however_the_bytes_arrive() {
    for case in cases() {
        let run = |parts: &[&[u8]]| driver::run(&case.config, case.answer, parts.iter().copied(), case.end);
        let bytes = &case.input[..];
        let whole = run(&[bytes]);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(run(&single), whole, "{}: byte by byte", case.name);
        for at in 1..bytes.len() {
            let (before, after) = bytes.split_at(at);
            assert_eq!(run(&[before, after]), whole, "{}: {} | {}", case.name, escape(before), escape(after));
        }
        for seed in 0..24 {
            for longest in [2, 7, 31] {
                let parts = pieces::at_random(bytes, longest, seed);
                assert_eq!(run(&parts), whole, "{}: seed {seed}", case.name);
            }
        }
    }
}

/// The table of threats in the README and the cases name each other.
#[test]
fn every_threat_has_a_case() {
    let readme = std::fs::read_to_string(directory().join("README.md")).expect("the README");
    let (_, table) = readme.split_once("## Threats\n").expect("the table");
    let (table, _) = table.split_once("## Threats to a client").expect("the other table");
    let listed: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    let named: BTreeSet<String> = cases().into_iter().filter_map(|case| case.threat).collect();
    assert_eq!(listed, named);
    assert!(listed.len() >= 15, "the table was found");
}

#[test]
fn cases_have_names_of_their_own() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 150, "only {} cases", cases.len());
}
