//! Runs every case of `tests/fixtures/websocket/*.ws`: frames in, events and frames out.
//!
//! Each case is given whole, byte by byte, cut in two at every place, and in random pieces, and the
//! naive reader must agree. `fixtures/README.md` has the format.

#[path = "support/websocket/agree.rs"]
mod agree;
#[path = "support/websocket/driver.rs"]
mod driver;
#[path = "support/websocket/fixture.rs"]
mod fixture;
#[path = "support/websocket/frames.rs"]
#[allow(dead_code, reason = "the differential tests use the rest")]
mod frames;
#[path = "support/websocket/naive.rs"]
mod naive;
#[path = "support/pieces.rs"]
mod pieces;
#[path = "support/text.rs"]
#[allow(dead_code, reason = "limits of HTTP have other names")]
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use driver::{Role, Transcript, run};
use fixture::{Case, render};
use text::escape;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn cases() -> Vec<Case> {
    let directory = std::fs::read_dir(fixtures().join("websocket")).expect("the fixtures");
    let mut files: Vec<PathBuf> = directory.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "ws"));
    files.sort();
    files.iter().flat_map(|path| fixture::read(path)).collect()
}

#[test]
fn whole() {
    let mut wrong = Vec::new();
    for case in cases() {
        let transcript = run(&case.setup, [&case.input[..]]);
        let seen = render(&transcript);
        if seen != case.seen {
            let (expected, seen) = (case.seen.join("\n    "), seen.join("\n    "));
            wrong.push(format!("{}\n  expected\n    {expected}\n  seen\n    {seen}", case.name));
        }
        if case.written.as_ref().is_some_and(|written| *written != transcript.out) {
            wrong.push(format!("{}\n  wrote {}", case.name, escape(&transcript.out)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn however_the_bytes_arrive() {
    for case in cases() {
        let whole = run(&case.setup, [&case.input[..]]);
        let same = |parts: &[&[u8]], how: &str| {
            let seen: Transcript = run(&case.setup, parts.iter().copied());
            assert_eq!(seen, whole, "{}: {how}", case.name);
        };
        let bytes = &case.input[..];
        same(&bytes.chunks(1).collect::<Vec<_>>(), "byte by byte");
        for at in 0..=bytes.len() {
            // In the middle of a long payload one place is like the other.
            if bytes.len() < 4_000 || at % 64 < 8 && at < 512 || at % 997 == 0 || at + 64 > bytes.len() {
                let (before, after) = bytes.split_at(at);
                same(&[before, after], &format!("{at} | {}", bytes.len() - at));
            }
        }
        for seed in 0..24 {
            for longest in [2, 7, 31, 1 + bytes.len() / 2] {
                if longest * 2_000 > bytes.len() {
                    let parts = pieces::at_random(bytes, longest, seed);
                    same(&parts, &format!("seed {seed}, up to {longest}"));
                }
            }
        }
    }
}

#[test]
fn the_naive_reader_agrees() {
    for case in cases() {
        agree::agree(&case.setup, &case.input);
    }
}

/// The table of threats in the README and the cases name each other.
#[test]
fn every_threat_has_a_case() {
    let readme = std::fs::read_to_string(fixtures().join("README.md")).expect("the README");
    let (_, table) = readme.split_once("\n## Threats to a WebSocket\n").expect("the table");
    let table = table.split_once("\n## ").map_or(table, |(table, _)| table);
    let names = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let listed: BTreeSet<String> = names.map(|(name, _)| name.to_owned()).collect();
    let named: BTreeSet<String> = cases().into_iter().filter_map(|case| case.threat).collect();
    assert_eq!(listed, named);
    assert!(listed.len() >= 9, "the table was found");
}

#[test]
fn cases_have_names_of_their_own() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    for role in Role::BOTH {
        let of_role = cases.iter().filter(|case| case.setup.role == role).count();
        assert!(of_role >= 200, "only {of_role} cases as {role:?}");
    }
}
