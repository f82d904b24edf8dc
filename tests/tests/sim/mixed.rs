//! A random population of clients against one application, over 10,000 seeds: whatever they and the network
//! do, answers match requests, in order; connections end visibly; nothing is left behind.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sinew_sim::{Body, BodyBuffer, BodyError, Bytes, ConnectionConfig, Handle, IntoResponse, Network, Path};
use sinew_sim::{Random, Request, Response, Router, Sim, SimServer, blocking, check, get, post};
use sinew_tests::raw::{get as get_of, post as post_of, post_chunked};
use smol::stream;

use crate::client::Client;
use crate::{patient, payload};

/// How much of a request body waits for its handler.
const BODY_BUFFER: usize = 1024;

/// An upload that does not fit between client and handler.
const HUGE: usize = 60_000;

/// How often each request has reached its handler.
type Calls = Arc<Mutex<BTreeMap<u64, u32>>>;

/// One request, and the answer to it.
struct Ask {
    id: u64,
    bytes: Vec<u8>,
    status: u16,
    body: Vec<u8>,
}

/// How a client behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It sends all of its requests and reads all of the answers.
    Good,
    /// The same, and it ends its side once it has sent everything.
    HalfCloses,
    /// The same, with a pause in the middle of its bytes that may be longer than a deadline.
    Pauses,
    /// It breaks the connection after so many bytes.
    Resets(usize),
    /// It closes after so many bytes, without reading.
    Leaves(usize),
    /// Garbage follows its requests.
    Raves,
}

fn app(calls: &Calls) -> Router {
    let calls = calls.clone();
    let routes = Router::new()
        .route("/now/{id}", get(|Path(id): Path<u64>| async move { format!("now {id}") }))
        .route(
            "/slow/{id}/{seconds}",
            get(|handle: Handle, Path((id, seconds)): Path<(u64, u64)>| async move {
                handle.sleep(Duration::from_secs(seconds)).await;
                format!("slow {id}")
            }),
        )
        .route("/echo/{id}", post(|body: Body| async { body }))
        .route("/read/{id}", post(|body: Bytes| async { body }))
        .route("/ignore/{id}", post(|Path(id): Path<u64>| async move { format!("ignored {id}") }))
        .route("/stream/{id}", get(|Path(id): Path<u64>| async move { Body::from_stream(pieces(id)) }))
        .route("/blocking/{id}", blocking::get(|Path(id): Path<u64>| format!("blocking {id}")))
        // A panic that is not printed.
        .route(
            "/panic/{id}",
            get(|| async {
                if true {
                    resume_unwind(Box::new("as it should"))
                }
            }),
        )
        .route(
            "/late/{id}",
            post(|handle: Handle, body: Body| async move {
                handle.sleep(Duration::from_secs(60)).await;
                body.collect(1 << 20).await.map(|body| body.len().to_string())
            }),
        );
    Router::new().fallback(move |request: Request| {
        let id = request.path().split('/').nth(2).and_then(|id| id.parse().ok());
        if let Some(id) = id {
            *calls.lock().unwrap().entry(id).or_default() += 1;
        }
        let response = sinew_sim::Service::call(&routes, request);
        async move { response.await.into_response() as Response }
    })
}

fn pieces(id: u64) -> impl stream::Stream<Item = Result<Bytes, BodyError>> + Send {
    stream::iter((0..id % 5).map(move |n| Ok(Bytes::from(format!("piece {n} of {id}\n")))))
}

fn ask(id: u64, random: &mut Random) -> Ask {
    let body = payload(usize::try_from(random.below(300)).unwrap());
    let upload = |path: String, random: &mut Random| {
        if random.chance(1, 2) { post_of(&path, &body) } else { post_chunked(&path, body.chunks(50)) }
    };
    let asks = |path: String| get_of(&path).into_bytes();
    let (bytes, status, body) = match random.below(9) {
        0 => (asks(format!("/now/{id}")), 200, format!("now {id}").into_bytes()),
        1 => {
            let seconds = random.below(30);
            (asks(format!("/slow/{id}/{seconds}")), 200, format!("slow {id}").into_bytes())
        }
        2 => (upload(format!("/echo/{id}"), random), 200, body),
        3 => (upload(format!("/read/{id}"), random), 200, body),
        4 => (upload(format!("/ignore/{id}"), random), 200, format!("ignored {id}").into_bytes()),
        5 => {
            let all = (0..id % 5).map(|n| format!("piece {n} of {id}\n")).collect::<Vec<_>>().concat();
            (asks(format!("/stream/{id}")), 200, all.into_bytes())
        }
        6 => (asks(format!("/blocking/{id}")), 200, format!("blocking {id}").into_bytes()),
        7 => (asks(format!("/panic/{id}")), 500, b"500 Internal Server Error\n".to_vec()),
        _ => (asks(format!("/missing/{id}")), 404, Vec::new()),
    };
    Ask { id, bytes, status, body }
}

