//! The core against two other readers: `httparse`, a lenient parser by others, and the naive parser
//! in `support/naive`, a strict one written from the text of the RFCs.

#[path = "support/agree.rs"]
mod agree;
#[path = "support/damage.rs"]
mod damage;
#[path = "support/differential.rs"]
mod differential;
#[path = "support/driver.rs"]
#[allow(dead_code, reason = "how the bytes arrive is tested elsewhere")]
mod driver;
#[path = "support/fixture.rs"]
#[allow(dead_code, reason = "what a fixture expects is compared in its own test")]
mod fixture;
#[path = "support/naive/mod.rs"]
#[allow(dead_code, reason = "the tests of the encoder use the rest")]
mod naive;
#[path = "support/text.rs"]
#[allow(dead_code, reason = "only cases are read here")]
mod text;
#[path = "support/wires.rs"]
#[allow(dead_code, reason = "the properties use the rest")]
mod wires;

use std::path::{Path, PathBuf};

use agree::{ANSWERS, agree};
use differential::{Outcome, same_request};
use proptest::prelude::*;
use sinew_proto::{Config, RecvError};
use wires::{REQUESTS, SEEDS, answer, cases, config, mutations, wire};

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_fixture_is_read_as_the_naive_parser_reads_it() {
    let directory = manifest().join("tests/fixtures");
    let entries = std::fs::read_dir(directory).expect("the directory of fixtures");
    let files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "http"))
        .collect();
    let mut messages = 0;
    for case in files.iter().flat_map(|path| fixture::read(path)) {
        for answer in ANSWERS {
            messages += agree(&case.input, &case.config, answer, case.end);
            agree(&case.input, &case.config, answer, !case.end);
        }
    }
    assert!(messages > 500, "only {messages} messages");
}

/// Each seed on a thread of its own: there are many mutations.
#[test]
fn every_single_byte_mutation_is_read_as_the_naive_parser_reads_it() {
    let each = |seed: &'static str| {
        let config = Config { max_drain_bytes: 8, ..Config::default() };
        let mut messages = agree(seed.as_bytes(), &config, agree::ANSWERS[0], true);
        for (number, wire) in mutations(seed.as_bytes()).enumerate() {
            let answer = ANSWERS[number % ANSWERS.len()];
            messages += agree(&wire, &config, answer, number % 2 == 0);
        }
        messages
    };
    let messages: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = SEEDS.iter().map(|seed| scope.spawn(move || each(seed))).collect();
        threads.into_iter().map(|thread| thread.join().expect("agreement")).sum()
    });
    assert!(messages > 20_000, "only {messages} messages");
}

/// Where a limit strikes: for each seed and each limit, every value that makes a difference.
#[test]
fn limits_strike_in_the_same_place() {
    for seed in SEEDS.iter().chain(REQUESTS) {
        let wire = seed.as_bytes();
        for value in 0..u32::try_from(wire.len()).expect("a short seed") + 2 {
            let few = u16::try_from(value).expect("a short seed");
            for config in [
                Config { max_head_bytes: value, ..Config::default() },
                Config { max_target_bytes: value, ..Config::default() },
                Config { max_fields: few, ..Config::default() },
                Config { max_chunk_extension_bytes: value, ..Config::default() },
                Config { max_trailer_bytes: value, ..Config::default() },
                Config { max_drain_bytes: value, ..Config::default() },
            ] {
                agree(wire, &config, ANSWERS[0], true);
                agree(wire, &config, ANSWERS[1], false);
            }
        }
    }
}

/// A request line without end is refused at the byte that makes it longer than any valid one.
#[test]
fn long_request_lines_are_refused_at_the_same_byte() {
    let wire = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(64));
    for target in (0..40).chain(60..70) {
        for head in [target + 40, target + 42, target + 43, target + 44, 200] {
            let config = Config { max_target_bytes: target, max_head_bytes: head, ..Config::default() };
            for len in 0..=wire.len() {
                agree(&wire.as_bytes()[..len], &config, ANSWERS[0], false);
            }
        }
    }
}

