//! An application under a bad network, an hour of it in a moment: `cargo run --release --example simulate`

use std::cell::Cell;
use std::time::Duration;

use sinew_sim::{ConnectionConfig, Handle, Network, Path, Router, Sim, SimServer, check, get};

/// The application to be tested: it takes its time.
fn app() -> Router {
    Router::new().route(
        "/square/{n}",
        get(|handle: Handle, Path(n): Path<u64>| async move {
            handle.sleep(Duration::from_secs(n)).await;
            (n * n).to_string()
        }),
    )
}

/// One request on a connection of its own. `None` if the connection broke.
async fn square(sim: &Sim, server: &SimServer, n: u64) -> Option<String> {
    let client = sim.connect(server);
    let request = format!("GET /square/{n} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    // A connection that ends in the middle shows in the length.
    let length = format!("content-length: {}", body.len());
    let whole = head.lines().any(|line| line.eq_ignore_ascii_case(&length));
    (head.starts_with("HTTP/1.1 200 ") && whole).then(|| body.to_owned())
}

fn main() {
    let (answered, broken, time) = (Cell::new(0), Cell::new(0), Cell::new(Duration::ZERO));
    let start = std::time::Instant::now();
    // A failure says its seed; SINEW_SEED=… runs that one alone, and prints everything that happens.
    check(0..500, |sim| {
        let (answered, broken, time) = (&answered, &broken, &time);
        async move {
            sim.set_network(Network { broken_within: 200, ..Network::broken() });
            let server = sim.serve(app(), ConnectionConfig::default());
            for n in 0..10 {
                match square(&sim, &server, n).await {
                    Some(body) => {
                        assert_eq!(body, (n * n).to_string());
                        answered.set(answered.get() + 1);
                    }
                    None => broken.set(broken.get() + 1),
                }
            }
            server.shut_down(Duration::from_secs(30)).await;
            assert_eq!(server.live(), 0, "a connection is left");
            time.set(time.get() + sim.elapsed());
        }
    });
    println!("{} requests answered, {} broken off by the network", answered.get(), broken.get());
    println!("{:.1} hours of virtual time in {:.1?}", time.get().as_secs_f64() / 3600.0, start.elapsed());
}
