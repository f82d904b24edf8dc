//! A client that behaves, and how long its answers take.
//!
//! Requests are due at fixed times, and an answer's time counts from when its request was due: a
//! server that stalls for a while is late for all that was due in it. A second echo, by a thread that
//! does nothing else, is asked in the same way: how late it is, is the machine's doing.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::raw::{Client, get};
use crate::{Count, Flag};

/// Between two requests over the same connection.
const KEPT: Duration = Duration::from_millis(4);

/// Between two requests over fresh ones.
const FRESH: Duration = Duration::from_millis(10);

/// What 99 of 100 answers took, at most.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Over one connection.
    pub kept: Duration,
    /// Over a fresh connection each.
    pub fresh: Duration,
    /// Of the thread that only echoes.
    pub machine: Duration,
    /// How many answers of the server this is of.
    pub answers: usize,
    /// How many requests were sent a second time, because the connection that was kept was closed.
    pub again: usize,
}

/// A client that behaves. Wrong answers are panics in [`end`](Self::end).
#[derive(Debug)]
pub struct Neighbour {
    stop: Flag,
    again: Count,
    kept: JoinHandle<Vec<Duration>>,
    fresh: JoinHandle<Vec<Duration>>,
    machine: JoinHandle<Vec<Duration>>,
}

impl Neighbour {
    /// Begins to ask.
    pub fn start(addr: SocketAddr) -> Self {
        let stop = Flag::default();
        let every = |period: Duration, mut ask: Box<dyn FnMut() + Send>| {
            let stop = stop.clone();
            thread::spawn(move || {
                let mut times = Vec::new();
                let mut due = Instant::now();
                while !stop.is_set() {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    ask();
                    times.push(due.elapsed());
                    due += period;
                }
                times
            })
        };
        let again = Count::default();
        let kept = every(KEPT, {
            let again = again.clone();
            let mut kept: Option<Client> = None;
            Box::new(move || {
                // One that was not let run for long enough is idle and may be closed, as for any client.
                let client = kept.take().and_then(|client| match hello(client) {
                    Err(error) => {
                        assert_ne!(error.kind(), ErrorKind::WouldBlock, "no answer at all");
                        again.add(1);
                        None
                    }
                    answered => answered.ok(),
                });
                kept = client.or_else(|| hello(Client::connect(addr)).ok());
                assert!(kept.is_some(), "no answer over a fresh connection");
            })
        });
        let fresh = every(
            FRESH,
            Box::new(move || {
                hello(Client::connect(addr)).expect("an answer over a fresh connection");
            }),
        );
        let mut echo = echo();
        let machine = every(
            KEPT,
            Box::new(move || {
                echo.write_all(b"x").expect("it is there");
                echo.read_exact(&mut [0]).expect("it is there");
            }),
        );
        Self { stop, again, kept, fresh, machine }
    }

    /// Ends it.
    pub fn end(self) -> Latency {
        self.stop.set();
        let kept = self.kept.join().expect("a wrong answer over a connection that was kept");
        let fresh = self.fresh.join().expect("a wrong answer over a fresh connection");
        let machine = self.machine.join().expect("the echo");
        let answers = kept.len() + fresh.len();
        Latency {
            kept: p99(kept),
            fresh: p99(fresh),
            machine: p99(machine),
            answers,
            again: self.again.now(),
        }
    }
}

fn hello(mut client: Client) -> io::Result<Client> {
    client.try_send(get("/"))?;
    let response = client.try_response()?;
    assert_eq!((response.status, response.text(), response.closes()), (200, "hello\n", false));
    Ok(client)
}

/// A connection to a thread that sends each byte back.
fn echo() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let (mut other, _) = listener.accept().expect("it has connected");
    thread::spawn(move || {
        let mut byte = [0];
        while other.read_exact(&mut byte).and_then(|()| other.write_all(&byte)).is_ok() {}
    });
    stream.set_nodelay(true).expect("nodelay");
    stream
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[(times.len() * 99 / 100).min(times.len() - 1)]
}
