//! What must hold for any bytes: no panic, progress, the same outcome however the bytes arrive, the
//! same reading of a head as `httparse`, and no body byte that becomes a request.

#[path = "support/chunks.rs"]
mod chunks;
#[path = "support/differential.rs"]
mod differential;
#[path = "support/driver.rs"]
mod driver;
#[path = "support/operations.rs"]
mod operations;
#[path = "support/pieces.rs"]
mod pieces;

use driver::{Answer, Seen, run};
use proptest::prelude::*;
use sinew_proto::Config;

/// Words of which requests, and nearly requests, are made.
const WORDS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.1\r\n",
    "HEAD / HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    "GET http://a/ HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /\r\n",
    "get /%41%zz HTTP/1.1\r\n",
    "Host: a\r\n",
    "Host: a\r\n\r\n",
    "host:\ta \r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n\r\n",
    "Content-Length: +5\r\n",
    "Content-Length : 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Upgrade: x\r\n",
    "Expect: 100-continue\r\n",
    "X: y\r\n",
    "X:\r\n",
    "\u{fc}: y\r\n",
    " folded\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    ":",
    "hello",
    "5\r\nhello\r\n",
    "5;a=\"b\"\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nT: u\r\n\r\n",
    "FFFFFFFFFFFFFFFF\r\n",
    "1\r\nx\r\n",
    "000001\r\nx\r\n",
    "\0",
    "\u{7f}",
];

/// A whole request, to be damaged by one of the words, or not.
const REQUESTS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nhe\r\n3\r\nllo\r\n0\r\nT: u\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx",
    "GET /c HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
];

fn words() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(WORDS), 0..12).prop_map(|words| words.concat().into_bytes())
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let requests = prop::collection::vec(prop::sample::select(REQUESTS), 1..4);
    let damage = prop::option::of((any::<prop::sample::Index>(), 0..3_usize, prop::sample::select(WORDS)));
    (requests, damage).prop_map(|(requests, damage)| {
        let mut bytes = requests.concat().into_bytes();
        if let Some((index, cut, word)) = damage {
            let at = index.index(bytes.len());
            let end = bytes.len().min(at + cut);
            bytes.splice(at..end, word.bytes());
        }
        bytes
    })
}

fn wire() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        3 => words(),
        4 => damaged(),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop::sample::select(vec![Answer::Never, Answer::AtOnce, Answer::AtEnd, Answer::Continue, Answer::Switch])
}

fn config() -> impl Strategy<Value = Config> {
    let small = (0..160_u32, 0..40_u32, 0..6_u16, 0..12_u32, 0..32_u32, 0..16_u32);
    let small = small.prop_map(|(head, target, fields, extensions, trailers, drain)| Config {
        max_head_bytes: head,
        max_target_bytes: target,
        max_fields: fields,
        max_chunk_extension_bytes: extensions,
        max_trailer_bytes: trailers,
        max_drain_bytes: drain,
        ..Config::default()
    });
    prop_oneof![2 => Just(Config::default()), 1 => small]
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn the_pieces_do_not_matter(
        wire in wire(), config in config(), answer in answer(), end in any::<bool>(), seed in any::<u64>(),
    ) {
        let whole = run(&config, answer, [&wire[..]], end);
        prop_assert_eq!(&run(&config, answer, wire.chunks(1), end), &whole);
        for longest in [3, 30] {
            prop_assert_eq!(&run(&config, answer, pieces::at_random(&wire, longest, seed), end), &whole);
        }
    }

    #[test]
    fn any_operation_at_any_time(
        script in prop::collection::vec(prop::sample::select(&b"0123456789rlsnNCLEuUiIcdDzZfFX!etoOhHwWvSa"[..]), 0..60),
        wire in wire(),
    ) {
        operations::run(&script, &wire);
    }

    #[test]
    fn heads_are_read_as_httparse_reads_them(
        wire in prop_oneof![words(), damaged(), prop::collection::vec(any::<u8>(), 0..100)],
    ) {
        differential::same_head(&wire);
    }

    #[test]
    fn chunked_bodies_come_back(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
        style in any::<u8>(), step in 1..20_usize,
    ) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let mut wire = chunks::encode(&pieces, style);
        let len = wire.len();
        wire.extend_from_slice(b"GET ");
        prop_assert_eq!(chunks::decode(&wire, step), Ok(Some((pieces.concat(), len))));
    }

    /// The body is a request, or looks like one, and the answer is out before it comes.
    #[test]
    fn a_body_is_never_a_request(
        body in wire(), chunked in any::<bool>(), style in any::<u8>(), drain in 0..400_u32, longest in 1..50_usize,
        seed in any::<u64>(),
    ) {
        let framed = if chunked {
            let mut framed = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
            framed.extend(chunks::encode(&[&body], style));
            framed
        } else {
            let mut framed = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
            framed.extend_from_slice(&body);
            framed
        };
        let wire = [b"POST /first HTTP/1.1\r\nHost: a\r\n", &framed[..], b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let config = Config { max_drain_bytes: drain, ..Config::default() };
        let seen = run(&config, Answer::AtOnce, pieces::at_random(&wire, longest, seed), false).seen;
        let targets: Vec<&str> = seen.iter().filter_map(|seen| match seen {
            Seen::Request(request) => Some(request.target.as_str()),
            _ => None,
        }).collect();
        if body.len() <= drain as usize {
            prop_assert_eq!(targets, ["/first", "/second"]);
        } else {
            prop_assert_eq!(targets, ["/first"]);
            prop_assert!(matches!(seen.last(), Some(Seen::Closed(_))));
        }
    }
}

/// The differential above would say nothing if we accepted nothing.
#[test]
fn the_differential_compares_something() {
    for request in REQUESTS {
        assert!(differential::same_head(request.as_bytes()), "{request}");
    }
    assert!(differential::same_head(b"\r\nGET /a?b=c HTTP/1.1\r\nHost:a\r\nX: \ty\xff \t\r\nZ:\r\n\r\n"));
}

/// Single bytes put in every place of a head: where we accept them, `httparse` does.
#[test]
fn every_byte_in_every_place_of_a_head() {
    let head = b"GET /a HTTP/1.1\r\nHost: a\r\nX-Y: z w\r\n\r\n";
    let mut accepted = 0;
    for at in 0..head.len() {
        for byte in 0..=255 {
            let mut replaced = head.to_vec();
            replaced[at] = byte;
            let mut inserted = head.to_vec();
            inserted.insert(at, byte);
            accepted += usize::from(differential::same_head(&replaced));
            accepted += usize::from(differential::same_head(&inserted));
        }
    }
    assert!((2_000..20_000).contains(&accepted), "{accepted} accepted");
}
