//! The work on a WebSocket is linear in what was received, however it arrives: steps are counted, not
//! timed.
//!
//! A step is a look for a header, a byte of a payload, or a byte that is copied because a message
//! outgrows its place (`src/work.rs`). However much comes, a byte may take at most four steps.

use sinew_proto::Instant;
use sinew_proto::websocket::{Config, Connection, Event};
use sinew_proto::work::steps;

const NOW: Instant = Instant::from_nanos(0);

fn config(stream: bool) -> Config {
    let (message, frame) = (u64::MAX, u64::MAX);
    Config {
        max_message_bytes: message,
        max_frame_bytes: frame,
        max_fragments: u32::MAX,
        stream,
        ..Config::default()
    }
}

/// A frame of a server with fewer than 126 bytes, which is not masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("a short frame");
    [&[first, len][..], payload].concat()
}

/// A frame of at least 126 bytes.
fn long_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    match u16::try_from(payload.len()) {
        Ok(len) => [&[first, 126][..], &len.to_be_bytes(), payload].concat(),
        Err(_) => [&[first, 127][..], &(payload.len() as u64).to_be_bytes(), payload].concat(),
    }
}

/// Gives `wire` to a client in pieces of `longest` bytes. Returns steps taken and events seen.
fn receive(wire: &[u8], longest: usize, stream: bool) -> (u64, usize) {
    let mut client = Connection::client(&config(stream), Box::new(|| [0; 4]), NOW);
    let mut wire = wire.to_vec();
    let (mut start, mut end, mut seen) = (0, 0, 0);
    let before = steps();
    while end < wire.len() {
        end = wire.len().min(end + longest);
        loop {
            let step = client.poll(&mut wire[start..end], NOW).expect("it is right");
            start += step.consumed;
            match step.event {
                Event::NeedInput => break,
                Event::Close(_) | Event::Closed => panic!("it stays open"),
                _ => seen += 1,
            }
        }
    }
    assert_eq!(start, wire.len(), "everything is read");
    (steps() - before, seen)
}

#[test]
fn work_is_linear() {
    type Wire = fn(usize) -> Vec<u8>;
    let cases: [(&str, Wire); 11] = [
        ("one long binary", |n| long_frame(0x82, &vec![b'x'; 1_000 * n])),
        ("one long text", |n| long_frame(0x81, "aé€🦀".repeat(100 * n).as_bytes())),
        ("whole messages", |n| frame(0x81, b"hello").repeat(100 * n)),
        ("empty messages", |n| frame(0x82, b"").repeat(300 * n)),
        ("pings", |n| frame(0x89, &[b'x'; 125]).repeat(8 * n)),
        ("fragments of a byte", |n| {
            [frame(0x02, b""), frame(0, b"x").repeat(300 * n), frame(0x80, b"")].concat()
        }),
        ("fragments of a byte of text", |n| {
            let fragments = [frame(0, b"\xe2"), frame(0, b"\x82"), frame(0, b"\xac")].concat();
            [frame(0x01, b""), fragments.repeat(100 * n), frame(0x80, b"")].concat()
        }),
        ("fragments of some bytes", |n| {
            [frame(0x02, b""), frame(0, &[b'x'; 100]).repeat(10 * n), frame(0x80, b"")].concat()
        }),
        ("empty fragments", |n| [frame(0x01, b""), frame(0, b"").repeat(500 * n), frame(0x80, b"")].concat()),
        ("pings between fragments", |n| {
            let both = [frame(0, b"x"), frame(0x89, b"?")].concat();
            [frame(0x02, b""), both.repeat(150 * n), frame(0x80, b"")].concat()
        }),
        ("a fragment that announces much", |n| {
            let mut wire = long_frame(0x02, &vec![b'x'; 1_000 * n]);
            wire.extend(frame(0x80, b""));
            wire
        }),
    ];
    for (name, wire) in cases {
        for size in [4, 16, 64, 512] {
            let wire = wire(size);
            assert!(wire.len() >= size * 400, "{name}: {} bytes", wire.len());
            for longest in [usize::MAX / 2, 1, 7, 1_400] {
                for stream in [false, true] {
                    let (steps, events) = receive(&wire, longest, stream);
                    assert!(events > 0 && steps > 0, "{name}: something was read");
                    assert!(
                        steps <= wire.len() as u64 * 4,
                        "{name}, {longest}, {stream}: {steps} steps for {} bytes",
                        wire.len()
                    );
                }
            }
        }
    }
}

/// The counter sees a caller that starts over, and what is looked at once is counted once.
#[test]
fn the_counter_counts() {
    let wire = long_frame(0x82, &[b'x'; 1_000]);
    let (whole, _) = receive(&wire, usize::MAX / 2, false);
    assert_eq!(whole, 1_002, "a header, a payload, and that there is no other header");
    let before = steps();
    for end in 10..wire.len() {
        let mut client = Connection::client(&config(false), Box::new(|| [0; 4]), NOW);
        let mut input = wire[..end].to_vec();
        let step = client.poll(&mut input, NOW).expect("it is right");
        assert_eq!(step.event, Event::NeedInput);
    }
    let again = steps() - before;
    assert!(again > whole * 100, "{again} steps");
}
