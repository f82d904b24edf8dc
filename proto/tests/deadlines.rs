//! Every deadline, in virtual time. Nothing here waits: an hour is a number.

use std::time::Duration;

use sinew_proto::http1::{BodyPlan, CloseAction, ResponseHead, Server, server::Kind};
use sinew_proto::{Config, FieldTable, Instant, RecvError, StatusCode};

/// Timeouts that cannot be taken for one another.
fn config() -> Config {
    Config {
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        body_grace: Duration::from_secs(5),
        body_min_rate: 100,
        write_timeout: Duration::from_secs(30),
        linger_timeout: Duration::from_secs(2),
        ..Config::default()
    }
}

/// A connection and its clock, in milliseconds.
struct Timed {
    server: Server,
    table: FieldTable,
    input: Vec<u8>,
    now: u64,
}

impl Timed {
    fn new(config: &Config) -> Self {
        let mut timed = Self {
            server: Server::new(config),
            table: FieldTable::new(config),
            input: Vec::new(),
            now: 1_000,
        };
        timed.give("");
        timed
    }

    fn instant(&self) -> Instant {
        at(self.now)
    }

    /// Gives `text` now and returns the last event.
    fn give(&mut self, text: &str) -> Kind {
        self.input.extend_from_slice(text.as_bytes());
        loop {
            let now = self.instant();
            let step = self.server.advance(&self.input, &mut self.table, now).expect("valid input");
            self.input.drain(..step.consumed);
            if matches!(step.event, Kind::NeedInput | Kind::Paused | Kind::Closed) {
                return step.event;
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += millis;
    }

    /// In how many milliseconds the next deadline is.
    fn due(&self) -> Option<u64> {
        let due = self.server.poll_timeout()?;
        Some(u64::try_from(due.saturating_since(self.instant()).as_millis()).expect("small"))
    }

    /// Lets the deadline pass, and checks that nothing happens a nanosecond earlier and that the
    /// deadline does not stay.
    fn expire(&mut self) -> Result<(), RecvError> {
        let due = self.server.poll_timeout().expect("a deadline");
        let before = format!("{:?}", self.server);
        let early = Instant::from_nanos(due.as_nanos() - 1);
        assert_eq!(self.server.handle_timeout(early), Ok(()));
        assert_eq!(format!("{:?}", self.server), before, "too early to do anything");
        self.now = due.as_nanos() / 1_000_000;
        assert_eq!(self.instant(), due, "whole milliseconds");
        let result = self.server.handle_timeout(due);
        assert_ne!(format!("{:?}", self.server), before, "a deadline has a consequence");
        assert!(self.server.poll_timeout().is_none_or(|next| next > due), "no busy loop");
        assert_eq!(self.server.handle_timeout(due), Ok(()), "it happens once");
        result
    }

    fn respond(&mut self) {
        let head = ResponseHead::new(StatusCode::OK);
        self.server.respond(&head, BodyPlan::Empty, &mut Vec::new()).expect("a request waits");
    }

    fn fail(&mut self, error: RecvError) -> String {
        let mut out = Vec::new();
        assert_eq!(self.server.fail(&error, None, &mut out), !out.is_empty());
        String::from_utf8(out).expect("text")
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";

#[test]
fn an_idle_connection_closes_without_a_word() {
    let mut idle = Timed::new(&config());
    assert_eq!(idle.due(), Some(60_000));
    idle.wait(20_000);
    idle.give("");
    assert_eq!(idle.due(), Some(40_000), "an empty read does not move it");
    assert_eq!(idle.expire(), Ok(()));
    assert_eq!(idle.server.close_action(), CloseAction::AfterFlush);
    assert_eq!(idle.give(GET), Kind::Closed, "what comes late is no request");
    assert_eq!(idle.due(), None);
}

#[test]
fn the_idle_time_begins_anew_after_each_exchange() {
    let mut kept = Timed::new(&config());
    for _ in 0..3 {
        kept.wait(59_999);
        assert_eq!(kept.give(GET), Kind::Paused);
        assert_eq!(kept.due(), None, "a handler takes as long as it takes");
        kept.wait(3_600_000);
        kept.respond();
        assert_eq!(kept.give(""), Kind::NeedInput);
        assert_eq!(kept.due(), Some(60_000));
    }
    assert_eq!(kept.expire(), Ok(()));
}

#[test]
fn an_empty_line_begins_no_head() {
    let mut kept = Timed::new(&config());
    kept.wait(59_000);
    kept.give("\r");
    kept.give("\n");
    assert_eq!(kept.due(), Some(1_000), "as idle as before");
    kept.give("G");
    assert_eq!(kept.due(), Some(10_000));

    let mut idle = Timed::new(&config());
    idle.give("\r\n");
    assert_eq!(idle.expire(), Ok(()), "closes without a word");

    let mut draining = Timed::new(&config());
    draining.server.shutdown();
    assert_eq!(draining.give("\r\n"), Kind::Closed, "no request was begun");
}

#[test]
fn a_head_has_its_time() {
    let mut slow = Timed::new(&config());
    slow.wait(30_000);
    slow.give("GET / HTTP/1.1\r\n");
    assert_eq!(slow.due(), Some(10_000), "from its first byte");
    assert_eq!(slow.expire(), Err(RecvError::HeadTimeout));
    assert!(slow.fail(RecvError::HeadTimeout).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(slow.server.close_action(), CloseAction::Linger);
    assert_eq!(slow.give("Host: a\r\n\r\n"), Kind::Closed, "too late");
}

#[test]
fn a_head_that_trickles_has_no_more_time() {
    let mut trickle = Timed::new(&config());
    for byte in GET.chars().take(20) {
        trickle.give(&byte.to_string());
        trickle.wait(499);
    }
    assert_eq!(trickle.due(), Some(10_000 - 20 * 499), "slowloris");
    assert_eq!(trickle.expire(), Err(RecvError::HeadTimeout));
}

#[test]
fn a_pipelined_head_has_its_time_from_the_answer_before() {
    let mut next = Timed::new(&config());
    assert_eq!(next.give(&[GET, "GET"].concat()), Kind::Paused);
    next.wait(100_000);
    assert_eq!(next.due(), None, "it was not looked at");
    next.respond();
    assert_eq!(next.give(""), Kind::NeedInput);
    assert_eq!(next.due(), Some(10_000));
    assert_eq!(next.expire(), Err(RecvError::HeadTimeout));
    assert!(next.fail(RecvError::HeadTimeout).starts_with("HTTP/1.1 408 "));
}

#[test]
fn a_body_has_its_grace_and_then_its_rate() {
    let mut body = Timed::new(&config());
    body.give(POST);
    assert_eq!(body.due(), Some(5_000), "the grace");
    body.give(&"x".repeat(100));
    assert_eq!(body.due(), Some(6_000), "a hundred bytes are worth a second");
    body.wait(5_999);
    body.give(&"x".repeat(10));
    assert_eq!(body.due(), Some(101));
    body.give(&"x".repeat(1_000));
    assert_eq!(body.due(), Some(10_101), "what came fast may pause");
    assert_eq!(body.expire(), Err(RecvError::BodyTimeout));
    assert!(body.fail(RecvError::BodyTimeout).starts_with("HTTP/1.1 408 "));
    assert_eq!(body.server.close_action(), CloseAction::Linger);
    assert_eq!(body.give(GET), Kind::Closed);
}

#[test]
fn no_rate_earns_more_silence_than_an_idle_connection_has() {
    let mut body = Timed::new(&Config { idle_timeout: Duration::from_secs(20), ..config() });
    body.give("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    body.wait(1_000);
    body.give(&"x".repeat(50_000));
    assert_eq!(body.due(), Some(20_000));
    body.wait(15_000);
    body.server.hold_body(true, body.instant());
    body.wait(100_000);
    body.server.hold_body(false, body.instant());
    assert_eq!(body.due(), Some(5_000), "a body that is held does not age");
    body.give("x");
    assert_eq!(body.due(), Some(20_000));
    assert_eq!(body.expire(), Err(RecvError::BodyTimeout));
}

#[test]
fn chunk_lines_earn_no_time() {
    let mut body = Timed::new(&config());
    body.give("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..10 {
        body.give("1;extension=1234567890\r\nx\r\n");
    }
    assert_eq!(body.due(), Some(5_100), "ten bytes of data");
}

#[test]
fn trailers_that_do_not_end_are_part_of_the_body() {
    let mut body = Timed::new(&config());
    body.give("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for _ in 0..100 {
        body.give("A: b\r\n");
    }
    assert_eq!(body.due(), Some(5_000));
    assert_eq!(body.expire(), Err(RecvError::BodyTimeout));
}

#[test]
fn a_body_that_nobody_reads_is_not_slow() {
    let mut held = Timed::new(&config());
    held.give(POST);
    held.wait(2_000);
    held.server.hold_body(true, held.instant());
    assert_eq!(held.due(), None);
    held.wait(3_600_000);
    held.server.hold_body(true, held.instant());
    held.server.hold_body(false, held.instant());
    assert_eq!(held.due(), Some(3_000), "the clock went on where it stopped");
    held.server.hold_body(false, held.instant());
    held.wait(1_000);
    assert_eq!(held.due(), Some(2_000));
    assert_eq!(held.expire(), Err(RecvError::BodyTimeout));
}

#[test]
fn the_rate_can_be_turned_off() {
    let mut body = Timed::new(&Config { body_min_rate: 0, ..config() });
    body.give(POST);
    assert_eq!(body.due(), None);
    body.wait(u64::from(u32::MAX));
    assert_eq!(body.server.handle_timeout(body.instant()), Ok(()));
    assert_eq!(body.server.close_action(), CloseAction::None);
}

#[test]
fn an_unwanted_body_has_to_come_as_fast() {
    let mut drained = Timed::new(&config());
    drained.give("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    drained.respond();
    assert_eq!(drained.give("xx"), Kind::NeedInput);
    assert_eq!(drained.due(), Some(5_020));
    assert_eq!(drained.expire(), Err(RecvError::BodyTimeout));
    assert_eq!(drained.fail(RecvError::BodyTimeout), "", "the answer is out");
    assert_eq!(drained.server.close_action(), CloseAction::Linger);
}

#[test]
fn a_client_that_waits_for_continue_is_not_slow() {
    let mut waiting = Timed::new(&config());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(waiting.give(head), Kind::NeedInput);
    assert_eq!(waiting.due(), None);
    waiting.wait(100_000);
    assert!(waiting.server.send_continue(&mut Vec::new()));
    waiting.give("");
    assert_eq!(waiting.due(), Some(5_000), "now it is its turn");
}

#[test]
fn a_peer_that_does_not_read_is_dropped() {
    let mut stalled = Timed::new(&config());
    stalled.give(GET);
    stalled.respond();
    stalled.server.written(false, true, stalled.instant());
    assert_eq!(stalled.due(), Some(30_000));
    stalled.wait(29_999);
    stalled.server.written(true, true, stalled.instant());
    assert_eq!(stalled.due(), Some(30_000), "a byte was taken");
    stalled.wait(10_000);
    stalled.server.written(false, true, stalled.instant());
    assert_eq!(stalled.due(), Some(20_000), "none was taken");
    assert_eq!(stalled.expire(), Err(RecvError::WriteTimeout));
    assert_eq!(stalled.server.close_action(), CloseAction::Abort);
    assert_eq!(stalled.fail(RecvError::WriteTimeout), "", "no answer can reach it");
    assert_eq!(stalled.server.close_action(), CloseAction::Abort);
    stalled.server.written(false, true, stalled.instant());
    assert_eq!(stalled.due(), None, "and that is the end of it");
    assert_eq!(stalled.give(GET), Kind::Closed);
}

#[test]
fn output_that_is_out_has_no_deadline() {
    let mut sent = Timed::new(&config());
    sent.give(GET);
    sent.respond();
    sent.server.written(false, true, sent.instant());
    sent.wait(10_000);
    sent.server.written(true, false, sent.instant());
    assert_eq!(sent.due(), None);
    sent.give("");
    assert_eq!(sent.due(), Some(60_000));
}

#[test]
fn the_earlier_of_two_deadlines_counts() {
    let mut both = Timed::new(&config());
    both.give(GET);
    both.respond();
    both.server.written(false, true, both.instant());
    both.give("GET");
    assert_eq!(both.due(), Some(10_000), "the next head");
    assert_eq!(both.expire(), Err(RecvError::HeadTimeout));
    assert_eq!(both.due(), Some(20_000), "the output of the last");
    assert_eq!(both.expire(), Err(RecvError::WriteTimeout));
    assert_eq!(both.due(), None);
}

#[test]
fn lingering_begins_when_it_is_told() {
    let mut given_up = Timed::new(&Config { max_drain_bytes: 10, ..config() });
    given_up.give("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    given_up.respond();
    assert_eq!(given_up.give("ff\r\nmore than ten bytes"), Kind::Closed);
    assert_eq!((given_up.server.close_action(), given_up.due()), (CloseAction::Linger, Some(2_000)));
}

#[test]
fn lingering_ends() {
    let last = "GET / HTTP/1.0\r\n\r\n";
    let mut lingers = Timed::new(&config());
    lingers.give(last);
    lingers.respond();
    assert_eq!(lingers.give("noise"), Kind::Closed);
    assert_eq!((lingers.server.close_action(), lingers.due()), (CloseAction::Linger, Some(2_000)));
    for _ in 0..3 {
        lingers.wait(500);
        assert_eq!(lingers.give("noise"), Kind::Closed);
    }
    assert_eq!(lingers.due(), Some(500), "noise does not prolong it");
    assert_eq!(lingers.expire(), Ok(()));
    assert_eq!((lingers.server.close_action(), lingers.due()), (CloseAction::AfterFlush, None));
    assert_eq!(lingers.give(GET), Kind::Closed);
    assert_eq!((lingers.server.close_action(), lingers.due()), (CloseAction::AfterFlush, None));

    let mut gone = Timed::new(&config());
    gone.give(last);
    gone.respond();
    gone.give("");
    gone.server.end_of_input(gone.instant());
    assert_eq!((gone.server.close_action(), gone.due()), (CloseAction::AfterFlush, None));
}

#[test]
fn lingering_begins_when_the_output_is_out() {
    let mut slow = Timed::new(&config());
    slow.give("GET / HTTP/1.0\r\n\r\n");
    slow.respond();
    slow.give("");
    for _ in 0..5 {
        slow.wait(1_900);
        slow.server.written(true, true, slow.instant());
        assert_eq!(slow.due(), Some(2_000));
    }
    slow.server.written(true, false, slow.instant());
    assert_eq!(slow.expire(), Ok(()));
    assert_eq!(slow.server.close_action(), CloseAction::AfterFlush);
}

/// A deadline of the request must not end an answer that was begun.
#[test]
fn the_end_of_an_exchange_ends_its_deadlines() {
    let mut last = Timed::new(&config());
    last.give(&POST.replace("Host", "Connection: close\r\nHost"));
    assert_eq!(last.due(), Some(5_000));
    last.respond();
    assert_eq!(last.due(), None, "the body is not awaited any more");
    last.wait(5_000);
    assert_eq!(last.server.handle_timeout(last.instant()), Ok(()));
    assert_eq!(last.server.close_action(), CloseAction::Linger);

    let mut aborted = Timed::new(&config());
    aborted.server.abort();
    assert_eq!(aborted.due(), None);
    aborted.wait(60_000);
    assert_eq!(aborted.server.handle_timeout(aborted.instant()), Ok(()));
    assert_eq!(aborted.server.close_action(), CloseAction::Abort, "nothing is milder than that");
}

#[test]
fn zero_is_off() {
    let zero = Duration::ZERO;
    let off = Config {
        head_timeout: zero,
        idle_timeout: zero,
        body_min_rate: 0,
        write_timeout: zero,
        linger_timeout: zero,
        ..config()
    };
    let mut patient = Timed::new(&off);
    assert_eq!(patient.due(), None);
    patient.give("GET");
    assert_eq!(patient.due(), None);
    patient.give(&GET[3..]);
    patient.respond();
    patient.server.written(false, true, patient.instant());
    assert_eq!(patient.due(), None);
    patient.give(POST);
    assert_eq!(patient.due(), None);
    patient.now = u64::from(u32::MAX);
    assert_eq!(patient.server.handle_timeout(patient.instant()), Ok(()));
}

#[test]
fn times_at_the_end_of_the_clock() {
    let config = Config { idle_timeout: Duration::MAX, head_timeout: Duration::from_nanos(1), ..config() };
    let mut table = FieldTable::new(&config);
    let mut late = Server::new(&config);
    let end = Instant::from_nanos(u64::MAX);
    let step = late.advance(b"", &mut table, Instant::from_nanos(u64::MAX - 1)).expect("no error");
    assert_eq!(step.event, Kind::NeedInput);
    assert_eq!(late.poll_timeout(), Some(end));
    assert_eq!(late.handle_timeout(end), Ok(()));
    assert_eq!((late.close_action(), late.poll_timeout()), (CloseAction::AfterFlush, None));

    let mut fast = Server::new(&config);
    let step = fast.advance(b"G", &mut table, at(0)).expect("no error");
    assert_eq!((step.event, fast.poll_timeout()), (Kind::NeedInput, Some(at(1))), "rounded up");

    let mut backwards = Server::new(&config);
    let step = backwards.advance(b"", &mut table, at(5)).expect("no error");
    assert_eq!(step.event, Kind::NeedInput);
    assert_eq!(backwards.handle_timeout(at(0)), Ok(()), "a clock that goes back does no harm");
}
