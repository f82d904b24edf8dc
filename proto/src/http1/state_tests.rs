//! The tables of `state.rs` hold together, and `docs/http1.md` shows them as they are.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::{fs, path::Path, string::String};

use super::{Receive, Received, Row, Send, Sent};

/// One half as Markdown: its states, a diagram, and the table of transitions.
fn render(name: &str, states: &[(&str, &str)], rows: &[Row], server: &str, client: &str) -> String {
    let mut text = String::new();
    writeln!(text, "### {name}\n\n| state | meaning |\n|---|---|").unwrap();
    for (state, meaning) in states {
        writeln!(text, "| `{state}` |{meaning} |").unwrap();
    }
    writeln!(text, "\n```mermaid\nstateDiagram-v2").unwrap();
    writeln!(text, "    [*] --> {server}: server\n    [*] --> {client}: client").unwrap();
    for row in rows {
        for from in row.from {
            writeln!(text, "    {from} --> {}: {}", row.to, row.on).unwrap();
        }
    }
    writeln!(text, "```\n\n| from | by | to | server | client |\n|---|---|---|---|---|").unwrap();
    for row in rows {
        let from = row.from.join("`, `");
        writeln!(text, "| `{from}` | `{}` | `{}` | {} | {} |", row.on, row.to, row.server, row.client)
            .unwrap();
    }
    text
}

/// `SINEW_WRITE_DOCS=1 cargo test -p sinew-proto --lib` writes the part of the document that the
/// tables make.
#[test]
fn the_document_shows_the_tables() {
    const BEGIN: &str = "<!-- made from proto/src/http1/state.rs: begin -->\n";
    const END: &str = "<!-- end -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/http1.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let made = std::format!(
        "\n{}\n{}\n",
        render("Receiving", Receive::STATES, Receive::ROWS, "Head", "Ended"),
        render("Sending", Send::STATES, Send::ROWS, "Idle", "Head"),
    );
    if std::env::var_os("SINEW_WRITE_DOCS").is_some() {
        fs::write(&path, std::format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
    } else {
        assert_eq!(shown, made, "docs/http1.md is not what the tables say");
    }
}

/// Every state can be reached from where either role starts, and every one but the two last ones
/// can be left and closed.
fn holds_together(states: &[(&str, &str)], rows: &[Row], starts: [&str; 2]) {
    for start in starts {
        let mut reached = BTreeSet::from([start]);
        while let Some(row) = rows
            .iter()
            .find(|row| row.from.iter().any(|from| reached.contains(from)) && !reached.contains(row.to))
        {
            reached.insert(row.to);
        }
        assert_eq!(reached.len(), states.len(), "from {start}: {reached:?}");
    }
    for (state, _) in states {
        let leaving = |on: &str| rows.iter().filter(|row| row.from.contains(state) && row.on == on).count();
        let closes = leaving("Close");
        assert_eq!(closes, usize::from(!matches!(*state, "Upgraded" | "Closed")), "{state}");
        assert!(rows.iter().all(|row| leaving(row.on) <= 1), "{state} leaves in two ways by one cause");
    }
    assert!(rows.iter().all(|row| row.server != "-" || row.client != "-"));
}

#[test]
fn the_tables_hold_together() {
    holds_together(Receive::STATES, Receive::ROWS, ["Head", "Ended"]);
    holds_together(Send::STATES, Send::ROWS, ["Idle", "Head"]);
}

#[test]
fn what_is_in_no_table_changes_nothing() {
    assert_eq!(Receive::Closed.on(Received::Head), Receive::Closed);
    assert_eq!(Receive::Upgraded.on(Received::Close), Receive::Upgraded);
    assert_eq!(Send::Idle.on(Sent::End), Send::Idle);
    assert_eq!(Send::Closed.on(Sent::Begin), Send::Closed);
}
