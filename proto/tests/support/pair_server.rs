//! What the server of a [`Pair`] does: it reads the requests and sends the responses.

use sinew_proto::http1::{BodyMode, CloseAction, RequestHead, ResponseHead, server};
use sinew_proto::{SendError, StatusCode};

use super::{Delivery, Last, Pair, TO_CLIENT, TO_SERVER, check_mode, last, own_fields, send_piece};
use crate::exchange::{Received, When, hint, lines};

impl Pair {
    pub(super) fn poll_server(&mut self) -> bool {
        let mut progress = false;
        loop {
            let wire = &mut self.wires[TO_SERVER];
            if wire.error.is_some() {
                return progress;
            }
            let step = match self.server.poll(&wire.input, &mut self.table, self.now) {
                Ok(step) => step,
                Err(error) => {
                    assert!(self.cut, "{error:?}: {:?}", self.exchanges);
                    wire.error = Some(error);
                    wire.input.clear();
                    self.download = None;
                    let mut out = Vec::new();
                    if self.server.fail(&error, None, &mut out) {
                        self.apology = Some((self.wires[TO_CLIENT].ends.len(), error.status().to_string()));
                        self.wires[TO_CLIENT].send(&out);
                        self.wires[TO_CLIENT].end_message();
                    }
                    return true;
                }
            };
            let consumed = step.consumed;
            let mut more = true;
            let mut due = None;
            match step.event {
                server::Event::Request(head) => {
                    wire.seen.push(own_request(&head));
                    due = Some(When::AtHead);
                }
                server::Event::Data(data) => {
                    last(&mut wire.seen).body.extend_from_slice(data);
                    due = Some(When::InBody);
                }
                server::Event::Trailers(fields) => last(&mut wire.seen).trailers = own_fields(&fields),
                server::Event::End => {
                    last(&mut wire.seen).complete = true;
                    due = Some(When::AtEnd);
                }
                server::Event::Upgraded => {
                    more = !wire.upgraded;
                    wire.upgraded = true;
                }
                server::Event::Closed => {
                    more = !wire.closed;
                    wire.closed = true;
                }
                server::Event::NeedInput | server::Event::Paused => more = false,
            }
            wire.input.drain(..consumed);
            if let Some(when) = due {
                self.answer(when);
            }
            progress |= more || consumed > 0;
            if !more {
                return progress;
            }
        }
    }

    /// Does what the exchange asks the server to do at this event.
    fn answer(&mut self, when: When) {
        let current = self.wires[TO_SERVER].seen.len() - 1;
        assert!(current < self.asked, "{:?} was not sent", self.wires[TO_SERVER].seen.last());
        let exchange = &self.exchanges[current];
        let mut out = Vec::new();
        if when == When::AtHead {
            let continues = exchange.proceed && self.server.send_continue(&mut out);
            assert_eq!(continues, exchange.continues(), "{exchange:?}");
            if continues {
                self.wires[TO_CLIENT].send(&out);
                self.wires[TO_CLIENT].end_message();
            }
            self.hint(current, 0..1);
        }
        let exchange = &self.exchanges[current];
        if self.answered == current && (when == exchange.when || when == When::AtEnd) {
            self.hint(current, 1..usize::MAX);
            self.respond(current);
        }
    }

    fn hint(&mut self, current: usize, range: std::ops::Range<usize>) {
        for at in range.start..range.end.min(self.exchanges[current].hints) {
            let mut out = Vec::new();
            self.server
                .inform(StatusCode::EARLY_HINTS, &lines(&[hint(at)]), &mut out)
                .expect("an interim response");
            self.wires[TO_CLIENT].send(&out);
            self.wires[TO_CLIENT].end_message();
        }
    }

    fn respond(&mut self, current: usize) {
        let rules = self.exchanges[current].response_rules();
        let mut out = Vec::new();
        let result = self.head(current, &mut out);
        let exchange = &self.exchanges[current];
        let mode = match result {
            Ok(mode) => {
                let must = rules.iter().any(|(_, must)| *must);
                assert!(!must, "not refused, though {rules:?}: {exchange:?}");
                mode
            }
            Err(error) => {
                assert!(
                    rules.iter().any(|(rule, _)| *rule == error),
                    "{error:?} not in {rules:?}: {exchange:?}"
                );
                assert!(out.is_empty(), "a refusal writes nothing");
                self.refusals.push(error);
                self.exchanges[current].fall_back();
                self.head(current, &mut out).expect("an answer that can be given to any request")
            }
        };
        let exchange = &self.exchanges[current];
        let length = exchange.received_responses().last().map(|response| response.length);
        check_mode(mode, length.expect("a final response"), exchange.switches());
        self.answered += 1;
        self.wires[TO_CLIENT].send(&out);
        match mode {
            BodyMode::None => self.end_response(),
            BodyMode::Upgraded => {
                self.wires[TO_CLIENT].end_message();
                let bytes = exchange.tunnel[TO_CLIENT].clone();
                self.wires[TO_CLIENT].send(&bytes);
            }
            _ => self.download = Some(0),
        }
    }

    fn head(&mut self, current: usize, out: &mut Vec<u8>) -> Result<BodyMode, SendError> {
        let exchange = &self.exchanges[current];
        let fields = lines(&exchange.response.fields);
        let status = StatusCode::new(exchange.status).expect("a status");
        let head = ResponseHead { fields: Some(&fields), ..ResponseHead::new(status) };
        let before = self.server.clone();
        let result = self.server.respond(&head, exchange.response.body_plan(), out);
        // To print both takes longer than the whole exchange: not every time.
        if result.is_err() && self.delivery != Delivery::Whole {
            assert_eq!(format!("{:?}", self.server), format!("{before:?}"), "a refusal changes nothing");
        }
        result
    }

    pub(super) fn server_step(&mut self) -> bool {
        let Some(at) = self.download else { return false };
        let message = &self.exchanges[self.answered - 1].response;
        let (wire, server) = (&mut self.wires[TO_CLIENT], &mut self.server);
        let last = send_piece(message, at, wire, |piece, last, out| server.write_data(piece, last, out))
            .expect("a piece");
        if last == Last::NotYet {
            self.download = Some(at + 1);
            return true;
        }
        if last == Last::Unsaid {
            let mut out = Vec::new();
            server.finish(Some(&lines(&message.trailers)), &mut out).expect("the end of the body");
            wire.send(&out);
        }
        self.end_response();
        true
    }

    fn end_response(&mut self) {
        self.download = None;
        self.wires[TO_CLIENT].end_message();
        let exchange = &self.exchanges[self.answered - 1];
        if !self.cut {
            let action = if exchange.keeps() { CloseAction::None } else { CloseAction::Linger };
            assert_eq!(self.server.close_action(), action, "after {exchange:?}");
        }
        assert!(!self.server.is_busy());
    }
}

fn own_request(head: &RequestHead<'_>) -> Received {
    Received {
        first: format!("{} {}", head.method(), head.target()),
        fields: own_fields(&head.fields()),
        length: head.body().into(),
        body: Vec::new(),
        trailers: Vec::new(),
        complete: false,
    }
}
