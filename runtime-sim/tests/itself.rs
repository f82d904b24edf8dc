//! The simulation itself: its clock, its network, its order, and how it fails.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use sinew_sim::{
    ConnectionConfig, Cut, CutKind, Handle, Network, Router, Sim, SimConfig, Why, blocking, get,
};

const HOUR: Duration = Duration::from_secs(3600);

fn on(seed: u64, network: Network) -> Sim {
    Sim::with_config(seed, SimConfig { network, ..SimConfig::default() })
}

#[test]
fn time_passes_only_when_nothing_else_is_to_do() {
    let sim = Sim::new(1);
    let order = Rc::new(RefCell::new(Vec::new()));
    for minutes in [30, 10, 20] {
        let (order, in_task) = (order.clone(), sim.clone());
        drop(sim.spawn(async move {
            in_task.sleep(Duration::from_secs(60 * minutes)).await;
            order.borrow_mut().push(minutes);
        }));
    }
    assert_eq!(sim.tasks(), 3);
    sim.run_until(sim.sleep(HOUR)).unwrap();
    assert_eq!(*order.borrow(), [10, 20, 30]);
    assert_eq!((sim.elapsed(), sim.tasks()), (HOUR, 0));
    assert_eq!(sim.run_until(sim.timeout(HOUR, pending::<()>())).unwrap(), None);
    assert_eq!(sim.elapsed(), HOUR * 2);
}

#[test]
fn the_order_of_tasks_follows_from_the_seed() {
    let order = |seed| {
        let sim = on(seed, Network::default());
        let order = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let order = order.clone();
                sim.spawn(async move { order.borrow_mut().push(n) })
            })
            .collect();
        sim.run_until(async {
            for task in tasks {
                task.await;
            }
        })
        .unwrap();
        order.take()
    };
    let orders: BTreeSet<_> = (0..500).map(order).collect();
    assert_eq!(orders.len(), 24, "each order of four tasks comes about");
    assert_eq!(order(7), order(7));
}

#[test]
fn a_deadlock_is_an_error_that_says_the_seed() {
    let sim = Sim::new(17);
    drop(sim.spawn(pending::<()>()));
    let stuck = sim.run_until(pending::<()>()).unwrap_err();
    assert_eq!((stuck.seed, stuck.why), (17, Why::Deadlock));
    assert_eq!(stuck.waiting.len(), 1);
    let text = stuck.to_string();
    assert!(text.starts_with("seed 17: ") && text.contains("itself.rs:"), "{text}");

    // Two ends that wait for each other.
    let (one, other) = sim.pair();
    let read = |stream: sinew_sim::SimStream| async move { stream.read(&mut [0]).await.map(|_| stream) };
    drop(sim.spawn(read(one)));
    assert_eq!(sim.run_until(read(other)).map(|_| ()).unwrap_err().why, Why::Deadlock);
}

#[test]
fn spinning_and_endless_time_are_errors() {
    let sim = Sim::new(1);
    let spin = std::future::poll_fn::<(), _>(|cx| {
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    });
    assert_eq!(sim.run_until(spin).unwrap_err().why, Why::Spinning);
    let clock = async {
        loop {
            sim.sleep(HOUR).await;
        }
    };
    assert_eq!(
        sim.run_until::<std::pin::Pin<Box<dyn Future<Output = ()>>>>(Box::pin(clock)).unwrap_err().why,
        Why::TimeLimit
    );
    assert_eq!(sim.elapsed(), SimConfig::default().time_limit);
}

#[test]
fn check_says_the_seed_and_stops_there() {
    let ran = RefCell::new(Vec::new());
    let failed = catch_unwind(AssertUnwindSafe(|| {
        sinew_sim::check(0..10, |sim| {
            ran.borrow_mut().push(sim.seed());
            async move { assert!(sim.seed() != 3, "three is wrong") }
        });
    }));
    // One seed of the environment would be the only one.
    if std::env::var_os("SINEW_SEED").is_none() {
        let message = failed.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("seed 3") && message.contains("three is wrong"), "{message}");
        assert!(message.contains("SINEW_SEED=3"), "{message}");
        assert_eq!(*ran.borrow(), [0, 1, 2, 3]);
    }
}

