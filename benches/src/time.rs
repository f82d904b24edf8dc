//! Time, next to peers. Only quotients say something on a machine that others use: all contenders of a
//! row take turns, and each keeps its best round.

use std::time::{Duration, Instant};

use crate::workloads::{Operation, WORKLOADS, Workload, find};

/// Rounds of each contender.
const ROUNDS: usize = 500;

/// Prints a table. A quotient below 1 means that ours takes less time. That of the best rounds is the
/// one to go by; the median of the quotients of all rounds is there to show how quiet the machine was.
pub(crate) fn table() {
    println!("| workload | ns | peer | ns | quotient of the best | median |");
    println!("|---|---|---|---|---|---|");
    for workload in WORKLOADS {
        let Some((peer, counterpart)) = workload.peer() else { continue };
        let ours = find(counterpart).expect("a peer has a counterpart");
        let [mine, theirs] = rounds(ours, workload);
        let nanos = |round: Duration| round.as_secs_f64() * 1e9 / f64::from(ours.times);
        let (my_best, their_best) = (nanos(best(&mine)), nanos(best(&theirs)));
        println!(
            "| {counterpart} | {my_best:.0} | {peer} | {their_best:.0} | {:.2} | {:.2} |",
            my_best / their_best,
            median(&mine, &theirs)
        );
    }
}

/// Both in turns.
fn rounds(ours: &Workload, theirs: &Workload) -> [Vec<Duration>; 2] {
    let mut operations = [ours.prepare(), theirs.prepare()];
    let mut rounds = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for _ in 0..ROUNDS {
        for (rounds, operation) in rounds.iter_mut().zip(&mut operations) {
            rounds.push(round(operation, ours.times));
        }
    }
    rounds
}

fn round(operation: &mut Operation, times: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        operation();
    }
    start.elapsed()
}

fn best(rounds: &[Duration]) -> Duration {
    rounds.iter().copied().min().expect("some rounds")
}

fn median(ours: &[Duration], theirs: &[Duration]) -> f64 {
    let mut quotients: Vec<f64> =
        ours.iter().zip(theirs).map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64()).collect();
    quotients.sort_by(f64::total_cmp);
    quotients[quotients.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_round_and_the_median_quotient() {
        let nanos = |rounds: [u64; 3]| rounds.map(Duration::from_nanos);
        let (ours, theirs) = (nanos([500, 50, 40]), nanos([100, 100, 100]));
        assert_eq!(best(&ours), Duration::from_nanos(40));
        assert!((median(&ours, &theirs) - 0.5).abs() < 1e-9);
    }
}
