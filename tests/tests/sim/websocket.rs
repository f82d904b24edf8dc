//! WebSockets: messages in any fragmentation, liveness, and the close of a server that goes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sinew_sim::websocket::{Config, ProtocolError};
use sinew_sim::{
    Ended, Message, Network, Router, Sim, SimServer, WebSocket, WebSocketClient, WebSocketError,
};
use sinew_sim::{WebSocketUpgrade, check, get};
use sinew_tests::websocket::{CONTINUATION, Frame, KEY, PING, PONG};

use crate::client::{Client, both};
use crate::{FAR, SEEDS, on_any_network, patient, payload};

fn far() -> Config {
    Config {
        ping_interval: FAR,
        pong_timeout: FAR,
        close_timeout: FAR,
        write_timeout: FAR,
        ..Config::default()
    }
}

/// How the last handler saw its socket end.
type Last = Arc<Mutex<Option<Result<Option<Message>, WebSocketError>>>>;

/// Sends back what comes, until the end.
fn echo(sim: &Sim, config: Config) -> (SimServer, Last) {
    let last = Last::default();
    let told = last.clone();
    let run = move |mut socket: WebSocket| {
        let told = told.clone();
        async move {
            let end = loop {
                match socket.recv().await {
                    Ok(Some(message)) => {
                        if let Err(error) = socket.send(message).await {
                            break Err(error);
                        }
                    }
                    end => break end,
                }
            };
            *told.lock().unwrap() = Some(end);
        }
    };
    let open = move |ws: WebSocketUpgrade| {
        let run = run.clone();
        async move { ws.config(config).on_upgrade(run) }
    };
    (sim.serve(Router::new().route("/", get(open)), patient()), last)
}

fn url() -> WebSocketClient {
    WebSocketClient::new("ws://test/").unwrap().config(far()).handshake_timeout(Duration::ZERO)
}

/// A connection that speaks WebSocket, with nothing of ours on this end.
async fn open_raw(sim: &Sim, server: &SimServer) -> Client {
    let mut client = Client::connect(sim, server);
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    client.send(format!("GET / HTTP/1.1\r\nHost: test\r\n{upgrade}Sec-WebSocket-Key: {KEY}\r\n\r\n")).await;
    assert_eq!(client.head().await.status, 101);
    client
}

#[test]
fn messages_come_back() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let (server, last) = echo(&sim, far());
        let mut socket = sim.connect_websocket(&server, url()).await.unwrap();
        for len in [0, 1, 125, 126, 400] {
            let message = payload(len);
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.recv().await, Ok(Some(Message::Binary(message.into()))));
        }
        socket.close(sinew_sim::websocket::CloseCode::NORMAL, "enough").unwrap();
        assert_eq!(socket.recv().await, Ok(None));
        drop(socket);
        sim.sleep(FAR).await;
        assert_eq!(*last.lock().unwrap(), Some(Ok(None)));
        assert_eq!((server.live(), sim.tasks()), (0, 0));
    });
}

#[test]
fn fragments_are_one_message() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let (server, _) = echo(&sim, far());
        let mut client = open_raw(&sim, &server).await;
        let mut random = sim.random();
        for _ in 0..5 {
            // Cut anywhere, with pings between the parts.
            let message = payload(usize::try_from(random.below(300)).unwrap());
            let (mut sent, mut pongs, mut rest) = (Vec::new(), Vec::new(), &message[..]);
            let mut opcode = sinew_tests::websocket::BINARY;
            loop {
                let at = usize::try_from(random.below(rest.len() as u64 + 1)).unwrap();
                let (part, after) = rest.split_at(at);
                let frame = Frame::new(opcode, part);
                opcode = CONTINUATION;
                rest = after;
                if rest.is_empty() {
                    sent.extend(frame.masked());
                    break;
                }
                sent.extend(frame.unfinished().masked());
                if random.chance(1, 3) {
                    sent.extend(Frame::new(PING, "there?").masked());
                    pongs.push(Frame::new(PONG, "there?").unmasked());
                }
            }
            client.send_meanwhile(&sim, sent);
            let echoed = Frame::binary(message).unmasked();
            let all: usize = pongs.iter().map(Vec::len).sum::<usize>() + echoed.len();
            let mut heard = client.exactly(echoed.len()).await.unwrap();
            // Pongs are answered as soon as their pings have come, which is before the message is whole;
            // of several that wait, the latest is enough (RFC 6455 §5.5.3).
            while !heard.ends_with(&echoed) {
                assert!(heard.len() < all, "{:?}", String::from_utf8_lossy(&heard));
                heard.extend(client.exactly(1).await.unwrap());
            }
            let pong = Frame::new(PONG, "there?").unmasked();
            let before = &heard[..heard.len() - echoed.len()];
            assert!(before.chunks(pong.len()).all(|chunk| chunk == pong));
        }
    });
}

