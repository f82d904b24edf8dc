//! What is sent is what is read: for random exchanges, cut in random pieces, through tunnels, and up
//! to the byte where a connection breaks.

#[path = "support/exchange.rs"]
mod exchange;
#[path = "support/exchange_script.rs"]
mod exchange_script;
#[path = "support/pair.rs"]
mod pair;
#[path = "support/pieces.rs"]
#[allow(dead_code, reason = "a pair cuts its bytes by itself")]
mod pieces;

use exchange::{Exchange, Line, Message, Plan, When, line};
use pair::{Cut, Delivery, run, run_cut};
use proptest::prelude::*;
use sinew_proto::RecvError;

/// A name that neither frames nor routes nor stands for a connection option.
fn name() -> impl Strategy<Value = String> {
    "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}"
        .prop_filter("a name without a meaning", |name| exchange_script::is_plain_name(name))
}

/// VCHAR, obs-text, and blanks between them (RFC 9110 §5.5).
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => 0x21..=0x7e_u8, 2 => 0x80..=0xff_u8, 1 => Just(b' '), 1 => Just(b'\t')];
    prop::collection::vec(byte, 0..24).prop_map(|value| value.trim_ascii().to_vec())
}

fn fields() -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec((name(), value()), 0..6)
}

fn message() -> impl Strategy<Value = Message> {
    let plan = prop::sample::select(vec![Plan::Empty, Plan::Length, Plan::Streamed, Plan::Streamed]);
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 200..300),
        1 => Just(b"HTTP/1.1 200 OK\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    (fields(), plan, prop::collection::vec(piece, 0..5), fields(), any::<bool>()).prop_map(
        |(fields, plan, pieces, trailers, joined)| Message {
            fields,
            plan,
            pieces: if plan == Plan::Empty { Vec::new() } else { pieces },
            trailers: if plan == Plan::Streamed { trailers } else { Vec::new() },
            joined,
        },
    )
}

fn options() -> impl Strategy<Value = Vec<Line>> {
    let option = prop::sample::select(vec![
        ("Connection", "close"),
        ("connection", "x, y"),
        ("Connection", "keep-alive,, TE"),
        ("TE", "trailers"),
        ("Expect", "100-continue"),
        ("expect", "100-Continue"),
        ("Upgrade", "x, y/2"),
        ("upgrade", "h2c"),
    ]);
    prop::collection::vec(option, 0..2)
        .prop_map(|options| options.into_iter().map(|(name, value)| line(name, value)).collect())
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let methods = vec!["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "X-!#$", "TRACE"];
    let target = "/[!$&-~]{0,20}";
    let statuses = prop_oneof![3 => 200..600_u16, 2 => prop::sample::select(vec![200, 204, 205, 304, 404])];
    let times = prop::sample::select(vec![When::AtHead, When::InBody, When::AtEnd, When::AtEnd]);
    let flags = (any::<bool>(), any::<bool>(), 0..3_usize, prop::bool::weighted(0.1));
    (prop::sample::select(methods), target, message(), options(), message(), statuses, times, flags).prop_map(
        |(method, target, mut request, options, mut response, status, when, flags)| {
            let (patient, proceed, hints, close) = flags;
            let at = request.fields.len() / 2;
            request.fields.insert(at, line("hOST", "a.example"));
            request.fields.extend(options);
            if close {
                response.fields.push(line("Connection", "close"));
            }
            let method = method.to_owned();
            let plain = Exchange::new(&method);
            Exchange { method, target, request, patient, proceed, hints, status, response, when, ..plain }
        },
    )
}

/// An exchange that ends in another protocol: an upgrade, or a tunnel.
fn upgrade() -> impl Strategy<Value = Exchange> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    (exchange(), any::<bool>(), any::<bool>(), fields(), [bytes(), bytes()]).prop_map(
        |(plain, connect, optimistic, fields, tunnel)| {
            let mut exchange = if connect {
                Exchange { status: 299, optimistic, ..Exchange::new("CONNECT") }
            } else {
                let mut offer = Exchange { status: 101, when: When::AtEnd, ..plain };
                offer.request.fields.push(line("Upgrade", "other, Proto/1"));
                offer
            };
            exchange.response = Message { fields, ..Message::new(Plan::Upgrade) };
            if !connect {
                exchange.response.fields.push(line("upgrade", "proto/1"));
            }
            Exchange { tunnel, ..exchange }
        },
    )
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        2 => Just(Delivery::Whole),
        1 => Just(Delivery::Bytes),
        5 => (1..200_usize, any::<u64>()).prop_map(|(longest, seed)| Delivery::Random { longest, seed }),
    ]
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn what_is_sent_is_read(
        exchanges in prop::collection::vec(exchange(), 1..6), pipelined in any::<bool>(), delivery in delivery(),
    ) {
        let outcome = run(&exchanges, pipelined, delivery);
        prop_assert!(outcome.answered.max(outcome.refusals.len()) <= exchanges.len());
    }

    #[test]
    fn a_tunnel_gets_every_byte(
        mut exchanges in prop::collection::vec(exchange(), 0..3), last in upgrade(), delivery in delivery(),
    ) {
        exchanges.push(last);
        run(&exchanges, true, delivery);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_broken_connection_shows_a_beginning(
        exchanges in prop::collection::vec(prop_oneof![4 => exchange(), 1 => upgrade()], 1..5),
        pipelined in any::<bool>(), delivery in delivery(), to in 0..2_usize, at in any::<prop::sample::Index>(),
    ) {
        let sent = run(&exchanges, pipelined, delivery).sent[to];
        let cut = run_cut(&exchanges, pipelined, delivery, Cut { to, after: at.index(sent + 1) });
        let expected = [None, Some(RecvError::UnexpectedEnd), Some(RecvError::NoResponse)];
        prop_assert!(expected.contains(&cut.errors[to]), "{:?}", cut.errors);
    }

    #[test]
    fn any_bytes_are_a_script(
        script in prop::collection::vec(prop::sample::select(&b"GHPUDORC2053460elstjkcxnyopihmu(({{[)}]::;;>>>ab \xff"[..]), 0..60),
        pipelined in any::<bool>(), delivery in delivery(),
    ) {
        run(&exchange_script::exchanges(&script), pipelined, delivery);
    }
}
