//! The server that hostile clients and the soak are let loose on: a process of its own, so that its
//! descriptors, threads and memory are nobody else's. [`serve`] is inside it, [`Process`] outside.

mod process;

use std::future::IntoFuture as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use signal_hook::consts::SIGTERM;
use sinew_app::{
    Body, BodyError, Bytes, Event, EventError, Handle, Path, Response, Router, Sse, WebSocketUpgrade, get,
    post, websocket,
};
use sinew_runtime::{ConnectionConfig, Shutdown};
use smol::stream;
use socket2::{Domain, Socket, Type};

pub use process::{Footprint, Process};

/// Every deadline of a server with short ones.
pub const SHORT: Duration = Duration::from_millis(600);

/// The largest body that `/read` takes.
pub const BODY_LIMIT: usize = 32 * 1024;

/// How long requests in flight may take after SIGTERM.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Threads of the server that poll connections.
const THREADS: usize = 2;

/// Connections that may wait to be accepted: a crowd comes at once.
const BACKLOG: i32 = 4_096;

/// The adapters, by the names of the command line.
pub const RUNTIMES: [&str; 3] = ["tokio", "smol", "std"];

/// Serves the application until SIGTERM, as these arguments ask: a runtime, `short` or `default`
/// deadlines, and an address to listen on, or `inherited` for the listener that is standard input.
///
/// # Errors
/// What the arguments lack, or the error of the system.
pub fn serve(args: &[String]) -> io::Result<()> {
    let [runtime, deadlines, listen] = args else {
        return Err(io::Error::other("serve: RUNTIME short|default ADDRESS|inherited"));
    };
    let short = deadlines == "short";
    let listener = if listen == "inherited" {
        TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?)
    } else {
        bind(listen.parse().map_err(io::Error::other)?)?
    };
    if short {
        // Passed on to what is accepted: who does not read is noticed after few bytes.
        socket2::SockRef::from(&listener).set_send_buffer_size(64 * 1024)?;
    }
    listener.set_nonblocking(true)?;
    let shutdown = Shutdown::new();
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM])?;
    let signal = shutdown.clone();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || signals.forever().for_each(|_| signal.trigger()))?;
    println!("listening on {}", listener.local_addr()?);
    let config = if short { short_config() } else { ConnectionConfig::default() };
    run(runtime, listener, app(short), config, &shutdown)
}

/// A listener on an address that others may listen on as well.
///
/// # Errors
/// The one of the system.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn run(
    runtime: &str,
    listener: TcpListener,
    app: Router,
    config: ConnectionConfig,
    shutdown: &Shutdown,
) -> io::Result<()> {
    match runtime {
        "tokio" => {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
            runtime.block_on(async {
                let serve = sinew_tokio::serve(tokio::net::TcpListener::from_std(listener)?, app)
                    .config(config)
                    .drain(DRAIN)
                    .with_graceful_shutdown(shutdown.wait());
                // A task of its own: the thread that blocks on it is no worker.
                tokio::spawn(serve.into_future()).await.map_err(io::Error::other)?
            })
        }
        "smol" => {
            let executor = Arc::new(smol::Executor::new());
            for _ in 1..THREADS {
                let executor = executor.clone();
                std::thread::spawn(move || smol::block_on(executor.run(std::future::pending::<()>())));
            }
            let serve = sinew_smol::serve(smol::net::TcpListener::from(smol::Async::new(listener)?), app)
                .executor(executor.clone())
                .config(config)
                .drain(DRAIN)
                .with_graceful_shutdown(shutdown.wait());
            smol::block_on(executor.run(serve.into_future()))
        }
        "std" => sinew_std::serve(listener, app)
            .workers(THREADS)
            .config(config)
            .drain(DRAIN)
            .with_graceful_shutdown(shutdown.wait())
            .run(),
        other => Err(io::Error::other(format!("no runtime is called {other}"))),
    }
}

