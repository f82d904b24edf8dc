//! What the strict client takes, and what it refuses.

use super::*;

use std::net::TcpListener;

/// What the client says of a server that answers with `bytes` and then stays silent, or closes.
fn judged(bytes: &str, closes: bool) -> Result<Response, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::scope(|scope| {
        let serving = scope.spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(bytes.as_bytes()).expect("to write");
            // What the client asks for, and then its end; unless it is to see ours first.
            if !closes {
                stream.read_to_end(&mut Vec::new()).expect("to read");
            }
        });
        let response = exchange::<1>(port, b"x").map(|[response]| response);
        serving.join().expect("the server");
        response
    })
}

#[test]
fn right_responses() {
    let sized = judged("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA:  b \r\n\r\nhi", false).expect("right");
    assert_eq!((sized.status, sized.framing, &sized.body[..]), (200, Framing::Length, &b"hi"[..]));
    assert_eq!(sized.field("a"), Ok("b"));
    assert!(sized.field("b").is_err());
    let chunks = "HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nA\r\n0123456789\r\n0\r\n\r\n";
    let chunked = judged(chunks, false).expect("right");
    assert_eq!(
        (chunked.status, chunked.framing, &chunked.body[..]),
        (404, Framing::Chunked, &b"hi0123456789"[..])
    );
}

#[test]
fn wrong_responses() {
    let cases = [
        ("another version", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        ("a status without a blank behind it", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi"),
        ("bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"),
        ("a blank before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi"),
        ("no framing", "HTTP/1.1 200 OK\r\n\r\nhi"),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi"),
        ("a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi"),
        (
            "both framings",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("bytes behind it", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!"),
        ("no end of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi0\r\n\r\n"),
        ("no size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n"),
        (
            "a size that is none",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        ),
    ];
    for (what, bytes) in cases {
        assert!(judged(bytes, false).is_err(), "{what}");
    }
    assert!(
        judged("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true).is_err(),
        "a connection that ends"
    );
    assert!(
        judged("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", true).is_err(),
        "a body that ends early"
    );
}
