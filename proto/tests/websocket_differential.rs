//! The core against the naive reader: over all headers, over every byte that is changed in a set of
//! exchanges, and over every beginning of them.

#[path = "support/websocket/agree.rs"]
mod agree;
#[path = "support/websocket/driver.rs"]
mod driver;
#[path = "support/websocket/frames.rs"]
#[allow(dead_code, reason = "the fixtures use the rest")]
mod frames;
#[path = "support/websocket/naive.rs"]
mod naive;
#[path = "support/pieces.rs"]
#[allow(dead_code, reason = "the generator alone")]
mod pieces;
#[path = "support/websocket/seeds.rs"]
mod seeds;

use agree::agree;
use driver::{Role, Seen, Setup};
use frames::{Draft, KEY};
use pieces::Random;
use seeds::{LIMITS, seeds};

fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    for role in Role::BOTH {
        for stream in [false, true] {
            for end in [false, true] {
                let mut setup = Setup::new(role);
                setup.config = sinew_proto::websocket::Config { stream, ..LIMITS };
                setup.end = end;
                setups.push(setup);
            }
        }
    }
    setups
}

/// Every opcode, with and without the final bit, with every reserved bit, masked and not, with every
/// length: each of the 65,536 beginnings, alone and inside of a message.
#[test]
fn every_first_and_second_byte() {
    let mut outcomes = std::collections::BTreeMap::<String, usize>::new();
    for role in Role::BOTH {
        let key = role.other().masks().then_some(KEY);
        let before = [Vec::new(), Draft::new(1, b"a", key).more().bytes()];
        for first in 0..=255 {
            for second in 0..=255 {
                for before in &before {
                    // Bytes that are a length, a key and a payload, as it comes.
                    let header = [first, second, 0, 200, 0x37, 0xfa, 0x21, 0x3d, 1, 2];
                    let wire = [&before[..], &header[..], &[0; 131]].concat();
                    let setup = Setup::new(role);
                    let seen = agree(&setup, &wire).seen;
                    let error = seen.iter().find(|seen| matches!(seen, Seen::Error(_)));
                    *outcomes.entry(format!("{error:?}")).or_default() += 1;
                }
            }
        }
    }
    assert!(outcomes.len() >= 9, "{outcomes:?}");
}

#[test]
fn every_single_byte_that_is_changed() {
    let mut changed = 0_u32;
    for setup in setups() {
        for seed in seeds(setup.role.other()) {
            agree(&setup, &seed);
            for at in 0..seed.len() {
                let mut bytes = seed.clone();
                for value in 0..=255 {
                    bytes[at] = value;
                    agree(&setup, &bytes);
                    changed += 1;
                }
            }
        }
    }
    assert!(changed > 500_000, "{changed}");
}

#[test]
fn every_beginning() {
    for setup in setups() {
        for seed in seeds(setup.role.other()) {
            for end in 0..=seed.len() {
                agree(&setup, &seed[..end]);
            }
        }
    }
}

/// Text of bytes that nearly are characters, in fragments.
#[test]
fn nearly_text() {
    let bytes: &[u8] =
        b"\x00a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff";
    let (mut good, mut bad) = (0, 0);
    for seed in 0..40_000 {
        let mut random = Random::new(seed);
        let text: Vec<u8> = (0..=random.below(5)).map(|_| bytes[random.below(bytes.len())]).collect();
        let (a, b) = text.split_at(random.below(text.len()));
        let mut wire = Draft::new(1, a, Some(KEY)).more().bytes();
        wire.extend(Draft::new(0, b, Some(KEY)).bytes());
        let seen = agree(&Setup::new(Role::Server), &wire).seen;
        *(if seen == [Seen::Text(text), Seen::NeedInput] { &mut good } else { &mut bad }) += 1;
    }
    assert!(good > 1_000 && bad > 1_000, "{good} and {bad}");
}

/// The grammar of RFC 3629 and the standard library are of one mind about all beginnings of three bytes.
#[test]
fn the_naive_reader_knows_utf8() {
    for number in 0..1_u32 << 24 {
        let [_, bytes @ ..] = number.to_be_bytes();
        let expected = match std::str::from_utf8(&bytes) {
            Ok(_) => Some(true),
            Err(error) if error.error_len().is_none() => Some(false),
            Err(_) => None,
        };
        assert_eq!(naive::utf8(&bytes), expected, "{bytes:x?}");
    }
}
