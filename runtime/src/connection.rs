//! The driver: one future that serves one connection.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::mem;

use sinew_app::{Service, Upgraded};
use sinew_proto::Instant;

use crate::http::{Budget, End, Http, Turn};
use crate::scratch::Scratch;
use crate::serving::Member;
use crate::transport::Transport;
use crate::{Io, Phase, Runtime, upgraded};

/// Serves one connection. A future that completes when the connection is closed.
///
/// Made by [`Serving::connection`](crate::Serving::connection).
pub struct Connection<I, R: Runtime, S> {
    transport: Transport<I, R>,
    stage: Stage,
    /// Dropped after the handler: a server that has drained has none left.
    member: Member<R, S>,
}

/// What the connection speaks. Each but the first lies in memory of its own: of tens of thousands of
/// connections most are idle, and then need nothing of the second, or stay in the third for hours.
enum Stage {
    Idle(Idle),
    Http(Box<Http>),
    Upgraded(Box<dyn Upgraded>),
}

/// All there is to know of a connection that waits for a request, and has nothing else to do.
#[derive(Clone, Copy)]
struct Idle {
    /// Later than anything for one that was not polled yet.
    since: Instant,
    peer: Option<SocketAddr>,
}

impl Idle {
    /// What it needs to go on: as the last one of the thread that went idle has left it.
    fn wake<R: Runtime, S: Service>(
        self,
        now: Instant,
        member: &Member<R, S>,
        scratch: &mut Scratch,
    ) -> Box<Http> {
        let Member { serving, place, .. } = member;
        let refused = place.is_refused();
        let mut http = match scratch.spare_http.take() {
            Some((number, http)) if number == serving.number && !refused => http,
            _ => Box::new(Http::new(&serving.config.http1, self.peer, refused)),
        };
        if !refused {
            http.wait(self.since.min(now), self.peer);
        }
        http
    }
}

impl<I: Io, R: Runtime, S: Service> Connection<I, R, S> {
    pub(crate) fn new(io: I, member: Member<R, S>, peer: Option<SocketAddr>) -> Self {
        let stage = Stage::Idle(Idle { since: Instant::from_nanos(u64::MAX), peer });
        Self { transport: Transport::new(io), stage, member }
    }
}

impl<I: Io, R: Runtime, S: Service> Future for Connection<I, R, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { transport, member, stage } = self.get_mut();
        let phase = member.guard.poll_phase(cx);
        if phase == Phase::Aborted {
            // What is cut short should not look complete.
            if matches!(stage, Stage::Http(http) if http.is_sending() || transport.has_output()) {
                transport.abort();
            }
            return Poll::Ready(());
        }
        let serving = &*member.serving;
        let runtime = &serving.runtime;
        if transport.is_connected() {
            ready!(transport.turn(&serving.config.http1, |transport, scratch| {
                if !matches!(stage, Stage::Upgraded(_)) {
                    match ready!(turn_http(stage, transport, member, cx, scratch, phase)) {
                        End::Closed => return Poll::Ready(()),
                        End::Switched(protocol) => {
                            serving.counters.upgrades.add_one();
                            *stage = Stage::Upgraded(protocol);
                        }
                    }
                }
                turn_upgraded(stage, transport, runtime, cx, scratch, phase)
            }));
        }
        match stage {
            Stage::Idle(_) => Poll::Ready(()),
            Stage::Http(http) => {
                if transport.is_connected() {
                    transport.disconnect();
                    http.disconnected(serving.config.on_disconnect);
                }
                http.poll_unheard(cx)
            }
            // What is at work when the connection ends may finish that.
            Stage::Upgraded(protocol) => {
                if transport.is_connected() {
                    transport.disconnect();
                    protocol.disconnected();
                }
                upgraded::finish(&mut **protocol, runtime, cx)
            }
        }
    }
}

/// One turn of HTTP. Who is idle after it keeps nothing but the fact.
fn turn_http<I: Io, R: Runtime, S: Service>(
    stage: &mut Stage,
    transport: &mut Transport<I, R>,
    member: &Member<R, S>,
    cx: &mut Context<'_>,
    scratch: &mut Scratch,
    phase: Phase,
) -> Poll<End> {
    let serving = &*member.serving;
    let now = serving.runtime.now();
    if let Stage::Idle(idle) = *stage {
        *stage = Stage::Http(idle.wake(now, member, scratch));
    }
    let Stage::Http(http) = stage else {
        return Poll::Ready(End::Closed);
    };
    let budget = Budget::NEW;
    let turn = Turn { http, transport, serving, scratch, now, budget, switched: None };
    if let Poll::Ready(end) = turn.run(cx, phase) {
        return Poll::Ready(end);
    }
    let since = if scratch.is_empty() { http.idle_since() } else { None };
    let Some(since) = since else {
        http.lend(scratch);
        return Poll::Pending;
    };
    let idle = Idle { since, peer: http.peer };
    if let Stage::Http(http) = mem::replace(stage, Stage::Idle(idle)) {
        scratch.spare_http = Some((serving.number, http));
    }
    Poll::Pending
}

/// One turn of what has taken over. `Ready` when the socket can be dropped.
fn turn_upgraded<I: Io, R: Runtime>(
    stage: &mut Stage,
    transport: &mut Transport<I, R>,
    runtime: &R,
    cx: &mut Context<'_>,
    scratch: &mut Scratch,
    phase: Phase,
) -> Poll<()> {
    let Stage::Upgraded(protocol) = stage else {
        return Poll::Ready(());
    };
    if phase == Phase::Draining {
        protocol.drain(runtime.now());
    }
    upgraded::turn(transport, &mut **protocol, runtime, cx, scratch)
}
