//! A client and a server on a simulated wire: 100,000 exchanges, each run made from its seed.
//!
//! What must hold on any wire: what one side reads is what the other side sent, or the beginning of
//! it; nothing is complete that was not sent completely; both sides come to an end by themselves. On
//! a wire that loses nothing every exchange succeeds.
//!
//! A failure prints its seed. `SINEW_SEED=17 cargo test -p sinew-proto --test sim` runs that one alone.

#[path = "support/plan.rs"]
mod plan;

use std::time::Duration;

use plan::{Plan, Ran};
use sinew_proto::sim::{Cut, CutKind, Faults, Outcome};

/// Says which seed it was if a test panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: run it alone with SINEW_SEED={}", self.0, self.0);
        }
    }
}

fn only_seed() -> Option<u64> {
    let seed = std::env::var("SINEW_SEED").ok()?;
    Some(seed.parse().expect("SINEW_SEED is a number"))
}

/// Runs seeds until so many exchanges were begun.
fn exchanges(least: usize, first_seed: u64) {
    let mut begun = 0;
    let mut complete = 0;
    let mut seed = only_seed().unwrap_or(first_seed);
    while begun < least {
        let _seed = Seed(seed);
        let plan = Plan::from_seed(seed);
        let ran = plan.run(seed);
        if only_seed().is_some() {
            eprintln!("{}", transcript(&ran).replace("Received {", "\nReceived {"));
        }
        plan.check(&ran);
        begun += ran.client.answers.len();
        complete += ran.complete();
        if only_seed().is_some() {
            return;
        }
        seed += 1;
    }
    assert!(complete * 10 >= least * 6, "{complete} of {begun} complete: the wires lose too much");
}

// In four parts, so that they run side by side.
#[test]
fn a_hundred_thousand_exchanges_1() {
    exchanges(25_000, 0);
}

#[test]
fn a_hundred_thousand_exchanges_2() {
    exchanges(25_000, 1_000_000);
}

#[test]
fn a_hundred_thousand_exchanges_3() {
    exchanges(25_000, 2_000_000);
}

#[test]
fn a_hundred_thousand_exchanges_4() {
    exchanges(25_000, 3_000_000);
}

/// All there is to see of a run.
fn transcript(ran: &Ran) -> String {
    format!(
        "{:?} {:?} {} {:?} {:?} {:?} {:?}",
        ran.outcome,
        ran.took,
        ran.fingerprint,
        ran.client.answers,
        ran.client.error,
        ran.server.requests,
        ran.server.errors
    )
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let mut fingerprints = std::collections::BTreeSet::new();
    for seed in 0..500 {
        let _seed = Seed(seed);
        let one = Plan::from_seed(seed).run(seed);
        let two = Plan::from_seed(seed).run(seed);
        assert_eq!(transcript(&one), transcript(&two));
        fingerprints.insert(one.fingerprint);
    }
    assert_eq!(fingerprints.len(), 500, "other seeds give other runs");
}

/// Some plans with the wire cut at every byte, both ways, in both manners.
#[test]
fn truncated_and_reset_at_every_byte() {
    let mut runs = 0;
    for seed in 0..12 {
        let mut plan = Plan::from_seed(seed);
        plan.faults = Faults::default();
        let whole = plan.run(seed);
        assert_eq!(whole.outcome, Outcome::Done);
        for kind in [CutKind::Truncate, CutKind::Reset] {
            for after in 0..=whole.sent_to_b.max(whole.sent_to_a).min(700) {
                for to_b in [false, true] {
                    let cut = Some(Cut { after, kind });
                    plan.faults = if to_b {
                        Faults { cut_to_b: cut, ..Faults::default() }
                    } else {
                        Faults { cut_to_a: cut, ..Faults::default() }
                    };
                    let ran = plan.run(seed);
                    let _seed = Seed(seed);
                    plan.check(&ran);
                    runs += 1;
                }
            }
        }
    }
    assert!(runs > 5_000, "{runs} runs");
}

/// However long it takes on the wire's clock, it takes no time here.
#[test]
fn an_hour_passes_at_once() {
    let mut plan = Plan::from_seed(1);
    plan.faults =
        Faults { max_piece: 7, stall_one_in: 1, stall: Duration::from_secs(9), ..Faults::default() };
    let ran = plan.run(1);
    plan.check(&ran);
    assert!(ran.took >= Duration::from_secs(9), "{:?}", ran.took);
}
