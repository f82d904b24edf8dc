//! Compression on a connection (RFC 7692): what is said compressed is heard unchanged, what breaks the
//! rules is refused as soon as it is there, and a bomb costs no more than the limit.

#[path = "support/websocket/compressed.rs"]
mod compressed;
#[path = "support/websocket/driver.rs"]
mod driver;
#[allow(dead_code, reason = "the final bit is set by hand")]
#[path = "support/websocket/frames.rs"]
mod frames;
#[path = "support/pieces.rs"]
mod pieces;

use allocation_counter::measure;
use compressed::{Say, Talk, agreed, any_payload};
use driver::{NOW, Role, Seen, Setup, run};
use frames::{Draft, KEY};
use proptest::prelude::*;
use sinew_proto::websocket::deflate_probe::Compress;
use sinew_proto::websocket::{
    CloseCode, Config, Connection, DeflateConfig, DeflateParams, Event, Message, MessageKind, ProtocolError,
    WindowBits,
};
use sinew_proto::work::steps;

/// The example of RFC 7692 §7.2.3.1.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// What follows from the defaults, with a window that is kept or not.
fn terms(takeover: bool) -> DeflateParams {
    let config = DeflateConfig {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        threshold: 0,
        ..DeflateConfig::default()
    };
    agreed(&config, &config)[0]
}

/// A side that compresses, with windows that are kept.
fn setup(role: Role) -> Setup {
    Setup { deflate: Some(terms(true)), ..Setup::new(role) }
}

/// The same with other limits.
fn limited(limit: impl Fn(&mut Config)) -> impl Fn(Role) -> Setup {
    move |role| {
        let mut setup = setup(role);
        limit(&mut setup.config);
        setup
    }
}

/// A frame to that role: the opcode, and `+` for more to come, `1` for the first reserved bit.
fn frame(to: Role, opcode: u8, words: &str, payload: &[u8]) -> Vec<u8> {
    let mut draft = Draft::new(opcode, payload, to.other().masks().then_some(KEY));
    draft.fin = !words.contains('+');
    draft.reserved = if words.contains('1') { 4 } else { 0 };
    draft.bytes()
}

/// What both roles see of these frames, byte by byte, as a whole and as a stream.
fn sees(setup: impl Fn(Role) -> Setup, frames: &[(u8, &str, &[u8])], expected: &[Seen]) {
    for role in Role::BOTH {
        let wire: Vec<u8> =
            frames.iter().flat_map(|(opcode, words, payload)| frame(role, *opcode, words, payload)).collect();
        for longest in [1, 3, usize::MAX] {
            let seen = run(&setup(role), wire.chunks(longest)).seen;
            assert_eq!(seen, expected, "{role:?}, {frames:x?}, pieces of {longest}");
        }
    }
}

fn text(text: &str) -> Seen {
    Seen::Text(text.as_bytes().to_vec())
}

fn fails(error: ProtocolError) -> [Seen; 2] {
    [Seen::Error(error), Seen::Closed]
}

/// `payload` as a message by itself.
fn compress(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compress::new(15, false, 9).message(payload, &mut out).expect("it compresses");
    out
}

fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(number) }
}

fn deflate_config() -> impl Strategy<Value = DeflateConfig> {
    let bits = || (9..=15_u8).prop_map(|bits| WindowBits::new(bits).expect("9 to 15"));
    let threshold = prop_oneof![2 => Just(0_usize), 1 => Just(1), 2 => 2..600_usize, 1 => Just(usize::MAX)];
    (bits(), bits(), any::<bool>(), any::<bool>(), any::<u8>(), threshold).prop_map(
        |(server, client, server_forgets, client_forgets, level, threshold)| DeflateConfig {
            server_max_window_bits: server,
            client_max_window_bits: client,
            server_no_context_takeover: server_forgets,
            client_no_context_takeover: client_forgets,
            level,
            threshold,
        },
    )
}

/// Noise, runs and words, which come again in other messages.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec(prop_oneof!["[a-e]{1,6} ", "hello ", "world "], 0..300);
    prop_oneof![
        3 => words.prop_map(|words| words.concat().into_bytes()),
        2 => prop::collection::vec(any::<u8>(), 0..800),
        1 => (any::<u8>(), 0..70_000_usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => Just(Vec::new()),
    ]
}

