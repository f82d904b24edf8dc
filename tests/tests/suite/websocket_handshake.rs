//! The opening handshake: what is chosen, who is let in, and how the others are told.

use sinew_app::{Router, WebSocketUpgrade, get};
use sinew_tests::Adapter;
use sinew_tests::raw::{self, Client};
use sinew_tests::websocket::{Frame, Socket, handshake};

use crate::websocket::{app, app_with, echo};

pub(crate) fn a_subprotocol_is_chosen<A: Adapter>() {
    let server = A::start(app_with(
        |ws| ws.protocols(["v2.chat", "v1.chat"]),
        |socket| async move {
            let chosen = format!("{:?}", socket.protocol());
            let _ = socket.send(chosen).await;
        },
    ));
    let cases: [(&[(&str, &str)], Option<&str>); 6] = [
        (&[("Sec-WebSocket-Protocol", "v1.chat")], Some("v1.chat")),
        // The server's preference counts.
        (&[("Sec-WebSocket-Protocol", "v1.chat, v2.chat")], Some("v2.chat")),
        (&[("Sec-WebSocket-Protocol", "other"), ("Sec-WebSocket-Protocol", "v1.chat")], Some("v1.chat")),
        // None in common, none asked for: the connection has none. Case matters.
        (&[("Sec-WebSocket-Protocol", "other")], None),
        (&[("Sec-WebSocket-Protocol", "V1.chat")], None),
        (&[], None),
    ];
    for (fields, chosen) in cases {
        let (mut socket, response) = Socket::open_with(Client::connect(server.addr()), "/", fields);
        assert_eq!(response.field("sec-websocket-protocol"), chosen, "{fields:?}");
        socket.expect(&Frame::text(format!("{chosen:?}")));
        socket.closed(1000);
    }
}

pub(crate) fn foreign_pages_are_refused<A: Adapter>() {
    let routes = Router::new()
        .route("/", get(|ws: WebSocketUpgrade| async { ws.on_upgrade(echo) }))
        .route(
            "/listed",
            get(|ws: WebSocketUpgrade| async {
                ws.allow_origins(["https://app.example", "http://localhost:8080"]).on_upgrade(echo)
            }),
        )
        .route("/any", get(|ws: WebSocketUpgrade| async { ws.any_origin().on_upgrade(echo) }));
    let server = A::start(routes);
    // The host of these requests is `test`.
    let cases = [
        ("/", None, 101),
        ("/", Some("http://test"), 101),
        ("/", Some("http://TEST:80"), 101),
        ("/", Some("http://test:81"), 403),
        ("/", Some("http://test.evil"), 403),
        ("/", Some("http://evil"), 403),
        ("/", Some("null"), 403),
        ("/listed", None, 101),
        ("/listed", Some("http://test"), 101),
        ("/listed", Some("https://app.example"), 101),
        ("/listed", Some("https://app.example:443"), 101),
        ("/listed", Some("http://app.example"), 403),
        ("/listed", Some("https://app.example:444"), 403),
        ("/listed", Some("http://localhost:8080"), 101),
        ("/listed", Some("http://localhost"), 403),
        ("/listed", Some("null"), 403),
        ("/any", Some("http://evil"), 101),
        ("/any", Some("null"), 101),
    ];
    for (path, origin, status) in cases {
        let fields: Vec<(&str, &str)> = origin.map(|origin| ("Origin", origin)).into_iter().collect();
        let mut client = Client::connect(server.addr());
        client.send(handshake(path, &fields));
        let response = if status == 101 { client.head() } else { client.response() };
        assert_eq!(response.status, status, "{path} for {origin:?}");
        if status == 101 {
            let mut socket = Socket::after(client, &response);
            socket.send(&Frame::text("hello"));
            socket.expect(&Frame::text("hello"));
        } else {
            // It is an ordinary response, and the connection goes on.
            client.send(handshake("/any", &fields));
            assert_eq!(client.head().status, 101);
        }
    }
}

/// The request without a line, or with another one.
fn altered(line: &str, other: &str) -> String {
    let request = handshake("/", &[]);
    let altered = request.replace(&format!("{line}\r\n"), other);
    assert_ne!(altered, request, "no line {line}");
    altered
}

const VERSION: &str = "Sec-WebSocket-Version: 13";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

