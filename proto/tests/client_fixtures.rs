//! Runs every case of `tests/fixtures/client/*.http`: requests out, wire bytes in, events out.
//!
//! Each case is given whole, byte by byte, cut in two at every place, and in random pieces. What is
//! seen must be what the case says, however the bytes arrive. `fixtures/README.md` has the format.

#[path = "support/arrivals.rs"]
mod arrivals;
#[path = "support/client_driver.rs"]
mod client_driver;
#[path = "support/client_fixture.rs"]
mod client_fixture;
#[path = "support/pieces.rs"]
mod pieces;
#[path = "support/text.rs"]
mod text;

use std::collections::BTreeSet;

use arrivals::{directory, files, in_every_way, threats};
use client_driver::run;
use client_fixture::{Case, render};
use text::escape;

fn cases() -> Vec<Case> {
    files(&directory().join("client")).iter().flat_map(|path| client_fixture::read(path)).collect()
}

#[test]
fn whole() {
    let mut wrong = Vec::new();
    for case in cases() {
        let transcript = run(&case.config, &case.asks, [&case.input[..]], case.end);
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
        in_every_way(&case.name, &case.input, |parts| {
            run(&case.config, &case.asks, parts.iter().copied(), case.end)
        });
    }
}

/// The table of a client's threats in the README and the cases name each other.
#[test]
fn every_threat_has_a_case() {
    let listed = threats("## Threats to a client");
    let named: BTreeSet<String> = cases().into_iter().filter_map(|case| case.threat).collect();
    assert_eq!(listed, named);
    assert!(listed.len() >= 12, "the table was found");
}

#[test]
fn cases_have_names_of_their_own() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 500, "only {} cases", cases.len());
}