/// A message that is broken off at any byte.
#[test]
fn every_prefix_is_read_as_the_naive_parser_reads_it() {
    for seed in SEEDS.iter().chain(REQUESTS) {
        for len in 0..seed.len() {
            for answer in ANSWERS {
                agree(&seed.as_bytes()[..len], &Config::default(), answer, len % 2 == 0);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn nearly_requests_are_read_as_the_naive_parser_reads_them(
        wire in wire(), config in config(), answer in answer(), end in any::<bool>(),
    ) {
        agree(&wire, &config, answer, end);
    }

    #[test]
    fn heads_are_read_as_httparse_reads_them(wire in wire()) {
        same_request(&wire);
    }
}

/// Single bytes in every place of a head, all 256: what we accept `httparse` reads in the same way,
/// what only it accepts is refused by a rule of the list.
#[test]
fn every_byte_in_every_place_of_a_head() {
    let heads: [&[u8]; 2] = [
        b"GET /a HTTP/1.1\r\nHost: a\r\nX-Y: z w\r\n\r\n",
        b"PUT http://a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    ];
    let (mut both, mut stricter) = (0, 0);
    for head in heads {
        for at in 0..head.len() {
            for byte in 0..=255 {
                let mut replaced = head.to_vec();
                replaced[at] = byte;
                let mut inserted = head.to_vec();
                inserted.insert(at, byte);
                for wire in [replaced, inserted] {
                    match same_request(&wire) {
                        Outcome::Both => both += 1,
                        Outcome::Stricter(_) => stricter += 1,
                        Outcome::Neither => {}
                    }
                }
            }
        }
    }
    assert!((5_000..40_000).contains(&both), "{both} accepted by both");
    assert!((5_000..40_000).contains(&stricter), "{stricter} refused by us alone");
}

/// The list and the table of the documentation are the same, and no row is dead: each has heads
/// that `httparse` accepts and we refuse with its error, and a fixture of that error.
#[test]
fn stricter_rules_are_documented_and_alive() {
    let long = |len: usize| "a".repeat(len);
    let limits = [
        (RecvError::TargetTooLong, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(8 * 1024))),
        (RecvError::HeadTooLarge, format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", long(16 * 1024))),
        (RecvError::TooManyFields, format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100))),
    ];
    let document = std::fs::read_to_string(manifest().join("../docs/http-support.md")).expect("the document");
    let table = differential::table(&document, "## Stricter than a lenient parser");
    assert_eq!(table.len(), differential::REQUESTS.len());
    for ([rule, error, rfc, test], listed) in table.iter().zip(differential::REQUESTS) {
        let (error, test) = (error.trim_matches('`'), test.trim_matches('`'));
        assert_eq!((&rule[..], &rfc[..]), (listed.rule, listed.rfc));
        assert_eq!(error, format!("{:?}", listed.error), "{rule}");
        let fixtures = std::fs::read_to_string(manifest().join(format!("tests/fixtures/{test}.http")));
        let case = format!("=> Error {error} {}", listed.error.status());
        assert!(fixtures.expect("a fixture").lines().any(|line| line == case), "{test}: {case}");

        let made = limits.iter().filter(|made| made.0 == listed.error).map(|made| &made.1[..]);
        let examples: Vec<&str> = listed.examples.iter().copied().chain(made).collect();
        assert!(!examples.is_empty(), "{rule}: no example");
        for example in examples {
            assert_eq!(
                same_request(example.as_bytes()),
                Outcome::Stricter(listed.error),
                "{rule}: {example:?}"
            );
        }
    }
}

/// The comparison would say nothing if we accepted nothing.
#[test]
fn the_comparison_with_httparse_compares_something() {
    let plain = &b"\r\nGET /a?b=c HTTP/1.1\r\nHost:a\r\nX: \ty\xff \t\r\nZ:\r\n\r\n"[..];
    for request in REQUESTS.iter().map(|request| request.as_bytes()).chain([plain]) {
        assert_eq!(same_request(request), Outcome::Both, "{}", request.escape_ascii());
    }
}
