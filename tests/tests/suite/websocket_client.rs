//! The client of each adapter, against the server of the same one, and against servers that are none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::websocket::{CloseCode, Config, ConnectError, ProtocolError, WebSocketClient};
use sinew_app::{Router, WebSocket, WebSocketError};
use sinew_proto::RecvError;
use sinew_tests::{Adapter, Connects, PATIENCE, eventually};

use crate::websocket::{app, app_with, echo, far};

const SHORT: Duration = Duration::from_millis(300);

fn client(addr: SocketAddr) -> WebSocketClient {
    WebSocketClient::new(&format!("ws://{addr}/")).expect("a URL").config(far())
}

/// A server that gives one connection to `serve`, behind the request.
fn raw_server(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("no port is free");
    let addr = listener.local_addr().expect("a listener has an address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            head.extend(byte);
        }
        serve(stream);
    });
    addr
}

pub(crate) fn messages_come_back<A: Adapter + Connects>() {
    let server = A::start(app_with(|ws| ws.max_message_bytes(1 << 20), echo));
    let mut socket = A::connect(client(server.addr())).expect("it agrees");
    assert_eq!(socket.protocol(), None);
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let text = "x".repeat(len);
        socket.send(text.as_str()).expect("it is open");
        assert_eq!(socket.recv(), Ok(Some(text.into())), "{len} bytes");
    }
    for n in 0..100_u8 {
        socket.send(vec![n]).expect("it is open");
    }
    for n in 0..100_u8 {
        assert_eq!(socket.recv(), Ok(Some(vec![n].into())));
    }
    socket.close(CloseCode::NORMAL, "").expect("it is open");
    assert_eq!(socket.recv(), Ok(None));
}

pub(crate) fn a_host_by_its_name<A: Adapter + Connects>() {
    // It has several addresses on most systems; the server listens at one of them.
    let server = A::start(app(echo));
    let url = format!("ws://localhost:{}/", server.addr().port());
    let mut socket = A::connect(WebSocketClient::new(&url).expect("a URL")).expect("it agrees");
    socket.send("hello").expect("it is open");
    assert_eq!(socket.recv(), Ok(Some("hello".into())));
}

pub(crate) fn a_subprotocol_is_agreed<A: Adapter + Connects>() {
    let server = A::start(app_with(|ws| ws.protocols(["new", "old"]), echo));
    let offer = client(server.addr()).protocol("old").and_then(|client| client.protocol("other"));
    let socket = A::connect(offer.expect("two tokens")).expect("it agrees");
    assert_eq!(socket.protocol(), Some("old"));
}

pub(crate) fn a_server_without_one_refuses<A: Adapter + Connects>() {
    let server = A::start(Router::new());
    let refused = A::connect(client(server.addr()));
    assert!(matches!(&refused, Err(ConnectError::Refused(status)) if status.as_u16() == 404), "{refused:?}");
}

pub(crate) fn a_wrong_answer_is_refused<A: Adapter + Connects>() {
    let (end, ended) = mpsc::channel();
    let addr = raw_server(move |mut stream| {
        let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(answer.as_bytes()).expect("it reads");
        end.send(stream.read(&mut [0; 16]).unwrap_or(0)).expect("the test waits");
    });
    let refused = A::connect(client(addr));
    assert!(matches!(refused, Err(ConnectError::Handshake(_))), "{refused:?}");
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(0), "nothing is said to such a server");
}

pub(crate) fn a_server_that_never_answers<A: Adapter + Connects>() {
    let (end, ended) = mpsc::channel();
    let addr = raw_server(move |mut stream| {
        end.send(stream.read(&mut [0; 16]).unwrap_or(0)).expect("the test waits");
    });
    let start = Instant::now();
    let late = A::connect(client(addr).handshake_timeout(SHORT));
    assert!(matches!(late, Err(ConnectError::Protocol(RecvError::ResponseTimeout))), "{late:?}");
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(0), "the connection is closed");
}

