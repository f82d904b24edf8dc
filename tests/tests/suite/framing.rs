//! Where messages begin and end, and when a connection persists (RFC 9112 §6, §9.3).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sinew_app::{Body, BodyError, Handle, Headers, Path, Request, Router, StatusCode, get, post};
use sinew_tests::Adapter;
use sinew_tests::raw::{self, Client};
use smol::stream;

fn app() -> Router {
    Router::new()
        .route("/{n}", get(|Path(n): Path<u32>| async move { n.to_string() }))
        .route("/echo", post(|body: Body| async { body }))
        .route(
            "/slow",
            get(|handle: Handle| async move {
                handle.sleep(Duration::from_millis(100)).await;
                "slow"
            }),
        )
        .route("/stream", get(|| async { Body::from_stream(pieces(["one", "two"])) }))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/same", get(|| async { StatusCode::NOT_MODIFIED }))
        .route("/last", get(|| async { ([("connection", "close")], "last") }))
}

fn pieces<const N: usize>(
    pieces: [&'static str; N],
) -> impl stream::Stream<Item = Result<&'static str, BodyError>> {
    stream::iter(pieces.map(Ok))
}

/// Sixteen requests, and a check of their answers.
fn sixteen() -> (Vec<u8>, impl Fn(&mut Client)) {
    let requests = (0..16).map(|n| raw::get(&format!("/{n}"))).collect::<String>();
    let check = |client: &mut Client| {
        for n in 0..16 {
            let response = client.response();
            assert_eq!((response.status, response.text()), (200, &*n.to_string()));
            assert!(!response.closes());
            // `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7)
            let date = response.field("date").expect("a date");
            assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
        }
    };
    (requests.into_bytes(), check)
}

pub(crate) fn pipelined_in_one_write<A: Adapter>() {
    let server = A::start(app());
    let (requests, check) = sixteen();
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        client.send(&requests);
        check(&mut client);
    }
}

pub(crate) fn pipelined_byte_by_byte<A: Adapter>() {
    let server = A::start(app());
    let (requests, check) = sixteen();
    let mut client = Client::connect(server.addr());
    // Without pauses: nodelay sends each byte at once, and 600 sleeps would take long.
    for byte in requests.chunks(1) {
        client.send(byte);
    }
    check(&mut client);
}

pub(crate) fn pipelined_with_bodies<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    let mut requests = Vec::new();
    for n in 0..8 {
        let body = format!("body {n}");
        requests.extend(raw::post("/echo", &body));
        requests.extend(raw::post_chunked("/echo", body.as_bytes().chunks(3)));
        requests.extend(raw::get("/7").as_bytes());
    }
    client.send(&requests);
    for n in 0..8 {
        assert_eq!(client.response().text(), format!("body {n}"));
        assert_eq!(client.response().text(), format!("body {n}"));
        assert_eq!(client.response().text(), "7");
    }
}

pub(crate) fn a_slow_handler_does_not_reorder<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/slow") + &raw::get("/1") + &raw::get("/slow") + &raw::get("/2"));
    for expected in ["slow", "1", "slow", "2"] {
        assert_eq!(client.response().text(), expected);
    }
}

pub(crate) fn a_request_cut_in_two_anywhere<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    let request = raw::post_chunked("/echo", [&b"hello"[..], b" world"]);
    for at in 1..request.len() {
        let (first, second) = request.split_at(at);
        client.send_pieces([first, second]);
        assert_eq!(client.response().text(), "hello world", "cut at {at}");
    }
}

pub(crate) fn http10_closes_unless_asked<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    client.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let response = client.response();
    assert_eq!((response.field("connection"), response.text()), (Some("keep-alive"), "1"));
    client.send("GET /2 HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert!(response.closes());
    assert_eq!(response.text(), "2");
    client.end();
}

pub(crate) fn http10_streams_until_the_close<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let response = client.response();
    assert_eq!(response.field("transfer-encoding"), None);
    assert_eq!(response.field("content-length"), None);
    assert!(response.closes());
    assert_eq!(response.text(), "onetwo");
    client.end();
}

pub(crate) fn head_has_the_fields_of_get<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    for path in ["/7", "/stream", "/empty"] {
        client.send(raw::get(path));
        let mut get = client.response();
        client.send(raw::get(path).replace("GET", "HEAD"));
        let mut head = client.head();
        // The second may have changed between the two.
        for response in [&mut get, &mut head] {
            response.fields.retain(|(name, _)| name != "date");
        }
        assert_eq!((head.status, head.fields), (get.status, get.fields), "{path}");
    }
    // No byte of a body is left in between.
    client.send(raw::get("/1"));
    assert_eq!(client.response().text(), "1");
}

