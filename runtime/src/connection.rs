//! The driver: one future that serves one connection.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::mem;

use sinew_app::{Service, Upgraded};
use sinew_proto::Instant;

use crate::http::{Budget, End, Http, Turn};
use crate::roll::{Membership, NEVER};
use crate::scratch::Scratch;
use crate::serving::Member;
use crate::transport::Transport;
use crate::{Io, Phase, Runtime, Serving, upgraded};

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
    /// `NEVER` for one that was not polled yet.
    since: Instant,
    peer: Option<SocketAddr>,
}

impl Idle {
    /// What it needs to go on: as the last one of the thread that went idle has left it.
    fn wake<R: Runtime, S: Service>(
        self,
        serving: &Serving<R, S>,
        refused: bool,
        scratch: &mut Scratch,
    ) -> Box<Http> {
        let new = || Box::new(Http::new(&serving.config.http1, self.peer, refused));
        if refused {
            return new();
        }
        let mut http = match scratch.spare_http.take() {
            Some((number, http)) if number == serving.number => http,
            _ => new(),
        };
        let since = if self.since == NEVER { serving.runtime.now() } else { self.since };
        http.wait(since, self.peer);
        http
    }
}

impl<I: Io, R: Runtime, S: Service> Connection<I, R, S> {
    pub(crate) fn new(io: I, member: Member<R, S>, peer: Option<SocketAddr>) -> Self {
        Self { transport: Transport::new(io), stage: Stage::Idle(Idle { since: NEVER, peer }), member }
    }
}

impl<I: Io, R: Runtime, S: Service> Future for Connection<I, R, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { transport, member, stage } = self.get_mut();
        let phase = member.poll_phase(cx);
        if phase == Phase::Aborted {
            // What is cut short should not look complete.
            if matches!(stage, Stage::Http(http) if http.is_sending() || transport.has_output()) {
                transport.abort();
            }
            return Poll::Ready(());
        }
        let Member { serving, place, membership } = member;
        let serving = &**serving;
        if transport.is_connected() {
            ready!(transport.turn(&serving.config.http1, |transport, scratch| {
                if let Stage::Idle(idle) = *stage {
                    *stage = Stage::Http(idle.wake(serving, place.is_refused(), scratch));
                }
                if let Stage::Http(_) = stage {
                    let turn = turn_http(stage, transport, serving, membership, cx, scratch, phase);
                    let Some(protocol) = ready!(turn) else {
                        return Poll::Ready(());
                    };
                    serving.counters.upgrades.add_one();
                    *stage = Stage::Upgraded(protocol);
                }
                turn_upgraded(stage, transport, &serving.runtime, cx, scratch, phase)
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
                upgraded::finish(&mut **protocol, &serving.runtime, cx)
            }
        }
    }
}

/// One turn of HTTP. `Ready` when it is over, with what takes over.
fn turn_http<I: Io, R: Runtime, S: Service>(
    stage: &mut Stage,
    transport: &mut Transport<I, R>,
    serving: &Serving<R, S>,
    membership: &mut Membership,
    cx: &mut Context<'_>,
    scratch: &mut Scratch,
    phase: Phase,
) -> Poll<Option<Box<dyn Upgraded>>> {
    let Stage::Http(http) = stage else {
        return Poll::Ready(None);
    };
    let now = serving.runtime.now();
    let budget = Budget::NEW;
    let turn = Turn { http, transport, serving, scratch, now, budget, switched: None };
    let due = match ready!(turn.run(cx, phase)) {
        End::Waits(due) => due,
        End::Closed => return Poll::Ready(None),
        End::Switched(protocol) => return Poll::Ready(Some(protocol)),
    };
    if go_idle(stage, serving.number, scratch)
        && due.is_none_or(|due| membership.poll_reminder(&serving.roll, due).is_pending())
    {
        transport.rest(now);
    } else if transport.poll_timer(cx, due, &serving.runtime).is_ready() {
        // A deadline has passed since `now`.
        cx.waker().wake_by_ref();
    }
    Poll::Pending
}

/// Keeps nothing but the fact of a connection that only waits for a request. Returns whether it does.
#[inline]
fn go_idle(stage: &mut Stage, number: u64, scratch: &mut Scratch) -> bool {
    let Stage::Http(http) = stage else {
        return false;
    };
    let since = if scratch.is_empty() { http.idle_since() } else { None };
    let Some(since) = since else {
        http.lend(scratch);
        return false;
    };
    let idle = Idle { since, peer: http.peer };
    if let Stage::Http(http) = mem::replace(stage, Stage::Idle(idle)) {
        scratch.spare_http = Some((number, http));
    }
    true
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
