//! Two sides that compress as their handshakes have agreed, and one that receives what no compressor
//! has made.

use sinew_proto::http1::client::{self, Client, Request};
use sinew_proto::http1::{BodyPlan, ResponseHead, Server, server};
use sinew_proto::websocket::{
    ClientHandshake, Config, Connection, DeflateConfig, DeflateParams, Event, Message, MessageKind,
    ServerHandshake,
};
use sinew_proto::{FieldLines, FieldTable, StatusCode};

use super::driver::{NOW, Role, Seen, Setup, run};
use super::frames::{Draft, KEY};
use super::pieces::{self, Random};

/// Runs both handshakes. Returns the terms as the server and as the client understood them.
pub(crate) fn agreed(server: &DeflateConfig, client: &DeflateConfig) -> [DeflateParams; 2] {
    let config = sinew_proto::Config::default();
    let asks = ClientHandshake::new(*b"the sample nonce").deflate(client);
    let mut fields = FieldLines::new();
    fields.append("Host", "localhost").expect("a valid field");
    asks.write_fields(&mut fields);
    let (mut sender, mut receiver) = (Client::new(&config), Server::new(&config));
    let (mut request, mut response) = (Vec::new(), Vec::new());
    sender.request(&Request::new("GET", "/", &fields), BodyPlan::Empty, &mut request).expect("a request");

    let mut table = FieldTable::new(&config);
    let step = receiver.poll(&request, &mut table, NOW).expect("a valid head");
    let server::Event::Request(head) = step.event else { panic!("no head") };
    let answers = ServerHandshake::from_request(&head).expect("a handshake").deflate(server);
    let (fields, of_server) = answers.accept(None).expect("no protocol was chosen");
    let of_server = of_server.deflate.expect("what our client offers our server accepts");
    let head = ResponseHead { fields: Some(&fields), ..ResponseHead::new(StatusCode::SWITCHING_PROTOCOLS) };
    receiver.respond(&head, BodyPlan::Upgrade, &mut response).expect("the upgrade was offered");

    let mut table = FieldTable::new(&config);
    let step = sender.poll(&response, &mut table, NOW).expect("a valid head");
    let client::Event::Response(head) = step.event else { panic!("no head") };
    let of_client = asks.verify(&head).expect("an answer to the offer").deflate.expect("compression");
    [of_server, of_client]
}

/// What one side says.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Text(String),
    Binary(Vec<u8>),
    /// In fragments, which are not compressed, with a ping behind each but the last.
    Fragments(Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// How two sides talk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    pub(crate) server: DeflateConfig,
    pub(crate) client: DeflateConfig,
    pub(crate) stream: bool,
    /// The longest piece that arrives at once.
    pub(crate) longest: usize,
    pub(crate) seed: u64,
}

struct End {
    role: Role,
    connection: Connection,
    stream: bool,
    threshold: usize,
    /// Written, and what the other one is to hear of it.
    sent: Vec<u8>,
    said: Vec<Seen>,
    /// Arrived and not consumed, and what was heard.
    waiting: Vec<u8>,
    heard: Vec<Seen>,
}

impl Talk {
    /// Everything that one side says the other one hears, in order and unchanged, however it arrives.
    pub(crate) fn run(&self, says: &[(Role, Say)]) {
        let [of_server, of_client] = agreed(&self.server, &self.client);
        let mut random = Random::new(self.seed);
        let mut ends = [self.end(Role::Server, of_server), self.end(Role::Client, of_client)];
        for (role, say) in says {
            let end = &mut ends[usize::from(*role == Role::Client)];
            end.say(say);
            let some = random.below(end.sent.len() + 1);
            self.deliver(&mut ends, *role, some, &mut random);
        }
        for role in Role::BOTH {
            self.deliver(&mut ends, role, usize::MAX, &mut random);
        }
        let [server, client] = &ends;
        for (speaker, listener) in [(server, client), (client, server)] {
            assert!(listener.waiting.is_empty(), "everything is consumed");
            assert_eq!(listener.heard, speaker.said, "{:?} to {:?}, {self:?}", speaker.role, listener.role);
        }
    }