fn say() -> impl Strategy<Value = (Role, Say)> {
    let words = prop::collection::vec(any::<char>(), 0..200).prop_map(|text| text.into_iter().collect());
    let text =
        prop_oneof![words, ("[ü-ÿ€]{1,9}", 0..3_000_usize).prop_map(|(text, times)| text.repeat(times))];
    let control = || prop::collection::vec(any::<u8>(), 0..126);
    let say = prop_oneof![
        3 => text.prop_map(Say::Text),
        3 => bytes().prop_map(Say::Binary),
        1 => prop::collection::vec(bytes(), 1..4).prop_map(Say::Fragments),
        1 => control().prop_map(Say::Ping),
        1 => control().prop_map(Say::Pong),
    ];
    (prop::sample::select(&Role::BOTH[..]), say)
}

/// A payload that is right, wrong in a place, cut, or of two streams.
fn nearly_deflate() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        bytes(),
        // Also what is no text, at any place.
        (bytes(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = 0xff;
            }
            bytes
        }),
    ];
    let damage = (any::<prop::sample::Index>(), any::<u8>(), any::<bool>(), any::<bool>());
    (text, damage).prop_map(|(text, (at, byte, cut, streams))| {
        let mut payload = compress(&text);
        if streams {
            // `Hello` as a stream of its own (RFC 7692 §7.2.3.4).
            payload = [&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..], &payload].concat();
        }
        let at = at.index(payload.len());
        if byte % 3 == 0 {
            payload[at] ^= byte;
        }
        if cut {
            payload.truncate(at);
        }
        payload
    })
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn what_one_side_says_the_other_one_hears(
        (server, client) in (deflate_config(), deflate_config()),
        says in prop::collection::vec(say(), 0..12),
        stream in any::<bool>(), longest in prop_oneof![1..20_usize, 20..5_000_usize], seed in any::<u64>(),
    ) {
        Talk { server, client, stream, longest, seed }.run(&says);
    }

    #[test]
    fn neither_the_pieces_nor_the_fragments_matter(
        payload in nearly_deflate(), opcode in 1..=2_u8, takeover in any::<bool>(), stream in any::<bool>(),
        role in prop::sample::select(&Role::BOTH[..]), limit in prop_oneof![0..700_u64, Just(1 << 20)],
        seed in any::<u64>(),
    ) {
        let payload = &payload[..payload.len().min(600)];
        let mut setup = Setup { deflate: Some(terms(takeover)), ..Setup::new(role) };
        setup.config.max_message_bytes = limit;
        setup.config.stream = stream;
        any_payload(&setup, opcode, payload, seed);
    }
}

/// Both sides hold the same terms, and each keeps to what it was asked for.
#[test]
fn both_handshakes_come_to_the_same_terms() {
    let sizes = [WindowBits::MIN, WindowBits::new(12).expect("between"), WindowBits::MAX];
    for (ours, theirs) in sizes.into_iter().flat_map(|ours| sizes.map(|theirs| (ours, theirs))) {
        for flags in 0..4 {
            let client = DeflateConfig {
                server_max_window_bits: ours,
                client_max_window_bits: theirs,
                server_no_context_takeover: flags & 1 != 0,
                client_no_context_takeover: flags & 2 != 0,
                ..DeflateConfig::default()
            };
            let server = DeflateConfig {
                server_max_window_bits: theirs,
                client_max_window_bits: ours,
                ..DeflateConfig::default()
            };
            let [of_server, of_client] = agreed(&server, &client);
            assert_eq!(of_server, of_client);
            let smaller = ours.min(theirs).get();
            assert_eq!(
                (of_server.server_max_window_bits(), of_server.client_max_window_bits()),
                (smaller, smaller)
            );
            assert_eq!(of_server.server_no_context_takeover(), flags & 1 != 0);
            assert_eq!(of_server.client_no_context_takeover(), flags & 2 != 0);
        }
    }
}

