//! The application alone, without a connection: a request that is there goes in, a response comes out
//! at once. `function` has no router: what it costs is spent in the others too.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sinew_app::{
    Body, Disconnect, Handle, IntoResponse, Request, ResponseFuture, Service, StatusCode, service_fn,
};
use sinew_proto::http1::server::Kind;
use sinew_proto::http1::{RequestHead, Server};
use sinew_proto::{Config, FieldTable};

use crate::app::{HELLO, app, plaintext};
use crate::buffer::NOW;
use crate::heads::TWO_LINES;
use crate::workloads::Operation;

/// A function that is the whole application.
pub(crate) fn function() -> Operation {
    let app = service_fn(|_: Request| async { plaintext().await.into_response() });
    call(app, TWO_LINES, StatusCode::OK, HELLO)
}

/// A route of text among more than sixty.
pub(crate) fn text() -> Operation {
    call(app(), TWO_LINES, StatusCode::OK, HELLO)
}

/// A route whose placeholder is not at its end.
pub(crate) fn placeholder() -> Operation {
    let request = b"GET /service17/items/12345/parts HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    call(app(), request, StatusCode::OK, "12345")
}

/// A path that begins like a route and is none.
pub(crate) fn miss() -> Operation {
    let request = b"GET /service17/items/12345/none HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    call(app(), request, StatusCode::NOT_FOUND, "Not Found")
}

/// A placeholder that is a number, a query that is a struct, and the fields.
pub(crate) fn extractors() -> Operation {
    let request = b"GET /accounts/12345?tab=profile HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    call(app(), request, StatusCode::OK, "12345 profile 14")
}

/// A struct that becomes JSON.
pub(crate) fn json() -> Operation {
    let request = b"GET /json HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    call(app(), request, StatusCode::OK, r#"{"message":"Hello, World!"}"#)
}

fn call(app: impl Service, input: &'static [u8], status: StatusCode, body: &'static str) -> Operation {
    let config = Config::default();
    let mut fields = FieldTable::new(&config);
    let step = Server::new(&config).advance(input, &mut fields, NOW).expect("a valid head");
    assert!(step.event == Kind::Request && step.consumed == input.len());
    Box::new(move || {
        let head = RequestHead::new(black_box(input), &fields);
        let request = Request::received(&head, Body::empty(), None, Handle::default(), Disconnect::default());
        let mut response = ready(app.call(request));
        assert_eq!(response.status(), status);
        let content = response.take_body().into_full().expect("a body that is there");
        assert_eq!(content, body);
    })
}

fn ready(future: ResponseFuture) -> sinew_app::Response {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(response) => response,
        Poll::Pending => panic!("nothing is waited for"),
    }
}
