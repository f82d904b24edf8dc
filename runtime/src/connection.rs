//! The driver: one future that serves one connection.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use sinew_app::{Service, Upgraded};

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

/// What the connection speaks. Each lies in memory of its own: tens of thousands of connections may
/// stay in the second one for hours, and need nothing of the first.
enum Stage {
    Http(Box<Http>),
    Upgraded(Box<dyn Upgraded>),
}

impl<I: Io, R: Runtime, S: Service> Connection<I, R, S> {
    pub(crate) fn new(io: I, member: Member<R, S>, peer: Option<SocketAddr>) -> Self {
        let http = Http::new(&member.serving.config.http1, peer, member.place.is_refused());
        Self { transport: Transport::new(io), stage: Stage::Http(Box::new(http)), member }
    }
}

impl<I: Io, R: Runtime, S: Service> Future for Connection<I, R, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { transport, member: Member { serving, guard, .. }, stage } = self.get_mut();
        let phase = guard.poll_phase(cx);
        if phase == Phase::Aborted {
            // What is cut short should not look complete.
            if matches!(stage, Stage::Http(http) if http.is_sending() || transport.has_output()) {
                transport.abort();
            }
            return Poll::Ready(());
        }
        let runtime = &serving.runtime;
        if transport.is_connected() {
            ready!(transport.turn(&serving.config.http1, |transport, scratch| {
                if let Stage::Http(http) = stage {
                    let now = runtime.now();
                    let budget = Budget::NEW;
                    let turn = Turn { http, transport, serving, scratch, now, budget, switched: None };
                    match ready!(turn.run(cx, phase)) {
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
