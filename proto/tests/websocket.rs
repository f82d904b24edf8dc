//! First light: what one side sends, the other one reads.

use sinew_proto::Instant;
use sinew_proto::websocket::{CloseCode, CloseFrame, Config, Connection, Event, Message};

fn pair() -> (Connection, Connection) {
    let now = Instant::from_nanos(0);
    let config = Config::default();
    let mut key = 0_u32;
    let masks = Box::new(move || {
        key = key.wrapping_add(0x9e37_79b9);
        key.to_be_bytes()
    });
    (Connection::server(&config, now), Connection::client(&config, masks, now))
}

#[test]
fn an_exchange_with_a_close_from_each_side() {
    let now = Instant::from_nanos(0);
    let (mut server, mut client) = pair();
    let mut wire = Vec::new();
    client.send(Message::Text("grüße"), &mut wire).unwrap();
    client.ping(b"?", &mut wire).unwrap();
    let step = server.poll(&mut wire, now).unwrap();
    assert_eq!(step.event, Event::Text("grüße".into()));
    let at = step.consumed;
    let mut rest = wire.split_off(at);
    assert_eq!(server.poll(&mut rest, now).unwrap().event, Event::Ping(b"?"));
    let mut out = Vec::new();
    assert!(server.write_control(now, &mut out));
    assert_eq!(out, b"\x8a\x01?");
    assert_eq!(client.poll(&mut out, now).unwrap().event, Event::Pong(b"?"));

    let frame = CloseFrame { code: CloseCode::NORMAL, reason: "bye" };
    let mut out = Vec::new();
    server.close(Some(frame), now, &mut out).unwrap();
    assert_eq!(client.poll(&mut out, now).unwrap().event, Event::Close(Some(frame)));
    let mut answer = Vec::new();
    assert!(client.write_control(now, &mut answer));
    let frame = CloseFrame { code: CloseCode::NORMAL, reason: "" };
    assert_eq!(server.poll(&mut answer, now).unwrap().event, Event::Close(Some(frame)));
}
