//! One exchange as a value: what each side sends, what the other side must read, whether the
//! connection persists after it, and by which rules a side refuses to send it.
//!
//! All of it follows from RFC 9110, RFC 9112 and the documentation of `request` and `respond`, and
//! none of it asks the connection.

use sinew_proto::http1::{BodyPlan, ResponseLength};
use sinew_proto::{FieldLines, SendError};

/// A name and a value.
pub(crate) type Line = (String, Vec<u8>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Empty,
    /// As many bytes as the pieces have.
    Length,
    Streamed,
    Upgrade,
}

/// When the final response begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    AtHead,
    /// At the first piece of the body; at the end if there is none.
    InBody,
    AtEnd,
}

/// What requests and responses have in common.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) fields: Vec<Line>,
    pub(crate) plan: Plan,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) trailers: Vec<Line>,
    /// The last piece is sent as the last one, if there are no trailers: not ended by `finish`.
    pub(crate) joined: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) request: Message,
    /// The body is held back while `100 Continue` is awaited.
    pub(crate) patient: bool,
    /// The server sends `100 Continue` if it is waited for.
    pub(crate) proceed: bool,
    /// How many `103 Early Hints`: the first at the head, the others just before the response.
    pub(crate) hints: usize,
    pub(crate) status: u16,
    pub(crate) response: Message,
    pub(crate) when: When,
    /// What is sent to the server and to the client after an upgrade.
    pub(crate) tunnel: [Vec<u8>; 2],
    /// With CONNECT: the bytes for the tunnel follow the request at once.
    pub(crate) optimistic: bool,
}

/// A message as it is read; adjacent pieces of the body joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// Method and target, or the status.
    pub(crate) first: String,
    pub(crate) fields: Vec<Line>,
    pub(crate) length: ResponseLength,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Line>,
    pub(crate) complete: bool,
}

pub(crate) fn line(name: &str, value: impl AsRef<[u8]>) -> Line {
    (name.to_owned(), value.as_ref().to_vec())
}

pub(crate) fn lines(fields: &[Line]) -> FieldLines {
    let mut lines = FieldLines::new();
    for (name, value) in fields {
        lines.append(name, value).expect("a valid field");
    }
    lines
}

impl Message {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { fields: Vec::new(), plan, pieces: Vec::new(), trailers: Vec::new(), joined: false }
    }

    /// How many bytes the pieces have.
    pub(crate) fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    pub(crate) fn body_plan(&self) -> BodyPlan {
        match self.plan {
            Plan::Empty => BodyPlan::Empty,
            Plan::Length => BodyPlan::Length(self.len()),
            Plan::Streamed => BodyPlan::Streamed,
            Plan::Upgrade => BodyPlan::Upgrade,
        }
    }

    /// The length, if the plan tells one.
    fn planned(&self) -> Option<u64> {
        match self.plan {
            Plan::Empty => Some(0),
            Plan::Length => Some(self.len()),
            Plan::Streamed | Plan::Upgrade => None,
        }
    }

    /// The `Content-Length` that the application set.
    fn told(&self) -> Option<u64> {
        let value = &self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1;
        std::str::from_utf8(value).ok()?.parse().ok()
    }

    /// The lower-case members of a list field.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let values = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let text: Vec<String> =
            values.map(|(_, value)| String::from_utf8_lossy(value).to_lowercase()).collect();
        let text = text.join(",");
        text.split(',').map(|member| member.trim().to_owned()).filter(|member| !member.is_empty()).collect()
    }

    fn has_option(&self, option: &str) -> bool {
        self.list("connection").iter().any(|member| member == option)
    }

    /// The fields as they are read: those of the application, then those that the core adds.
    fn fields_with(&self, framing: Option<Line>, options: &[&str]) -> Vec<Line> {
        let connection = (!options.is_empty()).then(|| line("connection", options.join(", ")));
        self.fields.iter().cloned().chain(framing).chain(connection).collect()
    }

    fn framing(&self) -> Line {
        match self.planned() {
            Some(length) => line("content-length", length.to_string()),
            None => line("transfer-encoding", "chunked"),
        }
    }
}

