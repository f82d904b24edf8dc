//! Running a scenario over many seeds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Sim;

/// Runs a scenario once for each seed, each time in a simulation of its own. If the environment has
/// `SINEW_SEED`, that seed alone is run, and everything that happens is printed to the standard error.
///
/// ```
/// use std::time::Duration;
///
/// sinew_sim::check(0..100, |sim| async move {
///     sim.sleep(Duration::from_secs(1)).await;
///     assert_eq!(sim.elapsed(), Duration::from_secs(1));
/// });
/// ```
///
/// # Panics
/// If the scenario panics or gets [stuck](crate::Stuck), with the seed in the message; if `SINEW_SEED` is
/// no number.
pub fn check<F, Fut>(seeds: impl IntoIterator<Item = u64>, scenario: F)
where
    F: Fn(Sim) -> Fut,
    Fut: Future<Output = ()>,
{
    if let Ok(seed) = std::env::var("SINEW_SEED") {
        let seed = seed.parse().unwrap_or_else(|_| panic!("SINEW_SEED is no seed: {seed:?}"));
        run(seed, &scenario, true);
        return;
    }
    for seed in seeds {
        run(seed, &scenario, false);
    }
}

fn run<F, Fut>(seed: u64, scenario: &F, trace: bool)
where
    F: Fn(Sim) -> Fut,
    Fut: Future<Output = ()>,
{
    let sim = Sim::new(seed);
    if trace {
        sim.print_trace();
    }
    let message = match catch_unwind(AssertUnwindSafe(|| sim.run_until(scenario(sim.clone())))) {
        Ok(Ok(())) => return,
        Ok(Err(stuck)) => stuck.to_string(),
        Err(panic) => format!("seed {seed}, after {:?}: {}", sim.elapsed(), text(&*panic)),
    };
    panic!("{message}\nrun it alone with SINEW_SEED={seed}");
}

/// The message of a panic.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}