/// What all clients of a scenario share.
#[derive(Clone)]
struct World {
    sim: Sim,
    server: SimServer,
    calls: Calls,
    /// The network loses nothing.
    reliable: bool,
    /// The signal was given: connections may end between two requests.
    draining: Rc<Cell<bool>>,
    answered: Rc<Cell<u32>>,
}

async fn write(stream: &sinew_sim::SimStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok()
}

/// Sends what the client has to say, in its manner.
async fn speak(sim: Sim, client: Rc<sinew_sim::SimStream>, bytes: Vec<u8>, manner: Manner) {
    match manner {
        Manner::Good => drop(write(&client, &bytes).await),
        Manner::HalfCloses => {
            if write(&client, &bytes).await {
                let _ = client.shutdown_write().await;
            }
        }
        Manner::Pauses => {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            let pause = sim.random().between(Duration::ZERO, Duration::from_secs(100));
            if write(&client, first).await {
                sim.sleep(pause).await;
                write(&client, second).await;
            }
        }
        Manner::Resets(at) => {
            write(&client, &bytes[..at]).await;
            client.reset();
        }
        // Dropped by both: the last one closes it.
        Manner::Leaves(at) => drop(write(&client, &bytes[..at]).await),
        Manner::Raves => {
            write(&client, &bytes).await;
            write(&client, b"\0 what is this?\r\n\r\n").await;
        }
    }
}

/// One client, from connecting to its end.
async fn visit(world: World, asks: Vec<Ask>, manner: Manner) {
    let mut client = Client::connect(&world.sim, &world.server);
    let bytes = asks.iter().flat_map(|ask| ask.bytes.clone()).collect();
    let speaking = world.sim.spawn(speak(world.sim.clone(), client.stream.clone(), bytes, manner));
    if let Manner::Leaves(_) = manner {
        drop(client);
        return speaking.await;
    }
    let mut answered = 0;
    let mut closed = false;
    for ask in &asks {
        // That this comes to an end at all is the first invariant: else the scenario is stuck.
        let Ok(response) = client.try_response().await else {
            closed = true;
            break;
        };
        if response.closes() && matches!(response.status, 400 | 408) {
            assert!(manner != Manner::Good && manner != Manner::HalfCloses || !world.reliable);
            closed = true;
            break;
        }
        assert_eq!(response.status, ask.status, "of request {}", ask.id);
        if ask.status != 404 {
            assert_eq!(response.body, ask.body, "of request {}", ask.id);
        }
        assert_eq!(world.calls.lock().unwrap().get(&ask.id), Some(&1), "calls for request {}", ask.id);
        answered += 1;
        world.answered.set(world.answered.get() + 1);
        if response.closes() {
            let reason = !world.reliable || world.draining.get() || manner == Manner::HalfCloses;
            assert!(reason, "closed for no reason");
            closed = true;
            break;
        }
    }
    assert!(closed || answered == asks.len());
    let must_answer = world.reliable && !world.draining.get();
    if must_answer && matches!(manner, Manner::Good | Manner::HalfCloses) {
        assert_eq!(answered, asks.len(), "a client that did nothing wrong was not answered");
    }
    if closed || matches!(manner, Manner::HalfCloses | Manner::Raves) {
        let _ = client.rest().await;
    }
}

