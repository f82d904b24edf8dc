//! What must hold for a client whatever the server sends and the caller does: no panic, progress, the
//! same outcome however the bytes arrive, no state that a refused call has changed, and no more to be
//! kept than the limits say.

#[path = "support/asked.rs"]
mod asked;
#[path = "support/client_driver.rs"]
#[allow(dead_code, reason = "fixtures use the rest")]
mod client_driver;
#[path = "support/client_operations.rs"]
mod client_operations;
#[path = "support/damage.rs"]
mod damage;
#[path = "support/pieces.rs"]
mod pieces;

use asked::Asked;
use client_driver::{Seen, run};
use damage::near;
use proptest::prelude::*;
use sinew_proto::{Config, RecvError};

/// Words of which responses, and nearly responses, are made.
const WORDS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 304 \r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 417 \r\n",
    "HTTP/1.1 200\r\n",
    "HTTP/1.1 600 X\r\n",
    "HTTP/2.0 200 OK\r\n",
    "HTTP/1.1  200 OK\r\n",
    "http/1.1 200 OK\r\n",
    "HTTP/1.1 200 \u{fc}\r\n",
    "ICY 200 OK\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 5\r\n\r\n",
    "Content-Length: 0\r\n\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 5, 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Upgrade: x\r\n",
    "Upgrade: h2c\r\n",
    "X: y\r\n",
    "X:\r\n",
    "X : y\r\n",
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
    "\0",
    "\u{7f}",
];

/// A whole response, to be damaged by one of the words, or not.
const RESPONSES: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nhe\r\n3\r\nllo\r\n0\r\nT: u\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nhello",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
];

fn wire() -> impl Strategy<Value = Vec<u8>> {
    near(WORDS, RESPONSES, 4, 6)
}

fn config() -> impl Strategy<Value = Config> {
    let small = (0..120_u32, 0..6_u16, 0..12_u32, 0..32_u32, 0..3_u8);
    let small = small.prop_map(|(head, fields, extensions, trailers, interim)| Config {
        max_head_bytes: head,
        max_fields: fields,
        max_chunk_extension_bytes: extensions,
        max_trailer_bytes: trailers,
        max_interim_responses: interim,
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
        wire in wire(), config in config(), asked in prop::sample::select(&Asked::ALL[..]), end in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let asks = asked.requests();
        let whole = run(&config, &asks, [&wire[..]], end);
        prop_assert_eq!(&run(&config, &asks, wire.chunks(1), end), &whole);
        for longest in [3, 30] {
            prop_assert_eq!(&run(&config, &asks, pieces::at_random(&wire, longest, seed), end), &whole);
        }
    }

    #[test]
    fn any_operation_at_any_time(
        script in prop::collection::vec(prop::sample::select(&b"0123456789gGhouUkpPsxXcLETMHdDzZfFCAetiIbBwWvSa"[..]), 0..60),
        wire in wire(),
    ) {
        client_operations::run(&script, &wire);
    }

    /// A body that looks like responses is a body, and each response is that of its request.
    #[test]
    fn a_body_is_never_a_response(body in wire(), longest in 1..50_usize, seed in any::<u64>()) {
        let length = body.len();
        let second = "HTTP/1.1 404 Second\r\nContent-Length: 9\r\n\r\n";
        let third = "HTTP/1.1 204 Third\r\n\r\n";
        let first = format!("HTTP/1.1 200 First\r\nContent-Length: {length}\r\n\r\n");
        let wire = [first.as_bytes(), &body, second.as_bytes(), third.as_bytes()].concat();
        let seen = run(&Config::default(), &Asked::Pipelined.requests(), pieces::at_random(&wire, longest, seed), false);
        let heads = seen.seen.iter().filter(|seen| matches!(seen, Seen::Response(_))).count();
        let data: Vec<u8> = seen.seen.iter().flat_map(|seen| match seen {
            Seen::Data(data) => data.clone(),
            _ => Vec::new(),
        }).collect();
        prop_assert_eq!((heads, seen.unanswered), (3, 0));
        prop_assert_eq!(seen.seen.last(), Some(&Seen::Idle));
        prop_assert_eq!(data, body);
    }
}

/// The properties above would say little if the responses were refused.
#[test]
fn the_responses_are_responses() {
    for response in RESPONSES {
        for asked in Asked::ALL {
            let seen = run(&Config::default(), &asked.requests(), [response.as_bytes()], false).seen;
            let heads = |seen: &&Seen| matches!(seen, Seen::Interim(_) | Seen::Response(_));
            let switch = response.contains(" 101 ");
            let expected = match asked {
                Asked::Nothing => 0,
                Asked::Upgrade => 1,
                _ => usize::from(!switch),
            };
            assert_eq!(seen.iter().filter(heads).count(), expected, "{asked:?} {response:?}");
        }
    }
}

/// What never ends is refused, and until then the driver checks how much of it a caller
/// has to keep.
#[test]
fn what_has_no_end() {
    let config = Config {
        max_head_bytes: 200,
        max_trailer_bytes: 100,
        max_chunk_extension_bytes: 1_000,
        ..Config::default()
    };
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows = [
        ("HTTP/1.1 200 ".to_owned(), "O", RecvError::HeadTooLarge),
        ("HTTP/1.1 200 OK\r\n".to_owned(), "X: y\r\n", RecvError::HeadTooLarge),
        ("HTTP/1.1 200 OK\r\n".to_owned(), "n", RecvError::HeadTooLarge),
        ("HTTP/1.1 200 OK\r\nX:".to_owned(), " ", RecvError::HeadTooLarge),
        (String::new(), "HTTP/1.1 100 \r\n\r\n", RecvError::TooManyInterimResponses),
        (chunked.to_owned(), "0", RecvError::InvalidChunkSize),
        ([chunked, "1;a"].concat(), "a", RecvError::ChunkExtensionsTooLarge),
        (chunked.to_owned(), "1;extension\r\nx\r\n", RecvError::ChunkExtensionsTooLarge),
        ([chunked, "0\r\n"].concat(), "X: y\r\n", RecvError::TrailersTooLarge),
        ([chunked, "0\r\nX: "].concat(), "y", RecvError::TrailersTooLarge),
    ];
    for (start, more, error) in rows {
        let wire = [start.as_str(), &more.repeat(20_000 / more.len())].concat().into_bytes();
        for size in [1, 7, 1_000] {
            let seen = run(&config, &Asked::Get.requests(), wire.chunks(size), false).seen;
            assert!(seen.contains(&Seen::Error(error)), "{start:?} {more:?} {:?}", seen.last());
        }
    }
}

/// Any number of interim responses may be allowed, and then one more is too many.
#[test]
fn the_limit_of_interim_responses_is_exact() {
    for limit in [0, 1, 254, 255_u8] {
        let config = Config { max_interim_responses: limit, ..Config::default() };
        let interim = "HTTP/1.1 100 \r\n\r\n";
        let most = interim.repeat(limit.into());
        let seen = run(&config, &Asked::Get.requests(), [most.as_bytes()], false).seen;
        assert_eq!((seen.len(), seen.last()), (usize::from(limit) + 1, Some(&Seen::NeedInput)));
        let seen = run(&config, &Asked::Get.requests(), [most.as_bytes(), interim.as_bytes()], false).seen;
        assert!(seen.contains(&Seen::Error(RecvError::TooManyInterimResponses)), "{limit}");
    }
}
