//! The same application for three runtimes: nothing here names one.

use std::time::Duration;

// Whichever adapter is used, these are the same types.
use sinew_tokio::{Handle, Html, Path, Router, blocking, get};

/// A page, a parameter, a handler that waits, and one that blocks its thread.
pub(crate) fn app() -> Router {
    Router::new()
        .route("/", get(index))
        .route("/hello/{name}", get(hello))
        .route("/slow", get(slow))
        .route("/sum/{n}", blocking::get(sum))
}

async fn index() -> Html<&'static str> {
    Html("<!doctype html><title>Sinew</title><p>Try <a href=/hello/world>/hello/world</a>.")
}

async fn hello(Path(name): Path<String>) -> String {
    format!("Hello, {name}!\n")
}

/// Waits without holding a thread.
async fn slow(handle: Handle) -> &'static str {
    handle.sleep(Duration::from_millis(500)).await;
    "Half a second later.\n"
}

/// A plain function: it runs on a pool of threads, off the event loop.
fn sum(Path(n): Path<u32>) -> String {
    format!("{}\n", (1..=u64::from(n)).sum::<u64>())
}
