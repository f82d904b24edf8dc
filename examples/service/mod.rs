//! What `mio_loop` and `io_uring_loop` serve: bytes in, bytes out, no socket in sight.
//!
//! | request | answer |
//! |---|---|
//! | GET, HEAD | `hello`; of `/plaintext`, what servers are compared by: `Hello, World!` |
//! | POST, PUT | the body, sent back while it arrives |
//! | anything else | 501 |

mod options;

use std::time::{Instant as Clock, SystemTime, UNIX_EPOCH};

use sinew_proto::http1::{BodyLength, BodyMode, BodyPlan, RequestHead, ResponseHead, Server, server::Event};
use sinew_proto::{Config, DateCache, FieldLines, FieldTable, HttpDate, Instant, SendError, StatusCode};

pub(crate) use options::Options;

/// With so many bytes waiting to be sent, a connection reads no more.
pub(crate) const HIGH_WATER: usize = 64 * 1024;

/// What one thread has once, however many connections it serves.
pub(crate) struct Shared {
    pub(crate) config: Config,
    fields: FieldTable,
    text: FieldLines,
    dates: DateCache,
    date: HttpDate,
    clock: Clock,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let mut text = FieldLines::new();
        text.append("server", "sinew").expect("a valid field");
        text.append("content-type", "text/plain").expect("a valid field");
        let fields = FieldTable::new(&config);
        let dates = DateCache::new(0);
        let mut shared =
            Self { config, fields, text, date: HttpDate::from_unix(0), dates, clock: Clock::now() };
        shared.tick();
        shared
    }

    /// The time, and the date of the answers until the next call: once in a turn of the loop.
    pub(crate) fn tick(&mut self) -> Instant {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.date = *self.dates.at(unix.as_secs());
        self.now()
    }

    /// The time, as the core wants it: since an epoch of ours.
    pub(crate) fn now(&self) -> Instant {
        Instant::default().saturating_add(self.clock.elapsed())
    }
}

/// One connection: the core, and what it still owes to the request at hand.
pub(crate) struct Session {
    pub(crate) core: Server,
    /// The answer that begins with the first piece of the body.
    echo: Option<BodyPlan>,
}

impl Session {
    pub(crate) fn new(config: &Config) -> Self {
        Self { core: Server::new(config), echo: None }
    }

    /// Acts on the deadlines that have passed, on the input, and writes the answers to `out`; until the
    /// core wants more input, or `out` is high. Returns how much of the input is used up: the rest is
    /// to be given again, before what comes next.
    ///
    /// To be called at least once for a new connection, even without input: the core counts the time
    /// of a silent client from the first call.
    pub(crate) fn turn(
        &mut self,
        input: &[u8],
        shared: &mut Shared,
        out: &mut Vec<u8>,
        now: Instant,
    ) -> usize {
        let date = shared.date;
        if let Err(error) = self.core.handle_timeout(now) {
            self.core.fail(&error, Some(&date), out); // 408
        }
        let mut used = 0;
        while out.len() < HIGH_WATER {
            let step = match self.core.poll(&input[used..], &mut shared.fields, now) {
                Ok(step) => step,
                Err(error) => {
                    self.core.fail(&error, Some(&date), out); // 400, 414, 431, ..
                    continue; // to `Closed`
                }
            };
            used += step.consumed;
            let done = match step.event {
                Event::Request(head) => self.begin(&head, &date, &shared.text, out),
                Event::Data(piece) => self.send_back(piece, &date, out),
                Event::Trailers(_) => Ok(()),
                Event::End => self.end(&date, out),
                Event::NeedInput | Event::Paused | Event::Upgraded | Event::Closed => break,
            };
            if done.is_err() {
                self.core.abort(); // a mistake of ours; the client must not take it for an answer
            }
        }
        // While the client does not read, we do not: its body is not late then.
        self.core.hold_body(out.len() >= HIGH_WATER, now);
        used
    }

    fn begin(
        &mut self,
        head: &RequestHead<'_>,
        date: &HttpDate,
        text: &FieldLines,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let (status, fields, body) = match head.method() {
            "GET" | "HEAD" if head.target() == "/plaintext" => {
                (StatusCode::OK, Some(text), b"Hello, World!".as_slice())
            }
            "GET" | "HEAD" => (StatusCode::OK, Some(text), b"hello\n".as_slice()),
            "POST" | "PUT" => {
                self.core.send_continue(out); // if the client waits for it
                self.echo = Some(match head.body() {
                    BodyLength::None => BodyPlan::Empty,
                    BodyLength::Known(length) => BodyPlan::Length(length),
                    BodyLength::Chunked => BodyPlan::Streamed,
                });
                return Ok(());
            }
            _ => (StatusCode::NOT_IMPLEMENTED, None, b"".as_slice()),
        };
        // The response is complete before the request is: what is left of that, the core throws away.
        let head = ResponseHead { status, fields, date: Some(date) };
        let length = body.len() as u64;
        if self.core.respond(&head, BodyPlan::Length(length), out)? != BodyMode::None {
            self.core.frame_data(length, true)?;
            out.extend_from_slice(body);
        }
        Ok(())
    }

    fn send_back(&mut self, piece: &[u8], date: &HttpDate, out: &mut Vec<u8>) -> Result<(), SendError> {
        if let Some(plan) = self.echo.take() {
            let head = ResponseHead { date: Some(date), ..ResponseHead::new(StatusCode::OK) };
            self.core.respond(&head, plan, out)?;
        }
        let framing = self.core.frame_data(piece.len() as u64, false)?;
        out.extend_from_slice(framing.prefix());
        out.extend_from_slice(piece);
        out.extend_from_slice(framing.suffix());
        Ok(())
    }

    /// The request is complete, and so is the answer.
    fn end(&mut self, date: &HttpDate, out: &mut Vec<u8>) -> Result<(), SendError> {
        if self.echo.take().is_none() {
            return self.core.finish(None, out);
        }
        // No piece has come: nothing to send back.
        let head = ResponseHead { date: Some(date), ..ResponseHead::new(StatusCode::OK) };
        self.core.respond(&head, BodyPlan::Empty, out).map(|_| ())
    }
}
