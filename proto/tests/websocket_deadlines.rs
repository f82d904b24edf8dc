//! Every deadline of a WebSocket, on a virtual clock: nothing comes a nanosecond early or late.

use std::time::Duration;

use sinew_proto::Instant;
use sinew_proto::http1::CloseAction;
use sinew_proto::websocket::{CloseCode, CloseFrame, Config, Connection, Event, Message, ProtocolError};

const PING: Duration = Duration::from_secs(3);
const PONG: Duration = Duration::from_millis(700);
const CLOSE: Duration = Duration::from_millis(500);
const WRITE: Duration = Duration::from_millis(1_100);
const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    Config {
        ping_interval: PING,
        pong_timeout: PONG,
        close_timeout: CLOSE,
        write_timeout: WRITE,
        ..Config::default()
    }
}

/// A connection and its clock.
struct Clock {
    connection: Connection,
    now: Instant,
    out: Vec<u8>,
    /// Received and not consumed.
    waiting: Vec<u8>,
    client: bool,
}

impl Clock {
    /// One of each role, both accepted at a time that is not zero.
    fn both(config: &Config) -> [Self; 2] {
        let now = Instant::from_nanos(7_000_000_123);
        [false, true].map(|client| {
            let connection = if client {
                Connection::client(config, Box::new(|| [0; 4]), now)
            } else {
                Connection::server(config, now)
            };
            Self { connection, now, out: Vec::new(), waiting: Vec::new(), client }
        })
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    /// All of that time but a nanosecond.
    fn nearly(&mut self, time: Duration) {
        self.pass(time);
        self.now = Instant::from_nanos(self.now.as_nanos() - 1);
    }

    /// The next deadline is `time` from now. Up to a nanosecond before nothing happens.
    #[track_caller]
    fn waits(&mut self, time: Duration) {
        let due = self.now.saturating_add(time);
        assert_eq!(self.connection.poll_timeout(), Some(due));
        self.nearly(time);
        assert_eq!(self.connection.handle_timeout(self.now), Ok(()));
        assert_eq!(self.connection.poll_timeout(), Some(due), "it is not moved");
        assert_eq!(self.control(), b"", "nothing is written before its time");
        self.now = due;
    }

    #[track_caller]
    fn waits_for_nothing(&mut self) {
        assert_eq!(self.connection.poll_timeout(), None);
        assert_eq!(self.connection.handle_timeout(self.now.saturating_add(3600 * SECOND)), Ok(()));
        assert_eq!(self.control(), b"");
    }

    fn control(&mut self) -> Vec<u8> {
        self.out.clear();
        self.connection.write_control(self.now, &mut self.out);
        self.out.clone()
    }

    /// The deadline that has passed asks for a ping.
    #[track_caller]
    fn pings(&mut self) {
        assert_eq!(self.connection.handle_timeout(self.now), Ok(()));
        let ping: &[u8] = if self.client { b"\x89\x80\0\0\0\0" } else { b"\x89\x00" };
        assert_eq!(self.control(), ping);
        assert_eq!(self.control(), b"", "once");
    }

    /// A header of the peer, with a masking key of zeros if it is a client.
    fn header(&self, first: u8, len: u8) -> Vec<u8> {
        if self.client { vec![first, len] } else { vec![first, 0x80 | len, 0, 0, 0, 0] }
    }

    /// Receives bytes; what is not consumed is given again with the next ones.
    fn receive(&mut self, bytes: &[u8]) -> Vec<String> {
        self.waiting.extend_from_slice(bytes);
        let mut seen = Vec::new();
        loop {
            let step = self.connection.poll(&mut self.waiting, self.now).expect("nothing is wrong");
            let (consumed, event) = (step.consumed, format!("{:?}", step.event));
            let over = matches!(step.event, Event::NeedInput | Event::Closed);
            self.waiting.drain(..consumed);
            seen.push(event);
            if over {
                return seen;
            }
        }
    }

    fn receive_frame(&mut self, first: u8, payload: &[u8]) -> Vec<String> {
        let header = self.header(first, u8::try_from(payload.len()).unwrap());
        self.receive(&[&header[..], payload].concat())
    }

    fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::NORMAL, reason: "" };
        self.connection.close(Some(frame), self.now, &mut self.out).expect("it is open");
    }
}