pub(crate) fn some_statuses_have_no_body<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    client.send(raw::get("/empty") + &raw::get("/same") + &raw::get("/1"));
    let empty = client.response();
    assert_eq!((empty.status, empty.field("content-length")), (204, None));
    let same = client.response();
    assert_eq!((same.status, same.field("content-length")), (304, None));
    for response in [empty, same] {
        assert_eq!(response.field("transfer-encoding"), None);
    }
    assert_eq!(client.response().text(), "1");
}

pub(crate) fn close_is_honoured<A: Adapter>() {
    let server = A::start(app());
    let close = "GET /1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    // Asked for by the client, or by the application.
    for request in [close, &raw::get("/last")] {
        let mut client = Client::connect(server.addr());
        client.send(request.to_owned() + &raw::get("/2"));
        let response = client.response();
        assert_eq!(response.status, 200);
        assert!(response.closes());
        client.end();
    }
}

pub(crate) fn connection_options_are_one_list<A: Adapter>() {
    let server = A::start(app());
    for options in [
        "Connection: keep-alive\r\nX: y\r\nConnection: close\r\n",
        "Connection: close, keep-alive\r\n",
        "connection: x ,\t CLOSE\r\n",
    ] {
        let mut client = Client::connect(server.addr());
        client.send(format!("GET /1 HTTP/1.1\r\nHost: test\r\n{options}\r\n") + &raw::get("/2"));
        assert!(client.response().closes(), "{options}");
        client.end();
    }
}

pub(crate) fn upgrades_nobody_offered_are_ignored<A: Adapter>() {
    let server = A::start(app());
    let mut client = Client::connect(server.addr());
    for fields in [
        "Upgrade: websocket\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\n",
        "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    ] {
        client.send(format!("GET /1 HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, "1"), "{fields}");
    }
}

pub(crate) fn names_keep_their_case<A: Adapter>() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let app = Router::new().fallback({
        let seen = seen.clone();
        move |request: Request| async move {
            seen.lock().unwrap().extend(request.fields().iter().map(|field| field.name.to_owned()));
            request.field("x-ALL").map(str::to_owned).unwrap_or_default()
        }
    });
    let server = A::start(app);
    let request = "GET / HTTP/1.1\r\nhOST: test\r\nX-All: caf\u{e9}\r\nx-lower: 1\r\nX-UPPER: 2\r\n\r\n";
    assert_eq!(raw::request(server.addr(), request).text(), "caf\u{e9}");
    assert_eq!(*seen.lock().unwrap(), ["hOST", "X-All", "x-lower", "X-UPPER"]);
}

pub(crate) fn trailers_are_not_fields<A: Adapter>() {
    let app = Router::new().fallback(|mut request: Request| async move {
        let mut body = Vec::new();
        while let Ok(Some(piece)) = request.body_mut().chunk().await {
            body.extend_from_slice(&piece);
        }
        format!("{} {:?}", String::from_utf8_lossy(&body), request.field("x-late"))
    });
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    client.send(
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nok\r\n0\r\nX-Late: 1\r\nContent-Length: 30\r\n\r\n",
    );
    assert_eq!(client.response().text(), "ok None");
    client.send(raw::get("/"));
    assert_eq!(client.response().text(), " None");
}

/// They are found behind the body, once it was read, and with their own request alone.
pub(crate) fn trailers_are_offered_behind_the_body<A: Adapter>() {
    let app = Router::new().fallback(|mut body: Body| async move {
        let mut seen = Vec::new();
        loop {
            let trailers = body.trailers().map(|trailers| trailers.iter().count());
            match body.chunk().await {
                Ok(Some(piece)) => seen.push(format!("{}:{trailers:?}", piece.len())),
                Ok(None) => break,
                Err(error) => return error.to_string(),
            }
        }
        for line in body.trailers().into_iter().flat_map(Headers::iter) {
            seen.push(format!("{}={}", line.name, String::from_utf8_lossy(line.value)));
        }
        seen.join(" ")
    });
    let server = A::start(app);
    let mut client = Client::connect(server.addr());
    let head = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(format!("{head}2\r\nok\r\n0\r\nX-Late: 1\r\nHost: other\r\nx-late: 2\r\n\r\n"));
    assert_eq!(client.response().text(), "2:None X-Late=1 Host=other x-late=2");
    // Without a body before them, and none.
    client.send(format!("{head}0\r\nX-Late: 1\r\n\r\n"));
    assert_eq!(client.response().text(), "X-Late=1");
    for none in [format!("{head}2\r\nok\r\n0\r\n\r\n").into_bytes(), raw::post("/", "ok")] {
        client.send(none);
        assert_eq!(client.response().text(), "2:None");
    }
    // More of them than a head may have lines.
    client.send(format!("{head}0\r\n{}\r\n", "A: b\r\n".repeat(101)));
    assert_eq!(client.response().status, 431);
}
