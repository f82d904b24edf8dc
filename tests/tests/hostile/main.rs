//! Each adapter against clients of the worst kinds, thousands at once, as a process of its own: who
//! behaves is served as fast as before, every hostile client ends as it has to, and then the server
//! holds what it held at first.
#![cfg(target_os = "linux")]

mod attack;
mod overload;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One server at a time: they are measured.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program that is a server as well.
const PROGRAM: &str = env!("CARGO_BIN_EXE_soak");

macro_rules! rows {
    ($($module:ident: $($row:ident)*;)*) => {
        mod tokio { $($(#[test] fn $row() { let _alone = crate::alone(); crate::$module::$row("tokio"); })*)* }
        mod smol { $($(#[test] fn $row() { let _alone = crate::alone(); crate::$module::$row("smol"); })*)* }
        mod std_threads { $($(#[test] fn $row() { let _alone = crate::alone(); crate::$module::$row("std"); })*)* }
    };
}

rows! {
    attack: an_attack_of_every_kind;
    overload: out_of_descriptors;
}