pub(crate) fn a_server_that_goes_without_an_answer<A: Adapter + Connects>() {
    let addr = raw_server(drop);
    let gone = A::connect(client(addr));
    assert!(matches!(gone, Err(ConnectError::Disconnected | ConnectError::Protocol(_))), "{gone:?}");
}

pub(crate) fn nobody_listens<A: Adapter + Connects>() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("no port is free");
    let addr = listener.local_addr().expect("a listener has an address");
    drop(listener);
    let refused = A::connect(client(addr));
    assert!(matches!(refused, Err(ConnectError::Io(_))), "{refused:?}");
}

pub(crate) fn the_server_closes<A: Adapter + Connects>() {
    let server = A::start(app(|socket: WebSocket| async move {
        socket.send("last").await.expect("it is open");
        socket.close(CloseCode::GOING_AWAY, "good night").expect("it is open");
    }));
    let mut socket = A::connect(client(server.addr())).expect("it agrees");
    assert_eq!(socket.recv(), Ok(Some("last".into())));
    assert_eq!(socket.recv(), Ok(None));
    let reason = socket.close_reason().expect("there is one");
    assert_eq!((reason.code, reason.reason.as_str()), (CloseCode::GOING_AWAY, "good night"));
    // What is sent before the driver has answered the close frame still goes out before the answer.
    eventually("nothing can be sent", || socket.send("late").is_err());
}

pub(crate) fn the_client_closes<A: Adapter + Connects>() {
    let (end, ended) = mpsc::channel();
    let server = A::start(app(move |mut socket: WebSocket| {
        let end = end.clone();
        async move {
            let told = (socket.recv().await, socket.recv().await, socket.close_reason());
            end.send(told).expect("the test waits");
        }
    }));
    let mut socket = A::connect(client(server.addr())).expect("it agrees");
    socket.send("last").expect("it is open");
    socket.close(CloseCode::GOING_AWAY, "enough").expect("it is open");
    assert_eq!(socket.recv(), Ok(None));
    let (message, after, reason) = ended.recv_timeout(PATIENCE).expect("the handler ends");
    assert_eq!((message, after), (Ok(Some("last".into())), Ok(None)));
    let reason = reason.expect("there is one");
    assert_eq!((reason.code, reason.reason.as_str()), (CloseCode::GOING_AWAY, "enough"));
    // Dropped, it closes as well.
    drop(A::connect(client(server.addr())).expect("it agrees"));
    let (message, _, reason) = ended.recv_timeout(PATIENCE).expect("the handler ends");
    assert_eq!((message, reason.map(|reason| reason.code)), (Ok(None), Some(CloseCode::NORMAL)));
}

pub(crate) fn a_server_that_vanishes_is_noticed<A: Adapter + Connects>() {
    // It agrees and is silent from then on.
    let (hold, held) = mpsc::channel::<()>();
    let listener = TcpListener::bind("127.0.0.1:0").expect("no port is free");
    let addr = listener.local_addr().expect("a listener has an address");
    let server = A::start(app(echo));
    let behind = server.addr();
    // A way to a real server, cut behind the handshake.
    let way = thread::spawn(move || {
        let (mut near, _) = listener.accept().expect("somebody connects");
        let mut far = TcpStream::connect(behind).expect("it listens");
        let mut buffer = [0; 4096];
        for (from, to) in [(0, 1), (1, 0)] {
            let ends = [&mut near, &mut far];
            let n = ends[from].read(&mut buffer).expect("bytes");
            ends[to].write_all(&buffer[..n]).expect("it reads");
        }
        let _ = held.recv();
    });
    let config = Config { ping_interval: SHORT, pong_timeout: SHORT, ..far() };
    let mut socket = A::connect(client(addr).config(config)).expect("it agrees");
    let start = Instant::now();
    assert_eq!(socket.recv(), Err(WebSocketError::Protocol(ProtocolError::PongTimeout)));
    assert!(start.elapsed() + Duration::from_millis(50) >= SHORT * 2, "{:?}", start.elapsed());
    drop(hold);
    way.join().expect("it does not panic");
}
