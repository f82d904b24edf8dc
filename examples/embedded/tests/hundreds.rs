//! Hundreds of sockets of a make-believe network, in virtual time: who talks is answered, who is slow,
//! silent or does not read is dropped in time, and every socket can be used again.

use std::collections::VecDeque;

use sinew_embedded::{CONFIG, INPUT, SEND_ROOM, Service, Socket};

const N: usize = 256;
const SECOND: u64 = 1000;

/// Small, and no multiple of anything: what is received often lies across its end.
const RECEIVE_CAPACITY: usize = 777;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Listening,
    Connected,
}

/// Both ends of a connection.
#[derive(Debug, Default)]
struct Fake {
    state: State,
    /// A ring, like smoltcp's.
    received: VecDeque<u8>,
    queue: VecDeque<u8>,
    server_closed: bool,
    client_closed: bool,
    aborted: bool,
}

impl Socket for Fake {
    fn listen(&mut self) {
        let received = VecDeque::with_capacity(RECEIVE_CAPACITY);
        *self = Self { state: State::Listening, received, ..Self::default() };
    }

    fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    fn may_send(&self) -> bool {
        self.state == State::Connected && !self.server_closed
    }

    fn may_recv(&self) -> bool {
        self.state == State::Connected && !(self.client_closed && self.received.is_empty())
    }

    fn recv(&mut self, take: impl FnOnce(&[u8]) -> usize) {
        let count = take(self.received.as_slices().0);
        self.received.drain(..count);
    }

    fn send_capacity(&self) -> usize {
        SEND_ROOM + 500
    }

    fn send_queue(&self) -> usize {
        self.queue.len()
    }

    fn send_slice(&mut self, bytes: &[u8]) -> usize {
        assert!(self.may_send() || bytes.is_empty(), "sent after the end");
        let count = bytes.len().min(self.send_capacity() - self.queue.len());
        self.queue.extend(&bytes[..count]);
        count
    }

    fn close(&mut self) {
        self.server_closed = true;
        self.settle();
    }

    fn abort(&mut self) {
        self.state = State::Closed;
        self.aborted = true;
    }
}

/// The side of the client.
impl Fake {
    fn connect(&mut self) {
        assert_eq!(self.state, State::Listening);
        self.state = State::Connected;
    }

    /// Sends what the window takes.
    fn push(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(RECEIVE_CAPACITY - self.received.len());
        self.received.extend(&bytes[..count]);
        count
    }

    fn take(&mut self, most: usize) -> Vec<u8> {
        let taken = self.queue.drain(..most.min(self.queue.len())).collect();
        self.settle();
        taken
    }

    fn finish(&mut self) {
        self.client_closed = true;
        self.settle();
    }

