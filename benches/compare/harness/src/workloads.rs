//! What is asked of the servers.

use crate::verify::Check;

/// One kind of load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// What the client is told.
    pub(crate) arguments: &'static str,
    /// Connections.
    pub(crate) connections: u32,
    /// What a server has to get right first.
    pub(crate) checks: &'static [Check],
}

/// The rows of the table.
pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "plaintext",
        arguments: "",
        connections: 64,
        checks: &[Check::Plaintext, Check::Missing],
    },
    Workload { name: "p16", arguments: "--depth 16", connections: 64, checks: &[Check::Pipeline] },
    Workload { name: "browser", arguments: "--browser", connections: 64, checks: &[Check::Browser] },
    Workload { name: "json", arguments: "--path /json --expect 27", connections: 64, checks: &[Check::Json] },
    Workload {
        name: "users",
        arguments: "--path /users/12345 --expect 5",
        connections: 64,
        checks: &[Check::Users, Check::Missing],
    },
    Workload {
        name: "echo",
        arguments: "--path /echo --body 1024 --expect 1024",
        connections: 64,
        checks: &[Check::Echo],
    },
    Workload {
        name: "echo64k",
        arguments: "--path /echo --body 65536 --expect 65536",
        connections: 16,
        checks: &[Check::Echo],
    },
    Workload {
        name: "stream",
        arguments: "--path /stream --expect 65536",
        connections: 16,
        checks: &[Check::Stream],
    },
    Workload { name: "c1", arguments: "", connections: 1, checks: &[Check::Plaintext] },
    Workload { name: "c512", arguments: "", connections: 512, checks: &[Check::Plaintext] },
];

/// The rows of `--scale`.
pub(crate) const SCALE: &[Workload] = &[
    Workload { name: "1", arguments: "", connections: 1, checks: &[Check::Plaintext] },
    Workload { name: "10", arguments: "", connections: 10, checks: &[Check::Plaintext] },
    Workload { name: "100", arguments: "", connections: 100, checks: &[Check::Plaintext] },
    Workload { name: "1000", arguments: "", connections: 1_000, checks: &[Check::Plaintext] },
    Workload { name: "10000", arguments: "", connections: 10_000, checks: &[Check::Plaintext] },
];

/// The rows of `--workers`.
pub(crate) const WORKERS: &[Workload] = &[
    Workload { name: "plaintext", arguments: "", connections: 64, checks: &[Check::Plaintext] },
    Workload { name: "c512", arguments: "", connections: 512, checks: &[Check::Plaintext] },
];
