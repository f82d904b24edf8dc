//! Work is linear in what was received, however it arrives: steps are counted, not timed. And an
//! idle connection is small.
//!
//! A step is a byte looked at or a call of `advance` (`src/work.rs`). Eight times the bytes may take
//! at most nine times the steps, whole and one byte at a time. Where the bytes come one at a time
//! each is a call of its own and the input so far is given again with it, so a parser that starts
//! over fails here.

use sinew_proto::http1::client::{self, Request};
use sinew_proto::http1::server::{self, Server};
use sinew_proto::http1::{BodyPlan, Client, ResponseHead};
use sinew_proto::work::steps;
use sinew_proto::{Config, FieldLines, FieldTable, Instant, StatusCode};

const NOW: Instant = Instant::from_nanos(0);

fn config() -> Config {
    Config {
        max_head_bytes: u32::MAX,
        max_target_bytes: u32::MAX,
        max_trailer_bytes: u32::MAX,
        max_chunk_extension_bytes: u32::MAX,
        max_drain_bytes: u32::MAX,
        max_fields: u16::MAX,
        max_interim_responses: u8::MAX,
        ..Config::default()
    }
}

/// How the input is cut, and how its answers come.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    Whole,
    Single,
    /// In pieces of 7 bytes.
    Pieces,
}

impl Arrival {
    const ALL: [Self; 3] = [Self::Whole, Self::Single, Self::Pieces];

    fn longest(self, len: usize) -> usize {
        match self {
            Self::Whole => len,
            Self::Single => 1,
            Self::Pieces => 7,
        }
    }
}

/// Gives `wire` to a server that answers every request. Returns steps taken and messages seen.
fn serve(wire: &[u8], arrival: Arrival, at_once: bool) -> (u64, usize) {
    let config = config();
    let mut table = FieldTable::new(&config);
    let mut server = Server::new(&config);
    let (mut start, mut end, mut seen) = (0, 0, 0);
    let mut out = Vec::new();
    let before = steps();
    while end < wire.len() {
        end = wire.len().min(end + arrival.longest(wire.len()));
        loop {
            let step = server.advance(&wire[start..end], &mut table, NOW).expect("valid input");
            start += step.consumed;
            let head = ResponseHead::new(StatusCode::OK);
            match step.event {
                server::Kind::Request if at_once => {
                    server.respond(&head, BodyPlan::Empty, &mut out).expect("a request waits");
                    seen += 1;
                }
                server::Kind::Request => seen += 1,
                server::Kind::End if !at_once => {
                    server.respond(&head, BodyPlan::Empty, &mut out).expect("a request waits");
                }
                server::Kind::NeedInput => break,
                server::Kind::Paused | server::Kind::Upgraded | server::Kind::Closed => {
                    panic!("{:?}", step.event)
                }
                _ => {}
            }
            out.clear();
        }
    }
    assert_eq!(start, wire.len(), "everything is read");
    (steps() - before, seen)
}

/// The same for a client that has sent as many requests as it may.
fn ask(wire: &[u8], arrival: Arrival) -> (u64, usize) {
    let config = config();
    let mut table = FieldTable::new(&config);
    let mut client = Client::new(&config);
    let mut fields = FieldLines::new();
    fields.append("host", "a").expect("a field");
    let (mut start, mut end, mut seen) = (0, 0, 0);
    let mut out = Vec::new();
    let before = steps();
    while end < wire.len() {
        end = wire.len().min(end + arrival.longest(wire.len()));
        loop {
            while client.request(&Request::new("GET", "/", &fields), BodyPlan::Empty, &mut out).is_ok() {
                out.clear();
            }
            let step = client.advance(&wire[start..end], &mut table, NOW).expect("valid input");
            start += step.consumed;
            match step.event {
                client::Kind::Response | client::Kind::Interim => seen += 1,
                client::Kind::NeedInput => break,
                client::Kind::Idle | client::Kind::Upgraded | client::Kind::Closed => {
                    panic!("{:?}", step.event)
                }
                _ => {}
            }
        }
    }
    assert_eq!(start, wire.len(), "everything is read");
    (steps() - before, seen)
}

/// `wire(n)` has about `n` times the bytes of `wire(1)`.
fn linear(name: &str, wire: impl Fn(usize) -> String, work: impl Fn(&[u8], Arrival) -> (u64, usize)) {
    // Large enough that what is done once does not hide what is done for each byte.
    let (small, large) = (wire(100), wire(800));
    let eightfold = small.len() * 6..=small.len() * 8;
    assert!(eightfold.contains(&large.len()), "{name}: {} and {} bytes", small.len(), large.len());
    for arrival in Arrival::ALL {
        let (steps, messages) = work(small.as_bytes(), arrival);
        let (more_steps, more_messages) = work(large.as_bytes(), arrival);
        assert!(messages > 0 && more_messages >= messages, "{name}: something was read");
        assert!(steps * 16 >= small.len() as u64, "{name}: {steps} steps for {} bytes", small.len());
        assert!(
            more_steps <= steps * 9,
            "{name}, {arrival:?}: {more_steps} steps for {} bytes, {steps} for {}",
            large.len(),
            small.len()
        );
    }
}

