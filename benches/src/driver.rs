//! HTTP through driver, router and handler, over a socket that is a buffer.

use sinew_proto::http1::client::{Event, Request};
use sinew_proto::http1::{BodyPlan, Client};
use sinew_proto::{Config, FieldLines, FieldTable};

use crate::app::{HELLO, app};
use crate::buffer::{NOW, turns};
use crate::heads::TWO_LINES;
use crate::workloads::Operation;

/// Turns with `batch` times this request in each.
pub(crate) fn small(request: &'static [u8], batch: usize) -> Operation {
    let body = if request == TWO_LINES { HELLO } else { "12345" };
    turns(app(), None, request.repeat(batch), move |output| {
        assert_eq!(bodies(output), vec![body.as_bytes(); batch]);
    })
}

/// A body of that size, which comes back.
pub(crate) fn echo(size: usize) -> Operation {
    let body: Vec<u8> = (0..size).map(|i| i.to_le_bytes()[0]).collect();
    let mut wire = format!(
        "POST /echo HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/json\r\n\
         Content-Length: {size}\r\n\r\n"
    )
    .into_bytes();
    wire.extend_from_slice(&body);
    turns(app(), None, wire, move |output| assert!(bodies(output) == [&body[..]]))
}

/// A response of 64 chunks of 1 KiB.
pub(crate) fn chunks() -> Operation {
    let wire = b"GET /stream HTTP/1.1\r\nHost: localhost:8080\r\n\r\n".to_vec();
    turns(app(), None, wire, |output| {
        let head = output.windows(30).any(|bytes| bytes == b"\r\ntransfer-encoding: chunked\r\n");
        assert!(head && bodies(output) == [vec![b'x'; 64 * 1024]]);
    })
}

/// The bodies of responses, as a client reads them. All of them are `200 OK`.
fn bodies(mut output: &[u8]) -> Vec<Vec<u8>> {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let mut lines = FieldLines::new();
    lines.append("host", "a").expect("a valid field");
    let mut bodies = Vec::new();
    while !output.is_empty() {
        // A client takes no response that it has not asked for: one of its own for each.
        let mut client = Client::new(&config);
        let request = Request::new("GET", "/", &lines);
        client.request(&request, BodyPlan::Empty, &mut Vec::new()).expect("a valid request");
        let mut body = Vec::new();
        loop {
            let step = client.poll(output, &mut fields, NOW).expect("a valid response");
            output = &output[step.consumed..];
            match step.event {
                Event::Response(head) => assert_eq!(head.status().as_u16(), 200),
                Event::Data(piece) => body.extend_from_slice(piece),
                Event::End => break,
                other => panic!("{other:?}"),
            }
        }
        bodies.push(body);
    }
    bodies
}