#[test]
fn compressed_messages_in_fragments() {
    let (head, tail) = HELLO.split_at(3);
    // RFC 7692 §7.2.3.1: the bit is in the first frame alone.
    let next = [text("Hello"), text("Hello"), Seen::NeedInput];
    sees(setup, &[(1, "+1", head), (0, "", tail), (1, "1", &[0xf2, 0x00, 0x11, 0x00, 0x00])], &next);
    // Empty fragments, also the first and the last one; control frames between.
    let frames: &[(u8, &str, &[u8])] = &[
        (1, "+1", b""),
        (0, "+", head),
        (9, "", b"?"),
        (0, "+", b""),
        (10, "", b""),
        (0, "+", tail),
        (0, "", b""),
    ];
    let between = [Seen::Ping(b"?".to_vec()), Seen::Pong(Vec::new()), text("Hello"), Seen::NeedInput];
    sees(setup, frames, &between);
    // A plain message between compressed ones leaves the window as it is.
    let frames: &[(u8, &str, &[u8])] = &[
        (1, "1", &HELLO),
        (1, "", b"plain"),
        (2, "+", b"pl"),
        (0, "", b"ain"),
        (1, "1", &[0xf2, 0x00, 0x11, 0x00, 0x00]),
    ];
    let plain =
        [text("Hello"), text("plain"), Seen::Binary(b"plain".to_vec()), text("Hello"), Seen::NeedInput];
    sees(setup, frames, &plain);
    // A close frame in the middle of a message ends all.
    let close = [Seen::Close(Some((1000, String::new()))), Seen::Closed];
    sees(setup, &[(1, "+1", head), (8, "", b"\x03\xe8")], &close);
}

#[test]
fn the_bit_stands_where_it_may_or_nowhere() {
    let refused = fails(ProtocolError::ReservedBits);
    assert_eq!(ProtocolError::ReservedBits.close_code(), CloseCode::PROTOCOL_ERROR);
    // In a continuation, of a compressed message and of a plain one.
    sees(setup, &[(1, "+1", &HELLO[..3]), (0, "1", &HELLO[3..])], &refused);
    sees(setup, &[(1, "+", b"pl"), (0, "1", b"ain")], &refused);
    sees(setup, &[(0, "1", &HELLO)], &fails(ProtocolError::UnexpectedContinuation));
    for control in 8..=10 {
        sees(setup, &[(control, "1", b"")], &refused);
    }
    // Without agreement, and it is refused before the payload comes.
    sees(Setup::new, &[(1, "1", &HELLO)], &refused);
    for reserved in [1, 2, 3, 5, 6, 7] {
        let mut draft = Draft::new(1, &HELLO, None);
        draft.reserved = reserved;
        assert_eq!(run(&setup(Role::Client), [&draft.bytes()[..1]]).seen, refused, "{reserved}");
    }
    for role in Role::BOTH {
        let wire = frame(role, 1, "1", &HELLO);
        assert_eq!(run(&Setup::new(role), [&wire[..wire.len() - HELLO.len()]]).seen, refused);
    }
}

