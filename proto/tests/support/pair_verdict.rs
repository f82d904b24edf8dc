//! What must be true of both sides in the end.

use sinew_proto::http1::{CloseAction, client, server};

use super::{Cut, Pair, TO_CLIENT, TO_SERVER};
use crate::exchange::{Exchange, Received, When, line};

impl Pair {
    /// Everything that was sent was read, and both sides agree on what the connection is good for.
    pub(super) fn check(&mut self) {
        let served = self.served();
        let exchanges = &self.exchanges[..served];
        assert!(self.asked >= served, "{} requests were sent: {:?}", self.asked, self.exchanges);
        assert_eq!(
            self.answered, served,
            "each of these is answered, and nothing after: {:?}",
            self.exchanges
        );

        let responses: Vec<Received> = exchanges.iter().flat_map(Exchange::received_responses).collect();
        assert_eq!(self.wires[TO_CLIENT].seen, responses, "{exchanges:?}");
        assert_eq!(self.wires[TO_SERVER].seen.len(), served, "{exchanges:?}");
        for (seen, exchange) in self.wires[TO_SERVER].seen.iter().zip(exchanges) {
            let sent = exchange.received_request();
            if seen.complete {
                assert_eq!(*seen, sent);
            } else {
                // After a complete response nobody looks at the rest of the request.
                assert_ne!(exchange.when, When::AtEnd, "{exchange:?}");
                assert!(is_beginning(seen, &sent), "{seen:?} of {sent:?}");
            }
        }
        for wire in &self.wires {
            assert!(wire.sent.is_empty(), "all is delivered");
        }
        match exchanges.last() {
            Some(last) if last.switches() => self.check_upgraded(&last.tunnel.clone()),
            Some(last) if !last.keeps() => self.check_closed(served),
            _ => self.check_kept(),
        }
    }

    /// How many exchanges come to their end: up to the first one that is the last.
    fn served(&self) -> usize {
        let last = self.exchanges.iter().position(|exchange| !exchange.keeps());
        last.map_or(self.exchanges.len(), |last| last + 1)
    }

    fn check_upgraded(&mut self, tunnel: &[Vec<u8>; 2]) {
        assert_eq!(self.poll_both(), (server::Kind::Upgraded, client::Kind::Upgraded));
        for (wire, bytes) in self.wires.iter().zip(tunnel) {
            assert_eq!(wire.input, *bytes, "what follows the upgrade is handed over");
        }
        assert_eq!(self.client.reuse(), client::Reuse::Never);
        assert_eq!(self.actions(), (CloseAction::None, CloseAction::None));
        assert_eq!(self.client.unanswered(), 0);
        assert!(!self.client.is_busy() && !self.server.is_busy());
    }

    fn check_kept(&mut self) {
        assert_eq!(self.poll_both(), (server::Kind::NeedInput, client::Kind::Idle), "{:?}", self.exchanges);
        assert_eq!(self.client.reuse(), client::Reuse::Now);
        assert_eq!(self.actions(), (CloseAction::None, CloseAction::None));
        assert_eq!(self.client.unanswered(), 0);
        assert!(!self.client.is_busy() && !self.server.is_busy());
        assert!(self.client.wants_read() && self.server.wants_read());
        // Either may close now, and neither finds that wrong.
        self.server.end_of_input(self.now);
        self.client.end_of_input(self.now);
        assert_eq!(self.poll_both(), (server::Kind::Closed, client::Kind::Closed));
        assert_eq!(self.actions(), (CloseAction::AfterFlush, CloseAction::AfterFlush));
        assert_eq!(self.client.reuse(), client::Reuse::Never);
    }

