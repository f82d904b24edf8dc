//! The memory of a WebSocket: whole messages take none, one in pieces takes what has arrived.

use allocation_counter::measure;
use sinew_proto::Instant;
use sinew_proto::http1::RequestHeadBuf;
use sinew_proto::websocket::{
    Config, Connection, DeflateConfig, DeflateParams, Event, Message, MessageKind, ServerHandshake,
};

const NOW: Instant = Instant::from_nanos(0);

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut client = Connection::client(&Config::default(), Box::new(|| [1, 2, 3, 4]), NOW);
    let mut out = Vec::new();
    client.send(Message::Binary(payload), &mut out).expect("it is open");
    out[0] = first;
    out
}

/// What a loop keeps between messages, and uses again.
struct Loop {
    server: Connection,
    wire: Vec<u8>,
    input: Vec<u8>,
    out: Vec<u8>,
}

impl Loop {
    fn new() -> Self {
        let text = "text of a message, and some signs: äöü ".repeat(40);
        let wire = [
            frame(0x81, b"hello"),
            frame(0x82, &[0xff; 300]),
            frame(0x89, b"are you there"),
            frame(0x81, text.as_bytes()),
            frame(0x81, b""),
        ];
        let input = Vec::with_capacity(8 * 1024);
        let out = Vec::with_capacity(8 * 1024);
        Self { server: Connection::server(&Config::default(), NOW), wire: wire.concat(), input, out }
    }

    /// Receives four messages and a ping, and sends the messages back. Returns how many there were.
    fn round(&mut self, second: u64) -> usize {
        let now = Instant::from_nanos(second * 1_000_000_000);
        self.out.clear();
        self.input.clear();
        self.input.extend_from_slice(&self.wire);
        let (mut at, mut messages) = (0, 0);
        loop {
            let step = self.server.poll(&mut self.input[at..], now).expect("it is right");
            at += step.consumed;
            let message = match &step.event {
                Event::Text(text) => Message::Text(text),
                Event::Binary(bytes) => Message::Binary(bytes),
                Event::NeedInput => break,
                _ => continue,
            };
            self.server.send(message, &mut self.out).expect("it is open");
            messages += 1;
        }
        assert!(self.server.write_control(now, &mut self.out), "a pong");
        self.server.written(true, true, now);
        self.server.written(true, false, now);
        self.server.handle_timeout(now).expect("nothing passed");
        assert_eq!(at, self.wire.len());
        messages
    }
}

#[test]
fn ten_thousand_whole_messages_each_way_allocate_nothing() {
    let mut kept = Loop::new();
    kept.round(0);
    let mut messages = 0;
    let measured = measure(|| {
        for second in 1..=2_500 {
            messages += kept.round(second);
        }
    });
    assert_eq!(messages, 10_000);
    assert_eq!((measured.count_total, measured.bytes_total), (0, 0));
}

#[test]
fn the_counter_counts() {
    let mut kept = Loop::new();
    kept.round(0);
    let measured = measure(|| {
        kept.out = Vec::new();
        kept.round(1);
    });
    assert!(measured.count_total > 0, "a buffer that is not used again grows");
}

/// Messages in pieces that are handed out at once, and control frames, take no memory either.
#[test]
fn messages_in_pieces_allocate_nothing() {
    let config = Config { stream: true, ..Config::default() };
    let mut server = Connection::server(&config, NOW);
    let wire = [frame(0x01, "größe".as_bytes()), frame(0x00, &[b'x'; 500]), frame(0x80, b"")].concat();
    let mut input = wire.clone();
    let measured = measure(|| {
        for _ in 0..1_000 {
            input.copy_from_slice(&wire);
            let mut at = 0;
            let mut pieces = 0;
            // Byte by byte up to the middle, and then the rest.
            for end in (1..wire.len() / 2).chain([wire.len()]) {
                loop {
                    let step = server.poll(&mut input[at..end], NOW).expect("it is right");
                    at += step.consumed;
                    match step.event {
                        Event::Piece { .. } => pieces += 1,
                        _ => break,
                    }
                }
            }
            assert!(at == wire.len() && pieces > 100);
        }
    });
    assert_eq!((measured.count_total, measured.bytes_total), (0, 0));
}

/// Receives `wire` in steps of `step` bytes, as much of it as is given. Returns the bytes held at the
/// end, and the most that were.
fn held(wire: &[u8], step: usize) -> (u64, u64) {
    let mut server = Connection::server(&Config::default(), NOW);
    let mut input = wire.to_vec();
    let measured = measure(|| {
        let mut at = 0;
        let mut end = 0;
        while end < wire.len() {
            end = wire.len().min(end + step);
            let given = server.poll(&mut input[at..end], NOW).expect("it is right");
            assert_eq!(given.event, Event::NeedInput, "it is not complete");
            at += given.consumed;
        }
    });
    drop(server);
    (u64::try_from(measured.bytes_current).expect("more is taken than given back"), measured.bytes_max)
}

