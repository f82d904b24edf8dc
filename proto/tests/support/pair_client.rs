//! What the client of a [`Pair`] does: it sends the requests and reads the responses.

use sinew_proto::http1::{BodyMode, client};

use super::{Last, Pair, TO_CLIENT, TO_SERVER, check_mode, last, own_fields, send_piece};
use crate::exchange::{Exchange, Plan, Received, lines};

impl Pair {
    pub(super) fn client_step(&mut self) -> bool {
        if let Some(at) = self.upload {
            return self.client_body(at);
        }
        let free = self.pipelined || self.client.reuse() == client::Reuse::Now;
        if self.asked == self.exchanges.len() || !free || self.wires[TO_CLIENT].is_over() {
            return false;
        }
        if self.client.check_ready().is_err() {
            return false;
        }
        let exchange = &self.exchanges[self.asked];
        let fields = lines(&exchange.request.fields);
        let request = client::Request::new(&exchange.method, &exchange.target, &fields);
        let before = self.client.clone();
        let mut out = Vec::new();
        let rules = exchange.request_rules();
        match self.client.request(&request, exchange.request.body_plan(), &mut out) {
            Err(error) => {
                assert!(rules.contains(&error), "{error:?} is not among {rules:?}: {exchange:?}");
                assert!(out.is_empty(), "a refusal writes nothing");
                assert_eq!(format!("{:?}", self.client), format!("{before:?}"), "a refusal changes nothing");
                self.refusals.push(error);
                self.exchanges.remove(self.asked);
            }
            Ok(mode) => {
                assert!(rules.is_empty(), "not refused, though {rules:?}: {exchange:?}");
                check_mode(mode, exchange.received_request().length, false);
                assert_eq!(self.client.awaits_continue(), exchange.expects());
                self.wires[TO_SERVER].send(&out);
                self.asked += 1;
                if mode == BodyMode::None {
                    self.wires[TO_SERVER].end_message();
                    self.client_tunnel(true);
                } else {
                    (self.upload, self.uploaded) = (Some(0), 0);
                }
            }
        }
        true
    }

    fn client_body(&mut self, at: usize) -> bool {
        let exchange = &self.exchanges[self.asked - 1];
        if !self.client.sends_body() {
            // The server has closed, does not want what was held back, or has switched protocols
            // when every byte was out and only the end was not said.
            if exchange.request.plan == Plan::Length && self.uploaded as u64 == exchange.request.len() {
                self.unsaid = self.wires[TO_SERVER].total;
            }
            self.upload = None;
            return true;
        }
        if exchange.patient && self.client.awaits_continue() {
            return false;
        }
        let wire = &mut self.wires[TO_SERVER];
        let (client, message) = (&mut self.client, &exchange.request);
        self.uploaded += message.pieces.get(at).map_or(0, Vec::len);
        let last = send_piece(message, at, wire, |piece, last, out| client.write_data(piece, last, out))
            .expect("a piece");
        if last == Last::NotYet {
            self.upload = Some(at + 1);
            return true;
        }
        if last == Last::Unsaid {
            let mut out = Vec::new();
            client.finish(Some(&lines(&message.trailers)), &mut out).expect("the end of the body");
            wire.send(&out);
        }
        wire.end_message();
        self.upload = None;
        true
    }

    pub(super) fn poll_client(&mut self) -> bool {
        let mut progress = false;
        loop {
            let wire = &mut self.wires[TO_CLIENT];
            if wire.error.is_some() {
                return progress;
            }
            let step = match self.client.poll(&wire.input, &mut self.table, self.now) {
                Ok(step) => step,
                Err(error) => {
                    assert!(self.cut, "{error:?}: {:?}", self.exchanges);
                    wire.error = Some(error);
                    wire.input.clear();
                    return true;
                }
            };
            let consumed = step.consumed;
            let mut more = true;
            let mut ended = false;
            match step.event {
                client::Event::Interim(head) => wire.seen.push(own_response(&head, true)),
                client::Event::Response(head) => wire.seen.push(own_response(&head, false)),
                client::Event::Data(data) => last(&mut wire.seen).body.extend_from_slice(data),
                client::Event::Trailers(fields) => last(&mut wire.seen).trailers = own_fields(&fields),
                client::Event::End => {
                    last(&mut wire.seen).complete = true;
                    ended = true;
                }
                client::Event::Upgraded => {
                    more = !wire.upgraded;
                    wire.upgraded = true;
                }
                client::Event::Closed => {
                    more = !wire.closed;
                    wire.closed = true;
                }
                client::Event::NeedInput | client::Event::Idle => more = false,
            }
            wire.input.drain(..consumed);
            if wire.upgraded {
                self.client_tunnel(false);
            }
            if ended && !self.cut {
                self.check_verdict();
            }
            progress |= more || consumed > 0;
            if !more {
                return progress;
            }
        }
    }

    /// Sends the bytes for the tunnel: when it is open, or at once if the exchange says so.
    fn client_tunnel(&mut self, at_once: bool) {
        let exchange = &self.exchanges[self.asked - 1];
        if !self.tunnelled && (!at_once || (exchange.method == "CONNECT" && exchange.optimistic)) {
            self.tunnelled = true;
            let bytes = exchange.tunnel[TO_SERVER].clone();
            self.wires[TO_SERVER].send(&bytes);
        }
    }

    /// What the client thinks of the connection after a response.
    fn check_verdict(&self) {
        let finals = self.wires[TO_CLIENT].seen.iter().filter(|seen| !seen.first.starts_with('1')).count();
        let exchange = &self.exchanges[finals - 1];
        let last = self.exchanges[..self.asked].iter().any(Exchange::asks_close);
        let expected = match (exchange.keeps() && !last, self.asked > finals || self.client.sends_body()) {
            (false, _) => client::Reuse::Never,
            (true, true) => client::Reuse::Later,
            (true, false) => client::Reuse::Now,
        };
        assert_eq!(self.client.reuse(), expected, "after {exchange:?}");
        assert_eq!(self.client.unanswered(), self.asked - finals, "after {exchange:?}");
    }
}

fn own_response(head: &client::Response<'_>, complete: bool) -> Received {
    Received {
        first: head.status().to_string(),
        fields: own_fields(&head.fields()),
        length: head.body(),
        body: Vec::new(),
        trailers: Vec::new(),
        complete,
    }
}