impl Exchange {
    /// A request without content, answered by an empty `200`.
    pub(crate) fn new(method: &str) -> Self {
        let target = match method {
            "CONNECT" => "a.example:443",
            "OPTIONS" => "*",
            _ => "/p?q",
        };
        let mut request = Message::new(Plan::Empty);
        request.fields.push(line("Host", "a.example:443"));
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            request,
            patient: true,
            proceed: false,
            hints: 0,
            status: 200,
            response: Message::new(Plan::Empty),
            when: When::AtEnd,
            tunnel: [b"up".to_vec(), b"down".to_vec()],
            optimistic: false,
        }
    }

    /// The answer to a request whose answer was refused.
    pub(crate) fn fall_back(&mut self) {
        self.status = 404;
        self.response = Message::new(Plan::Empty);
    }

    pub(crate) fn expects(&self) -> bool {
        !self.request.list("expect").is_empty()
    }

    pub(crate) fn asks_close(&self) -> bool {
        self.request.has_option("close")
    }

    /// The protocols that are offered: not HTTP/2, which is not switched to (RFC 9113 §3.1).
    fn offers(&self) -> Vec<String> {
        let mut offers = self.request.list("upgrade");
        offers.retain(|protocol| protocol != "h2c");
        offers
    }

    fn is_connect(&self) -> bool {
        self.method == "CONNECT"
    }

    fn is_tunnel(&self) -> bool {
        self.is_connect() && (200..300).contains(&self.status)
    }

    pub(crate) fn switches(&self) -> bool {
        self.response.plan == Plan::Upgrade
    }

    /// Nothing tells that a body follows the head.
    fn has_no_request_body(&self) -> bool {
        self.request.planned() == Some(0)
    }

    /// HEAD and 304 tell the length of a content that is not sent.
    fn head_only(&self) -> bool {
        self.method == "HEAD" || self.status == 304
    }

    /// The response ends with its head (RFC 9112 §6.3, rules 1 and 2).
    pub(crate) fn has_no_response_body(&self) -> bool {
        self.head_only() || self.status < 200 || self.status == 204 || self.is_tunnel()
    }

    /// `100 Continue` is sent.
    pub(crate) fn continues(&self) -> bool {
        self.proceed && self.expects()
    }

    /// The answer is given to somebody who may send a body or not (RFC 9110 §10.1.1).
    pub(crate) fn is_undecided(&self) -> bool {
        self.expects() && !self.continues() && self.when == When::AtHead
    }

    /// Whether another exchange may follow (RFC 9112 §9.3): not where a tunnel was refused that may be
    /// in use.
    pub(crate) fn keeps(&self) -> bool {
        !self.asks_close()
            && !self.response.has_option("close")
            && !self.is_connect()
            && !self.switches()
            && !self.is_undecided()
    }

    /// Why the client refuses to send this request, if it does.
    pub(crate) fn request_rules(&self) -> Vec<SendError> {
        let told = self.request.told();
        let bare = self.is_connect() || self.method == "TRACE";
        let rules = [
            (bare && (self.request.plan != Plan::Empty || told.is_some()), SendError::ContentForbidden),
            (self.expects() && self.has_no_request_body(), SendError::InvalidExpectation),
            (told.is_some() && told != self.request.planned(), SendError::ContentLengthMismatch),
            (self.request.plan == Plan::Upgrade, SendError::UpgradeNotOffered),
        ];
        rules.into_iter().filter_map(|(holds, error)| holds.then_some(error)).collect()
    }

    /// Why the server refuses to send this response, if it does, and whether it must: at a piece of
    /// the body nobody knows whether it was the last one.
    pub(crate) fn response_rules(&self) -> Vec<(SendError, bool)> {
        let (told, planned, upgrade) = (self.response.told(), self.response.planned(), self.switches());
        let interim = self.status < 200;
        let accepted = self.response.list("upgrade");
        let offered = self.status == 101
            && !accepted.is_empty()
            && accepted.iter().all(|protocol| self.offers().contains(protocol));
        let early = match self.when {
            When::AtHead => !self.has_no_request_body(),
            When::InBody => self.request.len() > 0,
            When::AtEnd => false,
        };
        let surely_early = early && (self.when == When::AtHead || self.request.plan == Plan::Streamed);
        let announces = planned != Some(0) && !upgrade;
        let agrees = told == planned || (self.head_only() && matches!(planned, Some(0) | None));
        let rules = [
            (!upgrade && (interim || self.is_tunnel()), SendError::WrongStatusClass, true),
            (upgrade && !offered && !self.is_tunnel(), SendError::UpgradeNotOffered, true),
            (upgrade && early, SendError::UpgradeNotOffered, surely_early),
            (upgrade && told.is_some(), SendError::ContentLengthMismatch, true),
            (matches!(self.status, 204 | 205) && announces, SendError::ContentForbidden, true),
            (!upgrade && told.is_some() && !agrees, SendError::ContentLengthMismatch, true),
            // A 204 has no length, and a 205 none but zero (RFC 9110 §8.6, §15.3.6).
            (self.status == 204 && told.is_some(), SendError::ContentLengthMismatch, true),
            (self.status == 205 && told.is_some_and(|told| told > 0), SendError::ContentLengthMismatch, true),
        ];
        rules.into_iter().filter_map(|(holds, error, must)| holds.then_some((error, must))).collect()
    }

    /// The request as the server has to read it.
    pub(crate) fn received_request(&self) -> Received {
        let request = &self.request;
        // Without content a length is told where a server may wait for some (RFC 9110 §8.6).
        let usual = !["GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "CONNECT"].contains(&self.method.as_str());
        let silent = request.told().is_some() || (request.plan == Plan::Empty && !usual);
        let framing = if silent { None } else { Some(request.framing()) };
        let length = match (request.told(), &framing, request.planned()) {
            (Some(length), ..) | (None, Some(_), Some(length)) => ResponseLength::Known(length),
            (None, Some(_), None) => ResponseLength::Chunked,
            (None, None, _) => ResponseLength::None,
        };
        let mut options = Vec::new();
        if request.fields.iter().any(|field| field.0.eq_ignore_ascii_case("upgrade"))
            && !request.has_option("upgrade")
        {
            options.push("upgrade");
        }
        if !request.list("te").is_empty() && !request.has_option("te") {
            options.push("te");
        }
        Received {
            first: format!("{} {}", self.method, self.target),
            fields: request.fields_with(framing, &options),
            length,
            body: request.pieces.concat(),
            trailers: request.trailers.clone(),
            complete: true,
        }
    }

    /// The responses as the client has to read them, the final one last.
    pub(crate) fn received_responses(&self) -> Vec<Received> {
        let interim = |status: &str, fields: Vec<Line>| Received {
            first: status.to_owned(),
            fields,
            length: ResponseLength::None,
            body: Vec::new(),
            trailers: Vec::new(),
            complete: true,
        };
        let mut all = Vec::new();
        if self.continues() {
            all.push(interim("100", Vec::new()));
        }
        all.extend((0..self.hints).map(|at| interim("103", vec![hint(at)])));

        let response = &self.response;
        let silent = match (self.status, response.plan) {
            _ if response.told().is_some() || self.switches() => true,
            // No length at all; and of a 304 only one that is known.
            (204, _) | (304, Plan::Empty | Plan::Streamed) => true,
            (304, Plan::Length) => response.len() == 0,
            // A GET would have got nothing (RFC 9110 §8.6, §15.3.6).
            (205, _) if response.planned() != Some(0) => true,
            (_, Plan::Empty) => self.head_only(),
            _ => false,
        };
        let framing = if silent { None } else { Some(response.framing()) };
        let length = match (response.told(), response.planned()) {
            _ if self.has_no_response_body() => ResponseLength::None,
            (Some(length), _) | (None, Some(length)) => ResponseLength::Known(length),
            (None, None) => ResponseLength::Chunked,
        };
        let options: &[&str] = match (self.switches(), self.keeps()) {
            (true, _) if self.is_tunnel() || response.has_option("upgrade") => &[],
            (true, _) => &["upgrade"],
            (false, false) if !response.has_option("close") => &["close"],
            _ => &[],
        };
        let empty = self.has_no_response_body();
        all.push(Received {
            first: self.status.to_string(),
            fields: response.fields_with(framing, options),
            length,
            body: if empty { Vec::new() } else { response.pieces.concat() },
            trailers: if empty { Vec::new() } else { response.trailers.clone() },
            complete: !self.switches(),
        });
        all
    }
}

/// The field of an interim response.
pub(crate) fn hint(at: usize) -> Line {
    line("Link", format!("</{at}>"))
}
