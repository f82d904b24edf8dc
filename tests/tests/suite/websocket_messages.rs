//! Messages of WebSocket arrive whole and in order, however they are cut on the wire.

use std::io::Write;
use std::thread;

use sinew_tests::raw::{self, Client};
use sinew_tests::websocket::{BINARY, CONTINUATION, Frame, PING, PONG, Socket, TEXT, handshake};
use sinew_tests::{Adapter, PATIENCE};

use crate::websocket::{app, echo};

/// The lengths at which a header changes its form, and the largest message.
const SIZES: [usize; 8] = [0, 1, 125, 126, 65535, 65536, 100_000, 1 << 20];

/// Text of that many bytes that shows what is lost or swapped.
fn text(len: usize) -> String {
    ('a'..='z').cycle().take(len).collect()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(len).collect()
}

pub(crate) fn every_size_comes_back<A: Adapter>() {
    let server = A::start(app(echo));
    let mut socket = Socket::open(server.addr(), "/");
    for len in SIZES {
        for frame in [Frame::text(text(len)), Frame::binary(bytes(len))] {
            socket.send(&frame);
            socket.expect(&frame);
        }
    }
    socket.close();
}

pub(crate) fn fragments_are_one_message<A: Adapter>() {
    let server = A::start(app(echo));
    let mut socket = Socket::open(server.addr(), "/");
    // Cut inside of a character; some of them empty; a ping in between.
    let euro = "€".as_bytes();
    let fragments = [
        Frame::new(TEXT, &euro[..1]).unfinished(),
        Frame::new(CONTINUATION, "").unfinished(),
        Frame::new(CONTINUATION, &euro[1..2]).unfinished(),
        Frame::new(PING, "in between"),
        Frame::new(CONTINUATION, &euro[2..]).unfinished(),
        Frame::new(CONTINUATION, ""),
    ];
    for one_by_one in [false, true] {
        if one_by_one {
            let pieces: Vec<_> = fragments.iter().map(Frame::masked).collect();
            socket.client().send_pieces(pieces.iter().map(Vec::as_slice));
        } else {
            socket.send_all(&fragments);
        }
        socket.expect(&Frame::new(PONG, "in between"));
        socket.expect(&Frame::text("€"));
    }
    // The largest message, in fragments of many sizes.
    let whole = bytes(1 << 20);
    let mut rest = &whole[..];
    for size in (1..).step_by(997) {
        let opcode = if rest.len() == whole.len() { BINARY } else { CONTINUATION };
        let (piece, after) = rest.split_at(size.min(rest.len()));
        let frame = Frame::new(opcode, piece);
        rest = after;
        if rest.is_empty() {
            socket.send(&frame);
            break;
        }
        socket.send(&frame.unfinished());
    }
    socket.expect(&Frame::binary(whole));
    socket.close();
}

pub(crate) fn many_in_one_segment<A: Adapter>() {
    let server = A::start(app(echo));
    let mut socket = Socket::open(server.addr(), "/");
    let frames: Vec<Frame> = (0..2_000).map(|n| Frame::text(format!("message {n}"))).collect();
    socket.send_all(&frames);
    for frame in &frames {
        socket.expect(frame);
    }
    socket.close();
}

pub(crate) fn a_byte_at_a_time<A: Adapter>() {
    let server = A::start(app(echo));
    let mut socket = Socket::open(server.addr(), "/");
    let frames = [Frame::text("five"), Frame::binary(bytes(200)), Frame::new(PING, "ping")];
    let stream: Vec<u8> = frames.iter().flat_map(Frame::masked).collect();
    socket.client().send_pieces(stream.chunks(1));
    socket.expect(&frames[0]);
    socket.expect(&frames[1]);
    socket.expect(&Frame::new(PONG, "ping"));
    socket.close();
}

