//! The driver of a connection after HTTP: it turns whatever protocol took over.

use core::task::{Context, Poll};
use std::mem;

use sinew_app::{Received, Upgraded};
use sinew_proto::Instant;

use crate::scratch::Scratch;
use crate::transport::{TURN_BYTES, Transport};
use crate::{Io, Runtime};

/// Rounds of a turn before other connections of the thread get theirs.
const ROUNDS: usize = 16;

/// One turn. `Ready` when the socket can be dropped.
///
/// Reading comes first, so that a turn which was woken by input gives all of it to the application in
/// one go, and writes all of its answers in one go.
pub(crate) fn turn<I: Io, R: Runtime>(
    transport: &mut Transport<I, R>,
    protocol: &mut dyn Upgraded,
    runtime: &R,
    cx: &mut Context<'_>,
    scratch: &mut Scratch,
) -> Poll<()> {
    let mut now = runtime.now();
    // The application is polled once at least: it may have been woken.
    let mut more = true;
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let mut fresh = 0;
        let reads = !transport.end_of_input && protocol.wants_read(now);
        if reads {
            match transport.read(cx, scratch) {
                Poll::Ready(Ok(0)) => {
                    protocol.end_of_input();
                    more = true;
                }
                Poll::Ready(Ok(n)) => {
                    fresh = n;
                    more = true;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        // What has arrived in time is not late because nobody has looked.
        if fresh == 0 && protocol.poll_timeout().is_some_and(|due| due <= now) {
            protocol.handle_timeout(now);
            more = true;
        }
        if more {
            feed(protocol, cx, scratch, fresh, now);
            let Ok(progress) = transport.flush(cx, &mut scratch.output) else {
                return Poll::Ready(());
            };
            more = protocol.written(progress, scratch.output.len(), now);
            if transport.close(cx, protocol.close_action(), scratch.output.is_empty()).is_ready() {
                return Poll::Ready(());
            }
            // The application may have made room in this very turn.
            let reads_again = !reads && !transport.end_of_input && protocol.wants_read(now);
            if fresh > 0 || more || reads_again {
                bytes += fresh;
                if bytes >= TURN_BYTES {
                    break;
                }
                continue;
            }
        }
        if transport.poll_timer(cx, protocol.poll_timeout(), runtime).is_pending() {
            return Poll::Pending;
        }
        now = runtime.now();
        more = true;
    }
    // A peer that sends without end has deadlines, too.
    protocol.handle_timeout(now);
    // There is more to do; others first.
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Gives the protocol what was left over, and `fresh` bytes that were read behind it.
fn feed(
    protocol: &mut dyn Upgraded,
    cx: &mut Context<'_>,
    scratch: &mut Scratch,
    fresh: usize,
    now: Instant,
) {
    let end = scratch.tail.len() + fresh;
    let output = &mut scratch.output;
    if fresh == 0 {
        let buffer = &mut scratch.tail;
        let consumed = protocol.poll(cx, Received { buffer, start: 0, end }, output, now);
        scratch.tail.drain(..consumed);
    } else {
        let mut input = mem::take(&mut scratch.input);
        let buffer = input.in_use().expect("nothing of it is lent here");
        let consumed = protocol.poll(cx, Received { buffer, start: 0, end }, output, now);
        scratch.keep(&buffer[consumed..end]);
        scratch.input = input;
    }
}

/// The socket is gone; whoever is at work may finish that. `Ready` when nobody is.
pub(crate) fn finish(protocol: &mut dyn Upgraded, runtime: &impl Runtime, cx: &mut Context<'_>) -> Poll<()> {
    let mut nothing = Vec::new();
    let mut output = sinew_proto::SendQueue::new();
    let input = Received { buffer: &mut nothing, start: 0, end: 0 };
    protocol.poll(cx, input, &mut output, runtime.now());
    if protocol.is_finished() { Poll::Ready(()) } else { Poll::Pending }
}
