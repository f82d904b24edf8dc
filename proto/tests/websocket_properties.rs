//! What must hold for any bytes and any use: what one side frames the other one reads, however it
//! arrives; no order of calls panics or writes what is no frame; a closed pair comes to its end.

#[path = "support/websocket/agree.rs"]
mod agree;
#[path = "support/websocket/driver.rs"]
mod driver;
#[path = "support/websocket/frames.rs"]
mod frames;
#[path = "support/websocket/naive.rs"]
mod naive;
#[path = "support/websocket/operations.rs"]
mod operations;
#[path = "support/websocket/pair.rs"]
mod pair;
#[path = "support/pieces.rs"]
mod pieces;
#[path = "support/websocket/seeds.rs"]
mod seeds;

use driver::{NOW, Role, Seen, Setup, run};
use frames::Draft;
use pieces::Random;
use proptest::prelude::*;
use sinew_proto::websocket::{Config, Connection, Message, MessageKind};

fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(number) }
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(&Role::BOTH[..])
}

/// What one side says.
#[derive(Clone, Debug)]
enum Say {
    Whole(MessageKind, Vec<u8>),
    /// In fragments, cut at these places, with control frames between.
    Fragments(MessageKind, Vec<u8>, Vec<(usize, Option<Vec<u8>>)>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn say() -> impl Strategy<Value = Say> {
    let short = || prop::collection::vec(any::<u8>(), 0..126);
    let binary = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::sample::select(&[125_usize, 126, 127, 65_535, 65_536][..]).prop_map(|len| vec![0x5a; len]),
    ];
    let text = prop::collection::vec(any::<char>(), 0..80)
        .prop_map(|text| text.into_iter().collect::<String>().into_bytes());
    let message = prop_oneof![
        binary.prop_map(|bytes| (MessageKind::Binary, bytes)),
        text.prop_map(|bytes| (MessageKind::Text, bytes)),
    ];
    let cuts = prop::collection::vec((any::<usize>(), prop::option::of(short())), 0..6);
    prop_oneof![
        message.clone().prop_map(|(kind, bytes)| Say::Whole(kind, bytes)),
        (message, cuts).prop_map(|((kind, bytes), cuts)| Say::Fragments(kind, bytes, cuts)),
        short().prop_map(Say::Ping),
        short().prop_map(Say::Pong),
    ]
}

/// Says it, and what is to be heard: the bytes, and the events.
fn speak(connection: &mut Connection, says: &[Say], stream: bool) -> (Vec<u8>, Vec<Seen>) {
    let (mut out, mut heard) = (Vec::new(), Vec::new());
    let whole = |kind, bytes: &[u8]| match kind {
        _ if stream => Seen::Piece(kind, bytes.to_vec(), true),
        MessageKind::Text => Seen::Text(bytes.to_vec()),
        MessageKind::Binary => Seen::Binary(bytes.to_vec()),
    };
    for say in says {
        match say {
            Say::Whole(kind, bytes) => {
                let message = match kind {
                    MessageKind::Text => Message::Text(std::str::from_utf8(bytes).unwrap()),
                    MessageKind::Binary => Message::Binary(bytes),
                };
                connection.send(message, &mut out).unwrap();
                whole(*kind, bytes).push_to(&mut heard);
            }
            Say::Fragments(kind, bytes, cuts) => {
                let mut places: Vec<_> =
                    cuts.iter().map(|(at, ping)| (at % (bytes.len() + 1), ping)).collect();
                places.sort();
                let mut start = 0;
                for (end, ping) in places {
                    fragment(connection, *kind, &bytes[start..end], false, &mut out);
                    if stream && start < end {
                        Seen::Piece(*kind, bytes[start..end].to_vec(), false).push_to(&mut heard);
                    }
                    if let Some(payload) = ping {
                        connection.ping(payload, &mut out).unwrap();
                        heard.push(Seen::Ping(payload.clone()));
                    }
                    start = end;
                }
                fragment(connection, *kind, &bytes[start..], true, &mut out);
                whole(*kind, if stream { &bytes[start..] } else { bytes }).push_to(&mut heard);
            }
            Say::Ping(payload) => {
                connection.ping(payload, &mut out).unwrap();
                heard.push(Seen::Ping(payload.clone()));
            }
            Say::Pong(payload) => {
                connection.pong(payload, &mut out).unwrap();
                heard.push(Seen::Pong(payload.clone()));
            }
        }
    }
    heard.push(Seen::NeedInput);
    (out, heard)
}

fn fragment(connection: &mut Connection, kind: MessageKind, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
    let mut fragment = connection.fragment(kind, bytes.len() as u64, last).unwrap();
    out.extend_from_slice(fragment.prefix());
    let at = out.len();
    out.extend_from_slice(bytes);
    // In two pieces: the key goes on where it was.
    let (head, tail) = out[at..].split_at_mut(bytes.len() / 3);
    fragment.mask(head);
    fragment.mask(tail);
}

/// A side with random masks.
fn side(role: Role, seed: u64) -> Connection {
    let mut random = Random::new(seed);
    let key = move || [(); 4].map(|()| u8::try_from(random.below(256)).unwrap());
    match role {
        Role::Server => Connection::server(&Config::default(), NOW),
        Role::Client => Connection::client(&Config::default(), Box::new(key), NOW),
    }
}

/// Frames that are right, wrong, or cut off.
fn nearly_frames(sender: Role) -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![9 => Just(sender.masks()), 1 => Just(!sender.masks())];
    let opcode = prop_oneof![8 => prop::sample::select(&[0_u8, 0, 1, 2, 8, 9, 10][..]), 1 => 0..16_u8];
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        Just(b"\x03\xe8bye".to_vec()),
        Just("grüße".as_bytes().to_vec()),
        (120..140_usize).prop_map(|len| vec![b'x'; len]),
    ];
    let reserved = prop_oneof![19 => Just(0_u8), 1 => 0..8_u8];
    let length = prop_oneof![19 => Just(None), 1 => prop::sample::select(&[Some(2_u8), Some(8)][..])];
    let frame = (any::<bool>(), reserved, opcode, key, length, payload).prop_map(
        |(fin, reserved, opcode, masked, length_bytes, payload)| {
            let mut draft = Draft::new(opcode, &payload, masked.then_some([1, 2, 3, 4]));
            (draft.fin, draft.reserved, draft.length_bytes) = (fin, reserved, length_bytes);
            draft.bytes()
        },
    );
    let garbage = prop::collection::vec(any::<u8>(), 0..4);
    (prop::collection::vec(frame, 0..8), garbage).prop_map(|(frames, rest)| [frames.concat(), rest].concat())
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn what_one_side_says_the_other_one_hears(
        sender in role(), says in prop::collection::vec(say(), 0..8), stream in any::<bool>(), seed in any::<u64>(),
    ) {
        let (wire, heard) = speak(&mut side(sender, seed), &says, stream);
        operations::check_output(sender, &wire);
        let mut setup = Setup::new(sender.other());
        setup.config.stream = stream;
        let whole = run(&setup, [&wire[..]]);
        prop_assert_eq!(&whole.seen, &heard);
        for longest in [1 + wire.len() / 200, 50, 5_000] {
            if longest * 2_000 > wire.len() {
                let parts = pieces::at_random(&wire, longest, seed);
                prop_assert_eq!(&run(&setup, parts), &whole);
            }
        }
    }

    #[test]
    fn the_pieces_do_not_matter(
        (receiver, wire) in role().prop_flat_map(|role| (Just(role), nearly_frames(role.other()))),
        stream in any::<bool>(), end in any::<bool>(), small in any::<bool>(), seed in any::<u64>(),
    ) {
        let mut setup = Setup::new(receiver);
        setup.config = if small { seeds::LIMITS } else { Config::default() };
        (setup.config.stream, setup.end) = (stream, end);
        let whole = agree::agree(&setup, &wire);
        prop_assert_eq!(&run(&setup, wire.chunks(1)), &whole);
        for longest in [3, 30] {
            prop_assert_eq!(&run(&setup, pieces::at_random(&wire, longest, seed)), &whole);
        }
    }

    #[test]
    fn any_operation_at_any_time(
        (role, wire) in role().prop_flat_map(|role| (Just(role), nearly_frames(role.other()))),
        script in prop::collection::vec(prop::sample::select(operations::LETTERS), 0..60),
    ) {
        operations::run(role, &script, &wire);
    }

    #[test]
    fn a_closed_pair_comes_to_its_end(
        script in prop::collection::vec(any::<u8>(), 0..60), closes in 0..3_u8, seed in any::<u64>(),
    ) {
        pair::run(&script, closes, seed);
    }
}