/// 24 bytes a time.
fn text(n: usize) -> String {
    "0123456789abcdef-_.~%20x".repeat(n)
}

#[test]
fn requests() {
    let body = |framing: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n");
    let chunked = body("Transfer-Encoding: chunked\r\n");
    type Wire<'w> = &'w dyn Fn(usize) -> String;
    let cases: [(&str, Wire<'_>); 16] = [
        ("a long target", &|n| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", text(n))),
        ("a long query", &|n| format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", "%20".repeat(8 * n))),
        ("an absolute target", &|n| format!("GET http://a/{} HTTP/1.1\r\nHost: a\r\n\r\n", text(n))),
        ("a long host", &|n| format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", text(n))),
        ("a long value", &|n| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", text(n))),
        ("a value of blanks", &|n| {
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", " \t".repeat(12 * n))
        }),
        ("a value and blanks", &|n| {
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: y{}\r\n\r\n", " ".repeat(24 * n))
        }),
        ("many fields", &|n| {
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "Name: value of it\r\n".repeat(n))
        }),
        ("many empty fields", &|n| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a:\r\n".repeat(5 * n))),
        ("many options", &|n| body(&"Connection: a, b, c,,, d\r\n".repeat(n))),
        ("one long option list", &|n| body(&format!("Connection: {}\r\n", "close-, ".repeat(3 * n)))),
        ("chunks", &|n| format!("{chunked}{}0\r\n\r\n", "5\r\nhello\r\n".repeat(n))),
        ("tiny chunks", &|n| format!("{chunked}{}0\r\n\r\n", "1\r\nx\r\n".repeat(2 * n))),
        ("an endless extension", &|n| {
            format!("{chunked}5;{}\r\nhello\r\n0\r\n\r\n", "a=\"b;c\" ;".repeat(n) + "a")
        }),
        ("trailers", &|n| format!("{chunked}0\r\n{}\r\n", "Name: value of it\r\n".repeat(n))),
        ("one long trailer", &|n| format!("{chunked}0\r\nX: {}\r\n\r\n", text(n))),
    ];
    for (name, wire) in cases {
        linear(name, wire, |wire, arrival| serve(wire, arrival, false));
        linear(name, wire, |wire, arrival| serve(wire, arrival, true));
    }
}

#[test]
fn pipelined_requests() {
    let gets = |n: usize| "GET /path HTTP/1.1\r\nHost: example.org\r\n\r\n".repeat(n);
    let posts = |n: usize| "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".repeat(n);
    for at_once in [false, true] {
        linear("GET", gets, |wire, arrival| serve(wire, arrival, at_once));
        linear("POST", posts, |wire, arrival| serve(wire, arrival, at_once));
    }
}

#[test]
fn responses() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    type Wire<'w> = &'w dyn Fn(usize) -> String;
    let cases: [(&str, Wire<'_>); 9] = [
        ("a long reason", &|n| format!("HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n", text(n))),
        ("a long value", &|n| format!("HTTP/1.1 204 \r\nX: {}\r\n\r\n", text(n))),
        ("many fields", &|n| format!("HTTP/1.1 304 \r\n{}\r\n", "Name: value of it\r\n".repeat(n))),
        ("many options", &|n| format!("HTTP/1.1 204 \r\n{}\r\n", "Connection: a, b, c,,, d\r\n".repeat(n))),
        ("tiny chunks", &|n| format!("{chunked}{}0\r\n\r\n", "1\r\nx\r\n".repeat(2 * n))),
        ("extensions", &|n| format!("{chunked}{}0\r\n\r\n", "1;a=b\r\nx\r\n".repeat(2 * n))),
        ("trailers", &|n| format!("{chunked}0\r\n{}\r\n", "Name: value of it\r\n".repeat(n))),
        ("many responses", &|n| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".repeat(n)),
        ("interim responses", &|n| {
            let early = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n".repeat(10);
            format!("{early}HTTP/1.1 204 \r\n\r\n").repeat(n / 10)
        }),
    ];
    for (name, wire) in cases {
        linear(name, wire, ask);
    }
}

/// The counter sees a caller that starts over, and nothing is counted twice for one that does not.
#[test]
fn the_counter_counts() {
    let wire = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", text(100));
    let (whole, _) = serve(wire.as_bytes(), Arrival::Whole, true);
    assert!((wire.len() as u64..wire.len() as u64 * 6).contains(&whole), "{whole} steps");
    let config = config();
    let before = steps();
    for end in 0..wire.len() {
        // A new connection each time: what a parser without memory does.
        let mut table = FieldTable::new(&config);
        let _ = Server::new(&config).advance(&wire.as_bytes()[..end], &mut table, NOW);
    }
    let again = steps() - before;
    assert!(again > whole * 100, "{again} steps against {whole}");
}

#[test]
fn a_connection_is_small() {
    assert!(size_of::<Server>() <= 256, "{} bytes", size_of::<Server>());
    assert!(size_of::<Client>() <= 256, "{} bytes", size_of::<Client>());
}
