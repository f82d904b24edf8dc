//! Exchanges on a kept connection allocate nothing, and the counter that says so counts.

use allocation_counter::measure;
use sinew_proto::http1::{BodyMode, BodyPlan, RequestHeadBuf, ResponseHead, Server, server::Event};
use sinew_proto::{Config, DateCache, FieldLines, FieldTable, Instant, StatusCode};

const GET: &[u8] =
    b"GET /path?query HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\nUser-Agent: test\r\n\r\n";
const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello";
const CHUNKED: &[u8] = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
    5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n";

/// What a driver keeps between exchanges, and reuses.
struct Loop {
    server: Server,
    table: FieldTable,
    head: RequestHeadBuf,
    out: Vec<u8>,
    dates: DateCache,
    fields: FieldLines,
    trailers: FieldLines,
    now: Instant,
}

impl Loop {
    fn new() -> Self {
        let config = Config::default();
        let mut fields = FieldLines::new();
        fields.append("content-type", "text/plain").expect("a valid field");
        let mut trailers = FieldLines::new();
        trailers.append("x-sum", "1").expect("a valid field");
        Self {
            server: Server::new(&config),
            table: FieldTable::new(&config),
            head: RequestHeadBuf::new(),
            out: Vec::with_capacity(4096),
            dates: DateCache::new(0),
            fields,
            trailers,
            now: Instant::from_nanos(0),
        }
    }

    /// One exchange of each kind; the first request comes in two pieces. Returns the bytes written.
    fn exchanges(&mut self, second: u64) -> usize {
        self.out.clear();
        self.now = Instant::from_nanos(second * 1_000_000_000);
        let _ = self.receive(&GET[..30]);
        assert_eq!(self.receive(GET), GET.len());
        self.respond(second, BodyPlan::Length(5));
        self.server.frame_data(5, true).expect("a body");
        assert_eq!(self.receive(POST), POST.len());
        self.respond(second, BodyPlan::Empty);
        assert_eq!(self.receive(CHUNKED), CHUNKED.len());
        self.respond(second, BodyPlan::Streamed);
        self.server.frame_data(7, false).expect("a piece");
        self.server.finish(Some(&self.trailers), &mut self.out).expect("the end");
        self.server.written(true, true, self.now);
        self.server.written(true, false, self.now);
        assert!(self.server.poll_timeout().is_none_or(|due| due > self.now));
        self.server.handle_timeout(self.now).expect("nothing passed");
        self.out.len()
    }

    fn receive(&mut self, input: &[u8]) -> usize {
        let mut consumed = 0;
        loop {
            let rest = &input[consumed..];
            let step = self.server.poll(rest, &mut self.table, self.now).expect("valid input");
            consumed += step.consumed;
            match step.event {
                Event::Request(head) => {
                    self.head.copy_from(&head);
                    self.server.send_continue(&mut self.out);
                }
                Event::NeedInput | Event::Paused => return consumed,
                Event::Closed | Event::Upgraded => panic!("the connection persists"),
                Event::Data(_) | Event::Trailers(_) | Event::End => {}
            }
        }
    }

    fn respond(&mut self, second: u64, plan: BodyPlan) -> BodyMode {
        let date = self.dates.at(second);
        let head = ResponseHead { status: StatusCode::OK, fields: Some(&self.fields), date: Some(date) };
        self.server.respond(&head, plan, &mut self.out).expect("a request waits")
    }
}

#[test]
fn ten_thousand_kept_exchanges_allocate_nothing() {
    let mut kept = Loop::new();
    let first = kept.exchanges(0);
    let measured = measure(|| {
        for second in 1..=3_334 {
            assert_eq!(kept.exchanges(second), first);
        }
    });
    assert_eq!((measured.count_total, measured.bytes_total), (0, 0), "three exchanges a round");
}

#[test]
fn the_counter_counts() {
    let measured = measure(|| {
        for _ in 0..10 {
            std::hint::black_box(Vec::<u8>::with_capacity(100));
        }
    });
    assert_eq!((measured.count_total, measured.bytes_total), (10, 1_000));
    // And it counts in the code under test: a buffer that is not reused grows.
    let mut kept = Loop::new();
    kept.exchanges(0);
    let measured = measure(|| {
        kept.out = Vec::new();
        kept.exchanges(1);
    });
    assert!(measured.count_total > 0);
}
