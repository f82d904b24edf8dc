//! Compressed messages (RFC 7692), with the client side of the protocol as the peer.

use sinew_app::WebSocket;
use sinew_app::websocket::DeflateConfig;
use sinew_proto::Instant;
use sinew_proto::websocket::{Config, Connection, DeflateParams, Event, Message};
use sinew_tests::Adapter;
use sinew_tests::raw::Client;
use sinew_tests::websocket::{BINARY, Frame, Socket};

use crate::websocket::{app, app_with, echo, far};

const FIELD: &str = "Sec-WebSocket-Extensions";
const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// A client that compresses on those terms.
struct Deflating {
    socket: Socket,
    core: Connection,
}

impl Deflating {
    fn open(server: &sinew_tests::Running, offer: &str, terms: DeflateConfig, answer: &str) -> Self {
        let client = Client::connect(server.addr());
        let (socket, response) = Socket::open_with(client, "/", &[(FIELD, offer)]);
        assert_eq!(response.field(FIELD), Some(answer), "to {offer}");
        let config = Config { max_message_bytes: 64 << 20, max_frame_bytes: 64 << 20, ..Config::default() };
        let core = Connection::client(&config, Box::new(|| [1, 2, 3, 4]), Instant::default());
        Self { socket, core: core.with_deflate(&DeflateParams::from(terms)) }
    }

    /// Sends a message. Returns how many bytes it took on the wire.
    fn send(&mut self, text: &str) -> usize {
        let mut out = Vec::new();
        self.core.send(Message::Text(text), &mut out).expect("it is open");
        self.socket.client().send(&out);
        out.len()
    }

    /// The next message is that one. Returns how many bytes it took, and whether it was compressed.
    fn expect(&mut self, text: &str) -> (usize, bool) {
        let frame = self.socket.frame();
        let mut bytes = frame.unmasked();
        let len = bytes.len();
        let step = self.core.poll(&mut bytes, Instant::default()).expect("a valid frame");
        assert_eq!(step.consumed, len);
        let Event::Text(received) = step.event else { panic!("{frame:?}") };
        assert!(received == text, "another text: {} bytes instead of {}", received.len(), text.len());
        (len, frame.compressed)
    }
}

/// Text that compresses well, but not to nothing.
fn text(len: usize) -> String {
    let mut text = String::new();
    let mut n = 7_u64;
    while text.len() < len {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let number = (n >> 50).to_string();
        text.extend(["{\"key\":", &number, ",\"value\":\"compressible\"}"]);
    }
    text.truncate(len);
    text
}

pub(crate) fn only_where_both_sides_want_it<A: Adapter>() {
    // The application does not ask for it: the offer is not taken, and a compressed frame is an error.
    let server = A::start(app(echo));
    let (mut socket, response) = Socket::open_with(Client::connect(server.addr()), "/", &[(FIELD, OFFER)]);
    assert_eq!(response.field(FIELD), None);
    socket.send(&Frame::text(text(1000)));
    socket.expect(&Frame::text(text(1000)));
    socket.send(&Frame { compressed: true, ..Frame::text("hello") });
    socket.closed(1002);
    // The client does not offer it, or nothing that can be accepted.
    let server = A::start(app_with(|ws| ws.deflate(DeflateConfig::default()), echo));
    for fields in [&[][..], &[(FIELD, "x-webkit-deflate-frame")], &[(FIELD, "permessage-deflate; unknown")]] {
        let (mut socket, response) = Socket::open_with(Client::connect(server.addr()), "/", fields);
        assert_eq!(response.field(FIELD), None, "{fields:?}");
        socket.send(&Frame::text(text(1000)));
        socket.expect(&Frame::text(text(1000)));
        socket.close();
    }
}

pub(crate) fn an_echo_of_every_size<A: Adapter>() {
    let server = A::start(app_with(|ws| ws.deflate(DeflateConfig::default()), echo));
    let mut client = Deflating::open(&server, OFFER, DeflateConfig::default(), "permessage-deflate");
    for len in [0, 1, 255, 256, 1_000, 65_535, 65_536, 1 << 20] {
        let text = text(len);
        let sent = client.send(&text);
        let (received, compressed) = client.expect(&text);
        let long = len >= DeflateConfig::DEFAULT.threshold;
        assert_eq!(compressed, long, "{len}");
        assert!(!long || (sent < len && received < len), "{len} bytes became {sent} and {received}");
    }
}

pub(crate) fn the_context_is_taken_over<A: Adapter>() {
    let server = A::start(app_with(|ws| ws.deflate(DeflateConfig::default()), echo));
    let mut client = Deflating::open(&server, OFFER, DeflateConfig::default(), "permessage-deflate");
    let text = text(2_000);
    client.send(&text);
    let (first, _) = client.expect(&text);
    for _ in 0..50 {
        client.send(&text);
        let (again, _) = client.expect(&text);
        assert!(again < first / 4, "{again} bytes after {first}");
    }
}

pub(crate) fn the_context_is_forgotten_where_agreed<A: Adapter>() {
    let terms = DeflateConfig {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateConfig::default()
    };
    let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    // Asked for by the client; by the server.
    let offer = format!("{OFFER}; client_no_context_takeover; server_no_context_takeover");
    for (config, offer) in [(DeflateConfig::default(), &*offer), (terms, OFFER)] {
        let server = A::start(app_with(move |ws| ws.deflate(config), echo));
        let mut client = Deflating::open(&server, offer, terms, answer);
        let text = text(2_000);
        client.send(&text);
        let first = client.expect(&text);
        for _ in 0..10 {
            client.send(&text);
            assert_eq!(client.expect(&text), first);
        }
    }
}

pub(crate) fn a_bomb_is_1009<A: Adapter>() {
    let server = A::start(app_with(
        |ws| ws.deflate(DeflateConfig::default()).config(far()),
        |mut socket: WebSocket| async move { assert!(socket.recv().await.is_err()) },
    ));
    // A few kilobytes that become 32 MiB.
    let mut client = Deflating::open(&server, OFFER, DeflateConfig::default(), "permessage-deflate");
    let sent = client.send(&"x".repeat(32 << 20));
    assert!(sent < 100_000, "{sent}");
    client.socket.closed(1009);
    // The same in many fragments.
    let mut client = Deflating::open(&server, OFFER, DeflateConfig::default(), "permessage-deflate");
    let mut out = Vec::new();
    client.core.send(Message::Text(&"x".repeat(32 << 20)), &mut out).expect("it is open");
    let payload: Vec<u8> =
        out[8..].iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let mut fragments = payload.chunks(100);
    let first = Frame { compressed: true, ..Frame::new(1, fragments.next().unwrap()).unfinished() };
    client.socket.send(&first);
    for piece in fragments {
        if client.socket.client().try_send(Frame::new(0, piece).unfinished().masked()).is_err() {
            break;
        }
    }
    client.socket.closed(1009);
}

pub(crate) fn what_is_no_deflate_is_1007<A: Adapter>() {
    let server = A::start(app_with(|ws| ws.deflate(DeflateConfig::default()), echo));
    for payload in [&[0xff; 20][..], &[0x07], b"hello"] {
        let (mut socket, _) = Socket::open_with(Client::connect(server.addr()), "/", &[(FIELD, OFFER)]);
        socket.send(&Frame { compressed: true, ..Frame::new(BINARY, payload) });
        socket.closed(1007);
    }
}
