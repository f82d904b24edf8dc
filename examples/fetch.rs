//! The client's side of the core over a blocking socket: fetches pages from one server, one after
//! the other on one connection. Heads go to stderr, bodies to stdout.
//! `cargo run --release --example fetch -- localhost:8080 / /README.md`

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant as Clock};

use sinew_proto::http1::client::{Event, Request, Response, Reuse};
use sinew_proto::http1::{BodyPlan, Client};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, RecvBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().ok_or("usage: fetch HOST:PORT PATH..")?;
    let mut fields = FieldLines::new();
    fields.append("Host", &host)?;
    let mut connection = Connection::open(&host)?;
    for path in arguments {
        if !connection.is_reusable()? {
            connection = Connection::open(&host)?;
        }
        connection.fetch(&Request::new("GET", &path, &fields), &mut io::stdout())?;
    }
    Ok(())
}

/// A client, its socket and what it has not consumed yet.
struct Connection {
    client: Client,
    socket: TcpStream,
    input: RecvBuf,
    fields: FieldTable,
    clock: Clock,
}

impl Connection {
    fn open(host: &str) -> Result<Self, Box<dyn Error>> {
        let config = Config::default();
        let socket = TcpStream::connect(host)?;
        socket.set_write_timeout(Some(config.write_timeout))?;
        Ok(Self {
            client: Client::new(&config),
            socket,
            input: RecvBuf::new(32 * 1024),
            fields: FieldTable::new(&config),
            clock: Clock::now(),
        })
    }

    fn now(&self) -> Instant {
        Instant::default().saturating_add(self.clock.elapsed())
    }

    /// Whether another request may be sent: the core allows it, and the server has neither closed nor
    /// sent anything since. What it sent would be taken for the response.
    fn is_reusable(&mut self) -> io::Result<bool> {
        self.socket.set_nonblocking(true)?;
        let quiet = matches!(self.socket.peek(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
        self.socket.set_nonblocking(false)?;
        Ok(quiet && self.client.reuse() == Reuse::Now)
    }

    /// Sends a request without a body and writes the body of its response to `body`.
    fn fetch(&mut self, request: &Request<'_>, body: &mut impl Write) -> Result<(), Box<dyn Error>> {
        let mut out = Vec::new();
        self.client.request(request, BodyPlan::Empty, &mut out)?;
        self.socket.write_all(&out)?;
        loop {
            let now = self.now();
            let step = self.client.poll(self.input.data(), &mut self.fields, now)?;
            let consumed = step.consumed;
            match step.event {
                Event::Interim(response) | Event::Response(response) => show(&response),
                Event::Data(piece) => body.write_all(piece)?,
                Event::End => {
                    self.input.consume(consumed);
                    return Ok(());
                }
                Event::NeedInput => self.read()?,
                Event::Trailers(trailers) => eprintln!("{trailers:?}"),
                Event::Idle | Event::Upgraded | Event::Closed => return Err("no response".into()),
            }
            self.input.consume(consumed);
        }
    }

    /// Waits for input until the core's next deadline.
    fn read(&mut self) -> Result<(), Box<dyn Error>> {
        let now = self.now();
        let wait = self.client.poll_timeout().map(|due| due.saturating_since(now));
        self.socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match self.socket.read(self.input.spare(16 * 1024)) {
            Ok(0) => self.client.end_of_input(now),
            Ok(len) => self.input.filled(len),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.client.handle_timeout(self.now())?;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }
}

fn show(response: &Response<'_>) {
    eprintln!("{} {:?}", response.version().as_str(), response.status());
    for field in response.fields().iter() {
        eprintln!("{}: {}", field.name, String::from_utf8_lossy(field.value));
    }
}
