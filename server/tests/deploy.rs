//! What `docs/deploy` and `docs/operations.md` say is so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sinew_system::{Admission, ListenOptions};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn read(name: &str) -> String {
    fs::read_to_string(docs().join(name)).unwrap()
}

/// The options after the first word are those of the binary.
fn are_options<'a>(words: impl IntoIterator<Item = &'a str>) {
    let words: Vec<&str> = words.into_iter().collect();
    let (program, options) = words.split_first().unwrap();
    assert_eq!(*program, "/usr/local/bin/sinew");
    let output = Command::new(env!("CARGO_BIN_EXE_sinew")).args(options).arg("--version").output().unwrap();
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The value of `key` in a unit.
fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap()
}

#[test]
fn the_units_are_valid() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else { return };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    let paths = ["sinew.socket", "sinew.service"].map(|name| {
        // It looks for the program.
        let unit =
            read(&format!("deploy/{name}")).replace("/usr/local/bin/sinew", env!("CARGO_BIN_EXE_sinew"));
        let path = folder.path().join(name);
        fs::write(&path, unit).unwrap();
        path
    });
    let output = Command::new("systemd-analyze").arg("verify").args(paths).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    // Other units of the machine are not ours to judge.
    let about_ours: Vec<&str> = message.lines().filter(|line| line.contains("sinew")).collect();
    assert!(output.status.success() && about_ours.is_empty(), "{message}");
}

#[test]
fn the_service_has_options_of_the_server_and_time_to_drain() {
    let unit = read("deploy/sinew.service");
    are_options(value(&unit, "ExecStart").split(' '));
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u32>().unwrap();
    assert!(seconds(value(&unit, "TimeoutStopSec")) > 30);
    assert_eq!(value(&unit, "Type"), "notify");
}

#[test]
fn the_container_has_options_of_the_server_and_no_shell() {
    let file = read("deploy/Containerfile");
    let entry = file.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).unwrap();
    let list = entry.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap();
    are_options(list.split(", ").map(|word| word.trim_matches('"')));
}

#[test]
fn caps_are_as_they_are_told() {
    let text = read("operations.md");
    let thousands = |number: usize| format!("{},{:03}", number / 1_000, number % 1_000);
    assert_eq!(Admission::default().max_per_address, usize::MAX);
    for row in [
        format!(
            "| `max_connections` (`--max-connections`) | {} |",
            thousands(Admission::default().max_connections)
        ),
        format!("| `backlog` | {} |", thousands(ListenOptions::default().backlog as usize)),
        "| `max_connections_per_address` (`--max-connections-per-address`) | none |".to_owned(),
    ] {
        assert!(text.contains(&row), "{row}");
    }
}

/// Every option that the document names.
#[test]
fn options_are_real() {
    let help = Command::new(env!("CARGO_BIN_EXE_sinew")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let text = read("operations.md");
    let named: Vec<&str> =
        text.split('`').filter(|span| span.starts_with("--") && *span != "--notice").collect();
    assert!(named.len() > 10, "{named:?}");
    for option in named {
        let option = option.split(' ').next().unwrap();
        assert!(help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n")), "{option}");
    }
}
