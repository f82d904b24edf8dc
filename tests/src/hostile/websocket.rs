//! WebSockets that flood, do not read, say nothing or break the rules, and how each has to end.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

use super::wire::Peer;
use super::{Complaint, Verdict};
use crate::subject::SHORT;
use crate::websocket::{ACCEPT, Frame, PING, handshake};

async fn open(addr: SocketAddr) -> Result<Peer, Complaint> {
    let mut peer = Peer::connect(addr).await?;
    peer.send(handshake("/ws", &[])).await?;
    let head = peer.head().await?;
    let opened = head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT);
    peer.restart();
    if opened { Ok(peer) } else { Err(Complaint::Wrong(format!("not opened: {head}"))) }
}

/// Sends messages, and reads no echo.
pub(super) async fn never_reads(addr: SocketAddr) -> Verdict {
    open(addr).await?.send_until_dropped(&Frame::binary(vec![b'x'; 16 * 1024]).masked()).await
}

/// Sends pings, and reads no pong. Only the latest pong waits, so that nothing fills up: it is the
/// pings of the server that are not answered.
pub(super) async fn pings(addr: SocketAddr) -> Verdict {
    let pings = Frame::new(PING, "x".repeat(100)).masked().repeat(20);
    open(addr).await?.send_until_dropped(&pings).await
}

/// Says nothing, and answers no ping.
pub(super) async fn silent(addr: SocketAddr) -> Verdict {
    open(addr).await?.listen().await?.in_time().map(drop)
}

/// A frame that trickles, as a sign of life that is as good as a pong, and then silence.
pub(super) async fn trickle(addr: SocketAddr) -> Verdict {
    let mut peer = open(addr).await?;
    peer.send(&Frame::binary(vec![b'x'; 60_000]).masked()[..8]).await?;
    for _ in 0..20 {
        sleep(SHORT / 10).await;
        peer.send("x").await?;
    }
    peer.restart();
    peer.listen().await?.in_time().map(drop)
}

/// A frame without a mask: 1002.
pub(super) async fn unmasked(addr: SocketAddr) -> Verdict {
    let peer = open(addr).await?;
    let heard =
        peer.listen_while_sending(&Frame::text("hello").unmasked(), Duration::from_millis(20)).await?;
    // A ping of the server may come first.
    let frames = heard.first.strip_prefix(b"\x89\x00").unwrap_or(&heard.first);
    let closed = frames.starts_with(&[0x88]) && frames.get(2..4) == Some(&1_002_u16.to_be_bytes());
    if closed { Ok(()) } else { Err(Complaint::Wrong(format!("not closed: {heard:?}"))) }
}