#[test]
fn silence_is_asked_and_then_given_up() {
    for mut clock in Clock::both(&config()) {
        clock.waits(PING);
        clock.pings();
        clock.waits(PONG);
        assert_eq!(clock.connection.handle_timeout(clock.now), Err(ProtocolError::PongTimeout));
        assert_eq!(clock.connection.close_action(), CloseAction::Abort);
        assert!(!clock.connection.wants_read());
        assert!(!clock.connection.fail(ProtocolError::PongTimeout, clock.now, &mut clock.out));
        assert_eq!(clock.connection.close_action(), CloseAction::Abort, "there is nobody to tell");
        clock.waits_for_nothing();
    }
}

#[test]
fn an_answer_starts_the_silence_anew() {
    for mut clock in Clock::both(&config()) {
        for _ in 0..3 {
            clock.waits(PING);
            clock.pings();
            clock.nearly(PONG);
            assert_eq!(clock.receive_frame(0x8a, b"")[0], "Pong([])");
        }
        clock.waits(PING);
    }
}

#[test]
fn a_ping_is_late_if_the_caller_is() {
    for mut clock in Clock::both(&config()) {
        clock.pass(PING + 10 * SECOND);
        clock.pings();
        // Its answer is waited for from then on.
        clock.waits(PONG);
    }
}

#[test]
fn every_byte_is_a_sign_of_life() {
    for mut clock in Clock::both(&config()) {
        // Each byte of a header, of a message, of a ping.
        let message = [&clock.header(0x82, 20)[..], &[b'x'; 20]].concat();
        let ping = [&clock.header(0x89, 20)[..], &[b'y'; 20]].concat();
        for byte in [message, ping].concat() {
            clock.nearly(PING);
            assert_eq!(clock.connection.handle_timeout(clock.now), Ok(()));
            clock.receive(&[byte]);
            let due = clock.now.saturating_add(PING);
            assert_eq!(clock.connection.poll_timeout(), Some(due));
            // The same bytes once more are no news.
            clock.now = clock.now.saturating_add(NANO);
            clock.receive(b"");
            assert_eq!(clock.connection.poll_timeout(), Some(due));
        }
        assert!(!clock.control().is_empty(), "the ping was read");
    }
}

#[test]
fn a_byte_of_a_header_ends_the_wait_for_a_pong() {
    for mut clock in Clock::both(&config()) {
        clock.waits(PING);
        clock.pings();
        clock.nearly(PONG);
        assert_eq!(clock.receive(b"\x82"), ["NeedInput"]);
        clock.waits(PING);
    }
}

/// Also after a message that takes the short way, if the input is not looked at once more.
#[test]
fn a_byte_of_the_next_header_is_one_too() {
    for mut clock in Clock::both(&config()) {
        let frame = [&clock.header(0x81, 3)[..], b"abc"].concat();
        let (before, after) = frame.split_at(1);
        clock.receive(before);
        clock.waiting.extend_from_slice(after);
        let step = clock.connection.poll(&mut clock.waiting, clock.now).expect("it is right");
        assert_eq!((step.consumed, step.event), (frame.len(), Event::Text("abc".into())));
        clock.waiting.clear();
        clock.nearly(PING);
        assert_eq!(clock.receive(b"\x82"), ["NeedInput"]);
        clock.waits(PING);
    }
}

#[test]
fn what_we_send_is_no_sign_of_life() {
    for mut clock in Clock::both(&config()) {
        clock.nearly(PING);
        clock.connection.send(Message::Text("a"), &mut Vec::new()).unwrap();
        clock.connection.ping(b"", &mut Vec::new()).unwrap();
        clock.connection.pong(b"", &mut Vec::new()).unwrap();
        clock.waits(NANO);
        clock.pings();
    }
}

#[test]
fn held_input_stops_the_clock() {
    for mut clock in Clock::both(&config()) {
        clock.nearly(PING);
        clock.connection.hold_input(true, clock.now);
        clock.waits_for_nothing();
        clock.pass(100 * SECOND);
        clock.connection.hold_input(true, clock.now);
        clock.waits_for_nothing();
        clock.connection.hold_input(false, clock.now);
        clock.waits(PING);
        clock.pings();
        // Also between a ping and its answer, which nobody reads.
        clock.nearly(PONG);
        clock.connection.hold_input(true, clock.now);
        clock.waits_for_nothing();
        clock.pass(100 * SECOND);
        clock.connection.hold_input(false, clock.now);
        clock.waits(PING);
    }
}

