//! What must hold for any bytes: no panic, progress, the same outcome however the bytes arrive,
//! and no body byte that becomes a request.

#[path = "support/chunks.rs"]
mod chunks;
#[path = "support/damage.rs"]
mod damage;
#[path = "support/driver.rs"]
mod driver;
#[path = "support/heads.rs"]
mod heads;
#[path = "support/operations.rs"]
mod operations;
#[path = "support/pieces.rs"]
mod pieces;
#[path = "support/wires.rs"]
#[allow(dead_code, reason = "the differential tests use the rest")]
mod wires;

use driver::{Answer, Seen, run};
use proptest::prelude::*;
use sinew_proto::Config;
use wires::{answer, cases, config, wire};

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
    fn heads_hold(wire in wire(), config in config(), step in 1..40_usize) {
        heads::check(&wire, &config, step);
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
