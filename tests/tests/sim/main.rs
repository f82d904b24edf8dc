//! The rows of the adapters' suite in a simulation: over many networks and interleavings, with hours of
//! deadlines in no time.
//!
//! A test that fails says the seed; `SINEW_SEED=… cargo test -p sinew-tests --test sim NAME` repeats it.

mod bodies;
mod client;
mod deadlines;
mod events;
mod faults;
mod framing;
mod mixed;
mod pressure;
mod shutdown;
mod websocket;

use std::time::Duration;

use sinew_sim::proto::Config;
use sinew_sim::{ConnectionConfig, Network, Sim};

/// Seeds of a scenario, unless it says otherwise.
pub(crate) const SEEDS: std::ops::Range<u64> = 0..200;

/// Longer than anything takes on any network here.
pub(crate) const FAR: Duration = Duration::from_secs(100 * 60 * 60);

/// Deadlines that are reached by nobody, not even on a network of a byte a second.
pub(crate) fn patient() -> ConnectionConfig {
    with(Config { body_min_rate: 0, ..far() })
}

/// The same, but for the rate of bodies.
pub(crate) fn far() -> Config {
    Config {
        head_timeout: FAR,
        idle_timeout: FAR,
        body_grace: FAR,
        write_timeout: FAR,
        linger_timeout: FAR,
        ..Config::default()
    }
}

pub(crate) fn with(http1: Config) -> ConnectionConfig {
    ConnectionConfig { http1, ..ConnectionConfig::default() }
}

/// Some network, another one for each seed.
pub(crate) fn on_any_network(sim: &Sim) {
    sim.set_network(Network::any(&mut sim.random()));
}

/// Bytes that show when some are missing or change places.
pub(crate) fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| b'a' + u8::try_from((at + at / 26) % 26).expect("a letter")).collect()
}
