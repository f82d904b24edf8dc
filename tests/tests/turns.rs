//! One turn of the driver: how much it does before others get theirs, and what counts as late. The
//! socket is a buffer, and the clock is moved by hand.

use std::fs::File;
use std::io::{self, IoSlice, Read, Seek, SeekFrom};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use sinew_app::{Body, Router, WebSocket, WebSocketUpgrade, get, post};
use sinew_proto::Instant;
use sinew_runtime::{ConnectionConfig, Counts, Io, Job, OnDisconnect, Runtime, Serving, Shutdown};

#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000_000_000, Ordering::Relaxed);
    }
}

impl Runtime for Clock {
    type Timer = ();

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn poll_timer(&self, (): &mut (), deadline: Instant, _: &mut Context<'_>) -> Poll<()> {
        if deadline <= self.now() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// A file that is not in memory is waited for by such a job.
    fn offload(&self, job: Job) -> Result<(), Job> {
        job();
        Ok(())
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// What the client has sent and got.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    sent: Vec<u8>,
    /// Sent again and again behind it.
    forever: Vec<u8>,
    read: usize,
    got: Vec<u8>,
    /// The client takes nothing.
    full: bool,
    /// The client is gone.
    lost: bool,
    /// It has sent everything.
    ended: bool,
}

impl Wire {
    fn send(&self, bytes: impl AsRef<[u8]>) {
        self.0.lock().unwrap().sent.extend_from_slice(bytes.as_ref());
    }

    fn send_forever(&self, bytes: &[u8]) {
        self.0.lock().unwrap().forever = bytes.to_vec();
    }

    fn read(&self) -> usize {
        self.0.lock().unwrap().read
    }

    /// How many bytes the client has taken, but for those that were [`got`](Self::got).
    fn taken(&self) -> usize {
        self.0.lock().unwrap().got.len()
    }

    fn got(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.0.lock().unwrap().got)).into_owned()
    }
}

