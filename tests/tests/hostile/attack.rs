//! The attack.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use sinew_tests::eventually;
use sinew_tests::hostile::{Crowd, Kind, Latency, Neighbour, Report};
use sinew_tests::subject::Process;

use crate::PROGRAM;

/// All at once. Without optimizations everything computes ten times as long: then fewer.
const CROWD: usize = if cfg!(debug_assertions) { 400 } else { 2_000 };

/// Of one kind alone.
const FEW: usize = 60;

/// How many kinds are made to attack before all do.
const TOGETHER: usize = if cfg!(debug_assertions) { 9 } else { 1 };

/// An idle server that is faster than this is taken to be this slow: a wake of a thread takes as long.
const FLOOR: Duration = Duration::from_millis(1);

/// How many times slower an answer may be, on a machine of its own. What the server waits for a
/// processor that others have comes on top.
const FACTOR: f64 = 10.0;

/// How often an attack is made that was too slow: what the machine does once, the server would do
/// each time.
const TRIES: usize = 3;

/// How long the crowd takes to arrive, and to attack after that.
const ARRIVE: Duration = Duration::from_secs(1);
const TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 5 });

/// Attacks before the base line. After each equal attack of 2,000 clients the allocator keeps a little more, in
/// pieces, until it has enough: 32, 36, 41, 42, 44, 44, 46 and 41 MiB were seen.
const WARM_UPS: usize = if cfg!(debug_assertions) { 1 } else { 3 };

/// What the allocator may keep in the end, above what was held before.
const KEPT_KIB: u64 = if cfg!(debug_assertions) { 4 * 1024 } else { 8 * 1024 };

pub(crate) fn an_attack_of_every_kind(runtime: &str) {
    let mut server = Process::start(PROGRAM, runtime, "short").expect("it starts");
    // What is started or allocated once, is: buffers of threads, and what the allocator keeps of a
    // crowd of this size.
    for _ in 0..WARM_UPS {
        check(&Crowd::start(server.addr(), &Kind::ALL, CROWD, ARRIVE, TIME).end());
    }
    thread::sleep(Duration::from_millis(500));
    let before = server.footprint().expect("it runs");
    let idle = watched(&server, || thread::sleep(Duration::from_secs(1))).1;
    println!("{runtime}: idle, {before:?}, {idle:?}");

    for kinds in Kind::ALL.chunks(TOGETHER) {
        let (arrive, time) = (Duration::from_millis(200), Duration::from_millis(400));
        let attack = || Crowd::start(server.addr(), kinds, FEW, arrive, time).end();
        let latency = attacked(&server, idle, attack);
        println!("{runtime}: {kinds:?}, {latency:?}");
    }
    let start = Instant::now();
    let mut latency = idle;
    let attack = || Crowd::start(server.addr(), &Kind::ALL, CROWD, ARRIVE, TIME).end();
    let computed = server.computed_during(|| latency = attacked(&server, idle, attack)).expect("it runs");
    let at_the_end = server.footprint().expect("it runs");
    println!("{runtime}: all, {:?}, computed {computed:?}, {at_the_end:?}, {latency:?}", start.elapsed());

    eventually("all descriptors are closed", || {
        server.footprint().expect("it runs").descriptors == before.descriptors
    });
    let after = server.footprint().expect("it runs");
    println!("{runtime}: after, {after:?}");
    assert_eq!(after.threads, before.threads);
    assert!(after.anonymous_kib <= before.anonymous_kib + KEPT_KIB, "{before:?}, {after:?}");
    let computed = server.computed_during(|| thread::sleep(Duration::from_secs(1))).expect("it runs");
    assert!(computed < Duration::from_millis(100), "at rest it computed for {computed:?} of a second");
    server.terminate().expect("the signal");
    assert!(server.ended().expect("it ends").success());
}

/// Asks while something happens.
fn watched<T>(server: &Process, happens: impl FnOnce() -> T) -> (T, Latency) {
    let neighbour = Neighbour::start(server.addr());
    let result = happens();
    (result, neighbour.end())
}

/// Attacks, again if the answers of the neighbour were late, and judges.
fn attacked(server: &Process, idle: Latency, attack: impl Fn() -> Report) -> Latency {
    let mut slow = Vec::new();
    for _ in 0..TRIES {
        let (slowed, (report, latency)) = server.slowed_during(|| watched(server, &attack)).expect("it runs");
        check(&report);
        assert!(latency.again <= 2, "the connection that was kept is closed again and again: {latency:?}");
        let allowed = |idle: Duration| idle.max(latency.machine).max(FLOOR).mul_f64(FACTOR * slowed);
        if latency.kept <= allowed(idle.kept) && latency.fresh <= allowed(idle.fresh) {
            return latency;
        }
        slow.push((slowed, latency));
    }
    panic!("idle it was {idle:?}, and under attack {slow:?}");
}

/// Every attempt ended as it has to.
fn check(report: &Report) {
    let mut examples = BTreeMap::new();
    for (kind, what) in &report.complaints {
        examples.entry(kind).or_insert((0, what)).0 += 1;
    }
    assert!(examples.is_empty(), "of {:?} attempts {examples:#?}", report.ended);
}
