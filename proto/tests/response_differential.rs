//! Heads of responses against `httparse`: what we accept it accepts, with the same parts in the same
//! places; what only it accepts is refused by a rule that the documentation lists.

#[path = "support/differential.rs"]
#[allow(dead_code, reason = "requests are compared elsewhere")]
mod differential;
#[path = "support/response_differential.rs"]
mod response_differential;

use std::path::Path;

use differential::{Outcome, table};
use proptest::prelude::*;
use response_differential::{RESPONSES, same_response};
use sinew_proto::RecvError;

const HEADS: [&str; 5] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Y: z w\r\n\r\n",
    "HTTP/1.0 404 \r\nConnection: keep-alive\r\nA:\r\n\r\n",
    "HTTP/1.1 204 No \u{e9} Content\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
];

/// Single bytes in every place of a head, all 256.
#[test]
fn every_byte_in_every_place_of_a_head() {
    let (mut both, mut stricter) = (0, 0);
    for head in HEADS.map(str::as_bytes) {
        assert_eq!(same_response(head), Outcome::Both, "{}", head.escape_ascii());
        for at in 0..head.len() {
            for byte in 0..=255 {
                let mut replaced = head.to_vec();
                replaced[at] = byte;
                let mut inserted = head.to_vec();
                inserted.insert(at, byte);
                let mut removed = head.to_vec();
                removed.remove(at);
                for wire in [replaced, inserted, removed] {
                    match same_response(&wire) {
                        Outcome::Both => both += 1,
                        Outcome::Stricter(_) => stricter += 1,
                        Outcome::Neither => {}
                    }
                }
            }
        }
    }
    assert!(both > 10_000, "{both} accepted by both");
    assert!(stricter > 5_000, "{stricter} refused by us alone");
}

fn line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 \r\n",
        "HTTP/1.1 200\r\n",
        "HTTP/1.0 302 Found\n",
        "HTTP/1.1 304 a\tb\r\n",
        "HTTP/1.1 101 \r\n",
        "HTTP/2.0 200 OK\r\n",
        "Content-Length: 5\r\n",
        "content-length:0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Connection: upgrade\r\n",
        "Upgrade: x\r\n",
        "a: b\r\n",
        " a\r\n",
        "a : b\r\n",
        ": b\r\n",
        "\r\n",
        "\n",
        "\r",
        "x",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nearly_heads(
        first in line(), lines in prop::collection::vec(line(), 0..6), noise in prop::option::of(any::<u8>()), at in 0..60_usize,
    ) {
        let mut wire = [first, &lines.concat(), "\r\n"].concat().into_bytes();
        if let Some(noise) = noise {
            wire.insert(at.min(wire.len()), noise);
        }
        same_response(&wire);
    }
}

/// The list and the table of the documentation are the same, and no row is dead: each has heads
/// that `httparse` accepts and we refuse with its error, and a fixture of that error.
#[test]
fn stricter_rules_are_documented_and_alive() {
    let long = "a".repeat(16 * 1024);
    let limits = [
        (RecvError::HeadTooLarge, format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n")),
        (RecvError::TooManyFields, format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101))),
    ];
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(manifest.join("../docs/http-support.md")).expect("the document");
    let table = table(&document, "In the head of a response");
    assert_eq!(table.len(), RESPONSES.len());
    for ([rule, error, rfc, test], listed) in table.iter().zip(RESPONSES) {
        let (error, test) = (error.trim_matches('`'), test.trim_matches('`'));
        assert_eq!((&rule[..], &rfc[..]), (listed.rule, listed.rfc));
        assert_eq!(error, format!("{:?}", listed.error), "{rule}");
        let fixtures = std::fs::read_to_string(manifest.join(format!("tests/fixtures/{test}.http")));
        let case = format!("=> Error {error}");
        assert!(fixtures.expect("a fixture").lines().any(|line| line == case), "{test}: {case}");

        let made = limits.iter().filter(|made| made.0 == listed.error).map(|made| &made.1[..]);
        let examples: Vec<&str> = listed.examples.iter().copied().chain(made).collect();
        assert!(!examples.is_empty(), "{rule}: no example");
        for example in examples {
            assert_eq!(
                same_response(example.as_bytes()),
                Outcome::Stricter(listed.error),
                "{rule}: {example:?}"
            );
        }
    }
}