pub(crate) fn what_is_no_handshake_is_refused<A: Adapter>() {
    let server = A::start(app(echo));
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13")];
    let (version, none): (&[(&str, &str)], &[(&str, &str)]) = (&upgrade, &[]);
    let long = format!("{}\r\n", "Sec-WebSocket-Protocol: a, a");
    let cases = [
        // An ordinary request; no such protocol.
        (raw::get("/"), 426, version),
        (altered("Upgrade: websocket", "Upgrade: h2c\r\n"), 426, version),
        (altered("Connection: Upgrade", "Connection: keep-alive\r\n"), 426, version),
        (altered("Connection: Upgrade", ""), 426, version),
        // Another version of it.
        (altered(VERSION, ""), 426, version),
        (altered(VERSION, "Sec-WebSocket-Version: 8\r\n"), 426, version),
        (altered(VERSION, &format!("{VERSION}\r\n{VERSION}\r\n")), 426, version),
        // A key that is none.
        (altered(KEY, ""), 400, none),
        (altered(KEY, "Sec-WebSocket-Key: c2hvcnQ=\r\n"), 400, none),
        (altered(KEY, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"), 400, none),
        (altered(KEY, &format!("{KEY}\r\n{KEY}\r\n")), 400, none),
        // Offers that are none.
        (altered(VERSION, &format!("{VERSION}\r\n{long}")), 400, none),
        (altered(VERSION, &format!("{VERSION}\r\nSec-WebSocket-Protocol: a b\r\n")), 400, none),
        (altered(VERSION, &format!("{VERSION}\r\nSec-WebSocket-Extensions: ;\r\n")), 400, none),
        (
            altered(VERSION, &format!("{VERSION}\r\nOrigin: http://test\r\nOrigin: http://evil\r\n")),
            400,
            none,
        ),
    ];
    for (request, status, fields) in cases {
        let mut client = Client::connect(server.addr());
        client.send(&request);
        let response = client.response();
        assert_eq!(response.status, status, "to {request}");
        assert!(!response.text().is_empty(), "the reason is told to {request}");
        for &(name, value) in fields {
            assert_eq!(
                response.field(name).map(str::to_ascii_lowercase).as_deref(),
                Some(value),
                "{request}"
            );
        }
        // The connection speaks HTTP as before: an ordinary request, then a valid one.
        client.send(raw::get("/hello"));
        assert_eq!(client.response().text(), "hello", "after {request}");
        let mut socket = Socket::open_on(client, "/");
        socket.send(&Frame::text("hello"));
        socket.expect(&Frame::text("hello"));
        socket.close();
    }
}

pub(crate) fn other_methods_are_refused<A: Adapter>() {
    // A route for every method, so that it is the handshake that refuses.
    let routes = Router::new().fallback(|ws: WebSocketUpgrade| async { ws.on_upgrade(echo) });
    let server = A::start(routes);
    for method in ["POST", "PUT", "DELETE"] {
        let mut client = Client::connect(server.addr());
        client.send(handshake("/", &[("Content-Length", "0")]).replace("GET", method));
        let response = client.response();
        assert_eq!((response.status, response.field("allow")), (405, Some("GET")), "{method}");
    }
    // A handshake has no content, and HTTP/1.0 no upgrade.
    let mut client = Client::connect(server.addr());
    client.send(handshake("/", &[("Content-Length", "5")]) + "hello");
    assert_eq!(client.response().status, 400);
    let response = raw::request(server.addr(), handshake("/", &[]).replace("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(response.status, 426);
}

pub(crate) fn the_client_may_have_ended_by_then<A: Adapter>() {
    // It says all it has to say, and ends its stream before the handler accepts.
    let gate = sinew_tests::Gate::default();
    let routes = Router::new().route("/", {
        let gate = gate.clone();
        get(move |ws: WebSocketUpgrade| {
            let gate = gate.clone();
            async move {
                gate.passed().await;
                ws.on_upgrade(echo)
            }
        })
    });
    let server = A::start(routes);
    let request = handshake("/", &[]).into_bytes();
    let message = Frame::text("hello").masked();
    for close in [Vec::new(), Frame::close(1000, "").masked()] {
        let mut client = Client::connect(server.addr());
        client.send([&request[..], &message, &close].concat());
        client.finish();
        std::thread::sleep(std::time::Duration::from_millis(100));
        gate.open();
        let response = client.head();
        let mut socket = Socket::after(client, &response);
        socket.expect(&Frame::text("hello"));
        if !close.is_empty() {
            socket.expect_close(1000);
        }
        socket.client().end();
    }
}
