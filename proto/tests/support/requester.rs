//! A client and its caller: sends requests, keeps what was not consumed, and checks on the way that a
//! refusal changes nothing.

use sinew_proto::http1::{
    BodyMode, BodyPlan, Client, CloseAction,
    client::{Kind, Request, Reuse},
};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, RecvError, SendError};

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
pub(crate) const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
pub(crate) const EXPECT: (&str, &str) = ("Expect", "100-continue");
pub(crate) const UPGRADE: (&str, &str) = ("Upgrade", "x");
const NOW: Instant = Instant::from_nanos(0);

/// A connection and the bytes it has not consumed.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) table: FieldTable,
    pub(crate) input: Vec<u8>,
    out: Vec<u8>,
}

impl Connection {
    pub(crate) fn new() -> Self {
        let config = Config::default();
        Self {
            client: Client::new(&config),
            table: FieldTable::new(&config),
            input: Vec::new(),
            out: Vec::new(),
        }
    }

    /// One that has sent this request, and no more.
    pub(crate) fn asked(method: &str, fields: &[(&str, &str)], plan: BodyPlan) -> Self {
        let mut connection = Self::new();
        connection.request(method, fields, plan).expect("a request");
        connection
    }

    /// Sends a request with `Host`; a refusal leaves bytes and state alone.
    pub(crate) fn request(
        &mut self,
        method: &str,
        fields: &[(&str, &str)],
        plan: BodyPlan,
    ) -> Result<BodyMode, SendError> {
        let mut lines = FieldLines::new();
        for (name, value) in [("Host", "a")].iter().chain(fields) {
            lines.append(name, value).expect("a valid field");
        }
        let target = if method == "CONNECT" { "a:1" } else { "/" };
        let before = (format!("{:?}", self.client), self.out.len());
        let ready = self.client.check_ready();
        let result = self.client.request(&Request::new(method, target, &lines), plan, &mut self.out);
        if let Err(error) = result {
            assert_eq!((format!("{:?}", self.client), self.out.len()), before, "{error}");
        }
        assert!(ready.is_ok() || ready == result.map(drop), "a request knows what `check_ready` knew");
        result
    }

    pub(crate) fn get(&mut self) -> Result<BodyMode, SendError> {
        self.request("GET", &[], BodyPlan::Empty)
    }

    /// Gives `text` and returns the events up to the one that ends them.
    pub(crate) fn give(&mut self, text: &str) -> Vec<Kind> {
        let (events, error) = self.try_give(text);
        assert_eq!(error, None, "{events:?}");
        events
    }

    pub(crate) fn try_give(&mut self, text: &str) -> (Vec<Kind>, Option<RecvError>) {
        self.input.extend_from_slice(text.as_bytes());
        let mut events = Vec::new();
        loop {
            let step = match self.client.advance(&self.input, &mut self.table, NOW) {
                Ok(step) => step,
                Err(error) => return (events, Some(error)),
            };
            self.input.drain(..step.consumed);
            events.push(step.event);
            if matches!(step.event, Kind::NeedInput | Kind::Idle | Kind::Upgraded | Kind::Closed) {
                return (events, None);
            }
        }
    }

    pub(crate) fn end_of_input(&mut self) -> (Vec<Kind>, Option<RecvError>) {
        self.client.end_of_input(NOW);
        self.try_give("")
    }

    /// What it is good for, what to do with the transport, and how many requests have no response.
    pub(crate) fn verdict(&self) -> (Reuse, CloseAction, usize) {
        (self.client.reuse(), self.client.close_action(), self.client.unanswered())
    }
}

/// A final response without a body, and what comes after it.
pub(crate) const fn answered(then: Kind) -> [Kind; 3] {
    [Kind::Response, Kind::End, then]
}