    fn settle(&mut self) {
        if self.server_closed && self.client_closed && self.queue.is_empty() {
            self.state = State::Closed;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Manner {
    Talks,
    Trickles,
    SaysNothing,
    NeverReads,
    SendsTooMuch,
}

struct Client {
    manner: Manner,
    request: Vec<u8>,
    sent: usize,
    back: Vec<u8>,
    /// When the server had closed its side, or all of it.
    ended: Option<u64>,
    aborted: Option<u64>,
}

fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as usize
}

/// Requests of every kind, and what they must be answered with.
fn conversation(seed: &mut u64) -> (Vec<u8>, Vec<u8>) {
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        let body: Vec<u8> = (0..random(seed) % 5000).map(|n| b'a' + u8::try_from(n % 23).unwrap()).collect();
        let length = body.len();
        match random(seed) % 4 {
            0 => {
                request.extend(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                answer.extend(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello\n");
            }
            1 => {
                let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
                request.extend([head.as_bytes(), &body].concat());
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                answer.extend([head.as_bytes(), &body].concat());
            }
            2 => {
                request.extend(
                    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
                );
                request.extend(b"0;note=\"nothing\"\r\nName: value\r\n\r\n");
                answer.extend(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
            _ => {
                request.extend(b"DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
                answer.extend(b"HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\n\r\n");
            }
        }
    }
    (request, answer)
}

/// Sends and reads a little, as its manner is.
fn step(client: &mut Client, socket: &mut Fake, now: u64, seed: &mut u64) {
    if client.ended.is_none() && (socket.server_closed || !socket.is_open()) {
        client.ended = Some(now);
    }
    if client.aborted.is_none() && socket.aborted {
        client.aborted = Some(now);
    }
    if socket.state != State::Connected {
        return;
    }
    let rest = &client.request[client.sent..];
    match client.manner {
        Manner::Talks | Manner::SendsTooMuch => {
            let some = rest.len().min(random(seed) % 400);
            client.sent += socket.push(&rest[..some]);
            client.back.extend(socket.take(random(seed) % 400));
            if client.sent == client.request.len() || client.ended.is_some() {
                socket.finish();
            }
        }
        Manner::Trickles => {
            if now % 500 == 0 && !rest.is_empty() {
                client.sent += socket.push(&rest[..1]);
            }
            client.back.extend(socket.take(usize::MAX));
        }
        Manner::SaysNothing => client.back.extend(socket.take(usize::MAX)),
        Manner::NeverReads => client.sent += socket.push(rest),
    }
}

#[test]
fn hundreds_of_sockets_in_virtual_time() {
    let mut seed = 1;
    let mut service = Box::new(Service::<N>::new(CONFIG));
    let mut sockets: [Fake; N] = std::array::from_fn(|_| Fake::default());
    let mut now = 0;
    // The second time on the sockets of the first.
    for _ in 0..2 {
        service.poll(&mut sockets, now);
        let start = now;
        let mut expected = Vec::new();
        let mut clients: Vec<Client> = Vec::new();
        for (n, socket) in sockets.iter_mut().enumerate() {
            let (manner, (request, answer)) = match n % 8 {
                0 => (Manner::Trickles, (vec![b'x'; 1000], vec![])),
                1 => (Manner::SaysNothing, (vec![], vec![])),
                2 => {
                    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n".to_vec();
                    (Manner::NeverReads, ([head, vec![b'x'; 99999]].concat(), vec![]))
                }
                3 => {
                    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
                    (Manner::SendsTooMuch, ([head, vec![b'x'; 4 * INPUT]].concat(), vec![]))
                }
                _ => (Manner::Talks, conversation(&mut seed)),
            };
            socket.connect();
            expected.push(answer);
            clients.push(Client { manner, request, sent: 0, back: vec![], ended: None, aborted: None });
        }
        while now < start + 40 * SECOND {
            for (client, socket) in clients.iter_mut().zip(&mut sockets) {
                step(client, socket, now, &mut seed);
            }
            let due = service.poll(&mut sockets, now);
            let tick = (now / 10 + 1) * 10;
            now = due.map_or(tick, |due| due.clamp(now + 1, tick));
        }
        for (n, (client, expected)) in clients.iter().zip(&expected).enumerate() {
            let text = String::from_utf8_lossy(&client.back);
            let ended = client.ended.unwrap_or_else(|| panic!("client {n}, {:?}", client.manner)) - start;
            let aborted = client.aborted.map(|at| at - start);
            // A step later at most.
            let about = |at, seconds: u64| (seconds * SECOND..=seconds * SECOND + 20).contains(&at);
            match client.manner {
                Manner::Talks => {
                    assert!(client.back == *expected, "client {n}: {text}");
                    assert_eq!(aborted, None, "client {n}");
                }
                Manner::Trickles => {
                    assert!(text.starts_with("HTTP/1.1 408 "), "client {n}: {text}");
                    assert!(about(ended, 10), "client {n}: {ended}");
                }
                Manner::SaysNothing => {
                    assert_eq!(text, "", "client {n}");
                    assert!(about(ended, 20), "client {n}: {ended}");
                    assert!(aborted.is_some_and(|at| about(at, 25)), "client {n}: {aborted:?}");
                }
                Manner::NeverReads => {
                    assert!(client.sent < 2 * INPUT + RECEIVE_CAPACITY + SEND_ROOM, "client {n}");
                    assert!(aborted.is_some_and(|at| about(at, 10)), "client {n}: {aborted:?}");
                }
                Manner::SendsTooMuch => {
                    assert!(text.starts_with("HTTP/1.1 431 "), "client {n}: {text}");
                    assert!(ended < 3 * SECOND, "client {n}: {ended}");
                }
            }
        }
        service.poll(&mut sockets, now);
        assert!(sockets.iter().all(|socket| socket.state == State::Listening), "each can be used again");
    }
}

/// A loop that sleeps for exactly as long as it is told misses no deadline, and is not called for
/// nothing.
#[test]
fn the_time_to_come_back_is_the_deadline() {
    let mut service = Service::<2>::new(CONFIG);
    let mut sockets = [Fake::default(), Fake::default()];
    assert_eq!(service.poll(&mut sockets, 0), None, "nobody is there");
    sockets[0].connect();
    assert_eq!(service.poll(&mut sockets, 100), Some(100 + 20 * SECOND), "idle");
    sockets[1].connect();
    sockets[1].push(b"GET / HTTP/1.1\r\n");
    assert_eq!(service.poll(&mut sockets, 200), Some(200 + 10 * SECOND), "a head");
    assert_eq!(service.poll(&mut sockets, 10_199), Some(10_200), "not yet");
    // The answer waits for an acknowledgement, and then the client is given time to close.
    assert_eq!(service.poll(&mut sockets, 10_200), Some(12_200), "408, and lingering");
    assert!(sockets[1].server_closed);
    assert!(sockets[1].take(1000).starts_with(b"HTTP/1.1 408 "));
    sockets[1].finish();
    assert_eq!(service.poll(&mut sockets, 10_201), Some(20_100), "the first one is idle still");
    service.poll(&mut sockets, 20_100);
    assert!(sockets[0].server_closed && !sockets[0].aborted);
}

#[test]
fn an_exchange_takes_nothing_from_the_heap() {
    let mut service = Service::<1>::new(CONFIG);
    let mut sockets = [Fake::default()];
    service.poll(&mut sockets, 0);
    sockets[0].connect();
    sockets[0].queue.reserve(SEND_ROOM + 500);
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n\r\n",
    ] {
        sockets[0].push(request.as_bytes());
        let info = allocation_counter::measure(|| {
            service.poll(&mut sockets, 1);
        });
        assert_eq!(info.count_total, 0, "{request:?}");
        assert!(sockets[0].take(usize::MAX).starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}