    fn end(&self, role: Role, terms: DeflateParams) -> End {
        let config = Config { stream: self.stream, ..Config::default() };
        End {
            role,
            connection: role.connection(&config, KEY).with_deflate(&terms),
            stream: self.stream,
            threshold: terms.threshold(),
            sent: Vec::new(),
            said: Vec::new(),
            waiting: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn deliver(&self, ends: &mut [End; 2], from: Role, some: usize, random: &mut Random) {
        let [server, client] = ends;
        let (from, to) = if from == Role::Server { (server, client) } else { (client, server) };
        let some = some.min(from.sent.len());
        let bytes: Vec<u8> = from.sent.drain(..some).collect();
        for piece in pieces::at_random(&bytes, self.longest, random.below(1 << 30) as u64) {
            to.waiting.extend_from_slice(piece);
            to.hear();
        }
    }
}

impl End {
    fn say(&mut self, say: &Say) {
        let at = self.sent.len();
        match say {
            Say::Text(text) => {
                self.connection.send(Message::Text(text), &mut self.sent).expect("it is open");
                self.said(MessageKind::Text, text.as_bytes(), true);
                assert_eq!(self.sent[at] == 0xc1, text.len() >= self.threshold, "from the threshold on");
            }
            Say::Binary(bytes) => {
                self.connection.send(Message::Binary(bytes), &mut self.sent).expect("it is open");
                self.said(MessageKind::Binary, bytes, true);
                assert_eq!(self.sent[at] == 0xc2, bytes.len() >= self.threshold, "from the threshold on");
            }
            Say::Fragments(fragments) => self.say_in_fragments(fragments),
            Say::Ping(payload) => {
                self.connection.ping(payload, &mut self.sent).expect("it is open");
                self.said.push(Seen::Ping(payload.clone()));
            }
            Say::Pong(payload) => {
                self.connection.pong(payload, &mut self.sent).expect("it is open");
                self.said.push(Seen::Pong(payload.clone()));
            }
        }
    }

    fn say_in_fragments(&mut self, fragments: &[Vec<u8>]) {
        let mut whole = Vec::new();
        for (i, bytes) in fragments.iter().enumerate() {
            let last = i + 1 == fragments.len();
            let fragment = self.connection.fragment(MessageKind::Binary, bytes.len() as u64, last);
            let mut fragment = fragment.expect("it is open");
            assert!(fragment.prefix()[0] & 0x40 == 0, "a fragment is not compressed");
            self.sent.extend_from_slice(fragment.prefix());
            let at = self.sent.len();
            self.sent.extend_from_slice(bytes);
            fragment.mask(&mut self.sent[at..]);
            whole.extend_from_slice(bytes);
            if self.stream && (last || !bytes.is_empty()) {
                self.said(MessageKind::Binary, bytes, last);
            } else if last {
                self.said(MessageKind::Binary, &whole, true);
            }
            if !last {
                self.connection.ping(b"between", &mut self.sent).expect("it is open");
                self.said.push(Seen::Ping(b"between".to_vec()));
            }
        }
    }

    fn said(&mut self, kind: MessageKind, bytes: &[u8], last: bool) {
        let bytes = bytes.to_vec();
        let seen = match kind {
            _ if self.stream => Seen::Piece(kind, bytes, last),
            MessageKind::Text => Seen::Text(bytes),
            MessageKind::Binary => Seen::Binary(bytes),
        };
        seen.push_to(&mut self.said);
    }

    fn hear(&mut self) {
        let mut at = 0;
        loop {
            let step = self.connection.poll(&mut self.waiting[at..], NOW).expect("the rules are kept");
            at += step.consumed;
            if step.event == Event::NeedInput {
                break;
            }
            Seen::of(&step.event).push_to(&mut self.heard);
        }
        self.waiting.drain(..at);
    }
}

/// Gives `payload` as two compressed messages and a plain one behind them, in one frame each and in
/// fragments with pings between, whole and in pieces, to a connection that hands out whole messages
/// and to one that streams. Returns what all of them have seen, pings left out.
pub(crate) fn any_payload(setup: &Setup, opcode: u8, payload: &[u8], seed: u64) -> Vec<Seen> {
    let key = setup.role.other().masks().then_some(KEY);
    let mut whole = Draft::new(opcode, payload, key);
    whole.reserved = 4;
    let whole = whole.bytes();
    let after = Draft::new(1, b"after", key).bytes();
    let once = [&whole[..], &whole, &after].concat();
    let mut random = Random::new(seed);
    let fragments =
        [fragments(opcode, payload, key, &mut random), fragments(opcode, payload, key, &mut random)];
    let fragmented = [&fragments.concat()[..], &after].concat();

    let expected = messages(run(setup, [&once[..]]).seen);
    for stream in [setup.config.stream, !setup.config.stream] {
        let mut setup = setup.clone();
        setup.config.stream = stream;
        for wire in [&once, &fragmented] {
            for longest in [1, 20, usize::MAX / 2] {
                let seen = run(&setup, pieces::at_random(wire, longest, seed)).seen;
                assert_eq!(messages(seen), expected, "stream {stream}, pieces up to {longest}, {payload:x?}");
            }
        }
    }
    expected
}

/// One message in fragments, some of them empty, with pings between.
fn fragments(opcode: u8, payload: &[u8], key: Option<[u8; 4]>, random: &mut Random) -> Vec<u8> {
    let mut wire = Vec::new();
    let (mut rest, mut first) = (payload, true);
    loop {
        let (piece, tail) = rest.split_at(random.below(1 + rest.len().min(30)));
        let last = tail.is_empty() && random.below(2) == 0;
        let mut draft = Draft::new(if first { opcode } else { 0 }, piece, key);
        draft.reserved = if first { 4 } else { 0 };
        draft.fin = last;
        wire.extend(draft.bytes());
        (rest, first) = (tail, false);
        if last {
            return wire;
        }
        if random.below(3) == 0 {
            wire.extend(Draft::new(9, b"between", key).bytes());
        }
    }
}

/// Whole messages and how it ended. How much of a message was handed out before an error depends on
/// how it arrived.
pub(crate) fn messages(seen: Vec<Seen>) -> Vec<Seen> {
    let mut messages: Vec<Seen> = Vec::new();
    for seen in seen.into_iter().filter(|seen| !matches!(seen, Seen::Ping(_))) {
        let not_last = |seen: &Seen| matches!(seen, Seen::Piece(_, _, false));
        if matches!(seen, Seen::Error(_)) && messages.last().is_some_and(not_last) {
            messages.pop();
        }
        seen.push_to(&mut messages);
    }
    let whole = |seen| match seen {
        Seen::Piece(MessageKind::Text, data, true) => Seen::Text(data),
        Seen::Piece(MessageKind::Binary, data, true) => Seen::Binary(data),
        other => other,
    };
    messages.into_iter().map(whole).collect()
}