/// The seeds in every way too, which the fixtures are not.
#[test]
fn seeds_arrive_in_any_pieces() {
    for role in Role::BOTH {
        for wire in seeds::seeds(role.other()) {
            let mut setup = Setup::new(role);
            setup.config = seeds::LIMITS;
            let whole = run(&setup, [&wire[..]]);
            assert!(!whole.seen.iter().any(|seen| matches!(seen, Seen::Error(_))), "a seed is right");
            for seed in 0..200 {
                assert_eq!(run(&setup, pieces::at_random(&wire, 9, seed)), whole);
            }
        }
    }
}

/// A buffer of 131 bytes is enough for everything, as `Connection::poll` says, and no smaller one is.
#[test]
fn the_longest_control_frame_is_the_room_that_is_needed() {
    let ping = Draft::new(9, &[b'p'; 125], Some(frames::KEY)).bytes();
    assert_eq!(ping.len(), 131);
    let long = Draft::new(2, &vec![b'x'; 70_000], Some(frames::KEY)).bytes();
    let wire = [&ping[..], &long, &ping].concat();
    for room in [130, 131] {
        let mut server = side(Role::Server, 0);
        let mut bytes = wire.clone();
        let (mut at, mut seen) = (0, Vec::new());
        loop {
            let end = bytes.len().min(at + room);
            let step = server.poll(&mut bytes[at..end], NOW).expect("it is right");
            at += step.consumed;
            match Seen::of(&step.event) {
                Seen::NeedInput if step.consumed == 0 => break,
                Seen::NeedInput => {}
                event => seen.push(event),
            }
        }
        let ping = Seen::Ping(vec![b'p'; 125]);
        let all = [ping.clone(), Seen::Binary(vec![b'x'; 70_000]), ping];
        assert_eq!(seen, if room == 131 { &all[..] } else { &[] });
    }
}

#[test]
fn a_message_made_for_many_is_what_each_server_would_send() {
    for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let text = "x".repeat(len);
        for message in [Message::Text(&text), Message::Binary(text.as_bytes())] {
            let (mut sent, mut made) = (Vec::new(), b"before".to_vec());
            side(Role::Server, 0).send(message, &mut sent).unwrap();
            message.write_plain(&mut made);
            assert_eq!(made.strip_prefix(b"before"), Some(&sent[..]), "{len}");
            operations::check_output(Role::Server, &sent);
        }
    }
}
