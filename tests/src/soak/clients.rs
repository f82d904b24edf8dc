//! The clients: each opens connections, and on each makes requests of random kinds.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use super::account::{Ended, Refusal};
use super::connection::{Broken, Connection};
use super::{Account, Plan};
use crate::raw::{get, post, post_chunked};
use crate::subject::pattern;
use crate::websocket::{ACCEPT, Frame, handshake};

/// Every kind that has to be answered at least once.
pub(super) const KINDS: [&str; 8] =
    ["bytes", "read", "echo", "chunked", "slow", "lines", "events", "pipelined"];

pub(super) struct Client {
    pub(super) addr: SocketAddr,
    pub(super) account: Arc<Account>,
    stop: Arc<AtomicBool>,
    rng: Rng,
    /// Whether a connection may be refused.
    may_be_closed: bool,
}

/// Lets them loose, on a thread of their own, until `stop` is set.
pub(super) fn clients(
    plan: &Plan,
    addr: SocketAddr,
    account: &Arc<Account>,
    stop: &Arc<AtomicBool>,
) -> io::Result<JoinHandle<()>> {
    let clients: Vec<Client> = (0..plan.clients as u64)
        .map(|number| Client {
            addr,
            account: account.clone(),
            stop: stop.clone(),
            rng: Rng::with_seed(plan.seed.wrapping_mul(1_000_003).wrapping_add(number)),
            may_be_closed: plan.own_listeners,
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("clients".to_owned()).spawn(move || {
        runtime.block_on(async {
            let tasks: Vec<_> = clients.into_iter().map(|client| tokio::spawn(client.run())).collect();
            for task in tasks {
                task.await.expect("a client panicked");
            }
        });
    })
}

/// Whether the connection can be used again.
type Usable = bool;

impl Client {
    async fn run(mut self) {
        while !self.stop.load(Ordering::SeqCst) {
            match Connection::open(self.addr).await {
                Ok(connection) => self.use_up(connection).await,
                Err((_, at)) if self.may_be_closed && self.account.may_be_closed(at) => {
                    self.account.enter("connection", Ended::Refused(Refusal::Connection));
                    sleep(Duration::from_millis(20)).await;
                }
                Err((error, _)) => self.account.lose("a connection".to_owned(), error),
            }
        }
    }

    /// Makes some requests, the last of which may be the end of the connection.
    async fn use_up(&mut self, mut connection: Connection) {
        for _ in 0..self.rng.u32(1..8) {
            let usable = match self.rng.u32(0..100) {
                0..30 => self.bytes(&mut connection).await,
                30..42 => self.body(&mut connection, "read").await,
                42..54 => self.body(&mut connection, "echo").await,
                54..62 => self.body(&mut connection, "chunked").await,
                62..68 => self.slow(&mut connection).await,
                68..74 => self.lines(&mut connection).await,
                74..80 => self.events(&mut connection).await,
                80..90 => self.pipelined(&mut connection).await,
                90..95 => return self.websocket(connection).await,
                _ => return self.break_off(connection).await,
            };
            if !usable || self.stop.load(Ordering::SeqCst) {
                return;
            }
            if self.rng.u32(0..4) == 0 {
                sleep(Duration::from_millis(self.rng.u64(0..300))).await;
            }
        }
    }

    async fn bytes(&mut self, connection: &mut Connection) -> Usable {
        let size = if self.rng.u32(0..20) == 0 { 300_000 } else { 3_000 };
        let count = self.rng.usize(0..size);
        let (path, expected) = (format!("/bytes/{count}"), pattern(count));
        self.exchange(connection, "bytes", get(&path).as_bytes(), &expected).await
    }

    async fn body(&mut self, connection: &mut Connection, kind: &'static str) -> Usable {
        let most = if kind != "read" && self.rng.u32(0..10) == 0 { 1_000_000 } else { 20_000 };
        let count = self.rng.usize(0..most);
        let body: Vec<u8> = pattern(count + 7).split_off(7);
        let request = match kind {
            "chunked" => post_chunked("/echo", body.chunks(self.rng.usize(500..5_000))),
            "echo" => post("/echo", &body),
            _ => post("/read", &body),
        };
        self.exchange(connection, kind, &request, &body).await
    }

    async fn slow(&mut self, connection: &mut Connection) -> Usable {
        let request = get(&format!("/slow/{}", self.rng.u32(1..500)));
        self.exchange(connection, "slow", request.as_bytes(), b"slept\n").await
    }

    async fn lines(&mut self, connection: &mut Connection) -> Usable {
        let count = self.rng.u32(1..60);
        let expected: Vec<String> = (0..count).map(|i| format!("line {i}\n")).collect();
        self.exchange(
            connection,
            "lines",
            get(&format!("/lines/{count}")).as_bytes(),
            expected.concat().as_bytes(),
        )
        .await
    }

    /// One request and its answer.
    async fn exchange(
        &mut self,
        connection: &mut Connection,
        kind: &'static str,
        request: &[u8],
        expected: &[u8],
    ) -> Usable {
        let result = connection.exchange(request).await;
        match result {
            Ok(answer) if answer.status == 503 => {
                self.account.enter(kind, Ended::Refused(Refusal::Unavailable));
                false
            }
            Ok(answer) if answer.status == 200 && answer.body == expected => {
                self.account.enter(kind, Ended::Answered);
                !answer.closes
            }
            Ok(answer) => {
                let got = (answer.status, answer.body.len());
                self.lose(kind, request, format!("{got:?} instead of {} bytes", expected.len()));
                false
            }
            Err(broken) => self.broken(connection, kind, request, &broken),
        }
    }

    fn broken(&self, connection: &Connection, kind: &'static str, request: &[u8], broken: &Broken) -> Usable {
        match broken {
            Broken::Silently(sent) if self.account.may_refuse(connection.opened, *sent) => {
                self.account.enter(kind, Ended::Refused(Refusal::Close));
            }
            Broken::Silently(_) => self.lose(kind, request, "a close before any answer".to_owned()),
            Broken::Halfway(what) => self.lose(kind, request, what.clone()),
        }
        false
    }

    fn lose(&self, kind: &str, request: &[u8], what: String) {
        let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        self.account.lose(format!("{kind}, {}", String::from_utf8_lossy(line)), what);
    }

    /// A stream of events may end before its end when the server does.
    async fn events(&mut self, connection: &mut Connection) -> Usable {
        let count = self.rng.u32(1..60);
        let all: Vec<String> = (0..count).map(|i| format!("id: {i}\ndata: {i}\n\n")).collect();
        let request = get(&format!("/ticks/{count}"));
        let answer = match connection.exchange(request.as_bytes()).await {
            Ok(answer) => answer,
            Err(broken) => return self.broken(connection, "events", request.as_bytes(), &broken),
        };
        let ends_early = self.account.may_refuse(connection.opened, std::time::Instant::now());
        let is = |count: usize| answer.status == 200 && answer.body == all[..count].concat().as_bytes();
        if is(all.len()) {
            self.account.enter("events", Ended::Answered);
        } else if ends_early && (0..all.len()).any(is) {
            self.account.enter("events", Ended::Refused(Refusal::StreamEnded));
        } else {
            let got = String::from_utf8_lossy(&answer.body).into_owned();
            self.lose("events", request.as_bytes(), format!("{} {got:?}", answer.status));
        }
        !answer.closes
    }

    /// Several requests at once. After an answer with `Connection: close` the rest may be sent again.
    async fn pipelined(&mut self, connection: &mut Connection) -> Usable {
        let sizes: Vec<usize> = (0..self.rng.usize(2..8)).map(|_| self.rng.usize(0..3_000)).collect();
        let request: String = sizes.iter().map(|size| get(&format!("/bytes/{size}"))).collect();
        let Ok(sent) = connection.send(request.as_bytes()).await else {
            for _ in &sizes {
                let broken = Broken::Silently(std::time::Instant::now());
                self.broken(connection, "pipelined", request.as_bytes(), &broken);
            }
            return false;
        };
        for (i, size) in sizes.iter().enumerate() {
            match connection.answer(sent).await {
                Ok(answer) if answer.status == 200 && answer.body == pattern(*size) => {
                    self.account.enter("pipelined", Ended::Answered);
                    if answer.closes {
                        let told = self.account.may_refuse(connection.opened, std::time::Instant::now());
                        for _ in &sizes[i + 1..] {
                            if told {
                                self.account.enter("pipelined", Ended::Refused(Refusal::AfterTheLast));
                            } else {
                                self.lose("pipelined", b"", "a close for no reason".to_owned());
                            }
                        }
                        return false;
                    }
                }
                Ok(answer) => {
                    self.lose("pipelined", b"", format!("{} with {}", answer.status, answer.body.len()));
                    return false;
                }
                Err(broken) => {
                    for _ in &sizes[i..] {
                        self.broken(connection, "pipelined", request.as_bytes(), &broken);
                    }
                    return false;
                }
            }
        }
        true
    }

    async fn websocket(&mut self, mut connection: Connection) {
        const KIND: &str = "websocket";
        let request = handshake("/ws", &[]);
        let opened = match connection.send(request.as_bytes()).await {
            Ok(sent) => connection.head(sent).await,
            Err(()) => Err(Broken::Silently(std::time::Instant::now())),
        };
        match opened {
            Ok(head) if head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT) => {}
            Ok(head) => return self.lose(KIND, request.as_bytes(), head),
            Err(broken) => {
                self.broken(&connection, KIND, request.as_bytes(), &broken);
                return;
            }
        }
        for number in 0..self.rng.u32(1..20) {
            let message = Frame::binary(pattern(self.rng.usize(0..10_000)));
            if connection.send(&message.masked()).await.is_err() {
                // What the server said before it closed is still there to be read.
                connection.note_sent();
            }
            match connection.frame().await {
                Ok(frame) if frame == message => self.account.enter(KIND, Ended::Answered),
                Ok(frame) if frame.opcode == crate::websocket::CLOSE && frame.close_reason().0 == 1_001 => {
                    let told = self.account.may_refuse(connection.opened, std::time::Instant::now());
                    if told {
                        self.account.enter(KIND, Ended::Refused(Refusal::GoingAway));
                    } else {
                        self.lose(KIND, b"", "going away for no reason".to_owned());
                    }
                    let _ = connection.send(&Frame::close(1_001, "").masked()).await;
                    return;
                }
                Ok(frame) => return self.lose(KIND, b"", format!("message {number}: {frame:?}")),
                Err(what) => return self.lose(KIND, b"", format!("message {number}: {what}")),
            }
            if self.rng.u32(0..4) == 0 {
                sleep(Duration::from_millis(self.rng.u64(0..100))).await;
            }
        }
        let _ = connection.send(&Frame::close(1_000, "").masked()).await;
        match connection.frame().await {
            Ok(frame) if frame.opcode == crate::websocket::CLOSE => {}
            other => self.lose(KIND, b"", format!("instead of a close: {other:?}")),
        }
    }

    /// Half a request, or a whole one whose answer nobody waits for, and then a close or a reset.
    async fn break_off(&mut self, mut connection: Connection) {
        let requests = [
            get("/bytes/100000").into_bytes(),
            get("/slow/200").into_bytes(),
            get("/ticks/50").into_bytes(),
            post("/read", pattern(10_000)),
            post_chunked("/echo", pattern(100_000).chunks(1_000)),
        ];
        let request = &requests[self.rng.usize(..requests.len())];
        let end = if self.rng.bool() { request.len() } else { self.rng.usize(..request.len()) };
        let _ = connection.begin(&request[..end]).await;
        if self.rng.bool() {
            sleep(Duration::from_millis(self.rng.u64(0..50))).await;
        }
        if self.rng.bool() {
            connection.reset();
        }
        self.account.enter("any", Ended::BrokenOff);
    }
}
