//! Tells the program which compiler has built it: counts of another one are not comparable.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").expect("cargo names the compiler");
    let output = Command::new(rustc).arg("--version").output().expect("the compiler runs");
    let version = String::from_utf8(output.stdout).expect("a version is text");
    // `rustc 1.95.0 (59807616e 2026-04-14)`; a nightly or beta stays one: `1.96.0-nightly`.
    let number = version.split_whitespace().nth(1).expect("a version has a number");
    let (release, channel) = number.split_once('-').unwrap_or((number, ""));
    let (minor, _patch) = release.rsplit_once('.').expect("three numbers");
    let dash = if channel.is_empty() { "" } else { "-" };
    println!("cargo:rustc-env=RUSTC_MINOR={minor}{dash}{channel}");
}
