//! What `Server` writes is what other readers read: any status, fields, body and trailers, in every
//! version, method and kind of connection; hostile values write nothing.

#[path = "support/encode.rs"]
mod encode;
#[path = "support/naive/mod.rs"]
#[allow(dead_code, reason = "requests are read by the differential tests")]
mod naive;

use encode::{Exchange, Plan, check};
use proptest::prelude::*;

/// Names that mean something to the core, any token, and anything.
fn name() -> impl Strategy<Value = String> {
    let known = [
        "content-length",
        "Transfer-Encoding",
        "connection",
        "Connection",
        "date",
        "upgrade",
        "content-type",
        "set-cookie",
        "x",
        "X",
    ];
    prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        2 => "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}",
        1 => any::<String>(),
    ]
}

/// Values that mean something to the core, and bytes, among them those that would split a response.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "0",
        "3",
        "5",
        "+5",
        "",
        "18446744073709551616",
        "close",
        "keep-alive",
        "x, Close",
        "upgrade",
        "chunked",
        "x\r\nset-cookie: y",
        "x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "x\ny",
        "x\ry",
        "x\0",
        "\r\n",
    ];
    prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(|value| value.as_bytes().to_vec()),
        2 => prop::collection::vec(prop_oneof![b' '..=b'~', Just(b'\t'), 0x80..=0xFF_u8], 0..20),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn status() -> impl Strategy<Value = u16> {
    let telling = [100, 101, 103, 200, 201, 204, 205, 206, 299, 304, 400, 417, 500, 599];
    prop_oneof![prop::sample::select(telling.to_vec()), 100..600_u16]
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let methods = ["GET", "GET", "HEAD", "POST", "OPTIONS", "CONNECT"];
    let connections = ["", "", "close", "keep-alive", "upgrade", "Keep-Alive, x"];
    let plans = [Plan::Empty, Plan::Length, Plan::Streamed, Plan::Longer(0), Plan::Longer(9), Plan::Upgrade];
    let request = (
        prop::sample::select(methods.to_vec()),
        prop::sample::select(connections.to_vec()),
        any::<bool>(),
        prop::bool::weighted(0.2),
        any::<bool>(),
    );
    let head = (
        status(),
        prop::collection::vec((name(), value()), 0..4),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        any::<bool>(),
    );
    let body = (
        prop::sample::select(plans.to_vec()),
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..4),
        prop::collection::vec((name(), value()), 0..3),
        any::<bool>(),
    );
    (request, head, body).prop_map(|(request, head, body)| {
        let (method, connection, http10, expects, sends_continue) = request;
        let (status, fields, hints, shutdown, dated) = head;
        let (plan, pieces, trailers, marks_last) = body;
        Exchange {
            method,
            http10,
            connection,
            expects,
            sends_continue,
            hints,
            shutdown,
            dated,
            status,
            fields,
            plan,
            pieces,
            trailers,
            marks_last,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_is_read(exchange in exchange()) {
        check(&exchange);
    }

    #[test]
    fn any_bytes_as_an_exchange(bytes in prop::collection::vec(any::<u8>(), 7..80)) {
        check(&Exchange::from_bytes(&bytes).expect("seven bytes or more"));
    }
}

/// Every combination of method, version, connection, status class, plan, and fields that frame.
#[test]
fn every_combination() {
    let field = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let framing = [
        vec![field("X", "y")],
        vec![field("X", "y"), field("Content-Length", "12")],
        vec![field("content-length", "0"), field("Connection", "x, Close")],
    ];
    let mut complete = 0;
    for method in ["GET", "HEAD", "POST", "OPTIONS", "CONNECT"] {
        for connection in ["", "close", "keep-alive", "upgrade"] {
            for status in [100, 101, 103, 200, 204, 205, 206, 304, 404, 500, 599] {
                for plan in [Plan::Empty, Plan::Length, Plan::Longer(0), Plan::Streamed, Plan::Upgrade] {
                    for (bits, fields) in (0..32).flat_map(|bits| framing.iter().map(move |f| (bits, f))) {
                        let mut fields = fields.clone();
                        fields.extend((plan == Plan::Upgrade).then(|| field("Upgrade", "x")));
                        complete += usize::from(check(&Exchange {
                            method,
                            connection,
                            status,
                            plan,
                            fields,
                            http10: bits & 1 != 0,
                            expects: bits & 2 != 0,
                            sends_continue: bits & 4 != 0,
                            shutdown: bits & 8 != 0,
                            marks_last: bits & 16 != 0,
                            pieces: vec![b"hello".to_vec(), Vec::new(), b", world".to_vec()],
                            ..Exchange::default()
                        }));
                    }
                }
            }
        }
    }
    assert!(complete > 20_000, "only {complete} were complete");
}