pub(crate) fn order_is_kept<A: Adapter>() {
    let server = A::start(app(echo));
    let mut socket = Socket::open(server.addr(), "/");
    // Small ones, which are copied together, between large ones, which are sent as they are.
    let frames: Vec<Frame> = (0..300_usize)
        .map(|n| Frame::binary([&n.to_be_bytes()[..], &bytes(n * n * 7919 % 200_000)].concat()))
        .collect();
    let mut sender = socket.client().stream().try_clone().expect("a second handle");
    thread::scope(|scope| {
        scope.spawn(|| {
            for frame in &frames {
                sender.write_all(&frame.masked()).expect("the server takes it all");
            }
        });
        for frame in &frames {
            socket.expect(frame);
        }
    });
    socket.close();
}

pub(crate) fn sent_right_behind_the_handshake<A: Adapter>() {
    let server = A::start(app(echo));
    let frames = [Frame::text("early"), Frame::binary(bytes(3_000))];
    let early: Vec<u8> = frames.iter().flat_map(Frame::masked).collect();
    let request = handshake("/", &[]).into_bytes();
    // In the segment of the request: all of it, or a part.
    for len in [1, 2, 7, early.len() - 1, early.len()] {
        let mut client = Client::connect(server.addr());
        client.send([&request[..], &early[..len]].concat());
        let response = client.head();
        let mut socket = Socket::after(client, &response);
        socket.client().send(&early[len..]);
        socket.expect(&frames[0]);
        socket.expect(&frames[1]);
        socket.close();
    }
    // Even the end.
    let mut client = Client::connect(server.addr());
    client.send([&request[..], &early, &Frame::close(1000, "").masked()].concat());
    client.finish();
    let response = client.head();
    let mut socket = Socket::after(client, &response);
    socket.expect(&frames[0]);
    socket.expect(&frames[1]);
    socket.expect_close(1000);
    socket.client().end();
}

pub(crate) fn opened_after_an_ordinary_request<A: Adapter>() {
    let server = A::start(app(echo));
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/hello"));
    assert_eq!(client.response().text(), "hello");
    let mut socket = Socket::open_on(client, "/");
    socket.send(&Frame::text("hello"));
    socket.expect(&Frame::text("hello"));
    socket.close();
    // And pipelined, in one segment with it.
    let mut client = Client::connect(server.addr());
    let hello = Frame::text("hello").masked();
    client.send([raw::get("/hello").into_bytes(), handshake("/", &[]).into_bytes(), hello].concat());
    assert_eq!(client.response().text(), "hello");
    let response = client.head();
    let mut socket = Socket::after(client, &response);
    socket.expect(&Frame::text("hello"));
    socket.close();
}

pub(crate) fn http_deadlines_are_over<A: Adapter>() {
    let short = std::time::Duration::from_millis(200);
    let config = sinew_proto::Config {
        head_timeout: short,
        idle_timeout: short,
        body_grace: short,
        write_timeout: short,
        linger_timeout: short,
        ..sinew_proto::Config::default()
    };
    let server = A::start_config(app(echo), config);
    let mut socket = Socket::open(server.addr(), "/");
    socket.quiet(short * 4);
    socket.send(&Frame::text("still there"));
    socket.expect(&Frame::text("still there"));
    // In the middle of a message.
    socket.client().send(&Frame::text("in two pieces").masked()[..10]);
    socket.quiet(short * 4);
    socket.client().send(&Frame::text("in two pieces").masked()[10..]);
    socket.expect(&Frame::text("in two pieces"));
    socket.close();
}

pub(crate) fn many_sockets_at_once<A: Adapter>() {
    let server = A::start(app(echo));
    let mut sockets: Vec<Socket> = (0..100).map(|_| Socket::open(server.addr(), "/")).collect();
    let start = std::time::Instant::now();
    for round in 0..20 {
        for (n, socket) in sockets.iter_mut().enumerate() {
            socket.send(&Frame::text(format!("{round} of {n}")));
        }
        for (n, socket) in sockets.iter_mut().enumerate() {
            socket.expect(&Frame::text(format!("{round} of {n}")));
        }
    }
    assert!(start.elapsed() < PATIENCE);
    sockets.into_iter().for_each(Socket::close);
}
