//! A server that waits for a request, told by one number. Of ten thousand connections most wait: a
//! caller may keep that number alone, and have the rest back when something comes.

use super::server::{Exchange, Server};
use super::{BodyMode, CloseAction};
use crate::Instant;
use crate::http1::state::{Receive, Send};

impl Server {
    /// Since when the connection waits for the first byte of a request, if there is nothing else to
    /// know about it: whatever happens from now on, it does what a server of the same configuration
    /// does after [`restart`](Self::restart) with that time.
    ///
    /// `None` while a request or a response is on its way, while it ends, and before the first
    /// [`poll`](Self::poll).
    pub fn idle_since(&self) -> Option<Instant> {
        let waits = self.receive == Receive::Head
            && self.send == Send::Idle
            && self.close == CloseAction::None
            && !self.draining
            && !self.end_of_input
            && self.reader.is_new();
        if waits { self.deadlines.idle_since() } else { None }
    }

    /// Begins anew, as a connection that has waited for a request since then. The configuration
    /// stays; whatever there was else is forgotten. So one `Server` does for all connections that
    /// wait.
    ///
    /// ```
    /// use sinew_proto::{Config, FieldTable, Instant, http1::Server};
    /// let config = Config::default();
    /// let mut server = Server::new(&config);
    /// server.poll(b"", &mut FieldTable::new(&config), Instant::from_nanos(5))?;
    /// let since = server.idle_since().expect("it waits");
    /// let due = server.poll_timeout();
    /// drop(server);
    ///
    /// let mut same = Server::new(&config);
    /// same.restart(since);
    /// assert_eq!((same.idle_since(), same.poll_timeout()), (Some(since), due));
    /// # Ok::<(), sinew_proto::RecvError>(())
    /// ```
    pub fn restart(&mut self, since: Instant) {
        self.receive = Receive::Head;
        self.send = Send::Idle;
        self.close = CloseAction::None;
        self.reader.restart();
        self.deadlines.restart(since);
        self.drain = 0;
        self.discards = false;
        self.mode = BodyMode::None;
        self.exchange = Exchange::NONE;
        self.draining = false;
        self.end_of_input = false;
    }
}