/// A message that is no text ends when its first bad byte is there, whatever comes behind it.
#[test]
fn text_is_judged_as_soon_as_it_is_decompressed() {
    let bad = fails(ProtocolError::InvalidUtf8);
    assert_eq!(ProtocolError::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
    // Blocks without compression: where the bytes lie is seen.
    let stored = |bytes: &[u8]| {
        let len = u16::try_from(bytes.len()).expect("a short block");
        [&[0][..], &len.to_le_bytes(), &(!len).to_le_bytes(), bytes].concat()
    };
    for (wrong, why) in [
        (&b"ok \xff"[..], "no byte of text"),
        (b"\xc0\xaf", "overlong"),
        (b"\xed\xa0\x80", "a surrogate"),
        (b"\xf4\x90", "too large"),
        (b"\xe2\x82a", "a character is cut"),
    ] {
        let block = stored(wrong);
        // More would come, and does not have to.
        sees(setup, &[(1, "+1", &block)], &bad);
        for rest in [&b""[..], &[0], &[0x06], &stored(&[b'x'; 100])] {
            sees(setup, &[(1, "1", &[&block, rest].concat())], &bad);
        }
        for role in Role::BOTH {
            let wire = frame(role, 1, "1", &[&block[..], &[0; 100]].concat());
            for stream in [false, true] {
                let mut setup = setup(role);
                setup.config.stream = stream;
                assert_eq!(run(&setup, [&wire[..wire.len() - 100]]).seen, bad, "{why}");
            }
        }
    }
    // A character that is cut by the end, and one that only fragments and blocks cut.
    sees(setup, &[(1, "1", &[&stored(b"\xe2\x82")[..], &[0]].concat())], &bad);
    let euro = [&stored(b"\xe2")[..], &stored(b"\x82\xac"), &[0]].concat();
    let (head, tail) = euro.split_at(7);
    sees(setup, &[(1, "+1", head), (0, "", tail)], &[text("€"), Seen::NeedInput]);
    // What is not judged is binary.
    let binary = [Seen::Binary(vec![0xff]), Seen::NeedInput];
    sees(setup, &[(2, "1", &[&stored(b"\xff")[..], &[0]].concat())], &binary);
    // Bad text is bad text also at the head of a bomb.
    let bomb = compress(&[&b"\xff"[..], &vec![b'x'; 100_000]].concat());
    let small = limited(|config| config.max_message_bytes = 1_000);
    sees(small, &[(1, "1", &bomb)], &bad);
}

#[test]
fn what_is_no_deflate() {
    let corrupt = fails(ProtocolError::InvalidCompression);
    assert_eq!(ProtocolError::InvalidCompression.close_code(), CloseCode::INVALID_PAYLOAD);
    for payload in [
        // Nothing at all, a kind of block that does not exist.
        &b""[..],
        &[0x06],
        // A length without its complement.
        &[0x00, 0x05, 0x00, 0x05, 0x00, 0x00],
        // A distance before the beginning.
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        // No empty block at the end.
        &HELLO[..6],
        // The four bytes that are not sent.
        &[0x00, 0x00, 0x00, 0xff, 0xff],
        // The end of a stream and nothing after it.
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        for opcode in [1, 2] {
            sees(setup, &[(opcode, "1", payload), (1, "", b"never seen")], &corrupt);
            sees(setup, &[(opcode, "+1", payload), (0, "", b"")], &corrupt);
        }
    }
    // A window that is not kept, or was never there, cannot be referred to.
    for takeover in [false, true] {
        let setup = |role| Setup { deflate: Some(terms(takeover)), ..Setup::new(role) };
        let second = if takeover { [text("Hello"), Seen::NeedInput] } else { corrupt.clone() };
        let frames: &[(u8, &str, &[u8])] = &[(1, "1", &HELLO), (1, "1", &[0xf2, 0x00, 0x11, 0x00, 0x00])];
        sees(setup, frames, &[&[text("Hello")][..], &second].concat());
    }
}

#[test]
fn messages_of_nothing_and_streams_that_end() {
    let nothing = [text(""), Seen::Binary(Vec::new()), text(""), Seen::NeedInput];
    // §7.2.3.6, in other blocks, and as streams of no bytes.
    for empty in [&[0x00][..], &[0x02, 0x00], &[0x03, 0x00, 0x00], &[0x01, 0, 0, 0xff, 0xff, 0x00], &[0x01]] {
        sees(setup, &[(1, "1", empty), (2, "+1", empty), (0, "", b""), (1, "1", empty)], &nothing);
    }
    let mut streams = setup(Role::Client);
    streams.config.stream = true;
    let seen = run(&streams, [&frame(Role::Client, 1, "1", &[0])[..]]).seen;
    assert_eq!(seen, [Seen::Piece(MessageKind::Text, Vec::new(), true), Seen::NeedInput]);
    // §7.2.3.4: the last block of a stream, one byte more, and a message after it.
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let twice = [&last[..7], &last].concat();
    let expected = [text("Hello"), text("HelloHello"), text("Hello"), Seen::NeedInput];
    sees(
        setup,
        &[(1, "1", &last), (1, "+1", &twice[..9]), (0, "", &twice[9..]), (1, "1", &HELLO)],
        &expected,
    );
}

#[test]
fn limits_hold_to_the_byte() {
    let large = fails(ProtocolError::MessageTooLarge);
    assert_eq!(ProtocolError::MessageTooLarge.close_code(), CloseCode::TOO_LARGE);
    for len in [1_usize, 5, 255, 256, 257, 16_384, 100_000] {
        let payload = compress(&vec![b'a'; len]);
        for (limit, fits) in [(len, true), (len + 1, true), (len - 1, false), (0, false)] {
            for stream in [false, true] {
                let setup = |role| {
                    let mut setup = setup(role);
                    (setup.config.max_message_bytes, setup.config.stream) = (limit as u64, stream);
                    setup
                };
                let seen = any_payload(&setup(Role::Server), 1, &payload, len as u64);
                let whole = Seen::Text(vec![b'a'; len]);
                let after = limit >= "after".len();
                let expected = match (fits, after) {
                    (true, true) => vec![whole.clone(), whole, text("after"), Seen::NeedInput],
                    (true, false) => [&[whole.clone(), whole][..], &large].concat(),
                    (false, _) => large.to_vec(),
                };
                assert_eq!(seen, expected, "{len} of {limit}");
            }
        }
    }
    // Of a frame the bytes count that are sent, each frame for itself.
    let payload = compress(&[b'a'; 1_000]);
    for (limit, fits) in [(payload.len(), true), (payload.len() - 1, false)] {
        let setup = limited(|config| config.max_frame_bytes = limit as u64);
        let whole = [Seen::Text(vec![b'a'; 1_000]), Seen::NeedInput];
        let large = fails(ProtocolError::FrameTooLarge);
        sees(&setup, &[(1, "1", &payload)], if fits { &whole } else { &large });
        let (head, tail) = payload.split_at(1);
        sees(setup, &[(1, "+1", head), (0, "", tail)], &whole);
    }
    // A compressed message may be longer than the message: that is for the limit of frames.
    let stored = [&[0x00, 0x01, 0x00, 0xfe, 0xff, b'x'].repeat(4)[..], &[0]].concat();
    let setup = limited(|config| config.max_message_bytes = 4);
    sees(setup, &[(1, "1", &stored)], &[text("xxxx"), Seen::NeedInput]);
    let few = limited(|config| config.max_fragments = 2);
    let many = fails(ProtocolError::TooManyFragments);
    sees(few, &[(1, "+1", b""), (0, "+", b""), (0, "", &[0])], &many);
}

/// Gives `wire` to a server in pieces. Returns the most bytes that were taken at any time, how many
/// are left at the end, how often memory was taken, and how it ended.
fn cost(config: &Config, wire: &[u8], longest: usize) -> (u64, i64, u64, Result<usize, ProtocolError>) {
    let mut server = Connection::server(config, NOW).with_deflate(&terms(true));
    let mut input = wire.to_vec();
    let mut end = Ok(0);
    let measured = measure(|| {
        let (mut at, mut to) = (0, 0);
        while to < wire.len() {
            to = wire.len().min(to + longest);
            loop {
                match server.poll(&mut input[at..to], NOW) {
                    Ok(step) => {
                        at += step.consumed;
                        match step.event {
                            Event::NeedInput => break,
                            Event::Piece { data, .. } => end = end.map(|heard| heard + data.len()),
                            Event::Text(text) => end = end.map(|heard| heard + text.len()),
                            Event::Binary(bytes) => end = end.map(|heard| heard + bytes.len()),
                            _ => {}
                        }
                    }
                    Err(error) => {
                        end = Err(error);
                        return;
                    }
                }
            }
        }
    });
    drop(server);
    (measured.bytes_max, measured.bytes_current, measured.count_total, end)
}

/// A message of so many MiB. Behind the first one, all are the same.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let (mut compressor, zeros) = (Compress::new(15, true, 9), vec![b'0'; 1 << 20]);
    let [mut bomb, mut next] = [Vec::new(), Vec::new()];
    compressor.push(&zeros, false, &mut bomb).expect("it compresses");
    compressor.push(&zeros, false, &mut next).expect("it compresses");
    bomb.extend(next.repeat(mebibytes - 1));
    bomb.push(0);
    assert!(bomb.len() < mebibytes << 11, "{}", bomb.len());
    bomb
}

