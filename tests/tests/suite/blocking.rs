//! Handlers that block: they run off the event loop, with plain calls for everything.

use std::io::Read;
use std::time::Duration;

use sinew_app::{Body, BodyError, Router, blocking, get};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Count, Gate, eventually};

pub(crate) fn the_loop_goes_on<A: Adapter>() {
    let (gate, waiting) = (Gate::default(), Count::default());
    let app = Router::new().route("/", get(|| async { "hello" })).route("/wait", {
        let (gate, waiting) = (gate.clone(), waiting.clone());
        blocking::get(move || {
            waiting.add(1);
            gate.pass();
            "through"
        })
    });
    let server = A::start(app);
    // More than the server has threads for its loops.
    let mut blocked: Vec<Client> = (0..4).map(|_| Client::connect(server.addr())).collect();
    for client in &mut blocked {
        client.send(raw::get("/wait"));
    }
    eventually("all of them block", || waiting.now() == 4);
    for _ in 0..8 {
        assert_eq!(raw::request(server.addr(), raw::get("/")).text(), "hello");
    }
    gate.open();
    for client in &mut blocked {
        assert_eq!(client.response().text(), "through");
    }
}

/// Counts a body by reading, then makes as many bytes by sending.
fn count_and_make(body: Body) -> Result<Body, BodyError> {
    let mut reader = body.into_reader();
    let mut total = 0;
    let mut buf = [0; 10_000];
    loop {
        match reader.read(&mut buf)? {
            0 => break,
            n => total += n,
        }
    }
    let (sender, body) = Body::channel(32 * 1024);
    std::thread::spawn(move || {
        let mut left = total;
        while left > 0 {
            let piece = left.min(7_000);
            sender.blocking_send(vec![b'y'; piece])?;
            left -= piece;
        }
        sender.finish();
        Ok::<(), sinew_app::Closed>(())
    });
    Ok(body)
}

pub(crate) fn it_reads_and_writes_with_plain_calls<A: Adapter>() {
    let app = Router::new().route("/", blocking::post(count_and_make));
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    for size in [0, 5, 3_000_000] {
        let body = vec![b'x'; size];
        client.send(raw::post("/", &body));
        let response = client.response();
        assert_eq!(response.field("transfer-encoding"), Some("chunked"));
        assert_eq!(response.body.len(), size);
        client.send(raw::post_chunked("/", body.chunks(50_000)));
        assert_eq!(client.response().body.len(), size);
    }
}

pub(crate) fn a_panic_is_a_500<A: Adapter>() {
    let app = Router::new().route("/", get(|| async { "hello" })).route(
        "/panic",
        blocking::get(|| -> &'static str {
            // As a panic, without its message on stderr.
            std::panic::resume_unwind(Box::new("on purpose"))
        }),
    );
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    // More often than the pools that keep few threads have threads.
    for _ in 0..70 {
        client.send(raw::get("/panic"));
        assert_eq!(client.response().status, 500);
    }
    client.send(raw::get("/"));
    assert_eq!(client.response().text(), "hello");
}

/// A client that sends half of its body and waits holds a thread of the pool, nothing else; when
/// it leaves, the thread is free again.
pub(crate) fn waiting_for_a_client_holds_up_nobody<A: Adapter>() {
    let broken = Count::default();
    let app = Router::new().route("/", {
        let broken = broken.clone();
        blocking::post(move |body: Body| {
            let mut all = Vec::new();
            let result = body.into_reader().read_to_end(&mut all);
            broken.add(usize::from(result.is_err()));
            result.map(|_| all).map_err(BodyError::from)
        })
    });
    let server = A::start(app);
    let mut waiting: Vec<Client> = (0..4).map(|_| Client::connect(server.addr())).collect();
    for client in &mut waiting {
        client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello");
    }
    for _ in 0..4 {
        assert_eq!(raw::request(server.addr(), raw::post("/", "whole")).text(), "whole");
    }
    for client in &mut waiting[..2] {
        client.quiet(Duration::from_millis(10));
        client.send("world");
        assert_eq!(client.response().text(), "helloworld");
    }
    assert_eq!(broken.now(), 0);
    for client in waiting.drain(2..) {
        client.reset();
    }
    eventually("the threads are free", || broken.now() == 2);
}
