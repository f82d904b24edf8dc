//! Our reading of a head against that of `httparse`, a parser by others.

use sinew_proto::http1::{RequestHead, Server, Version, server::Event};
use sinew_proto::{Config, FieldTable, Instant};

/// Gives `input` to both. Every head that we accept, `httparse` must accept with the same method,
/// target, version, names, values and length. Returns whether we accepted one.
pub(crate) fn same_head(input: &[u8]) -> bool {
    let config = Config::default();
    let mut table = FieldTable::new(&config);
    let mut server = Server::new(&config);
    let Ok(step) = server.poll(input, &mut table, Instant::from_nanos(0)) else {
        return false;
    };
    let Event::Request(head) = step.event else {
        assert_eq!(step.consumed, 0, "an unfinished head is kept by the caller");
        return false;
    };
    compare(input, step.consumed, &head);
    true
}

fn compare(input: &[u8], consumed: usize, head: &RequestHead<'_>) {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut other = httparse::Request::new(&mut headers);
    let status = other.parse(input);
    assert_eq!(status, Ok(httparse::Status::Complete(consumed)), "{}", input.escape_ascii());
    assert_eq!(other.method, Some(head.method()));
    assert_eq!(other.path, Some(head.target()));
    let version = u8::from(head.version() == Version::Http11);
    assert_eq!(other.version, Some(version));
    let ours: Vec<(&str, &[u8])> = head.fields().iter().map(|field| (field.name, field.value)).collect();
    let theirs: Vec<(&str, &[u8])> = other.headers.iter().map(|header| (header.name, header.value)).collect();
    assert_eq!(ours, theirs);
}