/// Two hundred megabytes in 200 KB, in one frame, in frames of 100 bytes and of one.
#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    const LIMIT: u64 = 1 << 20;
    let bomb = bomb(200);
    let in_frames = |opcode, size: usize| {
        let mut wire = frame(Role::Server, opcode, "+1", b"");
        for piece in bomb.chunks(size).take(4_000) {
            wire.extend(frame(Role::Server, 0, "+", piece));
        }
        wire
    };
    for opcode in [1, 2] {
        for size in [usize::MAX, 100, 1] {
            for (longest, stream) in [(usize::MAX / 2, false), (1_400, false), (1, false), (1_400, true)] {
                let config = Config { stream, max_message_bytes: LIMIT, ..Config::default() };
                let (most, left, _, end) = cost(&config, &in_frames(opcode, size), longest);
                assert_eq!(end, Err(ProtocolError::MessageTooLarge), "{opcode} {size} {longest}");
                // Whole messages: what there is, its double while it is copied, and the next piece.
                let bound = if stream { 2 * LIMIT + 300_000 } else { 4 * LIMIT };
                assert!(most <= bound, "{most} bytes for {opcode} {size} {longest} {stream}");
                assert_eq!(left, 0, "everything is given back");
            }
        }
    }
}

/// A small piece of a large stream takes memory for what a step makes of it, not for the message.
#[test]
fn a_stream_takes_memory_for_a_step() {
    let payload = bomb(50);
    let config = Config { stream: true, max_message_bytes: u64::MAX, ..Config::default() };
    let wire = frame(Role::Server, 1, "1", &payload);
    for longest in [usize::MAX / 2, 1_400, 100] {
        let (most, _, _, end) = cost(&config, &wire, longest);
        assert_eq!(end, Ok(50 << 20));
        assert!(most <= 5 << 19, "{most} bytes in pieces of {longest}");
    }
}

