//! Server-Sent Events that survive a restart: `cargo run --release --example ticker`, then open
//! <http://127.0.0.1:8080>
//!
//! Each tick has a number, which is its event ID. Stop the server and start it again: the page connects
//! again by itself and says which tick it saw last, and the stream goes on with the next one. None is
//! lost and none comes twice. The server keeps nothing: all it has to know is in `Last-Event-ID`.
//!
//! | path | answer |
//! |---|---|
//! | `/` | a page that shows the ticks, and counts those that were lost or came twice |
//! | `/events` | `tick` events without end, after the reconnection time |

use std::time::Duration;

use clap::Parser;
use futures_lite::stream::{self, StreamExt as _};
use sinew_tokio::{Event, EventError, Handle, Html, LastEventId, Router, Sse, State, get};

#[derive(Parser)]
struct Ticker {
    #[command(flatten)]
    server: sinew_examples::Options,
    /// Time between two ticks
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    interval_ms: u64,
}

/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_millis(500);

fn main() -> std::io::Result<()> {
    let options = Ticker::parse();
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/events", get(events))
        .with_state(Duration::from_millis(options.interval_ms));
    sinew_examples::serve(&options.server, app)
}

/// Ticks from the one after the last that the client has seen.
async fn events(State(interval): State<Duration>, handle: Handle, LastEventId(last): LastEventId) -> Sse {
    let last: u64 = last.and_then(|id| id.parse().ok()).unwrap_or(0);
    let ticks = stream::unfold(last, move |last| {
        let handle = handle.clone();
        async move {
            handle.sleep(interval).await;
            let next = last.checked_add(1)?;
            Some((tick(next), next))
        }
    });
    Sse::new(stream::once(Ok(Event::new().retry(RETRY))).chain(ticks))
}

fn tick(number: u64) -> Result<Event, EventError> {
    Event::new().event("tick")?.id(number.to_string()).map(|event| event.data(format!("tick {number}")))
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Ticker</title>
<h1>Ticks</h1>
<p id="state">connecting</p>
<p>lost: <b id="lost">0</b>, twice: <b id="twice">0</b></p>
<ol id="ticks"></ol>
<script>
  const show = (id, text) => { document.getElementById(id).textContent = text; };
  let last = 0, lost = 0, twice = 0;
  const source = new EventSource("/events");
  source.onopen = () => show("state", "connected");
  source.onerror = () => show("state", `away; the last one was ${last}`);
  source.addEventListener("tick", event => {
    const number = Number(event.lastEventId);
    if (number <= last) twice += 1; else lost += number - last - 1;
    last = Math.max(last, number);
    const line = document.createElement("li");
    line.dataset.id = event.lastEventId;
    line.value = number;
    line.textContent = event.data;
    document.getElementById("ticks").append(line);
    show("lost", lost);
    show("twice", twice);
  });
</script>
"#;
