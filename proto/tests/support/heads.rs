//! What holds for any head by itself: where its parts lie does not depend on how it arrived, the
//! limits hold, no view panics, and a head built from the parts of another one equals it.

use std::hint::black_box;
use std::ops::Range;

use sinew_proto::http1::{RequestHead, RequestHeadBuf, Server, Version, server::Kind};
use sinew_proto::{Config, FieldTable, Instant, RecvError};

/// Checks the head at the beginning of `input`, in pieces of `step` bytes and whole.
pub(crate) fn check(input: &[u8], config: &Config, step: usize) {
    let (mut table, mut again) = (FieldTable::new(config), FieldTable::new(config));
    let whole = read(input, config, &mut table, usize::MAX);
    let pieces = read(input, config, &mut again, step);
    assert_eq!(whole, pieces, "{config:?}: {}", input.escape_ascii());
    let head = RequestHead::new(input, &table);
    // A table that was used for other bytes gives other text, and no panic.
    for other in [&b""[..], &input[..input.len() / 2], b"\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
        look_at(&RequestHead::new(other, &table));
        assert!(table.trailers(other).iter().len() <= usize::from(config.max_fields));
    }
    let Ok(Some(consumed)) = whole else {
        look_at(&head);
        return;
    };
    assert_eq!(places(input, &head), places(input, &RequestHead::new(input, &again)));
    limits(input, consumed, config, &head);
    look_at(&head);
    round_trip(&head);
}

/// The bytes that a head takes, `None` if it is not complete.
fn read(
    input: &[u8],
    config: &Config,
    table: &mut FieldTable,
    step: usize,
) -> Result<Option<usize>, RecvError> {
    let mut server = Server::new(config);
    let mut len = 0_usize;
    loop {
        len = input.len().min(len.saturating_add(step.max(1)));
        let step = server.advance(&input[..len], table, Instant::from_nanos(0))?;
        match step.event {
            Kind::Request => return Ok(Some(step.consumed)),
            event => assert_eq!((event, step.consumed), (Kind::NeedInput, 0)),
        }
        if len == input.len() {
            return Ok(None);
        }
    }
}

/// Where method, target, names and values lie.
fn places(input: &[u8], head: &RequestHead<'_>) -> Vec<Range<usize>> {
    let place = |part: &[u8]| {
        let start = part.as_ptr().addr().checked_sub(input.as_ptr().addr()).expect("a view of the input");
        assert!(start + part.len() <= input.len(), "a view of the input");
        start..start + part.len()
    };
    let line = [head.method().as_bytes(), head.target().as_bytes()];
    let fields = head.fields();
    let parts = fields.iter().flat_map(|field| [field.name.as_bytes(), field.value]);
    line.into_iter().chain(parts).map(place).collect()
}

fn limits(input: &[u8], consumed: usize, config: &Config, head: &RequestHead<'_>) {
    let start = if input.starts_with(b"\r\n") { 2 } else { 0 };
    assert!(consumed - start <= config.max_head_bytes as usize);
    assert!(head.target().len() <= config.max_target_bytes as usize);
    assert!(head.fields().len() <= usize::from(config.max_fields));
    assert!((1..=32).contains(&head.method().len()));
    let fields = head.fields();
    assert!(fields.iter().all(|field| fields.get_all(field.name).any(|value| value == field.value)));
    let query = head.query().map_or(0, |query| query.len() + 1);
    assert!(!head.path().is_empty() && query <= head.target().len());
    // The parts lie in order, and none over another.
    let places = places(input, head);
    assert!(places.windows(2).all(|pair| pair[0].end <= pair[1].start), "{places:?}");
    assert!(places.iter().all(|place| (start..consumed).contains(&place.start) && place.end <= consumed));
}

/// Every view of a head, also over bytes that it was not read from.
fn look_at(head: &RequestHead<'_>) {
    let fields = head.fields();
    for field in fields.iter() {
        black_box((fields.get_all(field.name).count(), fields.list(field.name).count()));
    }
    black_box((head.method(), head.target(), head.path(), head.query(), head.version(), head.body()));
    black_box((head.expects_continue(), head.offers_upgrade(), format!("{head:?}")));
}

/// Copied and built anew, a head is the same.
fn round_trip(head: &RequestHead<'_>) {
    let mut copy = RequestHeadBuf::new();
    copy.copy_from(head);
    assert_eq!(copy.as_head(), *head);
    let fields: Option<Vec<(&str, &str)>> = head
        .fields()
        .iter()
        .map(|field| Some((field.name, std::str::from_utf8(field.value).ok()?)))
        .collect();
    let Some(fields) = fields else { return };
    let built = RequestHeadBuf::build(head.method(), head.target(), fields);
    if head.version() == Version::Http10 {
        // As HTTP/1.1 it may break a rule; if not, it only has a Host more.
        if let Ok(built) = built {
            let built = built.as_head();
            assert_eq!((built.method(), built.target()), (head.method(), head.target()));
            assert!(built.fields().iter().take(head.fields().len()).eq(head.fields().iter()));
        }
        return;
    }
    let built = built.expect("what was received can be built");
    let built = built.as_head();
    assert_eq!(built, *head);
    assert_eq!((built.path(), built.query()), (head.path(), head.query()));
    assert_eq!(built.expects_continue(), head.expects_continue());
    assert_eq!(built.offers_upgrade(), head.offers_upgrade());
}