#[test]
fn input_that_was_not_held_is_not_released() {
    for mut clock in Clock::both(&config()) {
        clock.nearly(PING);
        clock.connection.hold_input(false, clock.now);
        clock.waits(NANO);
        clock.pings();
    }
}

#[test]
fn held_input_does_not_stop_the_other_deadlines() {
    for mut clock in Clock::both(&config()) {
        clock.connection.hold_input(true, clock.now);
        clock.connection.written(false, true, clock.now);
        clock.waits(WRITE);
        clock.connection.written(true, false, clock.now);
        clock.close();
        clock.waits(CLOSE);
    }
}

#[test]
fn a_peer_that_does_not_close_is_dropped() {
    for mut clock in Clock::both(&config()) {
        clock.pass(SECOND);
        clock.close();
        clock.nearly(CLOSE);
        // Messages do not make it longer.
        assert_eq!(clock.receive_frame(0x81, b"a")[0], "Text(\"a\")");
        clock.waits(NANO);
        assert_eq!(clock.connection.handle_timeout(clock.now), Ok(()), "no error any more");
        assert_eq!(clock.connection.close_action(), CloseAction::Abort);
        clock.waits_for_nothing();
    }
}

#[test]
fn after_both_have_closed_the_end_is_waited_for() {
    for mut clock in Clock::both(&config()) {
        clock.close();
        clock.nearly(CLOSE);
        clock.receive_frame(0x88, b"");
        // From there on anew.
        clock.waits(CLOSE);
        let before = if clock.client { CloseAction::None } else { CloseAction::Linger };
        assert_eq!(clock.connection.close_action(), before);
        assert!(clock.connection.wants_read());
        assert_eq!(clock.connection.handle_timeout(clock.now), Ok(()));
        assert_eq!(clock.connection.close_action(), CloseAction::AfterFlush);
        assert!(!clock.connection.wants_read());
        clock.waits_for_nothing();
    }
}

#[test]
fn a_close_frame_of_the_peer_ends_the_pings() {
    for mut clock in Clock::both(&config()) {
        clock.nearly(PING);
        clock.receive_frame(0x88, b"\x03\xe8");
        // Not answered yet.
        assert_eq!(clock.connection.poll_timeout(), Some(clock.now.saturating_add(CLOSE)));
        clock.nearly(CLOSE);
        assert!(!clock.control().is_empty());
        clock.waits(CLOSE);
        assert_eq!(clock.connection.handle_timeout(clock.now), Ok(()));
        assert_eq!(clock.connection.close_action(), CloseAction::AfterFlush);
        clock.waits_for_nothing();
    }
}

#[test]
fn nothing_is_waited_for_once_the_end_has_come() {
    for answered_first in [false, true] {
        for mut clock in Clock::both(&config()) {
            clock.receive_frame(0x88, b"");
            if answered_first {
                clock.control();
            }
            clock.connection.end_of_input();
            clock.control();
            assert_eq!(clock.connection.close_action(), CloseAction::AfterFlush);
            clock.waits_for_nothing();
        }
    }
    for mut clock in Clock::both(&config()) {
        clock.connection.end_of_input();
        let error = clock.connection.poll(&mut [], clock.now).unwrap_err();
        assert!(!clock.connection.fail(error, clock.now, &mut clock.out));
        assert_eq!(clock.connection.close_action(), CloseAction::AfterFlush);
        clock.waits_for_nothing();
    }
}

#[test]
fn after_an_error_the_end_is_waited_for() {
    for mut clock in Clock::both(&config()) {
        let error = clock.connection.poll(&mut [0xff], clock.now).unwrap_err();
        clock.pass(SECOND);
        assert!(clock.connection.fail(error, clock.now, &mut clock.out));
        let due = clock.now.saturating_add(CLOSE);
        clock.nearly(CLOSE);
        // Neither garbage nor another failure makes it longer.
        assert_eq!(clock.receive(b"garbage"), ["Closed"]);
        assert!(!clock.connection.fail(error, clock.now, &mut clock.out));
        assert_eq!(clock.connection.poll_timeout(), Some(due));
        clock.waits(NANO);
        assert_eq!(clock.connection.handle_timeout(clock.now), Ok(()));
        assert_eq!(clock.connection.close_action(), CloseAction::AfterFlush);
        clock.waits_for_nothing();
    }
}

