//! What clients of HTTP do that are slow, deaf, endless or mad, and how each has to end.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::wire::Peer;
use super::{Complaint, Verdict};
use crate::raw::{get, post};
use crate::subject::{SHORT, pattern};

/// Of what is sent without end, at a time.
const PIECE: usize = 4 * 1024;

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(2);

fn chunked(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
}

/// Connects and says nothing.
pub(super) async fn silent(addr: SocketAddr) -> Verdict {
    Peer::connect(addr).await?.listen().await?.in_time()?.nothing()
}

/// Is served, and says nothing more.
pub(super) async fn silent_after_a_request(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(get("/")).await?;
    peer.head().await?;
    peer.expect(b"hello\n").await?;
    peer.listen().await?.in_time()?.nothing()
}

/// Begins a head and goes quiet.
pub(super) async fn half_a_head(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("GET / HTTP/1.1\r\nHost: te").await?;
    peer.listen().await?.refused_in_time(408)
}

/// Sends a byte of a head now and then.
pub(super) async fn trickled_head(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("GET / HTTP/1.1\r\nHost: test\r\nA: ").await?;
    peer.listen_while_trickling(b"x").await?.refused_in_time(408)
}

/// A target without end.
pub(super) async fn giant_target(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("GET /").await?;
    peer.listen_while_sending(&[b'x'; PIECE], PAUSE).await?.refused_or_late(414)
}

/// A field without end.
pub(super) async fn giant_head(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("GET / HTTP/1.1\r\nHost: test\r\nA: ").await?;
    peer.listen_while_sending(&[b'x'; PIECE], PAUSE).await?.refused_or_late(431)
}

/// Fields without end.
pub(super) async fn many_fields(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("GET / HTTP/1.1\r\nHost: test\r\n").await?;
    peer.listen_while_sending("A: b\r\n".repeat(100).as_bytes(), PAUSE).await?.refused_or_late(431)
}

/// Bytes that are nothing.
pub(super) async fn garbage(addr: SocketAddr) -> Verdict {
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(PIECE).collect();
    // Whatever follows, no method begins like this.
    bytes[0] = b'{';
    let mut peer = Peer::connect(addr).await?;
    peer.send(&bytes).await?;
    peer.listen_while_sending(&bytes, PAUSE).await?.refused(400)
}

/// The beginning of a TLS handshake, and then silence until it is answered.
pub(super) async fn tls(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await?;
    peer.listen().await?.refused(400)
}

/// Sends a request and its end: it is answered, and the connection ended.
pub(super) async fn half_closed(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(get("/bytes/1000")).await?;
    peer.finish().await?;
    let heard = peer.listen().await?;
    let served = heard.first.starts_with(b"HTTP/1.1 200 ") && heard.ends_with(&pattern(1_000)[512..]);
    if served { Ok(()) } else { Err(Complaint::Wrong(format!("not served: {heard:?}"))) }
}

/// Ends in the middle of a head.
pub(super) async fn half_closed_in_a_head(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("GET / HTTP/1.1\r\nHost: te").await?;
    peer.finish().await?;
    peer.listen().await?.refused(400)
}

/// Breaks off in the middle of a body. What the server makes of it shows in what it holds.
pub(super) async fn reset_in_a_body(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n").await?;
    peer.send([b'x'; PIECE]).await?;
    sleep(PAUSE * 5).await;
    peer.reset()
}

/// Sends a byte of a body now and then.
pub(super) async fn slow_body(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 10000\r\n\r\n").await?;
    peer.listen_while_trickling(b"x").await?.refused_in_time(408)
}

/// The same in chunks of one byte.
pub(super) async fn slow_chunks(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(chunked("/read")).await?;
    peer.listen_while_trickling(b"1\r\nx\r\n").await?.refused_in_time(408)
}

/// Chunks of one byte, 600,000 bytes of them a second, to a handler that has a limit.
pub(super) async fn tiny_chunks(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(chunked("/read")).await?;
    peer.listen_while_sending("1\r\nx\r\n".repeat(1_000).as_bytes(), PAUSE * 5).await?.answered_or_late(413)
}

/// A chunk extension without end.
pub(super) async fn huge_chunk_extension(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(chunked("/read")).await?;
    peer.send("1;").await?;
    peer.listen_while_sending(&[b'x'; PIECE], PAUSE).await?.refused_or_late(400)
}

/// Trailers without end.
pub(super) async fn endless_trailers(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(chunked("/read")).await?;
    peer.send("0\r\n").await?;
    peer.listen_while_sending(format!("A: {}\r\n", "x".repeat(1_000)).as_bytes(), PAUSE)
        .await?
        .refused_or_late(431)
}

/// A body without end to a handler that answers without it: it is thrown away up to a limit.
pub(super) async fn body_nobody_reads(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send("POST /ignore HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000000\r\n\r\n").await?;
    peer.listen_while_sending(&[b'x'; 4 * PIECE], PAUSE).await?.answered_or_late(200)
}

/// Asks for much and reads nothing of it.
pub(super) async fn never_reads(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(get("/endless")).await?;
    let heard = peer.neglect().await?;
    heard.broken_off()?;
    heard.dropped()
}

/// Asks again and again and reads nothing.
pub(super) async fn pipelines_and_never_reads(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(get("/bytes/10000")).await?;
    peer.send_until_dropped(get("/bytes/10000").repeat(20).as_bytes()).await
}

/// Asks eight times at once, again and again, longer than any deadline: each is answered.
pub(super) async fn pipelines_without_end(addr: SocketAddr) -> Verdict {
    let start = Instant::now();
    let mut peer = Peer::connect(addr).await?;
    while start.elapsed() < SHORT * 2 {
        let round = Instant::now();
        let answered = pipeline(&mut peer).await;
        sleep(SHORT / 20).await;
        if round.elapsed() >= SHORT / 2 {
            // Somebody was not let run for so long that the connection counts as idle.
            return Err(Complaint::Late);
        }
        answered?;
    }
    peer.reset()
}

async fn pipeline(peer: &mut Peer) -> Verdict {
    let batch = [get("/").into_bytes(), post("/read", "one"), post("/echo", "two"), get("/bytes/3").into()];
    let bodies: [&[u8]; 4] = [b"hello\n", b"one", b"two", b"\x00\x01\x02"];
    peer.send(batch.concat().repeat(2)).await?;
    for body in bodies.iter().chain(&bodies) {
        let head = peer.head().await?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(Complaint::Wrong(format!("answered {head}")));
        }
        peer.expect(body).await?;
    }
    Ok(())
}

/// Asks for events and reads but the first of them.
pub(super) async fn stalled_events(addr: SocketAddr) -> Verdict {
    let mut peer = Peer::connect(addr).await?;
    peer.send(get("/events")).await?;
    let heard = peer.neglect().await?;
    heard.broken_off()?;
    heard.dropped()
}