/// A client whose upload nobody reads for a minute.
async fn upload(world: World, id: u64, capacity: usize) {
    let mut client = Client::connect(&world.sim, &world.server);
    let request = post_of(&format!("/late/{id}"), vec![b'x'; HUGE]);
    let head = request.len() - HUGE;
    client.send_meanwhile(&world.sim, request);
    world.sim.sleep(Duration::from_secs(50)).await;
    let taken = usize::try_from(client.stream.written()).unwrap();
    // What is on the way, one read, and the buffer.
    let most = head + 2 * capacity + BODY_BUFFER;
    // What is written to a broken connection is lost, which looks like being taken.
    if world.reliable && !world.draining.get() {
        assert!(taken <= most, "{taken} bytes were taken from a client nobody listens to");
    }
    match client.try_response().await {
        Ok(response) if response.status == 200 => assert_eq!(response.body, HUGE.to_string().into_bytes()),
        _ => assert!(!world.reliable || world.draining.get(), "a client that did nothing wrong was refused"),
    }
}

async fn scenario(sim: Sim) {
    let mut random = sim.random();
    let mut config = ConnectionConfig { body_buffer: BodyBuffer(BODY_BUFFER), ..ConnectionConfig::default() };
    let mut network = match random.below(4) {
        // On some of these a byte comes in a second, which no deadline allows.
        0 => {
            config.http1 = patient().http1;
            Network::any(&mut random)
        }
        1 => Network::broken(),
        _ => Network::rough(),
    };
    if network.faults.max_piece == 1 {
        network.faults.max_piece = 20;
    }
    let (reliable, capacity) = (network.broken_one_in == 0, network.faults.capacity);
    sim.set_network(network);
    let calls = Calls::default();
    let server = sim.serve(app(&calls), config);
    let (draining, answered) = (Rc::new(Cell::new(false)), Rc::default());
    let world = World { sim: sim.clone(), server: server.clone(), calls, reliable, draining, answered };

    let mut visits = Vec::new();
    let mut id = 0;
    for _ in 0..=random.below(4) {
        let asks: Vec<Ask> = (0..=random.below(4))
            .map(|_| {
                id += 1;
                ask(id, &mut random)
            })
            .collect();
        let len: usize = asks.iter().map(|ask| ask.bytes.len()).sum();
        let at = usize::try_from(random.below(len as u64)).unwrap();
        let manner = match random.below(8) {
            0 => Manner::HalfCloses,
            1 => Manner::Pauses,
            2 => Manner::Resets(at),
            3 => Manner::Leaves(at),
            4 => Manner::Raves,
            _ => Manner::Good,
        };
        let arrives = random.between(Duration::ZERO, Duration::from_secs(20));
        let world = world.clone();
        visits.push(sim.spawn(async move {
            world.sim.sleep(arrives).await;
            visit(world, asks, manner).await;
        }));
    }
    if capacity == Network::rough().faults.capacity && random.chance(1, 10) {
        visits.push(sim.spawn(upload(world.clone(), id + 1, capacity)));
    }
    if random.chance(1, 3) {
        sim.sleep(random.between(Duration::ZERO, Duration::from_secs(90))).await;
    } else {
        for visit in std::mem::take(&mut visits) {
            visit.await;
        }
    }
    world.draining.set(true);
    server.shut_down(Duration::from_secs(200)).await;
    assert_eq!(server.live(), 0, "connections are left");
    for visit in visits {
        visit.await;
    }
    drop(world);
    // Blocking jobs, and what is still on its way to nobody.
    sim.sleep(Duration::from_secs(3_600)).await;
    assert_eq!(sim.tasks(), 0, "tasks are left");
}

/// Half of the seeds, so that two threads can share them.
fn run(seeds: Range<u64>) {
    check(seeds, scenario);
}

#[test]
fn a_population_of_clients() {
    run(0..5_000);
}

#[test]
fn another_population_of_clients() {
    run(5_000..10_000);
}

/// The scenario is the same in every run of a seed, and another one for another seed.
#[test]
fn a_seed_says_everything() {
    let fingerprint = |seed| {
        let sim = Sim::new(seed);
        sim.run_until(scenario(sim.clone())).expect("it ends");
        (sim.fingerprint(), sim.elapsed())
    };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let first = fingerprint(seed);
        assert_eq!(first, fingerprint(seed), "seed {seed}");
        assert!(seen.insert(first), "seed {seed} is like another one");
    }
}