fn short_config() -> ConnectionConfig {
    let http1 = sinew_proto::Config {
        head_timeout: SHORT,
        idle_timeout: SHORT,
        body_grace: SHORT,
        write_timeout: SHORT,
        linger_timeout: SHORT,
        ..sinew_proto::Config::default()
    };
    ConnectionConfig { http1, ..ConnectionConfig::default() }
}

fn short_websocket() -> websocket::Config {
    websocket::Config {
        ping_interval: SHORT,
        pong_timeout: SHORT,
        close_timeout: SHORT,
        write_timeout: SHORT,
        ..websocket::Config::default()
    }
}

/// | request | answer |
/// |---|---|
/// | `GET /` | `hello` |
/// | `GET /bytes/N` | N bytes of the [`pattern`] |
/// | `POST /echo` | the body, while it arrives |
/// | `POST /read` | the body, once it is whole, up to [`BODY_LIMIT`] |
/// | `POST /ignore` | `ignored`, and the body is not read |
/// | `GET /slow/MS` | `slept`, after that many milliseconds |
/// | `GET /lines/N` | N lines `line i`, chunked, one every 5 ms |
/// | `GET /ticks/N` | N events with their numbers as IDs and data, one every 5 ms |
/// | `GET /endless` | bytes without end |
/// | `GET /events` | events without end |
/// | `GET /ws` | a WebSocket that echoes |
fn app(short: bool) -> Router {
    Router::new()
        .route("/", get(|| async { "hello\n" }))
        .route("/bytes/{n}", get(|Path(n): Path<usize>| async move { pattern(n) }))
        .route("/echo", post(|body: Body| async { body }))
        .route("/read", post(|body: Bytes| async { body }))
        .route("/ignore", post(|| async { "ignored\n" }))
        .route("/slow/{ms}", get(slow))
        .route("/lines/{n}", get(lines))
        .route("/ticks/{n}", get(ticks))
        .route("/endless", get(endless))
        .route("/events", get(|| async { Sse::new(stream::repeat_with(filler)) }))
        .route("/ws", get(move |ws: WebSocketUpgrade| async move { echo(ws, short) }))
        .body_limit(BODY_LIMIT)
}

/// Bytes of which a piece that is missing, doubled or of another place shows.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..251_u8).cycle().take(len).collect()
}

async fn slow(Path(ms): Path<u64>, handle: Handle) -> &'static str {
    handle.sleep(Duration::from_millis(ms)).await;
    "slept\n"
}

/// Between two parts of a stream that takes its time.
const TICK: Duration = Duration::from_millis(5);

async fn lines(Path(count): Path<u32>, handle: Handle) -> Body {
    Body::from_stream(stream::unfold(0, move |i| {
        let handle = handle.clone();
        async move {
            if i == count {
                return None;
            }
            handle.sleep(TICK).await;
            Some((Ok::<_, BodyError>(format!("line {i}\n")), i + 1))
        }
    }))
}

async fn ticks(Path(count): Path<u32>, handle: Handle) -> Sse {
    Sse::new(stream::unfold(0, move |i| {
        let handle = handle.clone();
        async move {
            if i == count {
                return None;
            }
            handle.sleep(TICK).await;
            let event = Event::new().id(i.to_string()).map(|event| event.data(i.to_string()));
            Some((event, i + 1))
        }
    }))
}

async fn endless() -> Body {
    let piece = Bytes::from(vec![b'x'; 16 * 1024]);
    Body::from_stream(stream::repeat_with(move || Ok::<_, BodyError>(piece.clone())))
}

#[expect(clippy::unnecessary_wraps, reason = "events are made by what can fail")]
fn filler() -> Result<Event, EventError> {
    Ok(Event::new().data("x".repeat(4_000)))
}

fn echo(ws: WebSocketUpgrade, short: bool) -> Response {
    let config = if short { short_websocket() } else { websocket::Config::default() };
    ws.config(config).on_upgrade(|mut socket| async move {
        while let Ok(Some(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}
