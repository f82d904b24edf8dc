//! A small service as it meets the internet: limits, timeouts, a cap on connections, counters, a health check
//! that fails before the server stops, a Unix socket for a proxy, systemd.
//!
//! `cargo run --release --example production -- --socket /tmp/production.sock`, then
//! `curl localhost:8080/health localhost:8080/metrics`. Copy it, and take out what you do not need.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Parser;
use sinew_tokio::{
    Limits, Path, Router, Server, ServerHandle, State, StatusCode, Timeouts, get, raise_descriptor_limit,
    signals,
};

#[derive(Parser)]
struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// The file of a Unix socket, for a proxy on this machine
    #[arg(long)]
    socket: Option<PathBuf>,
    /// How many seconds the health check fails before the server stops: twice what the load balancer needs to see it
    #[arg(long, default_value_t = 10)]
    notice: u64,
}

/// What handlers share.
#[derive(Default)]
struct Service {
    leaving: AtomicBool,
    server: OnceLock<ServerHandle>,
}

async fn hello(Path(name): Path<String>) -> String {
    format!("Hello, {name}!\n")
}

/// For the load balancer: 503 from the signal on, while requests are still served.
async fn health(State(service): State<Arc<Service>>) -> (StatusCode, &'static str) {
    if service.leaving.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "leaving\n");
    }
    (StatusCode::OK, "ok\n")
}

/// The counters as Prometheus reads them. Keep it from strangers: in the proxy, or on a server of its own.
async fn metrics(State(service): State<Arc<Service>>) -> ([(&'static str, &'static str); 1], String) {
    let counts = service.server.get().map(ServerHandle::counts).unwrap_or_default();
    let figures = [
        ("connections_accepted_total", "counter", counts.connections_accepted),
        ("connections_refused_total", "counter", counts.connections_refused),
        ("connections_open", "gauge", counts.connections_open),
        ("accept_errors_total", "counter", counts.accept_errors),
        ("requests_total", "counter", counts.requests),
        ("requests_rejected_total", "counter", counts.requests_rejected),
        ("upgrades_total", "counter", counts.upgrades),
    ];
    let line = |(name, kind, value)| format!("# TYPE sinew_{name} {kind}\nsinew_{name} {value}\n");
    let text = figures.map(line).concat();
    ([("content-type", "text/plain; version=0.0.4")], text)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let options = Options::parse();
    let service = Arc::new(Service::default());
    let app = Router::new()
        .route("/hello/{name}", get(hello))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(service.clone());

    // A connection takes a descriptor; leave some for everything else.
    let descriptors = usize::try_from(raise_descriptor_limit()?).unwrap_or(usize::MAX);
    let signal = signals::Termination::new()?;
    let (second, leaving) = (signal.next(), service.clone());

    let mut server = Server::new(app)
        .service_manager()
        .bind(&options.listen)
        .timeouts(Timeouts { idle: Duration::from_secs(75), ..Timeouts::default() })
        .limits(Limits { head: 8 * 1024, ..Limits::default() })
        .max_connections(descriptors.saturating_sub(100).clamp(1, 10_000))
        .max_connections_per_address(1_000)
        .drain(Duration::from_secs(20))
        .with_graceful_shutdown(async move {
            signal.await;
            leaving.leaving.store(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(options.notice)).await;
        });
    if let Some(path) = options.socket {
        server = server.bind_unix(path).unix_mode(0o660);
    }
    let server = server.spawn()?;
    for address in server.local_addrs() {
        println!("listening on {address}");
    }
    service.server.get_or_init(|| server.clone());

    // Who sends a second signal does not want to wait.
    let running = server.clone();
    tokio::spawn(async move {
        second.await;
        running.abort();
    });
    server.clone().await?;
    println!("{:?}", server.counts());
    Ok(())
}