/// Sends that many bytes, and returns what the other end sees.
fn transfer(sim: &Sim, len: usize) -> (Vec<u8>, std::io::Result<usize>) {
    let (one, other) = sim.pair();
    let bytes: Vec<u8> = (0..=255).cycle().take(len).collect();
    let sent = bytes.clone();
    drop(sim.spawn(async move {
        if one.write_all(&sent).await.is_ok() {
            let _ = one.shutdown_write().await;
            let _ = one.read(&mut [0]).await;
        }
    }));
    let mut heard = Vec::new();
    let end = sim.run_until(other.read_to_end(&mut heard)).unwrap();
    assert!(bytes.starts_with(&heard), "bytes were changed");
    (heard, end)
}

#[test]
fn every_network_keeps_bytes_and_order() {
    for seed in 0..300 {
        let sim = Sim::new(seed);
        sim.set_network(Network::any(&mut sim.random()));
        let (heard, end) = transfer(&sim, 500);
        assert_eq!((heard.len(), end.unwrap()), (500, 500), "seed {seed}");
    }
}

#[test]
fn broken_connections_look_like_it() {
    let (mut whole, mut torn, mut reset) = (0, 0, 0);
    for seed in 0..300 {
        let sim = on(seed, Network::broken());
        match transfer(&sim, 3_000) {
            (heard, Ok(_)) if heard.len() == 3_000 => whole += 1,
            (_, Ok(_)) => torn += 1,
            (_, Err(error)) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                reset += 1;
            }
        }
    }
    // Two in three do not break at all, and some break where nothing is sent.
    assert!(whole > 150 && torn >= 5 && reset >= 5, "{whole} whole, {torn} torn, {reset} reset");

    let mut network = Network::default();
    network.faults.cut_to_b = Some(Cut { after: 10, kind: CutKind::Truncate });
    let (heard, end) = transfer(&on(1, network), 100);
    assert_eq!((heard.len(), end.unwrap()), (10, 10));
}

#[test]
fn what_is_on_the_way_is_bounded() {
    let mut network = Network::rough();
    network.faults.capacity = 100;
    let sim = on(5, network);
    let (one, other) = sim.pair();
    sim.run_until(async {
        assert!(sim.timeout(HOUR, one.write_all(&[0; 1000])).await.is_none());
        assert_eq!(one.written(), 100);
        let mut heard = 0;
        while heard < 100 {
            heard += other.read(&mut [0; 1000]).await.unwrap();
        }
        assert_eq!(one.write(&[0; 1000]).await.map(|n| n > 0).ok(), Some(true));
    })
    .unwrap();
}

#[test]
fn a_reset_is_seen_by_whoever_waits() {
    for seed in 0..50 {
        let sim = Sim::new(seed);
        let (one, other) = sim.pair();
        let reading = sim.spawn(async move { other.read(&mut [0; 10]).await });
        let end = sim.run_until(async {
            sim.sleep(HOUR).await;
            one.reset();
            (reading.await, one.write(b"late").await, one.read(&mut [0]).await)
        });
        let (read, write, own) = end.unwrap();
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset, "seed {seed}");
        assert!(write.is_err() && own.is_err());
    }
}

#[test]
fn blocking_jobs_take_virtual_time() {
    let second = Duration::from_secs(1);
    let config = SimConfig { job_time: (second, second * 2), ..SimConfig::default() };
    let sim = Sim::with_config(1, config);
    let app = Router::new()
        .route("/", blocking::get(|| "done"))
        .route("/both", get(|handle: Handle| async move { handle.run(|| "done").await.unwrap_or("busy") }));
    let server = sim.serve(app, ConnectionConfig::default());
    for path in ["/", "/both"] {
        let client = sim.connect(&server);
        let start = sim.elapsed();
        let answer = sim.run_until(async {
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            client.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            answer
        });
        assert!(answer.unwrap().ends_with(b"done"));
        assert!(sim.elapsed().saturating_sub(start) >= second);
    }
    assert_eq!(server.accepted(), 2);
}

#[test]
fn dropping_the_simulation_drops_its_tasks() {
    struct Told(Rc<RefCell<bool>>);
    impl Drop for Told {
        fn drop(&mut self) {
            *self.0.borrow_mut() = true;
        }
    }
    let dropped = Rc::new(RefCell::new(false));
    let sim = Sim::new(1);
    let (told, in_task) = (Told(dropped.clone()), sim.clone());
    drop(sim.spawn(async move {
        let _told = told;
        in_task.sleep(HOUR).await;
    }));
    assert!(sim.run_until(async {}).is_ok());
    assert!(!*dropped.borrow());
    drop(sim);
    assert!(*dropped.borrow());
}
