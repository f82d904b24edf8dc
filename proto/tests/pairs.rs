//! Every small sequence of exchanges, sent by a client and answered by a server: both sides read the
//! same, and come to the same verdict on the connection. Where it breaks, each sees a beginning.

#[path = "support/exchange.rs"]
mod exchange;
#[path = "support/exchange_script.rs"]
mod exchange_script;
#[path = "support/pair.rs"]
mod pair;
#[path = "support/pieces.rs"]
#[allow(dead_code, reason = "a pair cuts its bytes by itself")]
mod pieces;

use exchange::{Exchange, Message, Plan, When, line, lines};
use pair::{Cut, Delivery, TO_CLIENT, TO_SERVER, run, run_cut};
use sinew_proto::http1::{
    BodyPlan, Client,
    client::{Kind, Request},
};
use sinew_proto::{Config, FieldTable, Instant, RecvError, SendError};

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT"];
const STATUSES: &[u16] = &[200, 204, 205, 299, 304, 404, 101];
const TIMES: &[When] = &[When::AtHead, When::InBody, When::AtEnd];

/// Empty, two pieces of a known length, chunks, chunks and trailers.
fn bodies(of: &str) -> [Message; 4] {
    let filled = |plan, joined| {
        let mut message = Message::new(plan);
        message.pieces = vec![of.into(), b"\r\n\r\n".to_vec()];
        message.joined = joined;
        message
    };
    let mut trailers = filled(Plan::Streamed, false);
    trailers.trailers = vec![line("X-Sum", "1"), line("x-sum", b"\xff")];
    [Message::new(Plan::Empty), filled(Plan::Length, true), filled(Plan::Streamed, true), trailers]
}

/// Every request of one method: each body, with `Expect`, `close`, an offer, or not.
fn requests(method: &str) -> Vec<Exchange> {
    let mut all = Vec::new();
    for body in bodies("GET / HTTP/1.1\r\n") {
        for bits in 0..8 {
            let mut exchange = Exchange::new(method);
            let host = std::mem::take(&mut exchange.request.fields);
            exchange.request = Message { fields: host, ..body.clone() };
            for (bit, name, value) in
                [(1, "Expect", "100-continue"), (2, "Connection", "close"), (4, "Upgrade", "x/1, y")]
            {
                if bits & bit != 0 {
                    exchange.request.fields.push(line(name, value));
                }
            }
            all.push(exchange);
        }
    }
    all
}

/// Every response to a request: each status, body and time, with `Content-Length`, `close`, or not.
fn responses(request: &Exchange) -> Vec<Exchange> {
    let mut all = Vec::new();
    let upgrade = Message::new(Plan::Upgrade);
    for &status in STATUSES {
        for body in bodies("HTTP/1.1 200 OK\r\n").iter().chain([&upgrade]) {
            for (bits, &when) in (0..4).flat_map(|bits| TIMES.iter().map(move |when| (bits, when))) {
                let mut exchange = Exchange { status, when, ..request.clone() };
                exchange.response = body.clone();
                let fields = &mut exchange.response.fields;
                fields.push(line("X-Order", "b"));
                fields.push(line("x-order", b"\x80 a"));
                if bits & 1 != 0 {
                    let length = if body.plan == Plan::Streamed { 5 } else { body.len() };
                    fields.push(line("Content-Length", length.to_string()));
                }
                if bits & 2 != 0 {
                    fields.push(line("Connection", "close"));
                }
                if status == 101 {
                    fields.push(line("Upgrade", "X/1"));
                }
                all.push(exchange);
            }
        }
    }
    all
}

/// Bytes come whole most of the time, else one by one or in random pieces.
fn delivery(turn: usize) -> Delivery {
    match turn % 24 {
        0 => Delivery::Bytes,
        1 | 2 => Delivery::Random { longest: 1 + turn % 40, seed: turn as u64 },
        _ => Delivery::Whole,
    }
}

/// All exchanges of one method on connections of their own.
fn product(method: &str) -> (usize, Vec<SendError>) {
    let (mut answered, mut refusals, mut turn) = (0, Vec::new(), 0_usize);
    for request in requests(method) {
        if !request.request_rules().is_empty() {
            let outcome = run(&[request, Exchange::new("GET")], false, Delivery::Whole);
            assert_eq!((outcome.answered, outcome.refusals.len()), (1, 1), "the connection is as it was");
            refusals.extend(outcome.refusals);
            continue;
        }
        for mut exchange in responses(&request) {
            turn += 1;
            // These touch neither framing nor persistence, except together with an expectation.
            exchange.hints = turn % 3;
            exchange.patient = turn % 4 != 0;
            exchange.optimistic = turn % 2 == 0;
            for proceed in [false, true] {
                if proceed && !exchange.expects() {
                    continue;
                }
                exchange.proceed = proceed;
                let outcome = run(&[exchange.clone()], false, delivery(turn));
                assert_eq!(outcome.answered, 1, "{exchange:?}");
                answered += 1;
                refusals.extend(outcome.refusals);
            }
        }
    }
    (answered, refusals)
}

