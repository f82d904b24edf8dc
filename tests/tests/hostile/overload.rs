//! More than a server can take. Rows for limits on connections belong here.

use std::thread;
use std::time::Duration;

use sinew_tests::eventually;
use sinew_tests::raw::{self, Client};
use sinew_tests::subject::Process;

use crate::PROGRAM;

/// Without descriptors the server neither ends nor spins, serves who is in, and takes the others as
/// soon as it can.
pub(crate) fn out_of_descriptors(runtime: &str) {
    const LIMIT: u32 = 100;
    // The deadlines are those of the default: nobody is dropped for being idle.
    let mut server = Process::start_limited(PROGRAM, runtime, "default", LIMIT).expect("it starts");
    assert_eq!(raw::request(server.addr(), raw::get("/")).text(), "hello\n");
    let open = || server.footprint().expect("it runs").descriptors;
    thread::sleep(Duration::from_millis(200));
    let before = open();

    let mut crowd: Vec<Client> = (0..200).map(|_| Client::connect(server.addr())).collect();
    eventually("it has no more descriptors", || open() >= LIMIT as usize);
    crowd[0].send(raw::get("/"));
    assert_eq!(crowd[0].response().text(), "hello\n", "who is in, is served");
    let mut last = Client::connect(server.addr());
    last.send(raw::get("/"));
    let computed = server.computed_during(|| last.quiet(Duration::from_secs(1))).expect("it runs");
    assert!(computed < Duration::from_millis(200), "it computed for {computed:?} of a second");

    drop(crowd);
    assert_eq!(last.response().text(), "hello\n", "who waited, is served");
    drop(last);
    eventually("all are given back", || open() <= before);
    server.terminate().expect("the signal");
    assert!(server.ended().expect("it ends").success());
}
