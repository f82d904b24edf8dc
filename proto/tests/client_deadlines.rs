//! Every deadline of a client, in virtual time. Nothing here waits: an hour is a number.

use std::time::Duration;

use sinew_proto::http1::{
    BodyPlan, Client, CloseAction,
    client::{Kind, Request, Reuse},
};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, RecvError, SendError};

/// Timeouts that cannot be taken for one another.
fn config() -> Config {
    Config {
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        body_grace: Duration::from_secs(5),
        body_min_rate: 100,
        write_timeout: Duration::from_secs(30),
        response_timeout: Duration::from_secs(40),
        continue_timeout: Duration::from_secs(1),
        ..Config::default()
    }
}

/// A connection and its clock, in milliseconds.
struct Timed {
    client: Client,
    table: FieldTable,
    input: Vec<u8>,
    now: u64,
}

impl Timed {
    fn new(config: &Config) -> Self {
        let mut timed = Self {
            client: Client::new(config),
            table: FieldTable::new(config),
            input: Vec::new(),
            now: 1_000,
        };
        timed.give("");
        timed
    }

    /// A connection that has just sent a `GET` and waits.
    fn asked() -> Self {
        let mut timed = Self::new(&config());
        timed.get();
        timed
    }

    /// The same, and the head of its response has come, with a body of that framing.
    fn receiving(framing: &str) -> Self {
        let mut timed = Self::asked();
        assert_eq!(timed.give(&format!("HTTP/1.1 200 OK\r\n{framing}\r\n")), Kind::NeedInput);
        timed
    }

    fn instant(&self) -> Instant {
        at(self.now)
    }

    fn try_request(&mut self, method: &str, field: &str, plan: BodyPlan) -> Result<(), SendError> {
        let mut fields = FieldLines::new();
        fields.append("Host", "a").expect("a valid field");
        if let Some((name, value)) = field.split_once(": ") {
            fields.append(name, value).expect("a valid field");
        }
        let target = if method == "CONNECT" { "a:1" } else { "/" };
        self.client.request(&Request::new(method, target, &fields), plan, &mut Vec::new()).map(drop)
    }

    /// Sends a request and polls.
    fn request(&mut self, method: &str, field: &str, plan: BodyPlan) {
        self.try_request(method, field, plan).expect("a request");
        self.give("");
    }

    fn get(&mut self) {
        self.request("GET", "", BodyPlan::Empty);
    }

