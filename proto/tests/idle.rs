//! When a server is idle, and that a number is all there is to know of it then. That another one does
//! the same from there on is part of `fixtures` and `properties`: both put one in its place.

use std::time::Duration;

use sinew_proto::http1::{BodyPlan, CloseAction, ResponseHead, Server, server::Kind};
use sinew_proto::{Config, FieldTable, Instant, RecvError, StatusCode};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn at(millis: u64) -> Instant {
    Instant::from_nanos(0).saturating_add(Duration::from_millis(millis))
}

struct Line {
    server: Server,
    table: FieldTable,
    out: Vec<u8>,
}

impl Line {
    fn new() -> Self {
        let config = Config::default();
        Self { server: Server::new(&config), table: FieldTable::new(&config), out: Vec::new() }
    }

    fn give(&mut self, input: &[u8], millis: u64) -> Result<Kind, RecvError> {
        self.server.advance(input, &mut self.table, at(millis)).map(|step| step.event)
    }

    fn idle(&self) -> Option<Instant> {
        self.server.idle_since()
    }

    fn respond(&mut self) {
        let head = ResponseHead::new(StatusCode::OK);
        assert!(self.server.respond(&head, BodyPlan::Empty, &mut self.out).is_ok());
    }
}

#[test]
fn it_is_idle_between_requests_and_not_in_one() {
    let mut line = Line::new();
    assert_eq!(line.idle(), None, "nobody has asked");
    assert_eq!(line.give(b"", 1), Ok(Kind::NeedInput));
    assert_eq!(line.idle(), Some(at(1)));
    // The empty line before a request is no request, and no byte of it is kept.
    assert_eq!(line.give(b"\r", 2), Ok(Kind::NeedInput));
    assert_eq!(line.idle(), Some(at(1)));
    assert_eq!(line.give(&GET[..1], 3), Ok(Kind::NeedInput));
    assert_eq!(line.idle(), None, "a head has begun");
    assert_eq!(line.give(GET, 4), Ok(Kind::Request));
    assert_eq!(line.idle(), None);
    assert_eq!(line.give(b"", 5), Ok(Kind::End));
    assert_eq!(line.give(b"", 6), Ok(Kind::Paused));
    assert_eq!(line.idle(), None, "a response is owed");
    line.respond();
    assert_eq!(line.idle(), None, "nobody has asked for the next one");
    assert_eq!(line.give(b"", 7), Ok(Kind::NeedInput));
    line.server.written(false, true, at(7));
    assert_eq!(line.idle(), None, "the response is not sent");
    line.server.written(true, false, at(8));
    assert_eq!(line.idle(), Some(at(7)));
}

#[test]
fn it_is_not_idle_when_it_is_to_end() {
    let waiting = || {
        let mut line = Line::new();
        assert_eq!(line.give(b"", 1), Ok(Kind::NeedInput));
        line
    };
    let endings: [fn(&mut Server); 5] = [
        |server| server.shutdown(),
        |server| server.abort(),
        |server| server.end_of_input(at(2)),
        |server| server.hold_body(true, at(2)),
        |server| assert_eq!(server.handle_timeout(server.poll_timeout().expect("a deadline")), Ok(())),
    ];
    for (index, end) in endings.iter().enumerate() {
        let mut line = waiting();
        end(&mut line.server);
        assert_eq!(line.idle(), None, "{index}");
    }
}

#[test]
fn the_deadline_goes_on() {
    let timeout = Config::default().idle_timeout;
    let mut line = Line::new();
    line.server.restart(at(5));
    let due = at(5).saturating_add(timeout);
    assert_eq!((line.idle(), line.server.poll_timeout()), (Some(at(5)), Some(due)));
    assert_eq!(line.give(b"", 9), Ok(Kind::NeedInput));
    assert_eq!(line.server.poll_timeout(), Some(due));
    assert_eq!(line.server.handle_timeout(due), Ok(()));
    assert_eq!(line.server.close_action(), CloseAction::AfterFlush);
}
