//! The simulated wire behaves like a network, and deadlines pass on its clock.

use std::time::Duration;

use sinew_proto::Config;
use sinew_proto::sim::{
    Cut, CutKind, End, Faults, Outcome, Peer, Random, Read, Received, Reply, Script, ServerPeer, Socket,
    Wire, Write, run,
};

/// Lets time pass until nothing more can arrive, and reads all of it.
fn read_all(wire: &mut Wire, end: End) -> (Vec<u8>, Read) {
    let mut all = Vec::new();
    let mut buffer = [0; 50];
    loop {
        match wire.socket(end).read(&mut buffer) {
            Read::Bytes(len) => all.extend_from_slice(&buffer[..len]),
            Read::Blocked => match wire.next_change() {
                Some(time) => wire.advance_to(time),
                None => return (all, Read::Blocked),
            },
            last => return (all, last),
        }
    }
}

fn bytes(len: u8) -> Vec<u8> {
    (0..len).collect()
}

#[test]
fn order_is_kept_and_nothing_is_lost() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let faults = Faults { capacity: 80, max_piece: 9, stall_one_in: 4, ..Faults::gentle() };
        let mut wire = Wire::new(seed, faults);
        let (mut sent, mut seen) = (Vec::new(), Vec::new());
        let mut buffer = [0; 17];
        while seen.len() < 2_000 {
            let piece: Vec<u8> = (0..random.below(60)).map(|_| random.next_u64().to_le_bytes()[0]).collect();
            if let Write::Taken(len) = wire.socket(End::A).write(&piece) {
                sent.extend_from_slice(&piece[..len]);
            }
            assert!(sent.len() - seen.len() <= 80, "no more is on its way than there is room for");
            if let Read::Bytes(len) = wire.socket(End::B).read(&mut buffer) {
                seen.extend_from_slice(&buffer[..len]);
            } else if let Some(time) = wire.next_change() {
                assert!(time > wire.now());
                wire.advance_to(time);
            }
            assert!(sent.starts_with(&seen), "seed {seed}");
        }
        wire.socket(End::A).finish();
        let (rest, last) = read_all(&mut wire, End::B);
        seen.extend(rest);
        assert_eq!((seen, last), (sent, Read::End), "seed {seed}");
    }
}

#[test]
fn a_direction_is_cut_at_any_byte() {
    for after in 0..=20_u8 {
        for (kind, last) in [(CutKind::Truncate, Read::End), (CutKind::Reset, Read::Reset)] {
            let faults = Faults {
                cut_to_b: Some(Cut { after: after.into(), kind }),
                max_piece: 3,
                ..Faults::gentle()
            };
            let mut wire = Wire::new(7, faults);
            for piece in bytes(20).chunks(6) {
                wire.socket(End::A).write(piece);
            }
            let (seen, how) = read_all(&mut wire, End::B);
            assert_eq!(how, last, "{kind:?} after {after}");
            let whole = &bytes(20)[..usize::from(after)];
            match kind {
                CutKind::Truncate => assert_eq!(seen, whole),
                CutKind::Reset => assert!(whole.starts_with(&seen)),
            }
            // The other direction is whole, but for a reset.
            let answer = wire.socket(End::B).write(b"answer");
            assert_eq!(answer, if kind == CutKind::Reset { Write::Reset } else { Write::Taken(6) });
        }
    }
}

#[test]
fn a_full_wire_pushes_back() {
    let mut wire = Wire::new(0, Faults { capacity: 10, ..Faults::default() });
    assert_eq!(wire.socket(End::A).write(&bytes(100)), Write::Taken(10));
    assert_eq!(wire.socket(End::A).write(b"x"), Write::Blocked);
    assert_eq!(wire.socket(End::B).read(&mut [0; 4]), Read::Bytes(4));
    assert_eq!(wire.socket(End::A).write(&bytes(100)), Write::Taken(4));
    assert_eq!(wire.socket(End::B).write(&bytes(3)), Write::Taken(3), "the other direction has its own room");
    assert_eq!((wire.written_by(End::A), wire.written_by(End::B)), (14, 3));
}

#[test]
fn closing_is_as_with_tcp() {
    // All was read: the end.
    let mut wire = Wire::new(0, Faults::default());
    wire.socket(End::A).write(b"bye");
    wire.socket(End::A).close();
    assert_eq!(read_all(&mut wire, End::B), (b"bye".to_vec(), Read::End));

    // Something was not: a reset, and what is on its way is lost.
    let mut wire = Wire::new(0, Faults::default());
    wire.socket(End::B).write(b"unread");
    wire.socket(End::A).write(b"lost");
    wire.socket(End::A).close();
    assert_eq!(read_all(&mut wire, End::B), (Vec::new(), Read::Reset));

    // Nobody is there any more: the first write is taken, and comes back as a reset.
    let mut wire = Wire::new(0, Faults::gentle());
    wire.socket(End::A).close();
    assert_eq!(wire.socket(End::B).write(b"hello"), Write::Taken(5));
    while let Some(time) = wire.next_change() {
        wire.advance_to(time);
    }
    assert_eq!(read_all(&mut wire, End::B).1, Read::Reset);
    assert_eq!(wire.socket(End::B).write(b"hello"), Write::Reset);

    // Half-closed: the other direction goes on.
    let mut wire = Wire::new(0, Faults::default());
    wire.socket(End::A).finish();
    assert_eq!(wire.socket(End::A).write(b"x"), Write::Reset);
    assert_eq!(wire.socket(End::B).write(b"still"), Write::Taken(5));
    assert_eq!(read_all(&mut wire, End::B).1, Read::End);
    assert_eq!(read_all(&mut wire, End::A), (b"still".to_vec(), Read::Blocked));
}