    fn check_closed(&mut self, served: usize) {
        assert_eq!(self.poll_both(), (server::Kind::Closed, client::Kind::Closed), "{:?}", self.exchanges);
        assert_eq!(self.client.reuse(), client::Reuse::Never);
        assert_eq!(self.client.unanswered(), self.asked - served);
        assert!(!self.client.awaits_continue() && !self.client.sends_body() && !self.client.is_busy());
        // A request that was not completed is broken off; not if its body was never begun.
        let whole = self.wires[TO_SERVER].ends.len() == self.asked;
        let last = &self.exchanges[self.asked - 1];
        let abandoned = self.asked == served && last.is_undecided() && self.uploaded == 0;
        let action = if whole || abandoned { CloseAction::AfterFlush } else { CloseAction::Abort };
        assert_eq!(self.actions(), (CloseAction::Linger, action), "{:?}", self.exchanges);
        assert!(!self.client.wants_read() && self.server.wants_read());
        self.server.end_of_input(self.now);
        self.client.end_of_input(self.now);
        assert_eq!(self.poll_both(), (server::Kind::Closed, client::Kind::Closed));
        assert_eq!(self.actions(), (CloseAction::AfterFlush, action));
    }

    fn actions(&self) -> (CloseAction, CloseAction) {
        (self.server.close_action(), self.client.close_action())
    }

    fn poll_both(&mut self) -> (server::Kind, client::Kind) {
        let [to_server, to_client] = &self.wires;
        let server = self.server.advance(&to_server.input, &mut self.table, self.now).expect("no error");
        let client = self.client.advance(&to_client.input, &mut self.table, self.now).expect("no error");
        for (consumed, wire) in [(server.consumed, to_server), (client.consumed, to_client)] {
            assert!(consumed == 0, "all was given before");
            assert!(wire.input.is_empty() || wire.upgraded, "nothing is left over: {:?}", self.exchanges);
        }
        (server.event, client.event)
    }

    /// On a broken connection each side sees the beginning of what was sent, then an error or a legal
    /// end; never a message that was not sent, or one complete that did not come whole.
    pub(super) fn check_cut(&mut self, cut: Cut) {
        let requests: Vec<Received> = self.exchanges.iter().map(Exchange::received_request).collect();
        let mut responses: Vec<Received> =
            self.exchanges.iter().flat_map(Exchange::received_responses).collect();
        // What the server says of a broken request takes the place of its response.
        if let Some((at, status)) = &self.apology {
            responses.truncate(*at);
            if let Some(seen) = self.wires[TO_CLIENT].seen.get(*at) {
                assert_eq!(seen.first, *status);
                assert!(seen.fields.contains(&line("connection", "close")), "{seen:?}");
                responses.push(seen.clone());
            }
        }
        for (wire, sent) in self.wires.iter().zip([requests, responses]) {
            assert!(wire.seen.len() <= sent.len(), "{:?} was never sent", wire.seen.last());
            for (seen, sent) in wire.seen.iter().zip(&sent) {
                assert!(is_beginning(seen, sent), "{seen:?} is not the beginning of {sent:?}");
                assert!(!seen.complete || *seen == Received { complete: true, ..sent.clone() });
            }
        }
        let wire = &self.wires[cut.to];
        let said = wire.ends.iter().filter(|end| **end <= cut.after).count();
        let arrived = said + usize::from(cut.to == TO_SERVER && self.unsaid > 0 && self.unsaid <= cut.after);
        let complete = wire.seen.iter().filter(|seen| seen.complete).count();
        assert!(complete <= arrived, "{complete} messages from {arrived} that came whole");
        for (to, wire) in self.wires.iter().enumerate() {
            assert!(wire.is_over() || !wire.ended, "side {to} goes on after the end: {:?}", self.exchanges);
        }
        assert!(self.wires[cut.to].ended, "the cut was reached");
    }
}

/// Whether `seen` has the same head and the beginning of the same body.
fn is_beginning(seen: &Received, sent: &Received) -> bool {
    (&seen.first, &seen.fields, seen.length) == (&sent.first, &sent.fields, sent.length)
        && sent.body.starts_with(&seen.body)
        && (seen.trailers.is_empty() || seen.trailers == sent.trailers)
}
