//! Many connections: one after another, at once, and silent ones.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sinew_app::{Handle, Router, get};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, PATIENCE};

/// One crowd at a time: a process has only so many descriptors.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn many_connections_one_after_another<A: Adapter>() {
    let _alone = alone();
    let answered = Count::default();
    let app = Router::new().route("/", {
        let answered = answered.clone();
        get(move || async move {
            answered.add(1);
            "hello"
        })
    });
    let server = A::start(app);
    let request = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    for n in 0..1_000 {
        let mut client = Client::connect(server.addr());
        match n % 4 {
            // A whole exchange; a reset, which keeps no port of ours in TIME_WAIT.
            0 | 1 => {
                client.send(request);
                assert_eq!(client.response().text(), "hello");
                client.reset();
            }
            // Nothing at all; half a request.
            2 => drop(client),
            _ => {
                client.send(&request[..20]);
                client.reset();
            }
        }
    }
    assert_eq!(answered.now(), 500);
    assert_eq!(raw::request(server.addr(), raw::get("/")).text(), "hello");
}

pub(crate) fn many_slow_handlers_at_once<A: Adapter>() {
    const SLOW: Duration = Duration::from_millis(300);
    let _alone = alone();
    let app = Router::new().route(
        "/",
        get(|handle: Handle| async move {
            handle.sleep(SLOW).await;
            "slow"
        }),
    );
    let server = A::start(app);
    let mut clients: Vec<Client> = (0..200).map(|_| Client::connect(server.addr())).collect();
    let start = Instant::now();
    for client in &mut clients {
        client.send(raw::get("/"));
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "slow");
    }
    // One after another they would take a minute.
    assert!(start.elapsed() >= SLOW && start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

pub(crate) fn many_connections_that_say_nothing<A: Adapter>() {
    let _alone = alone();
    let server = A::start(Router::new().route("/", get(|| async { "hello" })));
    let mut silent: Vec<Client> = (0..200).map(|_| Client::connect(server.addr())).collect();
    assert_eq!(raw::request(server.addr(), raw::get("/")).text(), "hello");
    server.stop().unwrap();
    for client in &mut silent {
        client.end();
    }
}