#[test]
fn time_does_not_run_backwards() {
    let mut wire = Wire::new(0, Faults::default());
    let later = wire.now().saturating_add(Duration::from_secs(5));
    wire.advance_to(later);
    wire.advance_to(sinew_proto::Instant::default());
    assert_eq!(wire.now(), later);
}

/// A script against a server that answers all with 200. Returns what was answered, how the
/// connection ended, and after how many seconds.
fn against_a_server(mut script: Script, faults: Faults) -> (String, Option<Read>, u64) {
    let mut wire = Wire::new(1, faults);
    let mut server = ServerPeer::new(&Config::default(), |_: &Received| Reply::default());
    let outcome = run(&mut wire, &mut script, &mut server, Duration::from_secs(600));
    assert_eq!(outcome, Outcome::Done, "{:?}", server.errors);
    let text = String::from_utf8(script.received().to_vec()).expect("text");
    (text, script.closed_by(), Duration::from_nanos(wire.now().as_nanos()).as_secs())
}

#[test]
fn an_idle_connection_closes_after_a_minute_without_a_word() {
    let seen = against_a_server(Script::new(), Faults::default());
    assert_eq!(seen, (String::new(), Some(Read::End), 60));
}

#[test]
fn a_head_that_trickles_gets_408_after_ten_seconds() {
    let mut slow = Script::new();
    for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: a value that goes on and on" {
        slow = slow.bytes(&[*byte]).pause(Duration::from_millis(900));
    }
    let mut wire = Wire::new(1, Faults::default());
    let mut server = ServerPeer::new(&Config::default(), |_: &Received| Reply::default());
    let mut once = slow.clone();
    run(&mut wire, &mut once, &mut server, Duration::from_secs(11));
    assert!(once.received().starts_with(b"HTTP/1.1 408 Request Timeout\r\n"), "{:?}", once.received());
    let (text, closed, _) = against_a_server(slow, Faults::default());
    assert!(text.starts_with("HTTP/1.1 408 ") && closed.is_some(), "{text}");
}

#[test]
fn a_body_that_stops_gets_408() {
    let half = Script::new().bytes(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    let (text, closed, seconds) = against_a_server(half, Faults::default());
    assert!(text.starts_with("HTTP/1.1 408 ") && closed == Some(Read::End), "{text}");
    assert!((5..=8).contains(&seconds), "{seconds} s: the grace, then lingering");
}

#[test]
fn who_never_reads_is_dropped() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let faults = Faults { capacity: 100, ..Faults::default() };
    let mut wire = Wire::new(1, faults);
    let mut deaf = Script::new().bytes(&request.repeat(50)).deaf();
    let mut server = ServerPeer::new(&Config::default(), |_: &Received| Reply {
        body: sinew_proto::sim::Body { pieces: vec![vec![b'x'; 30_000]], ..Default::default() },
        ..Reply::default()
    });
    run(&mut wire, &mut deaf, &mut server, Duration::from_secs(600));
    assert!(server.is_done());
    assert_eq!(server.errors, [sinew_proto::RecvError::WriteTimeout]);
    assert_eq!(Duration::from_nanos(wire.now().as_nanos()).as_secs(), 30);
}

struct Waiting(Option<sinew_proto::Instant>);

impl Peer for Waiting {
    fn turn(&mut self, _: &mut Socket<'_>) {}

    fn deadline(&self) -> Option<sinew_proto::Instant> {
        self.0
    }

    fn is_done(&self) -> bool {
        false
    }
}

#[test]
fn a_run_that_cannot_go_on_says_so() {
    let mut wire = Wire::new(0, Faults::default());
    let limit = Duration::from_secs(10);
    assert_eq!(run(&mut wire, &mut Waiting(None), &mut Waiting(None), limit), Outcome::Stuck);
    let later = wire.now().saturating_add(Duration::from_secs(11));
    assert_eq!(run(&mut wire, &mut Waiting(Some(later)), &mut Waiting(None), limit), Outcome::TimeLimit);
    // A deadline that has passed, and nobody acts on it.
    let passed = wire.now();
    assert_eq!(run(&mut wire, &mut Waiting(Some(passed)), &mut Waiting(None), limit), Outcome::Stuck);
}
