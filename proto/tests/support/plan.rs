//! A simulated connection made from a seed: what is asked, what is answered, and what the wire does
//! to it. And what must have come of it.

use std::time::Duration;

use sinew_proto::sim::{
    Answer, Ask, Body, ClientPeer, Cut, CutKind, Faults, Fields, Outcome, Random, Received, Reply,
    ServerPeer, Wire, run,
};
use sinew_proto::{Config, FieldLines, SendError, StatusCode};

pub(crate) struct Plan {
    exchanges: Vec<(Ask, Reply)>,
    pub(crate) faults: Faults,
}

type Respond = Box<dyn FnMut(&Received) -> Reply>;

/// What came of a plan.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) fingerprint: u64,
    pub(crate) took: Duration,
    pub(crate) sent_to_b: u64,
    pub(crate) sent_to_a: u64,
    pub(crate) client: ClientPeer,
    pub(crate) server: ServerPeer<Respond>,
}

impl Ran {
    /// How many exchanges have a complete response.
    pub(crate) fn complete(&self) -> usize {
        let complete = |answer: &&Answer| answer.response.as_ref().is_some_and(|response| response.complete);
        self.client.answers.iter().filter(complete).count()
    }
}

fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    *random.choose(choices).expect("a choice")
}

fn lines(random: &mut Random, first: &[(&str, &str)]) -> FieldLines {
    let mut lines = FieldLines::new();
    for (name, value) in first {
        lines.append(name, value).expect("a valid field");
    }
    for _ in 0..random.below(4) {
        let name = pick(random, &["Accept", "X-Id", "x-id", "X-Note", "Link", "a"]);
        let value: Vec<u8> =
            (0..random.below(20)).map(|_| pick(random, b"abcXYZ019 \t,;=\"\\/()\x80\xff")).collect();
        lines.append(name, value).expect("a valid field");
    }
    lines
}

fn body(random: &mut Random) -> Body {
    let mut body = Body { streamed: random.chance(1, 2), ..Body::default() };
    for _ in 0..random.below(4) {
        let len = pick(random, &[0, 1, 2, 15, 16, 300, 5_000]);
        let shape = pick(random, b"\0a\n\xff");
        body.pieces.push((0..len).map(|i: u16| i.to_le_bytes()[0] ^ shape).collect());
    }
    if body.streamed && random.chance(1, 3) {
        body.trailers = Some(lines(random, &[("X-Sum", "1")]));
    }
    body
}

fn is_empty(body: &Body) -> bool {
    !body.streamed && body.content().is_empty()
}

fn cut(random: &mut Random) -> Cut {
    let most = pick(random, &[100, 1_000, 8_000]);
    let after = random.below(most);
    Cut { after, kind: pick(random, &[CutKind::Truncate, CutKind::Reset]) }
}

fn faults(random: &mut Random) -> Faults {
    match random.below(10) {
        0..=1 => Faults::default(),
        2..=3 => Faults::gentle(),
        4 => Faults { max_piece: 1, ..Faults::gentle() },
        5 => Faults { capacity: pick(random, &[1, 7, 100]), ..Faults::default() },
        6 => Faults { cut_to_b: Some(cut(random)), ..Faults::gentle() },
        7 => Faults { cut_to_a: Some(cut(random)), ..Faults::gentle() },
        8 => Faults { cut_to_a: Some(cut(random)), cut_to_b: Some(cut(random)), ..Faults::default() },
        _ => Faults { max_piece: 3_000, stall_one_in: 3, ..Faults::gentle() },
    }
}

impl Plan {
    pub(crate) fn from_seed(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let mut exchanges: Vec<(Ask, Reply)> = (0..=random.below(4)).map(|_| exchange(random)).collect();
        if random.chance(1, 6) {
            exchanges.push(switch(random));
        }
        Self { exchanges, faults: faults(random) }
    }

    pub(crate) fn run(&self, seed: u64) -> Ran {
        let config = Config::default();
        let mut wire = Wire::new(seed, self.faults.clone());
        let mut client = ClientPeer::new(&config, self.exchanges.iter().map(|(ask, _)| ask.clone()));
        let mut replies =
            self.exchanges.iter().map(|(_, reply)| reply.clone()).collect::<Vec<_>>().into_iter();
        let respond: Respond = Box::new(move |_| replies.next().expect("no more requests than were sent"));
        let mut server = ServerPeer::new(&config, respond);
        let outcome = run(&mut wire, &mut client, &mut server, Duration::from_secs(3_600));
        Ran {
            outcome,
            fingerprint: wire.fingerprint(),
            took: Duration::from_nanos(wire.now().as_nanos()),
            sent_to_b: wire.written_by(sinew_proto::sim::End::A),
            sent_to_a: wire.written_by(sinew_proto::sim::End::B),
            client,
            server,
        }
    }

    pub(crate) fn check(&self, ran: &Ran) {
        assert_eq!(ran.outcome, Outcome::Done, "both come to an end");
        // A connection that closes takes no more requests; nothing else is wrong with them.
        assert!(matches!(ran.client.refused, None | Some(SendError::Closed)), "{:?}", ran.client.refused);
        for (at, request) in ran.server.requests.iter().enumerate() {
            same_request(&self.exchanges[at].0, request);
        }
        for (at, answer) in ran.client.answers.iter().enumerate() {
            let (ask, reply) = &self.exchanges[at];
            let told = ran.server.errors.first().map(|error| error.status().to_string());
            match &answer.response {
                // The server's answer to what it took for an error, and the last one.
                Some(response) if told.as_ref() == Some(&response.start) => {
                    assert!(!self.loses_nothing() && at + 1 >= ran.server.requests.len());
                }
                response => same_answer(ask, reply, answer, response.as_ref()),
            }
        }
        if self.loses_nothing() {
            assert_eq!((ran.client.error, &ran.server.errors[..]), (None, &[][..]));
            assert_eq!(ran.complete(), self.answered(), "every exchange up to the last one");
            self.check_switch(ran);
        }
    }