#[test]
fn a_peer_that_does_not_read_is_dropped() {
    for mut clock in Clock::both(&config()) {
        clock.connection.hold_input(true, clock.now);
        clock.connection.written(true, true, clock.now);
        clock.nearly(WRITE);
        // No byte: the clock runs on. A byte: it starts anew.
        clock.connection.written(false, true, clock.now);
        assert_eq!(clock.connection.poll_timeout(), Some(clock.now.saturating_add(NANO)));
        clock.connection.written(true, true, clock.now);
        clock.waits(WRITE);
        assert_eq!(clock.connection.handle_timeout(clock.now), Err(ProtocolError::WriteTimeout));
        assert_eq!(clock.connection.close_action(), CloseAction::Abort);
        clock.connection.written(false, true, clock.now);
        clock.waits_for_nothing();
    }
}

#[test]
fn output_that_was_taken_is_not_waited_for() {
    for mut clock in Clock::both(&config()) {
        clock.connection.hold_input(true, clock.now);
        clock.connection.written(false, true, clock.now);
        clock.nearly(WRITE);
        clock.connection.written(true, false, clock.now);
        clock.waits_for_nothing();
        clock.connection.written(false, false, clock.now);
        clock.waits_for_nothing();
    }
}

#[test]
fn output_is_still_waited_for_at_the_end() {
    for mut clock in Clock::both(&config()) {
        clock.receive_frame(0x88, b"");
        clock.control();
        clock.connection.end_of_input();
        clock.connection.written(false, true, clock.now);
        clock.waits(WRITE);
        assert_eq!(clock.connection.handle_timeout(clock.now), Err(ProtocolError::WriteTimeout));
        assert_eq!(clock.connection.close_action(), CloseAction::Abort);
        clock.waits_for_nothing();
    }
}

#[test]
fn the_first_deadline_is_the_one_that_is_told() {
    for mut clock in Clock::both(&config()) {
        // A nanosecond after that from which both would pass at once.
        clock.pass(Duration::from_nanos(1_900_000_001));
        clock.connection.written(false, true, clock.now);
        clock.waits(Duration::from_nanos(1_099_999_999));
        clock.pings();
        clock.waits(NANO);
        assert_eq!(clock.connection.handle_timeout(clock.now), Err(ProtocolError::WriteTimeout));
    }
}

#[test]
fn zero_is_off() {
    let off = Duration::ZERO;
    for mut clock in Clock::both(&Config { ping_interval: off, ..config() }) {
        clock.waits_for_nothing();
    }
    for mut clock in Clock::both(&Config { pong_timeout: off, ..config() }) {
        clock.waits(PING);
        clock.pings();
        clock.waits_for_nothing();
        // One ping until the peer is heard again.
        clock.receive_frame(0x8a, b"");
        clock.waits(PING);
        clock.pings();
    }
    for mut clock in Clock::both(&Config { close_timeout: off, ..config() }) {
        clock.close();
        clock.out.clear();
        clock.waits_for_nothing();
        clock.receive_frame(0x88, b"");
        clock.waits_for_nothing();
    }
    for mut clock in Clock::both(&Config { write_timeout: off, ping_interval: off, ..config() }) {
        clock.connection.written(false, true, clock.now);
        clock.waits_for_nothing();
    }
}

#[test]
fn an_aborted_connection_waits_for_nothing() {
    for mut clock in Clock::both(&config()) {
        clock.connection.written(false, true, clock.now);
        clock.connection.abort();
        clock.waits_for_nothing();
        clock.connection.hold_input(true, clock.now);
        clock.connection.hold_input(false, clock.now);
        assert_eq!(clock.receive(b"anything"), ["Closed"]);
        clock.waits_for_nothing();
        assert_eq!(clock.connection.close_action(), CloseAction::Abort);
    }
}

#[test]
fn the_least_deadline_is_a_millisecond_and_the_largest_does_not_overflow() {
    for mut clock in Clock::both(&Config { ping_interval: NANO, ..config() }) {
        clock.waits(Duration::from_millis(1));
    }
    for mut clock in Clock::both(&Config { ping_interval: Duration::MAX, ..config() }) {
        clock.waits(Duration::from_millis(u64::from(u32::MAX)));
    }
}
