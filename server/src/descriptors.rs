//! How many connections the system allows.

use sinew_system::{Admission, descriptor_limit, raise_descriptor_limit};

use crate::log::Log;

/// A connection takes a descriptor, and the file it is sent another.
const FOR_EACH: u64 = 2;

/// For everything else: sockets that listen, event queues, the root, directories that are read.
const RESERVE: u64 = 128;

/// Raises the limit of descriptors, and returns how many connections there may be: `wanted`, or fewer if the
/// limit is low. The log is told of it if somebody asked for more.
pub(crate) fn allow(wanted: Option<usize>, log: &Log) -> usize {
    // What it is now holds, whether or not it could be raised.
    let limit = raise_descriptor_limit().unwrap_or_else(|_| descriptor_limit());
    let allowed = allowed_by(limit);
    if let Some(wanted) = wanted.filter(|wanted| *wanted > allowed) {
        log.problem(&format!(
            "at most {allowed} connections at a time, not {wanted}: the limit of descriptors is {limit}"
        ));
    }
    wanted.unwrap_or(Admission::default().max_connections).min(allowed)
}

fn allowed_by(limit: u64) -> usize {
    let allowed = limit.saturating_sub(RESERVE) / FOR_EACH;
    usize::try_from(allowed).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_room_for_one() {
        for (limit, allowed) in [(0, 1), (128, 1), (130, 1), (1_024, 448), (65_536, 32_704)] {
            assert_eq!(allowed_by(limit), allowed, "{limit}");
        }
    }
}