/// What is refused, and at least how often among the exchanges of a method.
/// Each single refusal was held against the rules of `exchange`.
const REFUSED: &[(SendError, usize)] = &[
    // A 204 or 205 with content.
    (SendError::ContentForbidden, 2_000),
    // A 101 that is no upgrade.
    (SendError::WrongStatusClass, 1_500),
    // A switch that was not offered, or with the body unread.
    (SendError::UpgradeNotOffered, 3_000),
    // The application's own length is another one.
    (SendError::ContentLengthMismatch, 1_000),
    // An expectation without a body.
    (SendError::InvalidExpectation, 4),
];

fn check_product(method: &str) {
    let (answered, refusals) = product(method);
    assert!(answered > 16_000, "{method}: {answered}");
    for &(error, at_least) in REFUSED {
        let count = refusals.iter().filter(|other| **other == error).count();
        // To HEAD a length may be that of content which was not made.
        let fewer = method == "HEAD" && error == SendError::ContentLengthMismatch;
        let at_least = if fewer { at_least / 4 } else { at_least };
        assert!(count >= at_least, "{method}: {error:?} {count} times");
    }
}

#[test]
fn one_get() {
    check_product("GET");
}

#[test]
fn one_head() {
    check_product("HEAD");
}

#[test]
fn one_post() {
    check_product("POST");
}

#[test]
fn one_put() {
    check_product("PUT");
}

#[test]
fn one_options() {
    check_product("OPTIONS");
}

/// A CONNECT has no content; what opens a tunnel is no body.
#[test]
fn one_connect() {
    let (answered, refusals) = product("CONNECT");
    assert!(answered > 1_600, "{answered}");
    assert!(refusals.len() > 1_200 && refusals.contains(&SendError::ContentForbidden), "{}", refusals.len());
}

/// Exchanges that may be followed by another one, and some that may not, a few of each kind.
fn representatives() -> Vec<Exchange> {
    let [_, length, streamed, trailers] = bodies("HTTP/1.1 200 OK\r\n");
    let mut all = Vec::new();
    for (at, method) in METHODS.iter().enumerate() {
        let plain = Exchange::new(method);
        let mut early = Exchange { when: When::AtHead, hints: 1, ..plain.clone() };
        early.response = trailers.clone();
        let mut closing = Exchange { status: 404, ..plain.clone() };
        closing.response = length.clone();
        closing.response.fields.push(line("Connection", "x, Close"));
        let mut last = early.clone();
        last.request.fields.push(line("connection", "close"));
        let mut switched = Exchange { status: 101, ..plain.clone() };
        switched.request.fields.push(line("Upgrade", "x"));
        let mut declined = switched.clone();
        switched.response = Message::new(Plan::Upgrade);
        switched.response.fields.push(line("upgrade", "x"));
        declined.status = 200;
        all.extend([plain.clone(), early, closing, last, switched, declined]);
        if ["GET", "CONNECT"].contains(method) {
            let mut opened = Exchange { optimistic: at % 2 == 0, ..plain };
            opened.response = Message::new(Plan::Upgrade);
            all.push(opened);
            continue;
        }
        for (status, when, body) in [
            (200, When::AtEnd, &length),
            (204, When::InBody, &streamed),
            (304, When::AtHead, &trailers),
            (200, When::InBody, &trailers),
        ] {
            let mut exchange = Exchange { status, when, ..plain.clone() };
            let host = std::mem::take(&mut exchange.request.fields);
            exchange.request = Message { fields: host, ..body.clone() };
            if status == 200 {
                exchange.response = body.clone();
            }
            all.push(exchange.clone());
            exchange.request.fields.push(line("expect", "100-continue"));
            for proceed in [false, true] {
                for patient in [false, true] {
                    all.push(Exchange { patient, proceed, ..exchange.clone() });
                }
            }
        }
    }
    all
}

#[test]
fn two_exchanges() {
    let all = representatives();
    let (mut both, mut turn) = (0, 0);
    for first in &all {
        for second in &all {
            for pipelined in [false, true] {
                turn += 1;
                let outcome = run(&[first.clone(), second.clone()], pipelined, delivery(turn));
                both += usize::from(outcome.answered == 2);
            }
        }
    }
    assert!(both > 20_000, "{both} of {turn}");
}

