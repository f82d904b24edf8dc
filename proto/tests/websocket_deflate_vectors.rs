//! What zlib in Python and in Node compresses is heard, and what they have read is what is sent. The
//! vectors are in `fixtures/websocket/deflate-vectors.txt`, the programs of both beside it.

#[allow(dead_code, reason = "the handshakes alone")]
#[path = "support/websocket/compressed.rs"]
mod compressed;
#[allow(dead_code, reason = "nothing is closed here")]
#[path = "support/websocket/driver.rs"]
mod driver;
#[allow(dead_code, reason = "the final bit is always set")]
#[path = "support/websocket/frames.rs"]
mod frames;
#[path = "support/pieces.rs"]
mod pieces;

use std::fmt::Write as _;

use compressed::agreed;
use driver::{NOW, Role, Seen, Setup, run};
use frames::Draft;
use sinew_proto::websocket::{Connection, DeflateConfig, DeflateParams, Message, WindowBits};

const VECTORS: &str = include_str!("fixtures/websocket/deflate-vectors.txt");

/// One talk: six messages as a server compresses them.
struct Talk {
    maker: &'static str,
    terms: DeflateParams,
    wire: Vec<Vec<u8>>,
}

/// `hex*times`
fn payload(text: &str) -> Vec<u8> {
    let (hex, times) = text.split_once('*').unwrap_or((text, "1"));
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect();
    bytes.repeat(times.parse().expect("a number"))
}

fn messages() -> Vec<Vec<u8>> {
    VECTORS.lines().filter_map(|line| line.strip_prefix("message ")).map(payload).collect()
}

fn config(bits: u8, takeover: bool, level: u8) -> DeflateConfig {
    DeflateConfig {
        server_max_window_bits: WindowBits::new(bits).expect("9 to 15"),
        server_no_context_takeover: !takeover,
        level,
        threshold: 0,
        ..DeflateConfig::default()
    }
}

fn talks() -> Vec<Talk> {
    let lines = VECTORS.lines().filter(|line| !line.starts_with('#') && !line.starts_with("message "));
    let talk = |line: &'static str| {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("a word");
        let maker = word();
        let [bits, takeover, level] = [(); 3].map(|()| word().parse().expect("a number"));
        let config = config(bits, takeover == 1, level);
        Talk { maker, terms: agreed(&config, &config)[1], wire: words.map(payload).collect() }
    };
    lines.map(talk).collect()
}

#[test]
fn what_others_compress_is_heard() {
    let expected: Vec<Seen> = messages().into_iter().map(Seen::Binary).chain([Seen::NeedInput]).collect();
    let mut makers = Vec::new();
    for talk in talks() {
        let setup = Setup { deflate: Some(talk.terms), ..Setup::new(Role::Client) };
        let frame = |payload: &Vec<u8>| {
            let mut draft = Draft::new(2, payload, None);
            draft.reserved = 4;
            draft.bytes()
        };
        let wire: Vec<u8> = talk.wire.iter().flat_map(frame).collect();
        for longest in [usize::MAX, 7, 1] {
            assert_eq!(run(&setup, wire.chunks(longest)).seen, expected, "{}, {:?}", talk.maker, talk.terms);
        }
        makers.push(talk.maker);
    }
    for (maker, talks) in [("python", 8), ("node", 3), ("sinew", 8)] {
        assert_eq!(makers.iter().filter(|name| **name == maker).count(), talks, "{maker}");
    }
}

/// If the library compresses otherwise one day: put these lines into the file, and run both programs.
#[test]
fn what_is_sent_is_what_others_have_read() {
    let mut lines = String::new();
    for (bits, takeover, level) in [
        (9, true, 9),
        (10, false, 6),
        (11, true, 1),
        (12, false, 9),
        (13, true, 6),
        (14, false, 3),
        (15, true, 6),
        (15, false, 1),
    ] {
        let config = config(bits, takeover, level);
        let mut server = Connection::server(&sinew_proto::websocket::Config::default(), NOW)
            .with_deflate(&agreed(&config, &config)[0]);
        write!(lines, "sinew {bits} {} {level}", u8::from(takeover)).expect("a String");
        for message in messages() {
            let mut wire = Vec::new();
            server.send(Message::Binary(&message), &mut wire).expect("it is open");
            assert_eq!(wire[0], 0xc2, "a whole message, compressed");
            let payload = if wire[1] < 126 { &wire[2..] } else { &wire[4..] };
            lines.push(' ');
            lines.extend(payload.iter().map(|byte| format!("{byte:02x}")));
        }
        lines.push('\n');
    }
    let ours: String = VECTORS.split_inclusive('\n').filter(|line| line.starts_with("sinew ")).collect();
    assert!(ours == lines, "the file has other lines than these:\n{lines}");
}
