//! The documents name tests, and those tests are there.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).expect("the document")
}

/// The rows of every table that has a column `test`, as that column's names, with the line.
fn tests_named(text: &str) -> Vec<(String, String)> {
    let mut column = None;
    let mut named = Vec::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        if !line.starts_with('|') {
            column = None;
        } else if let Some(place) = cells.iter().position(|cell| *cell == "test") {
            column = Some(place);
        } else if let (Some(place), false) = (column, line.starts_with("|---")) {
            let cell = cells.get(place).unwrap_or_else(|| panic!("no test in {line}"));
            let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty() || *cell == "the same", "no test in {line}");
            named.extend(names.into_iter().map(|name| (name.to_owned(), line.to_owned())));
        }
    }
    named
}

#[test]
fn every_corner_of_the_rfcs_has_a_test_that_exists() {
    let named = tests_named(&document("http-support.md"));
    assert!(named.len() > 80, "{} names", named.len());
    for (name, line) in named {
        let tests = root().join("proto/tests");
        let path = if name.contains("tests/") {
            root().join(&name)
        } else if Path::new(&name).extension().is_some_and(|end| end == "rs") {
            tests.join(&name)
        } else {
            tests.join("fixtures").join(format!("{name}.http"))
        };
        assert!(path.exists(), "no {} for {line}", path.display());
    }
}

#[test]
fn every_threat_has_a_test_that_exists() {
    let text = document("security.md");
    let (_, client) = text.split_once("## HTTP/1, as a client").expect("the client's part");
    let named = tests_named(&text);
    assert!(named.len() > 40, "{} names", named.len());
    let fixtures = std::fs::read_to_string(root().join("proto/tests/fixtures/README.md")).expect("the table");
    for (name, line) in named {
        let there = if name.contains('/') {
            root().join(&name).exists()
        } else if name.contains('.') {
            root().join("tests/tests/suite").join(&name).exists()
        } else {
            fixtures.contains(&format!("| `{name}` |"))
        };
        assert!(there, "no {name} for {line}");
    }
    // And the other way round: what the fixtures prove has a row here.
    let (_, tables) = fixtures.split_once("## Threats\n").expect("the table");
    let (servers, clients) = tables.split_once("## Threats to a client").expect("two tables");
    for (table, page) in [(servers, &text[..]), (clients, client)] {
        for (name, _) in table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |")) {
            assert!(page.contains(&format!("`{name}`")), "{name} has no row");
        }
    }
}