/// Up to so many requests are on their way at a time, one of them may be the last one that counts.
#[test]
fn many_exchanges() {
    let all = representatives();
    let mut random = pieces::Random::new(1);
    let mut answered = 0;
    for turn in 0..700 {
        let len = 3 + random.below(18);
        let mut sequence = Vec::new();
        while sequence.len() < len {
            let exchange = &all[random.below(all.len())];
            if exchange.keeps() || random.below(12) == 0 {
                sequence.push(exchange.clone());
            }
        }
        answered += run(&sequence, turn % 4 != 0, delivery(turn)).answered;
    }
    assert!(answered > 6_000, "{answered}");
}

/// Exchanges with everything that can be cut in two, short enough to be cut everywhere.
const BREAKABLE: &[&str] = &[
    "G>e",
    "Pl(ab)(c)>l(def)",
    "Os(ab)t{T:u}>s(c)(def)t{V:w}",
    "Ps(ab)x>pimjs(hello)",
    "Ps(ab)x>h4l(no)",
    "G{a:b}>l(one);H>l(three);Ul(up)>is(two)t{T:u};G>ec",
    "Uyl(x)[up]>u[down]",
    "Uyl(x)j[up]>u[down]",
    "Co[up]>u[down]",
    "C>4l(no)",
];

#[test]
fn every_place_where_a_connection_can_break() {
    let (mut cuts, mut errors) = (0, 0);
    for script in BREAKABLE {
        let exchanges = exchange_script::exchanges(script.as_bytes());
        assert!(exchanges.len() == script.split(';').count(), "{script}");
        for delivery in [Delivery::Whole, Delivery::Bytes] {
            for pipelined in [false, true] {
                if pipelined && exchanges.len() == 1 {
                    continue;
                }
                let outcome = run(&exchanges, pipelined, delivery);
                assert_eq!((outcome.answered, outcome.refusals.len()), (exchanges.len(), 0), "{script}");
                for to in [TO_SERVER, TO_CLIENT] {
                    for after in 0..=outcome.sent[to] {
                        let cut = run_cut(&exchanges, pipelined, delivery, Cut { to, after });
                        let error = cut.errors[to];
                        let expected = [RecvError::UnexpectedEnd, RecvError::NoResponse];
                        assert!(error.is_none_or(|error| expected.contains(&error)), "{script} {error:?}");
                        cuts += 1;
                        errors += usize::from(error.is_some());
                    }
                }
            }
        }
    }
    assert!(cuts > 4_000 && errors > cuts / 2, "{errors} errors in {cuts}");
}

/// A request is complete with its last byte, also while its caller has still to say so.
#[test]
fn a_switch_may_follow_the_last_byte_at_once() {
    let config = Config::default();
    let (mut table, now) = (FieldTable::new(&config), Instant::from_nanos(0));
    let fields = lines(&[line("Host", "a"), line("Upgrade", "x")]);
    let input = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    for (sent, expected) in [(1, Err(RecvError::UpgradeNotOffered)), (2, Ok(Kind::Response))] {
        let (mut client, mut out) = (Client::new(&config), Vec::new());
        client.request(&Request::new("PUT", "/", &fields), BodyPlan::Length(2), &mut out).expect("a request");
        client.frame_data(sent, false).expect("a piece");
        let result = client.advance(input, &mut table, now).map(|step| step.event);
        assert_eq!(result, expected);
        assert!(!client.sends_body());
    }
}

/// What an expectation and an offer wait for is the answer to their own request, not to one before.
#[test]
fn an_answer_to_an_earlier_request_is_not_one_to_the_last() {
    let config = Config::default();
    let (mut table, now) = (FieldTable::new(&config), Instant::from_nanos(0));
    let get = lines(&[line("Host", "a")]);
    let put = lines(&[line("Host", "a"), line("Expect", "100-continue")]);
    let offer = lines(&[line("Host", "a"), line("Upgrade", "x")]);
    let mut client = Client::new(&config);
    let mut out = Vec::new();
    client.request(&Request::new("GET", "/", &get), BodyPlan::Empty, &mut out).expect("a request");
    let free = client.clone();
    client.request(&Request::new("PUT", "/", &put), BodyPlan::Length(1), &mut out).expect("another one");
    for input in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
        let step = client.advance(input.as_bytes(), &mut table, now).expect("a response");
        assert_eq!(step.consumed, input.len());
        assert!(client.awaits_continue() && client.sends_body(), "{input}");
    }

    let mut client = free;
    client.request(&Request::new("GET", "/", &offer), BodyPlan::Empty, &mut out).expect("another one");
    let input = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    assert_eq!(client.advance(input, &mut table, now), Err(RecvError::UpgradeNotOffered));
}
