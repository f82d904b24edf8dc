//! The rules of the house that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The `[dependencies]` of a crate that are ours.
fn our_dependencies(folder: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
    let section =
        manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    section
        .lines()
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .filter(|name| name.starts_with("sinew-"))
        .map(str::to_owned)
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The lines of a file that are code: not comments, which may name what they like.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a source file");
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.map(|(number, line)| (number + 1, line.to_owned())).collect()
}

#[test]
fn arrows_point_one_way() {
    let rank = |name: &str| match name {
        "sinew-proto" => 0,
        "sinew-app" => 1,
        "sinew-runtime" => 2,
        "sinew-system" => 3,
        "sinew-tokio" | "sinew-smol" | "sinew-std" | "sinew-sim" => 4,
        other => panic!("{other} has no place in the house"),
    };
    let crates = [
        ("proto", 0),
        ("app", 1),
        ("runtime", 2),
        ("system", 3),
        ("runtime-tokio", 4),
        ("runtime-smol", 4),
        ("runtime-std", 4),
        ("runtime-sim", 4),
    ];
    for (folder, own) in crates {
        let dependencies = our_dependencies(folder);
        assert_eq!(dependencies.is_empty(), own == 0, "{folder}: {dependencies:?}");
        for name in dependencies {
            assert!(rank(&name) < own, "{folder} depends on {name}");
        }
    }
}

#[test]
fn no_runtime_is_named_below_the_adapters() {
    for folder in ["proto", "app", "runtime", "runtime-sim"] {
        for path in sources(&root().join(folder).join("src")) {
            // What the tests at the end of a file use is no part of it.
            for (number, line) in code(&path).into_iter().take_while(|(_, line)| line != "mod tests {") {
                // A library for SHA-1 that is small, too; and a question that starts no thread.
                let line = line.replace("sha1_smol", "").replace("std::thread::panicking", "");
                for word in ["tokio", "smol", "async_io", "std::net", "std::thread"] {
                    assert!(!line.contains(word), "{}:{number} names {word}", path.display());
                }
            }
        }
    }
    // It is what has the sockets and threads, and yet no runtime.
    for path in sources(&root().join("system/src")) {
        for (number, line) in code(&path) {
            for word in ["tokio", "smol", "async_io", "mio::"] {
                assert!(!line.contains(word), "{}:{number} names {word}", path.display());
            }
        }
    }
}

#[test]
fn the_core_reads_no_clock() {
    for path in sources(&root().join("proto/src")) {
        for (number, line) in code(&path) {
            for word in ["SystemTime", "Instant::now", "std::time"] {
                assert!(!line.contains(word), "{}:{number} names {word}", path.display());
            }
        }
    }
}

/// Everything that happens in a simulation follows from its seed.
#[test]
fn the_simulation_reads_no_clock_and_draws_no_numbers() {
    for path in sources(&root().join("runtime-sim/src")) {
        for (number, line) in code(&path) {
            for word in ["SystemTime", "Instant::now", "time::Instant", "HashMap", "HashSet", "getrandom"] {
                assert!(!line.contains(word), "{}:{number} names {word}", path.display());
            }
        }
    }
}

#[test]
fn every_crate_forbids_unsafe() {
    let roots = [
        "proto/src/lib.rs",
        "app/src/lib.rs",
        "runtime/src/lib.rs",
        "system/src/lib.rs",
        "runtime-tokio/src/lib.rs",
        "runtime-smol/src/lib.rs",
        "runtime-std/src/lib.rs",
        "runtime-sim/src/lib.rs",
        "server/src/main.rs",
        "benches/src/main.rs",
        "examples/support/lib.rs",
        "examples/mio_loop.rs",
        "examples/embedded/src/lib.rs",
        "tests/src/lib.rs",
    ];
    for file in roots {
        let text = fs::read_to_string(root().join(file)).expect("a crate root");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{file}");
    }
}

/// The one exception, and why, is in `docs/decisions/0003-unsafe-in-the-io-uring-example.md`.
#[test]
fn unsafe_stands_in_one_file_with_its_reasons() {
    let exception = root().join("examples/io_uring_loop/ring.rs");
    let permission = root().join("examples/io_uring_loop/main.rs");
    // In two words, so that this file does not find itself.
    let (keyword, lint) = (concat!("un", "safe "), concat!("(un", "safe_code"));
    for path in sources(&root()) {
        let code = code(&path);
        let count = |word: &str| code.iter().map(|(_, line)| line.matches(word).count()).sum::<usize>();
        let [blocks, permissions] = [count(keyword), count(&format!("expect{lint}"))];
        let (most, permitted) = (if path == exception { 3 } else { 0 }, usize::from(path == permission));
        assert!(blocks <= most, "{} has {blocks} of them", path.display());
        assert_eq!(permissions, permitted, "{}", path.display());
        assert_eq!(count(&format!("allow{lint}")), 0, "{}", path.display());
        if path == exception {
            let text = fs::read_to_string(&path).expect("a source file");
            assert_eq!(text.matches("// SAFETY: ").count(), blocks, "a reason for each");
        }
        if path == permission {
            assert_eq!(count(&format!("#![deny{lint})]")), 1, "{}", path.display());
        }
    }
}

#[test]
fn the_loops_need_the_core_alone() {
    let examples = root().join("examples");
    let text = fs::read_to_string(examples.join("echo_loop.rs")).expect("the example");
    assert!(text.lines().count() < 80);
    let folders = ["service", "io_uring_loop", "embedded"];
    let loops = folders.iter().flat_map(|folder| sources(&examples.join(folder)));
    for path in loops.chain(["echo_loop.rs", "mio_loop.rs"].map(|file| examples.join(file))) {
        for (number, line) in code(&path) {
            for name in
                ["sinew_app", "sinew_runtime", "sinew_tokio", "sinew_smol", "sinew_std", "sinew_examples"]
            {
                assert!(!line.contains(name), "{}:{number} names {name}", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_is_no_longer_than_600_lines() {
    let all = sources(&root());
    assert!(all.len() > 50, "only {} sources were found", all.len());
    for path in all {
        let text = fs::read_to_string(&path).expect("a source file");
        assert!(
            text.starts_with("//!") || text.starts_with("#!"),
            "{} has no opening comment",
            path.display()
        );
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}