    fn loses_nothing(&self) -> bool {
        self.faults.cut_to_a.is_none() && self.faults.cut_to_b.is_none()
    }

    /// How many requests are answered if nothing is lost: up to the first that ends the connection.
    fn answered(&self) -> usize {
        let last = self.exchanges.iter().position(|(ask, reply)| {
            let closes = |fields: &FieldLines| fields.get("connection") == Some(b"close");
            let unread = reply.early && ask.fields.contains("expect");
            closes(&ask.fields) || closes(&reply.fields) || unread
        });
        last.map_or(self.exchanges.len(), |last| last + 1)
    }

    fn check_switch(&self, ran: &Ran) {
        let (ask, reply) = self.exchanges.last().expect("an exchange");
        if self.answered() == self.exchanges.len() && !ask.tunnel.is_empty() {
            assert_eq!(ran.server.tunnel, ask.tunnel);
            assert_eq!(ran.client.tunnel, reply.body.content());
        }
    }
}

fn exchange(random: &mut Random) -> (Ask, Reply) {
    let method = pick(random, &["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "x-Method!"]);
    let target = match method {
        "OPTIONS" => "*",
        _ => pick(random, &["/", "/a/b?c=d&e", "http://a/x", "/%20"]),
    };
    let sent = if random.chance(1, 2) { Body::default() } else { body(random) };
    let mut fields = lines(random, &[("Host", "a")]);
    if !is_empty(&sent) && random.chance(1, 4) {
        fields.append("Expect", "100-continue").expect("a valid field");
    }
    if random.chance(1, 12) {
        fields.append("Connection", "close").expect("a valid field");
    }
    let mut ask = Ask::new(method, target, fields);
    ask.body = sent;
    ask.pipelined = random.chance(1, 2);

    let status = pick(random, &[200, 200, 201, 204, 205, 206, 304, 404, 500]);
    let mut fields = lines(random, &[]);
    if random.chance(1, 12) {
        fields.append("Connection", "close").expect("a valid field");
    }
    let reply = Reply {
        status: StatusCode::new(status).expect("a status"),
        fields,
        body: if matches!(status, 204 | 205 | 304) { Body::default() } else { body(random) },
        hints: (0..random.below(3)).map(|_| lines(random, &[("Link", "</style.css>")])).collect(),
        early: random.chance(1, 4),
    };
    (ask, reply)
}

/// An upgrade or a tunnel: the last thing on a connection.
fn switch(random: &mut Random) -> (Ask, Reply) {
    let connect = random.chance(1, 2);
    let (mut ask, mut reply) = exchange(random);
    ask.body = Body::default();
    ask.tunnel = b"not HTTP \r\n\r\n any more".to_vec();
    ask.fields = lines(random, &[("Host", "a")]);
    (ask.method, ask.target) =
        if connect { ("CONNECT".into(), "a:443".into()) } else { ("GET".into(), "/".into()) };
    reply.status = if connect { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS };
    reply.fields = lines(random, &[]);
    if !connect {
        ask.fields.append("Upgrade", "x/1, websocket").expect("a valid field");
        reply.fields.append("Upgrade", "websocket").expect("a valid field");
    }
    reply.body =
        Body { pieces: vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![0; 9_000]], ..Body::default() };
    reply.early = false;
    (ask, reply)
}

/// The application's lines come first, in order and case as they were set.
fn same_fields(sent: &FieldLines, seen: &Fields) {
    let sent: Fields = sent.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    assert_eq!(sent, seen[..sent.len().min(seen.len())]);
}

fn same_trailers(body: &Body, seen: &Received) {
    let none = FieldLines::new();
    let sent = body.trailers.as_ref().unwrap_or(&none);
    if seen.complete || !seen.trailers.is_empty() {
        same_fields(sent, &seen.trailers);
        assert_eq!(sent.iter().count(), seen.trailers.len());
    }
}

fn same_request(ask: &Ask, seen: &Received) {
    assert_eq!(seen.start, format!("{} {}", ask.method, ask.target));
    same_fields(&ask.fields, &seen.fields);
    let content = ask.body.content();
    assert!(content.starts_with(&seen.content), "what is read was sent");
    if seen.complete {
        assert_eq!(seen.content.len(), content.len());
        same_trailers(&ask.body, seen);
    }
}

fn same_answer(ask: &Ask, reply: &Reply, answer: &Answer, response: Option<&Received>) {
    let hints: Vec<&Received> = answer.interim.iter().filter(|interim| interim.start == "103").collect();
    assert!(hints.len() <= reply.hints.len());
    for (sent, seen) in reply.hints.iter().zip(&hints) {
        same_fields(sent, &seen.fields);
    }
    let Some(response) = response else { return };
    assert_eq!(hints.len(), reply.hints.len(), "interim responses come before the final one");
    assert_eq!(response.start, reply.status.to_string());
    same_fields(&reply.fields, &response.fields);
    if !ask.tunnel.is_empty() {
        return;
    }
    let bodiless = ask.method == "HEAD" || matches!(reply.status.as_u16(), 204 | 205 | 304);
    let content = if bodiless { Vec::new() } else { reply.body.content() };
    assert!(content.starts_with(&response.content), "what is read was sent");
    if response.complete {
        assert_eq!(response.content.len(), content.len());
        if !bodiless {
            same_trailers(&reply.body, response);
        }
    }
}