    /// Gives `text` now and returns the last event.
    fn give(&mut self, text: &str) -> Kind {
        self.input.extend_from_slice(text.as_bytes());
        loop {
            let now = self.instant();
            let step = self.client.advance(&self.input, &mut self.table, now).expect("valid input");
            self.input.drain(..step.consumed);
            if matches!(step.event, Kind::NeedInput | Kind::Idle | Kind::Upgraded | Kind::Closed) {
                return step.event;
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += millis;
    }

    fn written(&mut self, progress: bool, pending: bool) {
        self.client.written(progress, pending, self.instant());
    }

    fn hold(&mut self, held: bool) {
        self.client.hold_body(held, self.instant());
    }

    /// In how many milliseconds the next deadline is.
    fn due(&self) -> Option<u64> {
        let due = self.client.poll_timeout()?;
        Some(u64::try_from(due.saturating_since(self.instant()).as_millis()).expect("small"))
    }

    /// Lets the deadline pass, and checks that nothing happens a nanosecond earlier and that the
    /// deadline does not stay.
    fn expire(&mut self) -> Result<(), RecvError> {
        let due = self.client.poll_timeout().expect("a deadline");
        let before = format!("{:?}", self.client);
        let early = Instant::from_nanos(due.as_nanos() - 1);
        assert_eq!(self.client.handle_timeout(early), Ok(()));
        assert_eq!(format!("{:?}", self.client), before, "too early to do anything");
        self.now = due.as_nanos() / 1_000_000;
        assert_eq!(self.instant(), due, "whole milliseconds");
        let result = self.client.handle_timeout(due);
        assert_ne!(format!("{:?}", self.client), before, "a deadline has a consequence");
        assert!(self.client.poll_timeout().is_none_or(|next| next > due), "no busy loop");
        assert_eq!(self.client.handle_timeout(due), Ok(()), "it happens once");
        result
    }

    /// Lets the deadline pass, which ends the connection at once, its requests not answered.
    fn assert_fails(&mut self, error: RecvError, unanswered: usize) {
        assert_eq!(self.expire(), Err(error));
        assert_eq!((self.client.close_action(), self.due()), (CloseAction::Abort, None));
        assert_eq!((self.client.reuse(), self.client.unanswered()), (Reuse::Never, unanswered));
        assert_eq!(self.give(OK), Kind::Closed, "what comes late is no response");
        assert_eq!(self.due(), None, "and that is the end of it");
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const EXPECT: &str = "Expect: 100-continue";

#[test]
fn an_idle_connection_closes_without_a_word() {
    let mut idle = Timed::new(&config());
    assert_eq!(idle.due(), Some(60_000));
    idle.wait(20_000);
    assert_eq!(idle.give(""), Kind::Idle);
    assert_eq!(idle.due(), Some(40_000), "an empty read does not move it");
    assert_eq!(idle.expire(), Ok(()));
    assert_eq!((idle.client.close_action(), idle.client.reuse()), (CloseAction::AfterFlush, Reuse::Never));
    assert_eq!(idle.try_request("GET", "", BodyPlan::Empty), Err(SendError::Closed));
    assert_eq!((idle.give(""), idle.due()), (Kind::Closed, None));
}

#[test]
fn the_idle_time_begins_anew_after_each_exchange() {
    let mut kept = Timed::new(&config());
    for _ in 0..3 {
        kept.wait(59_999);
        kept.get();
        assert_eq!(kept.due(), Some(40_000), "the response");
        kept.wait(39_999);
        assert_eq!(kept.give(OK), Kind::Idle);
        assert_eq!(kept.due(), Some(60_000));
    }
    assert_eq!(kept.expire(), Ok(()));
}

/// A request that was sent ends the idle time, also for a caller that sends it and does not poll
/// before the deadline.
#[test]
fn a_request_at_the_last_moment_is_not_cut_off() {
    let mut late = Timed::new(&config());
    late.wait(59_999);
    late.try_request("GET", "", BodyPlan::Empty).expect("a request");
    late.wait(1);
    assert_eq!(late.client.handle_timeout(late.instant()), Ok(()));
    assert_eq!((late.client.close_action(), late.client.unanswered()), (CloseAction::None, 1));
    assert_eq!(late.give(""), Kind::NeedInput);
    assert_eq!(late.due(), Some(40_000));
    assert_eq!(late.give(OK), Kind::Idle);
}

#[test]
fn a_response_has_to_begin() {
    let mut silent = Timed::asked();
    assert_eq!(silent.due(), Some(40_000));
    silent.wait(39_000);
    silent.give("");
    assert_eq!(silent.due(), Some(1_000), "an empty read does not move it");
    silent.assert_fails(RecvError::ResponseTimeout, 1);

    // Each of those that are awaited has its time after the one before.
    let mut pipelined = Timed::asked();
    pipelined.wait(10_000);
    pipelined.get();
    assert_eq!(pipelined.due(), Some(30_000), "of the first one");
    pipelined.wait(29_999);
    assert_eq!(pipelined.give(OK), Kind::NeedInput);
    assert_eq!(pipelined.due(), Some(40_000));
    pipelined.assert_fails(RecvError::ResponseTimeout, 1);
}

#[test]
fn each_interim_response_gives_time_for_the_next() {
    let mut patient = Timed::asked();
    for _ in 0..3 {
        patient.wait(39_999);
        assert_eq!(patient.give("HTTP/1.1 103 \r\n\r\n"), Kind::NeedInput);
        assert_eq!(patient.due(), Some(40_000));
    }
    patient.assert_fails(RecvError::ResponseTimeout, 1);
}

/// A server that still gets the request is not late with its response.
#[test]
fn no_response_is_due_before_the_request_is_complete() {
    for plan in [BodyPlan::Length(3), BodyPlan::Streamed] {
        let mut sending = Timed::new(&config());
        sending.request("POST", "", plan);
        assert_eq!(sending.due(), None);
        for _ in 0..2 {
            sending.wait(3_600_000);
            sending.client.frame_data(1, false).expect("a piece");
            assert_eq!((sending.give(""), sending.due()), (Kind::NeedInput, None));
        }
        sending.wait(3_600_000);
        sending.client.frame_data(1, true).expect("the last piece");
        sending.give("");
        assert_eq!(sending.due(), Some(40_000));
        sending.assert_fails(RecvError::ResponseTimeout, 1);
    }
    // Given up, it is as complete as it will be.
    let mut abandoned = Timed::new(&config());
    abandoned.request("POST", "", BodyPlan::Length(3));
    abandoned.client.abandon_body();
    abandoned.give("");
    assert_eq!(abandoned.due(), Some(40_000));
}

/// The last byte of a request counts when it is out: what is written slowly is not answered slowly.
#[test]
fn the_time_of_a_response_begins_when_the_request_is_out() {
    let mut slow = Timed::asked();
    slow.written(false, true);
    for _ in 0..5 {
        slow.wait(29_999);
        assert_eq!(slow.client.handle_timeout(slow.instant()), Ok(()));
        slow.written(true, true);
        assert_eq!(slow.due(), Some(30_000), "the output");
    }
    slow.wait(29_000);
    slow.written(true, false);
    assert_eq!(slow.due(), Some(40_000), "the response");
    slow.wait(10_000);
    slow.written(false, false);
    assert_eq!(slow.due(), Some(30_000), "nothing was taken: nothing moves");
    slow.assert_fails(RecvError::ResponseTimeout, 1);

    let mut expects = Timed::new(&config());
    expects.request("POST", EXPECT, BodyPlan::Length(1));
    expects.written(false, true);
    expects.wait(900);
    expects.written(true, false);
    assert_eq!(expects.due(), Some(1_000), "of `100 Continue` too");
}

#[test]
fn the_wait_for_100_continue_ends() {
    let mut ignored = Timed::new(&config());
    ignored.request("POST", EXPECT, BodyPlan::Length(1));
    assert_eq!(ignored.due(), Some(1_000));
    ignored.wait(500);
    ignored.give("");
    assert_eq!(ignored.due(), Some(500));
    assert_eq!(ignored.expire(), Ok(()));
    assert!(!ignored.client.awaits_continue() && ignored.client.sends_body(), "the body is sent now");
    ignored.give("");
    assert_eq!((ignored.due(), ignored.client.reuse()), (None, Reuse::Later));
    // It may still come, and means nothing any more.
    assert_eq!(ignored.give(CONTINUE), Kind::NeedInput);
    ignored.client.frame_data(1, true).expect("the body");
    ignored.give("");
    assert_eq!(ignored.due(), Some(40_000));
    assert_eq!(ignored.give(OK), Kind::Idle);
    assert_eq!(ignored.client.reuse(), Reuse::Now);
}

#[test]
fn an_answer_ends_the_wait_for_100_continue() {
    let mut granted = Timed::new(&config());
    granted.request("POST", EXPECT, BodyPlan::Length(1));
    granted.wait(999);
    assert_eq!(granted.give(CONTINUE), Kind::NeedInput);
    assert_eq!(granted.due(), None, "now it is our turn");

    let mut denied = Timed::new(&config());
    denied.request("POST", EXPECT, BodyPlan::Length(1));
    assert_eq!(denied.give("HTTP/1.1 417 \r\nContent-Length: 2\r\n\r\n"), Kind::NeedInput);
    assert_eq!(denied.due(), Some(5_000), "its body");

    // Half a head is an answer that has begun.
    let mut begun = Timed::new(&config());
    begun.request("POST", EXPECT, BodyPlan::Length(1));
    begun.wait(999);
    begun.give("HTTP");
    assert_eq!(begun.due(), Some(10_000));
    begun.assert_fails(RecvError::HeadTimeout, 1);
    assert!(!begun.client.awaits_continue());

    // The caller does not wait.
    let mut impatient = Timed::new(&config());
    impatient.request("POST", EXPECT, BodyPlan::Length(2));
    impatient.client.frame_data(1, false).expect("a piece");
    impatient.give("");
    assert_eq!(impatient.due(), None);
}

#[test]
fn a_head_has_its_time() {
    let mut slow = Timed::asked();
    slow.wait(39_999);
    slow.give("H");
    assert_eq!(slow.due(), Some(10_000), "from its first byte");
    for byte in "TTP/1.1 200 OK\r\nX: ".chars() {
        slow.wait(499);
        slow.give(&byte.to_string());
    }
    assert_eq!(slow.due(), Some(10_000 - 19 * 499), "one that trickles has no more");
    slow.assert_fails(RecvError::HeadTimeout, 1);

    let mut interim = Timed::asked();
    interim.give("HTTP/1.1 103 \r\n");
    interim.wait(9_999);
    assert_eq!(interim.give("\r\nHTTP"), Kind::NeedInput);
    assert_eq!(interim.due(), Some(10_000), "each head has its own");

    let mut next = Timed::asked();
    next.get();
    next.give(&[OK, "HTTP"].concat());
    assert_eq!(next.due(), Some(10_000));
    next.assert_fails(RecvError::HeadTimeout, 1);

    // A head has its time also while the request is still being sent.
    let mut early = Timed::new(&config());
    early.request("POST", "", BodyPlan::Length(1));
    early.give("HTTP");
    assert_eq!(early.due(), Some(10_000));
    early.assert_fails(RecvError::HeadTimeout, 1);
}

#[test]
fn a_body_has_its_grace_and_then_its_rate() {
    for framing in ["Content-Length: 1000000\r\n", ""] {
        let mut body = Timed::receiving(framing);
        assert_eq!(body.due(), Some(5_000), "the grace");
        body.give(&"x".repeat(100));
        assert_eq!(body.due(), Some(6_000), "a hundred bytes are worth a second");
        body.wait(5_999);
        body.give(&"x".repeat(10));
        assert_eq!(body.due(), Some(101));
        body.give(&"x".repeat(1_000));
        assert_eq!(body.due(), Some(10_101), "what came fast may pause");
        body.assert_fails(RecvError::BodyTimeout, 1);
    }
    let mut chunked = Timed::receiving("Transfer-Encoding: chunked\r\n");
    for _ in 0..10 {
        chunked.give("1;extension=1234567890\r\nx\r\n");
    }
    assert_eq!(chunked.due(), Some(5_100), "chunk lines earn no time");
    chunked.give("0\r\n");
    for _ in 0..100 {
        chunked.give("A: b\r\n");
    }
    assert_eq!(chunked.due(), Some(5_100), "nor do trailers");
    chunked.assert_fails(RecvError::BodyTimeout, 1);
}

#[test]
fn no_rate_earns_more_silence_than_an_idle_connection_has() {
    let mut body = Timed::receiving("");
    body.give(&"x".repeat(50_000));
    assert_eq!(body.due(), Some(60_000), "not five hundred seconds");
    body.assert_fails(RecvError::BodyTimeout, 1);
}

#[test]
fn a_body_that_nobody_reads_is_not_slow() {
    let mut held = Timed::receiving("Content-Length: 1000000\r\n");
    held.wait(2_000);
    held.hold(true);
    assert_eq!(held.due(), None);
    held.wait(3_600_000);
    assert_eq!(held.client.handle_timeout(held.instant()), Ok(()));
    held.hold(true);
    held.hold(false);
    assert_eq!(held.due(), Some(3_000), "the clock went on where it stopped");
    held.hold(false);
    held.wait(1_000);
    assert_eq!(held.due(), Some(2_000));
    held.assert_fails(RecvError::BodyTimeout, 1);
}

#[test]
fn the_end_of_a_body_ends_its_deadline() {
    let mut kept = Timed::receiving("Content-Length: 1\r\n");
    kept.hold(true);
    kept.wait(1_000);
    assert_eq!(kept.give("x"), Kind::Idle);
    assert_eq!(kept.due(), Some(60_000), "and holding it means nothing any more");

    for close in ["Connection: close\r\nContent-Length: 1\r\n", ""] {
        let mut last = Timed::receiving(close);
        last.give("x");
        last.client.end_of_input(last.instant());
        assert_eq!((last.give(""), last.due()), (Kind::Closed, None), "{close:?}");
        last.wait(3_600_000);
        assert_eq!(last.client.handle_timeout(last.instant()), Ok(()));
        assert_eq!(last.client.close_action(), CloseAction::AfterFlush, "nothing milder or harsher");
    }
}

/// Answered, and not complete: the caller takes as long as it takes.
#[test]
fn a_request_that_goes_on_after_its_response_is_not_idle() {
    let mut sending = Timed::new(&config());
    sending.request("POST", "", BodyPlan::Length(1));
    assert_eq!(sending.give(OK), Kind::Idle);
    assert_eq!(sending.due(), None);
    sending.wait(3_600_000);
    sending.client.frame_data(1, true).expect("the body");
    assert_eq!((sending.give(""), sending.due()), (Kind::Idle, Some(60_000)));
}

#[test]
fn a_server_that_does_not_read_is_dropped() {
    let mut stalled = Timed::new(&config());
    stalled.request("POST", "", BodyPlan::Streamed);
    stalled.written(false, true);
    assert_eq!(stalled.due(), Some(30_000));
    stalled.wait(29_999);
    stalled.written(true, true);
    assert_eq!(stalled.due(), Some(30_000), "a byte was taken");
    stalled.wait(10_000);
    stalled.written(false, true);
    assert_eq!(stalled.due(), Some(20_000), "none was taken");
    stalled.assert_fails(RecvError::WriteTimeout, 1);
    stalled.written(false, true);
    assert_eq!(stalled.due(), None);

    let mut sent = Timed::new(&config());
    sent.request("POST", "", BodyPlan::Streamed);
    sent.written(false, true);
    sent.wait(10_000);
    sent.written(true, false);
    assert_eq!(sent.due(), None, "output that is out has no deadline");
}

#[test]
fn the_earlier_of_two_deadlines_counts() {
    let mut both = Timed::asked();
    both.written(false, true);
    both.give("HTTP");
    assert_eq!(both.due(), Some(10_000), "the head");
    both.wait(5_000);
    both.give(&OK[4..]);
    assert_eq!(both.due(), Some(25_000), "the output");
    both.assert_fails(RecvError::WriteTimeout, 0);
}

#[test]
fn another_protocol_has_deadlines_of_its_own() {
    let switch = "HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    for (method, field, answer) in [("GET", "Upgrade: x", switch), ("CONNECT", "", OK)] {
        let mut upgraded = Timed::new(&config());
        upgraded.request(method, field, BodyPlan::Empty);
        upgraded.written(true, false);
        assert_eq!(upgraded.due(), Some(40_000));
        assert_eq!(upgraded.give(&[answer, "rest"].concat()), Kind::Upgraded);
        assert_eq!(upgraded.due(), None, "{method}");
        upgraded.wait(3_600_000);
        assert_eq!(upgraded.client.handle_timeout(upgraded.instant()), Ok(()));
        assert_eq!(upgraded.give(""), Kind::Upgraded);
        assert_eq!((upgraded.due(), upgraded.client.close_action()), (None, CloseAction::None));
    }
}

#[test]
fn a_closed_connection_has_no_deadlines() {
    let close: [fn(&mut Timed); 3] = [
        |timed| timed.client.abort(),
        |timed| {
            timed.client.shutdown();
            timed.give("");
        },
        |timed| {
            timed.client.end_of_input(timed.instant());
            timed.give("");
        },
    ];
    for close in close {
        let mut closed = Timed::new(&config());
        close(&mut closed);
        let action = closed.client.close_action();
        assert_eq!((closed.give(""), closed.due()), (Kind::Closed, None));
        closed.wait(3_600_000);
        assert_eq!(closed.client.handle_timeout(closed.instant()), Ok(()));
        assert_eq!(closed.client.close_action(), action);
    }
    // Nor has the output of a request that is broken off.
    let mut broken = Timed::new(&config());
    broken.request("POST", "", BodyPlan::Length(1));
    broken.written(false, true);
    assert_eq!(broken.give("HTTP/1.1 204 \r\nConnection: close\r\n\r\n"), Kind::Closed);
    assert_eq!((broken.client.close_action(), broken.due()), (CloseAction::Abort, None));
}

#[test]
fn zero_is_off() {
    let zero = Duration::ZERO;
    let off = Config {
        head_timeout: zero,
        idle_timeout: zero,
        body_min_rate: 0,
        write_timeout: zero,
        response_timeout: zero,
        continue_timeout: zero,
        ..config()
    };
    let mut patient = Timed::new(&off);
    for give in ["", "HTTP/1.1 103 \r\n\r\n", "HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n\r\n", "x", "x"] {
        if give.is_empty() {
            assert_eq!(patient.due(), None, "idle");
            patient.request("POST", EXPECT, BodyPlan::Length(1));
            assert_eq!(patient.due(), None, "waits for 100, without end");
            assert!(patient.client.awaits_continue());
            patient.client.frame_data(1, true).expect("the body");
            patient.written(false, true);
        }
        patient.give(give);
        assert_eq!(patient.due(), None, "{give:?}");
        patient.wait(1_000_000_000);
        assert_eq!(patient.client.handle_timeout(patient.instant()), Ok(()));
    }
    assert_eq!(patient.client.reuse(), Reuse::Now);
}

#[test]
fn times_at_the_end_of_the_clock() {
    let config =
        Config { idle_timeout: Duration::MAX, response_timeout: Duration::from_nanos(1), ..config() };
    let mut late = Timed::new(&config);
    let end = Instant::from_nanos(u64::MAX);
    late.get();
    assert_eq!(late.due(), Some(1), "rounded up");
    assert_eq!(late.give(OK), Kind::Idle);
    let step = late.client.advance(b"", &mut late.table, end).expect("no error");
    assert_eq!(step.event, Kind::Idle);
    assert_eq!(late.client.handle_timeout(at(0)), Ok(()), "a clock that goes back does no harm");
    assert_eq!(late.client.handle_timeout(end), Ok(()));
    assert_eq!((late.client.close_action(), late.client.poll_timeout()), (CloseAction::AfterFlush, None));
}
