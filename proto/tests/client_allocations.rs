//! Exchanges on a kept connection of a client allocate nothing. What they are counted with is proven
//! to count here too.

use allocation_counter::measure;
use sinew_proto::http1::{
    BodyMode, BodyPlan, Client,
    client::{Event, Request, Reuse},
};
use sinew_proto::{Config, FieldLines, FieldTable, Instant};

const LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const EMPTY: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
/// To HEAD: the length of what was not sent.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

/// What a driver keeps between exchanges, and reuses.
struct Loop {
    client: Client,
    table: FieldTable,
    out: Vec<u8>,
    plain: FieldLines,
    expects: FieldLines,
    trailers: FieldLines,
    now: Instant,
}

fn lines(fields: &[(&str, &str)]) -> FieldLines {
    let mut lines = FieldLines::new();
    for (name, value) in fields {
        lines.append(name, value).expect("a valid field");
    }
    lines
}

impl Loop {
    fn new() -> Self {
        let config = Config::default();
        Self {
            client: Client::new(&config),
            table: FieldTable::new(&config),
            out: Vec::with_capacity(4096),
            plain: lines(&[("Host", "example.org"), ("Accept", "*/*"), ("TE", "trailers")]),
            expects: lines(&[("Host", "example.org"), ("Expect", "100-continue")]),
            trailers: lines(&[("x-sum", "1")]),
            now: Instant::from_nanos(0),
        }
    }

    /// One exchange of each kind, two of them pipelined; the first response comes in two pieces.
    /// Returns the bytes written.
    fn exchanges(&mut self, second: u64) -> usize {
        self.out.clear();
        self.now = Instant::from_nanos(second * 1_000_000_000);
        self.request("GET", BodyPlan::Empty);
        assert_eq!(self.receive(&LENGTH[..30]), 0);
        assert_eq!(self.receive(LENGTH), LENGTH.len());

        assert_eq!(self.request("POST", BodyPlan::Length(5)), BodyMode::Length(5));
        self.client.frame_data(5, true).expect("the body");
        self.client.written(false, true, self.now);
        self.client.written(true, false, self.now);
        assert_eq!(self.receive(EMPTY), EMPTY.len());

        self.request("PUT", BodyPlan::Streamed);
        self.client.frame_data(7, false).expect("a piece");
        self.client.finish(Some(&self.trailers), &mut self.out).expect("the end");
        self.request("HEAD", BodyPlan::Empty);
        assert_eq!(self.receive(CHUNKED), CHUNKED.len());
        assert_eq!(self.receive(HEAD), HEAD.len());

        let request = Request::new("POST", "/path", &self.expects);
        self.client.request(&request, BodyPlan::Length(1), &mut self.out).expect("a request");
        assert_eq!(self.receive(CONTINUE), CONTINUE.len());
        assert!(!self.client.awaits_continue());
        self.client.frame_data(1, true).expect("the body");
        assert_eq!(self.receive(EMPTY), EMPTY.len());

        assert_eq!(self.client.reuse(), Reuse::Now);
        assert!(self.client.poll_timeout().is_some_and(|due| due > self.now), "an idle connection");
        self.client.handle_timeout(self.now).expect("nothing passed");
        self.out.len()
    }

    fn request(&mut self, method: &str, plan: BodyPlan) -> BodyMode {
        let request = Request::new(method, "/path?query", &self.plain);
        self.client.request(&request, plan, &mut self.out).expect("a request")
    }

    fn receive(&mut self, input: &[u8]) -> usize {
        let mut consumed = 0;
        loop {
            let rest = &input[consumed..];
            let step = self.client.poll(rest, &mut self.table, self.now).expect("valid input");
            consumed += step.consumed;
            match step.event {
                Event::Interim(head) | Event::Response(head) => assert!(head.fields().len() < 3),
                Event::NeedInput | Event::Idle => return consumed,
                Event::Closed | Event::Upgraded => panic!("the connection persists"),
                Event::Data(_) | Event::Trailers(_) | Event::End => {}
            }
        }
    }
}

#[test]
fn ten_thousand_kept_exchanges_allocate_nothing() {
    let mut kept = Loop::new();
    let first = kept.exchanges(0);
    let measured = measure(|| {
        for second in 1..=2_000 {
            assert_eq!(kept.exchanges(second), first);
        }
    });
    assert_eq!((measured.count_total, measured.bytes_total), (0, 0), "five exchanges a round");
}

#[test]
fn a_buffer_that_grows_is_counted() {
    let mut kept = Loop::new();
    kept.exchanges(0);
    let measured = measure(|| {
        kept.out = Vec::new();
        kept.exchanges(1);
    });
    assert!(measured.count_total > 0);
}