impl Io for Wire {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut lines = self.0.lock().unwrap();
        while lines.sent.len() < buf.len() && !lines.forever.is_empty() {
            let again = lines.forever.clone();
            lines.sent.extend_from_slice(&again);
        }
        let n = lines.sent.len().min(buf.len());
        if n == 0 && lines.ended {
            return Poll::Ready(Ok(0));
        }
        if n == 0 {
            return if lines.lost {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            } else {
                Poll::Pending
            };
        }
        buf[..n].copy_from_slice(&lines.sent[..n]);
        lines.sent.drain(..n);
        lines.read += n;
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut lines = self.0.lock().unwrap();
        if lines.full {
            return Poll::Pending;
        }
        let before = lines.got.len();
        for buf in bufs {
            lines.got.extend_from_slice(buf);
        }
        Poll::Ready(Ok(lines.got.len() - before))
    }

    fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_sendfile(
        &mut self,
        _: &mut Context<'_>,
        mut file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let mut piece = vec![0; len];
        file.seek(SeekFrom::Start(offset))?;
        let n = file.read(&mut piece)?;
        self.0.lock().unwrap().got.extend_from_slice(&piece[..n]);
        Poll::Ready(Ok(n))
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Pieces and bytes of the body that the handler of [`app`] has got.
#[derive(Clone, Default)]
struct Seen {
    pieces: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

fn app(seen: &Seen) -> Router {
    let seen = seen.clone();
    let count = move |mut body: Body| {
        let seen = seen.clone();
        async move {
            while let Ok(Some(piece)) = body.chunk().await {
                seen.pieces.fetch_add(1, Ordering::Relaxed);
                seen.bytes.fetch_add(piece.len(), Ordering::Relaxed);
            }
            seen.bytes.load(Ordering::Relaxed).to_string()
        }
    };
    // The first words of this very file.
    let file = || async {
        Body::from_file(File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/turns.rs")).unwrap(), 0..17)
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/file", get(file).post(file))
        .route("/count", post(count))
}

const UPLOAD: &str = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Runs `test` with a connection: its wire, its clock, and one turn of it, which says whether it is over
/// and whether it wants another turn at once.
fn with_connection(test: impl FnOnce(&Wire, &Clock, &Seen, &mut dyn FnMut() -> (bool, bool))) {
    let (wire, clock, seen) = (Wire::default(), Clock::default(), Seen::default());
    let serving = Serving::new(clock.clone(), app(&seen), ConnectionConfig::default(), Shutdown::new());
    let mut connection = pin!(serving.connection(wire.clone(), None));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut turn = || {
        woken.0.store(false, Ordering::Relaxed);
        let over = connection.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        (over, woken.0.load(Ordering::Relaxed))
    };
    test(&wire, &clock, &seen, &mut turn);
}

#[test]
fn a_flood_of_tiny_chunks_leaves_room_for_others() {
    with_connection(|wire, _, seen, turn| {
        wire.send(UPLOAD);
        wire.send_forever(b"1\r\nx\r\n");
        for turns in 1..20 {
            assert_eq!(turn(), (false, true), "it goes on, but others first");
            let bytes = seen.bytes.load(Ordering::Relaxed);
            assert!(bytes > turns * 500 && bytes <= turns * 5_000, "{bytes} chunks in {turns} turns");
        }
        assert!(wire.read() <= 1 << 20, "it reads no more than it looks at: {}", wire.read());
    });
}

#[test]
fn a_fast_upload_leaves_room_for_others() {
    with_connection(|wire, _, seen, turn| {
        wire.send(UPLOAD);
        wire.send_forever(&[b"10000\r\n".as_slice(), &vec![b'x'; 0x1_0000], b"\r\n"].concat());
        for turns in 1..20 {
            assert_eq!(turn(), (false, true));
            assert!(wire.read() <= turns * (512 << 10), "{} bytes in {turns} turns", wire.read());
        }
        assert!(seen.bytes.load(Ordering::Relaxed) > 20 * (100 << 10));
    });
}

#[test]
fn the_chunks_of_one_read_are_one_piece() {
    with_connection(|wire, _, seen, turn| {
        wire.send(UPLOAD);
        turn();
        wire.send("1\r\na\r\n2\r\nbc\r\n3;x=y\r\ndef\r\n".repeat(50));
        turn();
        assert_eq!(seen.pieces.load(Ordering::Relaxed), 1);
        assert_eq!(seen.bytes.load(Ordering::Relaxed), 300);
        wire.send("1\r\ng\r\n0\r\n\r\n");
        turn();
        assert!(wire.got().ends_with("\r\n\r\n301"));
    });
}

#[test]
fn what_has_come_before_a_broken_chunk_is_handed_on() {
    with_connection(|wire, _, seen, turn| {
        wire.send(UPLOAD);
        turn();
        wire.send("3\r\nabc\r\n+1\r\n");
        turn();
        assert_eq!(seen.bytes.load(Ordering::Relaxed), 0, "the handler is dropped with it");
        assert!(wire.got().starts_with("HTTP/1.1 400"));
    });
}

#[test]
fn a_request_that_came_in_time_is_not_late_because_nobody_looked() {
    with_connection(|wire, clock, _, turn| {
        wire.send(GET);
        turn();
        assert!(wire.got().starts_with("HTTP/1.1 200"));
        // The thread was busy with others for two minutes.
        clock.forward(120);
        wire.send(GET);
        assert!(!turn().0);
        assert!(wire.got().starts_with("HTTP/1.1 200"), "the idle deadline");

        wire.send(&GET[..20]);
        turn();
        clock.forward(15);
        wire.send(&GET[20..]);
        assert!(!turn().0);
        assert!(wire.got().starts_with("HTTP/1.1 200"), "the head's deadline");

        wire.send(UPLOAD);
        turn();
        clock.forward(90);
        wire.send("3\r\nabc\r\n0\r\n\r\n");
        assert!(!turn().0);
        assert!(wire.got().starts_with("HTTP/1.1 200"), "the body's deadline");
    });
}

#[test]
fn who_is_late_is_late() {
    with_connection(|wire, clock, _, turn| {
        wire.send(GET);
        turn();
        wire.got();
        clock.forward(61);
        assert!(turn().0, "the idle deadline");
    });
    with_connection(|wire, clock, _, turn| {
        wire.send(&GET[..10]);
        turn();
        clock.forward(11);
        wire.send(&GET[10..20]);
        turn();
        assert!(wire.got().starts_with("HTTP/1.1 408"), "a piece more of the head does not help");
    });
}

#[test]
fn who_was_told_to_go_on_and_does_not_is_late() {
    with_connection(|wire, clock, _, turn| {
        wire.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
        turn();
        assert_eq!(wire.got(), "HTTP/1.1 100 Continue\r\n\r\n");
        clock.forward(120);
        turn();
        assert!(wire.got().starts_with("HTTP/1.1 408"), "the body's deadline");
    });
}

#[test]
fn who_is_silent_behind_a_file_is_late() {
    with_connection(|wire, clock, _, turn| {
        wire.send("GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
        turn();
        assert!(wire.got().ends_with("\r\n\r\n//! One turn of t"));
        clock.forward(61);
        assert!(turn().0, "the idle deadline");
    });
    with_connection(|wire, clock, _, turn| {
        wire.send("POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
        turn();
        assert!(wire.got().ends_with("\r\n\r\n//! One turn of t"));
        clock.forward(120);
        assert!(turn().0, "the deadline of one that does not close");
    });
}

/// A piece of a response that tells when it is dropped.
struct Piece(Vec<u8>, Arc<AtomicBool>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_waits_for_a_client_that_is_gone_does_not_wait_for_the_handler() {
    let (wire, dropped) = (Wire::default(), Arc::new(AtomicBool::default()));
    let piece = dropped.clone();
    let large = move || {
        let piece = piece.clone();
        async move { Body::from(Bytes::from_owner(Piece(vec![b'x'; 100_000], piece))) }
    };
    let app = Router::new().route("/large", get(large)).route("/slow", get(std::future::pending::<()>));
    let config = ConnectionConfig { on_disconnect: OnDisconnect::Finish, ..ConnectionConfig::default() };
    let serving = Serving::new(Clock::default(), app, config, Shutdown::new());
    let mut connection = pin!(serving.connection(wire.clone(), None));
    let mut turn = || connection.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
    wire.0.lock().unwrap().full = true;
    wire.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(!turn());
    assert!(!dropped.load(Ordering::Relaxed));
    wire.0.lock().unwrap().lost = true;
    assert!(!turn(), "the handler is at work");
    assert!(dropped.load(Ordering::Relaxed));
}

#[test]
fn who_sends_what_nobody_reads_and_does_not_close_is_late() {
    with_connection(|wire, clock, _, turn| {
        wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        turn();
        assert!(wire.got().starts_with("HTTP/1.1 405"));
        // A little more than is thrown away before the connection is given up.
        wire.send([b"100000\r\n".as_slice(), &vec![b'x'; 300_000]].concat());
        while turn() == (false, true) {}
        assert_eq!(turn(), (false, false), "it waits for the end");
        clock.forward(60);
        assert!(turn().0, "the deadline of one that does not close");
    });
}

#[test]
fn who_is_nearly_late_in_every_turn_does_not_fill_memory() {
    let (wire, clock) = (Wire::default(), Clock::default());
    let mut config = ConnectionConfig::default();
    // As much as a turn takes of chunks of one byte, about.
    config.http1.body_min_rate = 2_050;
    let grace = config.http1.body_grace.as_secs();
    let serving = Serving::new(clock.clone(), app(&Seen::default()), config, Shutdown::new());
    let mut connection = pin!(serving.connection(wire.clone(), None));
    let mut turn = || connection.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
    wire.send(UPLOAD);
    wire.send_forever(b"1\r\nx\r\n");
    turn();
    clock.forward(grace);
    for _ in 0..20 {
        clock.forward(2);
        assert!(!turn());
    }
    assert!(wire.read() <= 1 << 20, "{} bytes are read", wire.read());
}

/// What a client may send, whole and in parts, right and wrong.
const PIECES: [&str; 22] = [
    GET,
    "GET /file HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /file HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTT",
    "P/1.1\r\nHost: a\r\n",
    "\r\n",
    UPLOAD,
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
    "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\nExpect: 100-continue\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
    "POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n",
    "POST /file HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "0\r\na: b\r\n",
    "ffff\r\nabc",
    "xyz",
];

/// Whatever a client does: once nobody asks for a turn, another one finds nothing to do, and a client that
/// is silent from then on is gone after a while.
///
/// Returns what the servers of so many clients have done.
fn leaves_nothing_undone_and_ends(seeds: u64, opening: &[&str], pieces: &[&[u8]]) -> Counts {
    let mut counts = Counts::default();
    for seed in 0..seeds {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below
        };
        let (wire, clock, seen) = (Wire::default(), Clock::default(), Seen::default());
        let on_disconnect =
            [OnDisconnect::CancelWhenLost, OnDisconnect::CancelWhenEnded, OnDisconnect::Finish][random(3)];
        let config = ConnectionConfig { on_disconnect, ..ConnectionConfig::default() };
        let app = app(&seen)
            .route("/slow", get(std::future::pending::<()>))
            .route("/large", get(|| async { vec![b'x'; 300_000] }))
            .route("/echo", post(|body: Body| async { body }))
            .route("/ws/echo", get(|ws: WebSocketUpgrade| async { ws.on_upgrade(echo) }))
            .route("/ws/flood", get(|ws: WebSocketUpgrade| async { ws.on_upgrade(flood) }));
        let shutdown = Shutdown::new();
        let serving = Serving::new(clock.clone(), app, config, shutdown.clone());
        let mut connection = pin!(serving.connection(wire.clone(), None));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut turn = || {
            woken.0.store(false, Ordering::Relaxed);
            let over = connection.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            (over, woken.0.load(Ordering::Relaxed))
        };
        // Turns until nobody asks for one. Whether it is over.
        let mut settle = |wire: &Wire, seen: &Seen| {
            for _ in 0..1_000 {
                match turn() {
                    (true, _) => return true,
                    (false, true) => {}
                    (false, false) => {
                        let so_far = (wire.read(), wire.taken(), seen.bytes.load(Ordering::Relaxed));
                        assert_eq!(turn(), (false, false), "seed {seed}");
                        let then = (wire.read(), wire.taken(), seen.bytes.load(Ordering::Relaxed));
                        assert_eq!(so_far, then, "seed {seed}: it was not done");
                        return false;
                    }
                }
            }
            panic!("seed {seed}: it spins");
        };
        if !opening.is_empty() {
            wire.send(opening[random(opening.len())]);
        }
        let mut over = false;
        let mut waits = false;
        for _ in 0..=random(8) {
            match random(20) {
                0 => wire.0.lock().unwrap().full ^= true,
                1 => clock.forward(random(40) as u64),
                2 => shutdown.trigger(),
                3 => wire.send(vec![b'x'; 1 + random(400_000)]),
                4 => wire.0.lock().unwrap().ended |= random(4) == 0,
                5 => wire.0.lock().unwrap().lost |= random(4) == 0,
                _ => {
                    let piece = pieces[random(pieces.len())];
                    waits |= piece.starts_with(b"GET /slow");
                    wire.send(piece);
                }
            }
            over = over || (random(2) == 0 && settle(&wire, &seen));
            if over {
                break;
            }
        }
        over = over || settle(&wire, &seen);
        for _ in 0..20 {
            clock.forward(120);
            over = over || settle(&wire, &seen);
        }
        assert!(over || waits, "seed {seed}: it never ends");
        counts = counts + serving.counts();
    }
    counts
}

#[test]
fn a_turn_leaves_nothing_undone_and_silence_ends() {
    let counts = leaves_nothing_undone_and_ends(3_000, &[], &PIECES.map(str::as_bytes));
    assert!(counts.requests > 2_000 && counts.requests_rejected > 500, "{counts:?}");
}

async fn echo(mut socket: WebSocket) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn flood(socket: WebSocket) {
    // No more than is taken in a few turns: a client that reads must be able to get to the end.
    for _ in 0..300 {
        if socket.send("x".repeat(2_000)).await.is_err() {
            break;
        }
    }
}

#[test]
fn what_is_kept_of_a_request_is_not_touched_by_what_takes_over_in_the_same_read() {
    let (wire, kept) = (Wire::default(), Arc::new(Mutex::new(Bytes::new())));
    let keep = kept.clone();
    let app = Router::new()
        .route("/keep", post(move |body: Bytes| async move { *keep.lock().unwrap() = body }))
        .route("/ws", get(|ws: WebSocketUpgrade| async { ws.on_upgrade(echo) }));
    let serving = Serving::new(Clock::default(), app, ConnectionConfig::default(), Shutdown::new());
    let mut connection = pin!(serving.connection(wire.clone(), None));
    wire.send("POST /keep HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    wire.send(vec![b'x'; 100_000]);
    wire.send(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    // Masked in place by the one who reads it.
    wire.send([&[0x81, 0x82, 1, 1, 1, 1, b'i', b'h'][..], &[0x82, 0xfe, 0x75, 0x30, 1, 1, 1, 1]].concat());
    for _ in 0..3 {
        assert!(connection.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        wire.send(vec![b'y'; 10_000]);
    }
    assert!(wire.got().contains("\r\n\r\n\u{fffd}\u{2}hi"));
    assert!(kept.lock().unwrap().len() == 100_000 && kept.lock().unwrap().iter().all(|byte| *byte == b'x'));
}

#[test]
fn a_turn_of_a_websocket_leaves_nothing_undone_and_silence_ends() {
    let opening = ["echo", "flood"].map(|path| {
        format!(
            "GET /ws/{path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    });
    let large = [&[0x82, 0xfe, 0x75, 0x30, 0, 0, 0, 0], &vec![b'x'; 30_000][..]].concat();
    let many = [0x81, 0x81, 0, 0, 0, 0, b'a'].repeat(20_000);
    let pings = [0x89, 0x81, 0, 0, 0, 0, b'a'].repeat(5_000);
    let counts = leaves_nothing_undone_and_ends(
        300,
        &opening.each_ref().map(String::as_str),
        &[
            &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'],
            &[0x81, 0x82, 0, 0],
            &[0, 0, b'h', b'i'],
            &[0x01, 0x81, 0, 0, 0, 0, b'a'],
            &[0x80, 0x81, 0, 0, 0, 0, b'b'],
            &[0x89, 0x80, 0, 0, 0, 0],
            &[0x8a, 0x80, 0, 0, 0, 0],
            &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8],
            &[0xff],
            &large,
            &large[..20_000],
            &many,
            &pings,
        ],
    );
    assert!(counts.upgrades > 200, "{counts:?}");
}
