//! The soak for twenty seconds, once with a listener that never closes and once with listeners that
//! come and go. The same program runs for as long as one likes: `docs/reliability.md`.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::sync::{Mutex, PoisonError};

fn soak(runtime: &str, listeners: &str) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_soak"));
    command.args(["--runtime", runtime, "--listeners", listeners, "--seconds", "7", "--clients", "24"]);
    let output = command.output().expect("it runs");
    let account = String::from_utf8_lossy(&output.stdout);
    println!("{account}");
    assert!(output.status.success(), "{account}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn tokio_with_listeners_that_come_and_go() {
    soak("tokio", "own");
}

#[test]
fn smol_with_one_listener() {
    soak("smol", "inherited");
}

#[test]
fn std_with_listeners_that_come_and_go() {
    soak("std", "own");
}