/// At most twice the bytes that have arrived and 64 KiB, whatever was announced, however small the
/// fragments are; half as much again while it is copied to a larger place.
#[test]
fn a_message_in_pieces_takes_what_has_arrived() {
    let header = |first: u8, len: u64| {
        let mut bytes = vec![first, 0xff];
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes
    };
    for kind in [0x01, 0x02] {
        for received in [1, 1_000, 60_000, 70_000, 400_000, 1 << 20] {
            let mut wires = vec![
                // Much is announced, in the last frame and in one that is not.
                [header(kind | 0x80, 1 << 20), vec![b'x'; received.min((1 << 20) - 1)]].concat(),
                [header(kind, 1 << 20), vec![b'x'; received]].concat(),
            ];
            // Fragments of every size.
            for size in [1, 125, 250, 4_000] {
                if (1..4_096).contains(&(received / size)) {
                    let mut wire = frame(kind, b"");
                    for _ in 0..received / size {
                        wire.extend(frame(0, &vec![b'x'; size]));
                    }
                    wires.push(wire);
                }
            }
            for wire in wires {
                for step in [1_400, 16_384, usize::MAX / 2] {
                    let (at_the_end, most) = held(&wire, step);
                    let bound = 2 * received as u64 + 65_536;
                    assert!(at_the_end >= received.min((1 << 20) - 1) as u64 / 2, "something is held");
                    assert!(at_the_end <= bound, "{at_the_end} bytes for {received}");
                    assert!(most <= bound + bound / 2, "{most} bytes for {received}");
                }
            }
        }
    }
}

/// A connection that is dropped, closed or broken gives everything back.
#[test]
fn the_end_of_a_message_gives_its_memory_back() {
    for last in [&b"\x88\x80\0\0\0\0"[..], b"\xff", b"\x81\x80\0\0\0\0"] {
        let mut input = [frame(0x02, &vec![b'x'; 50_000]), last.to_vec()].concat();
        let mut server = Connection::server(&Config::default(), NOW);
        let measured = measure(|| {
            let _ = server.poll(&mut input, NOW);
        });
        assert!(measured.bytes_max >= 50_000);
        assert_eq!(measured.bytes_current, 0, "{last:x?}");
    }
}

/// What a server and a client agree on who forget their windows after every message.
fn forgetful() -> DeflateParams {
    let fields = [
        ("host", "localhost"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-extensions", "permessage-deflate; client_no_context_takeover"),
    ];
    let head = RequestHeadBuf::build("GET", "/", fields).expect("a valid request");
    let config = DeflateConfig {
        client_no_context_takeover: true,
        server_no_context_takeover: true,
        ..DeflateConfig::default()
    };
    let handshake = ServerHandshake::from_request(&head.as_head()).expect("a valid handshake");
    let (_, agreed) = handshake.deflate(&config).accept(None).expect("no protocol was chosen");
    agreed.deflate.expect("compression was offered")
}

/// Where no window is kept, no memory is after a message, also if it was handed out in pieces.
#[test]
fn the_memory_for_compression_is_given_back() {
    let terms = forgetful();
    let text = "compressed, and again ".repeat(100);
    let mut client = Connection::client(&Config::default(), Box::new(|| [1, 2, 3, 4]), NOW);
    client = client.with_deflate(&terms);
    let mut wire = Vec::new();
    client.send(Message::Text(&text), &mut wire).expect("it is open");
    assert!(wire[0] & 0x40 != 0 && wire.len() < text.len() / 4, "it is compressed");
    for stream in [false, true] {
        let config = Config { stream, ..Config::default() };
        let mut server = Connection::server(&config, NOW).with_deflate(&terms);
        for _ in 0..3 {
            let mut input = wire.clone();
            let mut seen = String::new();
            let measured = measure(|| {
                let mut at = 0;
                loop {
                    let step = server.poll(&mut input[at..], NOW).expect("it is right");
                    at += step.consumed;
                    allocation_counter::opt_out(|| match &step.event {
                        Event::Text(text) => seen.push_str(text),
                        Event::Piece { data, .. } => seen.push_str(std::str::from_utf8(data).expect("text")),
                        _ => {}
                    });
                    if step.event == Event::NeedInput {
                        break;
                    }
                }
            });
            assert_eq!(seen, text);
            assert!(measured.bytes_max > 32 * 1024, "a window is needed");
            // What a piece has become is kept, up to 16 KiB.
            assert!(measured.bytes_current <= 16 * 1024, "stream {stream}: {}", measured.bytes_current);
        }
    }
}

#[test]
fn what_is_sent_in_fragments_is_not_copied() {
    let mut client = Connection::client(&Config::default(), Box::new(|| [1, 2, 3, 4]), NOW);
    let mut payload = vec![0; 1 << 20];
    let measured = measure(|| {
        for i in 0..100 {
            let mut fragment = client.fragment(MessageKind::Binary, 1 << 20, i % 2 == 1).expect("it is open");
            assert_eq!(fragment.prefix().len(), 14);
            fragment.mask(&mut payload);
        }
    });
    assert_eq!(measured.count_total, 0);
}

#[test]
fn a_connection_is_small() {
    assert!(size_of::<Connection>() <= 256, "{} bytes", size_of::<Connection>());
}
