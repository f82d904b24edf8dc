//! What holds of every handshake that is accepted, for tests and fuzzing.

use sinew_proto::http1::client::{self, Client, Request};
use sinew_proto::http1::{BodyMode, BodyPlan, ResponseHead, Server, server};
use sinew_proto::websocket::{ClientHandshake, DeflateConfig, HandshakeError, ServerHandshake};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, StatusCode};

/// The bytes of a request. Whether a WebSocket was opened.
pub(crate) fn request(bytes: &[u8]) -> bool {
    let config = Config::default();
    let (mut server, mut table) = (Server::new(&config), FieldTable::new(&config));
    let Ok(step) = server.poll(bytes, &mut table, Instant::from_nanos(0)) else {
        return false;
    };
    let server::Event::Request(request) = step.event else {
        return false;
    };
    let mut out = Vec::new();
    let handshake = match ServerHandshake::from_request(&request) {
        Ok(handshake) => handshake.deflate(&DeflateConfig::default()),
        Err(error) => {
            refuse(&mut server, error);
            return false;
        }
    };
    let fields = request.fields();
    assert_eq!((request.method(), fields.get("sec-websocket-version")), ("GET", Some(&b"13"[..])));
    assert_eq!(fields.get_all("sec-websocket-key").map(<[u8]>::len).collect::<Vec<_>>(), [24]);
    assert_eq!(fields.contains("origin"), handshake.origin().is_some());
    let protocols: Vec<&str> = handshake.protocols().collect();
    assert_eq!(fields.contains("sec-websocket-protocol"), !protocols.is_empty());
    assert!(handshake.accept(Some("not, offered")).is_err());

    let last = protocols.last().copied();
    let (lines, agreed) = handshake.accept(last).expect("it was offered");
    assert_eq!(agreed.protocol, last);
    let offers = fields.get_all("sec-websocket-extensions");
    let offered = offers.filter_map(|value| std::str::from_utf8(value).ok());
    let offered = offered.collect::<Vec<_>>().join(",");
    let words = |text: &str| text.matches("max_window_bits").count();
    if let Some(params) = agreed.deflate {
        assert!(offered.contains("permessage-deflate"));
        assert!((9..=15).contains(&params.server_max_window_bits()));
        assert!(params.client_max_window_bits() == 15 || offered.contains("client_max_window_bits="));
        let answer = lines.get("sec-websocket-extensions").expect("it is told");
        assert!(words(std::str::from_utf8(answer).expect("ASCII")) <= words(&offered));
    } else {
        assert!(!lines.contains("sec-websocket-extensions"));
    }
    let head = ResponseHead { fields: Some(&lines), ..ResponseHead::new(StatusCode::SWITCHING_PROTOCOLS) };
    assert_eq!(server.respond(&head, BodyPlan::Upgrade, &mut out), Ok(BodyMode::Upgraded));
    true
}

/// A refusal can be sent, whatever the request was.
fn refuse(server: &mut Server, error: HandshakeError) {
    let mut fields = FieldLines::new();
    error.write_fields(&mut fields);
    let upgrade = fields.contains("upgrade") && fields.contains("sec-websocket-version");
    assert_eq!(upgrade, error.status() == StatusCode::UPGRADE_REQUIRED);
    let head = ResponseHead { fields: Some(&fields), ..ResponseHead::new(error.status()) };
    server.respond(&head, BodyPlan::Empty, &mut Vec::new()).expect("a request waits");
}

/// The bytes of a response to a client that offers two subprotocols and compression. Whether a
/// WebSocket was opened.
pub(crate) fn response(bytes: &[u8]) -> bool {
    let handshake = ClientHandshake::new(*b"the sample nonce");
    let handshake = handshake.protocol("a").and_then(|handshake| handshake.protocol("b")).expect("tokens");
    let handshake = handshake.deflate(&DeflateConfig::default());
    let config = Config::default();
    let (mut client, mut table) = (Client::new(&config), FieldTable::new(&config));
    let mut fields = FieldLines::new();
    fields.append("host", "localhost").expect("a valid field");
    handshake.write_fields(&mut fields);
    client
        .request(&Request::new("GET", "/", &fields), BodyPlan::Empty, &mut Vec::new())
        .expect("a valid request");
    let Ok(step) = client.poll(bytes, &mut table, Instant::from_nanos(0)) else {
        return false;
    };
    let client::Event::Response(response) = step.event else {
        return false;
    };
    let Ok(agreed) = handshake.verify(&response) else {
        return false;
    };
    let fields = response.fields();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(fields.get("sec-websocket-accept"), Some(&b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="[..]));
    assert_eq!(fields.get_str("sec-websocket-protocol"), agreed.protocol);
    assert!(agreed.protocol.is_none_or(|protocol| ["a", "b"].contains(&protocol)));
    assert_eq!(fields.contains("sec-websocket-extensions"), agreed.deflate.is_some());
    if let Some(params) = agreed.deflate {
        assert!((8..=15).contains(&params.server_max_window_bits()));
        assert!((9..=15).contains(&params.client_max_window_bits()));
    }
    true
}
