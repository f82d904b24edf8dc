//! The servers, one after another, while the clients are at work.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::Account;
use super::clients::clients;
use crate::subject::{Process, bind};

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that is a server as well.
    pub program: String,
    /// The adapter.
    pub runtime: String,
    /// For how long.
    pub time: Duration,
    /// What everything random comes from.
    pub seed: u64,
    /// How many clients are at work.
    pub clients: usize,
    /// Whether each server opens a listener of its own. If not, they inherit one that never closes,
    /// and no connection may be refused.
    pub own_listeners: bool,
}

/// A server lives for so long, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 500..5_000;

/// Runs it, and returns the account.
///
/// # Errors
/// Those of starting the first server.
pub fn run(plan: &Plan) -> io::Result<Account> {
    let account = Arc::new(Account::new());
    let mut rng = Rng::with_seed(plan.seed);
    let bound = bind(([127, 0, 0, 1], 0).into())?;
    let addr = bound.local_addr()?;
    // Not kept for nothing: connections would wait on it for ever.
    let shared = Some(bound).filter(|_| !plan.own_listeners);
    let start = || start(plan, shared.as_ref(), addr);
    let mut server = start()?;

    let stop = Arc::new(AtomicBool::new(false));
    let load = clients(plan, addr, &account, &stop)?;
    let end = Instant::now() + plan.time;
    while Instant::now() < end {
        let life = Duration::from_millis(rng.u64(LIFE_MS)).min(end - Instant::now());
        thread::sleep(life);
        // Half of the time the next one is there before the last is told to go.
        let early = if rng.bool() { Some(start()) } else { None };
        finish(&account, server);
        match early.unwrap_or_else(start) {
            Ok(next) => server = next,
            Err(error) => {
                account.fault(format!("a server does not start: {error}"));
                stop.store(true, Ordering::SeqCst);
                let _ = load.join();
                return Ok(unwrap(account));
            }
        }
    }
    stop.store(true, Ordering::SeqCst);
    if load.join().is_err() {
        account.fault("the clients panicked".to_owned());
    }
    finish(&account, server);
    Ok(unwrap(account))
}

fn start(plan: &Plan, shared: Option<&TcpListener>, addr: std::net::SocketAddr) -> io::Result<Process> {
    match shared {
        Some(listener) => Process::start_on(&plan.program, &plan.runtime, "default", listener),
        None => Process::start_at(&plan.program, &plan.runtime, "default", addr),
    }
}

/// Tells a server to end, and waits until it has.
fn finish(account: &Account, mut server: Process) {
    let memory = server.footprint().map_or(0, |footprint| footprint.anonymous_kib);
    account.told();
    let ended = server.terminate().and_then(|()| server.ended());
    account.gone(memory);
    match ended {
        Ok(status) if status.success() => {}
        other => account.fault(format!("a server ended with {other:?}")),
    }
}

fn unwrap(account: Arc<Account>) -> Account {
    Arc::try_unwrap(account).expect("nobody else is left")
}