#[test]
fn a_client_that_vanishes_is_noticed() {
    check(SEEDS, |sim| async move {
        let (interval, wait) = (Duration::from_secs(3_600), Duration::from_secs(60));
        let config = Config { ping_interval: interval, pong_timeout: wait, ..far() };
        let (server, last) = echo(&sim, config);
        let mut client = open_raw(&sim, &server).await;
        let start = sim.elapsed();
        // Two pings are answered, the third one is not.
        for _ in 0..2 {
            assert_eq!(client.exactly(2).await.unwrap(), Frame::new(PING, "").unmasked());
            client.send(Frame::new(PONG, "").masked()).await;
        }
        let (rest, _) = client.rest().await;
        assert_eq!(rest, Frame::new(PING, "").unmasked());
        let took = sim.elapsed().saturating_sub(start);
        let least = interval * 3 + wait;
        assert!(took + Duration::from_secs(2) >= least && took < least + Duration::from_secs(10), "{took:?}");
        assert_eq!(*last.lock().unwrap(), Some(Err(WebSocketError::Protocol(ProtocolError::PongTimeout))));
    });
}

/// Our own client answers pings, whatever its application does.
#[test]
fn a_silent_client_stays() {
    check(SEEDS, |sim| async move {
        let config = Config { ping_interval: Duration::from_secs(30), ..Config::default() };
        let (server, _) = echo(&sim, config);
        let mut socket = sim.connect_websocket(&server, url()).await.unwrap();
        sim.sleep(Duration::from_secs(3_600)).await;
        socket.send("still here").await.unwrap();
        assert_eq!(socket.recv().await, Ok(Some(Message::Text("still here".into()))));
    });
}

#[test]
fn every_socket_is_told() {
    check(SEEDS, |sim| async move {
        on_any_network(&sim);
        let (server, _) = echo(&sim, far());
        let mut sockets = Vec::new();
        for _ in 0..3 {
            let mut socket = sim.connect_websocket(&server, url()).await.unwrap();
            socket.send("open").await.unwrap();
            assert_eq!(socket.recv().await, Ok(Some(Message::Text("open".into()))));
            sockets.push(socket);
        }
        let (ended, ()) = both(server.shut_down(FAR), async {
            for socket in &mut sockets {
                assert_eq!(socket.recv().await, Ok(None));
                let reason = socket.close_reason().expect("a reason");
                assert_eq!(reason.code, sinew_sim::websocket::CloseCode::new(1001));
            }
            drop(sockets);
        })
        .await;
        assert_eq!(ended, Ended::Drained);
        sim.sleep(FAR).await;
        assert_eq!((server.live(), sim.tasks()), (0, 0));
    });
}

/// Whatever becomes of the connection, both ends learn of it, and messages are never changed or reordered.
#[test]
fn a_broken_network_is_noticed_at_both_ends() {
    check(0..500, |sim| async move {
        sim.set_network(Network { broken_one_in: 2, ..Network::broken() });
        let (server, last) = echo(&sim, Config::default());
        let client = WebSocketClient::new("ws://test/").unwrap();
        if let Ok(mut socket) = sim.connect_websocket(&server, client).await {
            for n in 0..20 {
                let message = format!("message {n} {}", "x".repeat(50));
                if socket.send(message.clone()).await.is_err() {
                    break;
                }
                match socket.recv().await {
                    Ok(Some(heard)) => assert_eq!(heard, Message::Text(message.into())),
                    Ok(None) => panic!("nobody has closed it"),
                    Err(_) => break,
                }
            }
            drop(socket);
            sim.sleep(Duration::from_secs(3_600)).await;
            assert!(last.lock().unwrap().is_some() || server.accepted() == 1);
        }
        sim.sleep(Duration::from_secs(3_600)).await;
        assert_eq!((server.live(), sim.tasks()), (0, 0));
    });
}
