//! What speaks on a connection after HTTP (RFC 9110 §7.8).

use std::fmt;
use std::task::Context;

use bytes::Bytes;
use sinew_proto::http1::CloseAction;
use sinew_proto::{Instant, SendQueue};

/// A protocol that a connection was switched to. The driver owns the socket and calls these methods;
/// whoever implements them sees bytes and times, and no socket.
///
/// A turn of the driver is: [`handle_timeout`](Self::handle_timeout), [`poll`](Self::poll), a write,
/// [`written`](Self::written), and then what [`close_action`](Self::close_action),
/// [`wants_read`](Self::wants_read) and [`poll_timeout`](Self::poll_timeout) ask for.
pub trait Upgraded: Send {
    /// Goes as far as possible with what was received, and appends to `output` what is to be sent.
    /// Returns how many bytes of `input`, from its front, were consumed; the rest is given again.
    /// `input` may be altered and swapped for another one in the meantime, but what is not consumed
    /// is there afterwards. The task of `cx` is woken when there is more to do.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        input: Received<'_>,
        output: &mut SendQueue<Bytes>,
        now: Instant,
    ) -> usize;

    /// The peer will send nothing more.
    fn end_of_input(&mut self);

    /// The server is about to end: the protocol should, too. Called in every turn from then on.
    fn drain(&mut self, now: Instant);

    /// The connection is gone: no method but [`poll`](Self::poll) is called after that, and only until
    /// the protocol [is finished](Self::is_finished).
    fn disconnected(&mut self);

    /// Whether nobody is at work any more for whom the protocol must be polled.
    fn is_finished(&self) -> bool;

    /// Reports an attempt to write: whether the peer took at least a byte, and how much still waits.
    /// Returns whether there is more to do at once.
    fn written(&mut self, progress: bool, pending: usize, now: Instant) -> bool;

    /// Acts on the deadlines that have passed.
    fn handle_timeout(&mut self, now: Instant);

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    fn poll_timeout(&mut self) -> Option<Instant>;

    /// Whether more input is of use now.
    fn wants_read(&mut self, now: Instant) -> bool;

    /// What to do with the transport now.
    fn close_action(&mut self) -> CloseAction;
}

/// What was received and is not consumed: the bytes of `buffer` from `start` to `end`.
#[derive(Debug)]
pub struct Received<'a> {
    /// The buffer that was read into.
    pub buffer: &'a mut Vec<u8>,
    /// Where the bytes begin.
    pub start: usize,
    /// Where they end.
    pub end: usize,
}

/// Makes the protocol, at the moment when it takes over.
type Begin = Box<dyn FnOnce(Instant) -> Box<dyn Upgraded> + Send>;

/// The switch that a response asks for. See [`Response::upgrade`](crate::Response::upgrade).
pub struct Upgrade(Begin);

impl Upgrade {
    /// An upgrade to the protocol that `begin` makes once `101 Switching Protocols` is written. It is
    /// told the time.
    pub fn new(begin: impl FnOnce(Instant) -> Box<dyn Upgraded> + Send + 'static) -> Self {
        Self(Box::new(begin))
    }

    /// The protocol takes over.
    pub fn begin(self, now: Instant) -> Box<dyn Upgraded> {
        (self.0)(now)
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}
