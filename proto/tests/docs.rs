//! The documents name tests, and those tests are there.

use std::path::{Path, PathBuf};

use sinew_proto::Config;
use sinew_proto::websocket;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tests that run on every adapter.
fn suite() -> PathBuf {
    root().join("tests/tests/suite")
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).expect("the document")
}

/// The rows of every table that has a column `test`, as that column's names, with the line.
fn tests_named(text: &str) -> Vec<(String, String)> {
    let mut column = None;
    let mut named = Vec::new();
    for line in text.lines() {
        // A cell may be empty.
        let row = line.replace("| |", "|  |");
        let cells: Vec<&str> = row.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
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
            // Of the core, or of the suite.
            Some(tests.join(&name)).filter(|path| path.exists()).unwrap_or_else(|| suite().join(&name))
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
            suite().join(&name).exists()
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

#[test]
fn every_claim_about_websocket_has_a_test_that_exists() {
    let text = document("websocket.md");
    let named = tests_named(&text);
    assert!(named.len() > 30, "{} names", named.len());
    for (name, line) in named {
        let there = if name.contains('/') { root().join(&name) } else { suite().join(&name) };
        assert!(there.exists(), "no {} for {line}", there.display());
    }
}

#[test]
fn the_defaults_of_websocket_are_as_they_are_told() {
    let text = document("websocket.md");
    let websocket::Config {
        max_message_bytes,
        max_frame_bytes,
        max_fragments,
        stream: _,
        ping_interval,
        pong_timeout,
        close_timeout,
        write_timeout,
    } = websocket::Config::default();
    for (name, value) in [
        ("max_message_bytes", format!("{} MiB", max_message_bytes >> 20)),
        ("max_frame_bytes", format!("{} MiB", max_frame_bytes >> 20)),
        ("max_fragments", max_fragments.to_string()),
        ("ping_interval", format!("{} s", ping_interval.as_secs_f32())),
        ("pong_timeout", format!("{} s", pong_timeout.as_secs_f32())),
        ("close_timeout", format!("{} s", close_timeout.as_secs_f32())),
        ("write_timeout", format!("{} s", write_timeout.as_secs_f32())),
    ] {
        let row = format!("| `{name}` | {value} |");
        assert!(text.contains(&row), "{row}");
    }
}

/// The spans of code in a text.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn every_claim_about_operations_has_a_test_that_exists() {
    let text = document("operations.md");
    let named = tests_named(&text);
    assert!(named.len() > 30, "{} names", named.len());
    let there = |name: &str| if name.contains('/') { root().join(name) } else { suite().join(name) }.exists();
    for (name, line) in &named {
        assert!(there(name), "no {name} for {line}");
    }
    // In the text, too, what looks like a file of Rust is one.
    let rust = |name: &&str| Path::new(name).extension().is_some_and(|end| end == "rs");
    let mut files = spans(&text).filter(rust).peekable();
    assert!(files.peek().is_some());
    for name in files {
        assert!(there(name), "no {name}");
    }
}

#[test]
fn the_defaults_of_a_server_are_as_they_are_told() {
    let text = document("operations.md");
    let config = Config::DEFAULT;
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs_f32());
    let kib = |bytes: u32| format!("{} KiB", bytes >> 10);
    for (name, value) in [
        ("head", seconds(config.head_timeout)),
        ("idle", seconds(config.idle_timeout)),
        ("body_grace", seconds(config.body_grace)),
        ("body_rate", format!("{} B/s", config.body_min_rate)),
        ("write", seconds(config.write_timeout)),
        ("linger", seconds(config.linger_timeout)),
        ("head", kib(config.max_head_bytes)),
        ("target", kib(config.max_target_bytes)),
        ("fields", config.max_fields.to_string()),
        ("chunk_extensions", kib(config.max_chunk_extension_bytes)),
        ("trailers", kib(config.max_trailer_bytes)),
        ("drain", kib(config.max_drain_bytes)),
    ] {
        let row = |line: &str| {
            let (first, second) = line.split_once(" | ").unwrap_or_default();
            first.starts_with(&format!("| `{name}`")) && second.starts_with(&format!("{value} | "))
        };
        assert!(text.lines().any(row), "{name}: {value}");
    }
}