#[test]
fn memory_is_given_back_where_no_window_is_kept() {
    let message = "some words, and some words again ".repeat(2_000);
    for takeover in [false, true] {
        for stream in [false, true] {
            let config = Config { stream, ..Config::default() };
            let mut server = Connection::server(&config, NOW).with_deflate(&terms(takeover));
            let mut client =
                Connection::client(&config, Box::new(|| KEY), NOW).with_deflate(&terms(takeover));
            let (mut wire, mut heard) = (Vec::with_capacity(1 << 17), 0);
            let sent = measure(|| client.send(Message::Text(&message), &mut wire).expect("it is open"));
            let received = measure(|| {
                let mut at = 0;
                loop {
                    let step = server.poll(&mut wire[at..], NOW).expect("it is right");
                    at += step.consumed;
                    match step.event {
                        Event::Text(text) => heard += text.len(),
                        Event::Piece { data, .. } => heard += data.len(),
                        _ => break,
                    }
                }
            });
            assert_eq!(heard, message.len());
            assert!(sent.bytes_max > 270_000 && received.bytes_max > 47_000, "windows are needed");
            let kept = [sent.bytes_current, received.bytes_current];
            if takeover {
                assert!(kept[0] > 270_000 && kept[1] > 47_000, "{kept:?}");
            } else {
                assert!(kept.iter().all(|kept| *kept <= 16 * 1024), "{kept:?}");
            }
        }
    }
}

fn squares(count: usize) -> Vec<u8> {
    (0..count).flat_map(|i| format!("{} ", i * i).into_bytes()).collect()
}

/// Byte by byte, each byte in a frame of its own, streams of no bytes: a byte takes at most four steps,
/// and those of the 256 bytes of room that are made for a piece. Memory is taken as often as it doubles.
#[test]
fn the_work_is_linear_however_it_arrives() {
    type Wire = fn(usize) -> Vec<u8>;
    // A name, the bytes of a frame, and the wire.
    let cases: [(&str, usize, Wire); 4] = [
        ("a long text", usize::MAX, |n| frame(Role::Server, 1, "1", &compress(&squares(n * 60)))),
        ("frames of a byte", 7, |n| {
            let mut wire = frame(Role::Server, 1, "+1", b"");
            for byte in compress(&squares(n * 20)) {
                wire.extend(frame(Role::Server, 0, "+", &[byte]));
            }
            wire.extend(frame(Role::Server, 0, "", b""));
            wire
        }),
        ("streams of no bytes", usize::MAX, |n| {
            frame(Role::Server, 1, "1", &[[0x03, 0x00].repeat(100 * n), vec![0]].concat())
        }),
        ("empty fragments", 6, |n| {
            let mut wire = frame(Role::Server, 1, "+1", &HELLO);
            wire.extend(frame(Role::Server, 0, "+", b"").repeat(30 * n));
            wire.extend(frame(Role::Server, 0, "", b""));
            wire
        }),
    ];
    let config = Config {
        max_message_bytes: u64::MAX,
        max_frame_bytes: u64::MAX,
        max_fragments: u32::MAX,
        ..Config::default()
    };
    for (name, frame_bytes, wire) in cases {
        for size in [4, 16, 64, 256] {
            let wire = wire(size);
            for longest in [1, 7, usize::MAX / 2] {
                let before = steps();
                let (_, _, taken, end) = cost(&config, &wire, longest);
                let steps = steps() - before;
                let heard = end.expect("it is right");
                let bytes = (wire.len() + heard) as u64;
                let pieces = wire.len().div_ceil(longest.min(frame_bytes)) as u64;
                assert!(steps >= wire.len() as u64 / 8, "{name}: {steps} steps are counted");
                let bound = 4 * bytes + 2 * 256 * pieces + 16_384;
                assert!(steps <= bound, "{name}, {longest}: {steps} steps for {bytes} bytes");
                assert!(taken <= 40, "{name}, {longest}: memory was taken {taken} times");
            }
        }
    }
}
