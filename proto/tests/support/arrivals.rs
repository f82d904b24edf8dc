//! The ways in which the bytes of a fixture arrive, and the tables that name what fixtures prove.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use super::pieces;
use super::text::escape;

/// Whatever the pieces are, what comes of them must be the same: whole, byte by byte, cut in two at
/// every place, and in random pieces.
pub(crate) fn in_every_way<T: Debug + PartialEq>(name: &str, bytes: &[u8], run: impl Fn(&[&[u8]]) -> T) {
    let whole = run(&[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(run(&single), whole, "{name}: byte by byte");
    for at in 1..bytes.len() {
        let (before, after) = bytes.split_at(at);
        assert_eq!(run(&[before, after]), whole, "{name}: {} | {}", escape(before), escape(after));
    }
    for seed in 0..24 {
        for longest in [2, 7, 31] {
            assert_eq!(run(&pieces::at_random(bytes, longest, seed)), whole, "{name}: seed {seed}");
        }
    }
}

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The fixtures in a directory, sorted.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the directory of fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "http"))
        .collect();
    files.sort();
    files
}

/// The threats of the README's table under that heading.
pub(crate) fn threats(heading: &str) -> BTreeSet<String> {
    let readme = std::fs::read_to_string(directory().join("README.md")).expect("the README");
    let (_, table) = readme.split_once(&format!("\n{heading}\n")).expect("the table");
    let table = table.split_once("\n## ").map_or(table, |(table, _)| table);
    let names = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    names.map(|(name, _)| name.to_owned()).collect()
}
