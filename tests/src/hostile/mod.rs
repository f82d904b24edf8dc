//! Clients that misbehave, thousands at a time from one thread, and one that behaves and is measured.
//!
//! An attempt is one connection from its first byte to its end. It knows how a server with the
//! deadlines [`SHORT`](crate::subject::SHORT) has to end it, and when; anything else is a complaint.

mod crowd;
mod http;
mod neighbour;
mod websocket;
mod wire;

pub use crowd::{Crowd, Report};
pub use neighbour::{Latency, Neighbour};

use std::net::SocketAddr;

/// How an attempt ended, if not as it has to.
type Verdict = Result<(), Complaint>;

enum Complaint {
    /// A deadline came first, because so many others were served: no fault.
    Late,
    /// What was wrong.
    Wrong(String),
}

impl From<String> for Complaint {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl From<&str> for Complaint {
    fn from(what: &str) -> Self {
        Self::Wrong(what.to_owned())
    }
}

/// The ways to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is described where it is carried out")]
pub enum Kind {
    Silent,
    SilentAfterARequest,
    HalfAHead,
    TrickledHead,
    GiantTarget,
    GiantHead,
    ManyFields,
    Garbage,
    Tls,
    HalfClosed,
    HalfClosedInAHead,
    ResetInABody,
    SlowBody,
    SlowChunks,
    TinyChunks,
    HugeChunkExtension,
    EndlessTrailers,
    BodyNobodyReads,
    NeverReads,
    PipelinesAndNeverReads,
    PipelinesWithoutEnd,
    StalledEvents,
    WebSocketNeverReads,
    WebSocketPings,
    WebSocketSilent,
    WebSocketTrickle,
    WebSocketUnmasked,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Silent,
        Self::SilentAfterARequest,
        Self::HalfAHead,
        Self::TrickledHead,
        Self::GiantTarget,
        Self::GiantHead,
        Self::ManyFields,
        Self::Garbage,
        Self::Tls,
        Self::HalfClosed,
        Self::HalfClosedInAHead,
        Self::ResetInABody,
        Self::SlowBody,
        Self::SlowChunks,
        Self::TinyChunks,
        Self::HugeChunkExtension,
        Self::EndlessTrailers,
        Self::BodyNobodyReads,
        Self::NeverReads,
        Self::PipelinesAndNeverReads,
        Self::PipelinesWithoutEnd,
        Self::StalledEvents,
        Self::WebSocketNeverReads,
        Self::WebSocketPings,
        Self::WebSocketSilent,
        Self::WebSocketTrickle,
        Self::WebSocketUnmasked,
    ];

    /// One attempt.
    async fn attempt(self, addr: SocketAddr) -> Verdict {
        match self {
            Self::Silent => http::silent(addr).await,
            Self::SilentAfterARequest => http::silent_after_a_request(addr).await,
            Self::HalfAHead => http::half_a_head(addr).await,
            Self::TrickledHead => http::trickled_head(addr).await,
            Self::GiantTarget => http::giant_target(addr).await,
            Self::GiantHead => http::giant_head(addr).await,
            Self::ManyFields => http::many_fields(addr).await,
            Self::Garbage => http::garbage(addr).await,
            Self::Tls => http::tls(addr).await,
            Self::HalfClosed => http::half_closed(addr).await,
            Self::HalfClosedInAHead => http::half_closed_in_a_head(addr).await,
            Self::ResetInABody => http::reset_in_a_body(addr).await,
            Self::SlowBody => http::slow_body(addr).await,
            Self::SlowChunks => http::slow_chunks(addr).await,
            Self::TinyChunks => http::tiny_chunks(addr).await,
            Self::HugeChunkExtension => http::huge_chunk_extension(addr).await,
            Self::EndlessTrailers => http::endless_trailers(addr).await,
            Self::BodyNobodyReads => http::body_nobody_reads(addr).await,
            Self::NeverReads => http::never_reads(addr).await,
            Self::PipelinesAndNeverReads => http::pipelines_and_never_reads(addr).await,
            Self::PipelinesWithoutEnd => http::pipelines_without_end(addr).await,
            Self::StalledEvents => http::stalled_events(addr).await,
            Self::WebSocketNeverReads => websocket::never_reads(addr).await,
            Self::WebSocketPings => websocket::pings(addr).await,
            Self::WebSocketSilent => websocket::silent(addr).await,
            Self::WebSocketTrickle => websocket::trickle(addr).await,
            Self::WebSocketUnmasked => websocket::unmasked(addr).await,
        }
    }
}
