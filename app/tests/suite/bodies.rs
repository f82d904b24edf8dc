//! Bodies: back-pressure, ends, limits, and waiting from a thread.

use std::io::{self, Read};
use std::pin::pin;
use std::task::{Context, Poll};
use std::thread;

use futures_lite::future::{block_on, poll_once};
use futures_lite::stream;
use sinew_app::{Body, BodyError, Bytes, Closed};
use sinew_proto::http1::RequestHeadBuf;

fn noop() -> Context<'static> {
    Context::from_waker(std::task::Waker::noop())
}

#[test]
fn a_sender_waits_at_the_limit_and_goes_on_when_there_is_room() {
    block_on(async {
        let (sender, mut body) = Body::channel(4);
        sender.send("123").await.unwrap();
        // One byte is left, and a piece is taken whole.
        sender.send("4567").await.unwrap();
        let mut third = pin!(sender.send("8"));
        assert!(poll_once(third.as_mut()).await.is_none());
        assert_eq!(body.chunk().await.unwrap().unwrap(), "123");
        // Four bytes are on their way still.
        assert!(poll_once(third.as_mut()).await.is_none());
        assert_eq!(body.chunk().await.unwrap().unwrap(), "4567");
        assert_eq!(poll_once(third.as_mut()).await, Some(Ok(())));
        assert_eq!(body.chunk().await.unwrap().unwrap(), "8");
    });
}

#[test]
fn a_waiting_sender_is_woken() {
    let (sender, body) = Body::channel(1);
    let writer = thread::spawn(move || {
        for i in 0..1000 {
            sender.blocking_send(format!("{i},"))?;
        }
        sender.finish();
        Ok::<(), Closed>(())
    });
    let all = block_on(body.collect(usize::MAX)).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(all.split(|&b| b == b',').count(), 1001);
}

#[test]
fn a_body_ends_as_its_sender_says() {
    for (end, expected) in
        [("finish", "end"), ("drop", "the sender of the body gave up"), ("fail", "the connection is gone")]
    {
        let (sender, mut body) = Body::channel(10);
        sender.blocking_send("a").unwrap();
        match end {
            "finish" => sender.finish(),
            "fail" => sender.fail(BodyError::Disconnected),
            _ => drop(sender),
        }
        block_on(async {
            // What was sent before the end is not lost.
            assert_eq!(body.chunk().await.unwrap().unwrap(), "a");
            let found = match body.chunk().await {
                Ok(None) => "end".to_owned(),
                Ok(Some(more)) => format!("{more:?}"),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expected, "{end}");
            assert!(body.chunk().await.unwrap().is_none(), "an end is an end");
            assert!(body.is_empty());
        });
    }
}

#[test]
fn a_sender_learns_that_nobody_reads() {
    let (sender, body) = Body::channel(1);
    sender.blocking_send("a").unwrap();
    let mut blocked = Box::pin(sender.send("b"));
    assert!(block_on(poll_once(blocked.as_mut())).is_none());
    drop(body);
    assert_eq!(block_on(blocked), Err(Closed));
    assert!(sender.is_closed());
    assert_eq!(sender.blocking_send("c"), Err(Closed));
}

#[test]
fn collect_has_a_limit() {
    let stream = |pieces: &'static [&'static str]| stream::iter(pieces).map_ok();
    for (body, limit, expected) in [
        (Body::empty(), 0, Some("")),
        (Body::from("1234"), 4, Some("1234")),
        (Body::from("12345"), 4, None),
        (Body::from_stream(stream(&["12", "", "34"])), 4, Some("1234")),
        (Body::from_stream(stream(&["12", "345"])), 4, None),
        (Body::from_stream(stream(&["12345"])), 4, None),
        (Body::from_sized_stream(4, stream(&["12", "34"])), 4, Some("1234")),
        // Refused before it is read.
        (Body::from_sized_stream(5, stream::pending::<Result<Bytes, BodyError>>()), 4, None),
    ] {
        let shown = format!("{body:?}");
        match (block_on(body.collect(limit)), expected) {
            (Ok(bytes), Some(expected)) => assert_eq!(bytes, expected),
            (Err(BodyError::TooLarge { limit: 4 }), None) => {}
            (found, expected) => panic!("{shown}: {found:?} instead of {expected:?}"),
        }
    }
}

/// A stream of `Ok`.
trait MapOk: stream::Stream + Sized {
    fn map_ok(self) -> impl stream::Stream<Item = Result<&'static str, BodyError>> + Send;
}

impl<S: stream::Stream<Item = &'static &'static str> + Send> MapOk for S {
    fn map_ok(self) -> impl stream::Stream<Item = Result<&'static str, BodyError>> + Send {
        stream::StreamExt::map(self, |piece| Ok(*piece))
    }
}

#[test]
fn a_stream_gives_no_empty_pieces_and_ends_once() {
    let pieces = ["", "12", "", "", "34", ""].map(Ok::<_, BodyError>);
    let mut body = Body::from_stream(stream::iter(pieces));
    for expected in [Some("12"), Some("34"), None, None] {
        assert_eq!(block_on(body.chunk()).unwrap(), expected.map(Bytes::from));
    }
    let mut text = String::new();
    let pieces = ["", "12", "", "34"].map(Ok::<_, BodyError>);
    Body::from_stream(stream::iter(pieces)).into_reader().read_to_string(&mut text).unwrap();
    assert_eq!(text, "1234");
}

/// They belong to a body that is complete, and stay there.
#[test]
fn trailers_of_a_body_that_was_read() {
    for (end, expected) in [(Ok(()), Some(&b"7"[..])), (Err(BodyError::Disconnected), None)] {
        let head = RequestHeadBuf::build("GET", "/", [("x-sum", "7")]).unwrap();
        let complete = end.is_ok();
        let (incoming, mut body) = Body::incoming(None, 10);
        incoming.push(Bytes::from("a")).unwrap();
        incoming.set_trailers(head.as_head().fields());
        incoming.end(end);
        assert_eq!(block_on(body.chunk()).unwrap().unwrap(), "a");
        assert!(body.trailers().is_none());
        assert_eq!(block_on(body.chunk()).is_ok(), complete);
        for _ in 0..3 {
            assert_eq!(body.trailers().and_then(|trailers| trailers.get("x-sum")), expected);
            assert_eq!(block_on(body.chunk()).unwrap(), None);
        }
    }
}

#[test]
fn lengths() {
    let (_sender, channel) = Body::channel(1);
    let (incoming, sized) = Body::incoming(Some(3), 10);
    let mut sized = sized;
    for (body, len) in
        [(&Body::empty(), Some(0)), (&Body::from("abc"), Some(3)), (&channel, None), (&sized, Some(3))]
    {
        assert_eq!(body.exact_len(), len);
        assert_eq!(body.is_empty(), len == Some(0));
    }
    incoming.push(Bytes::from_static(b"ab")).unwrap();
    block_on(sized.chunk()).unwrap();
    assert_eq!(sized.exact_len(), Some(1));
    assert_eq!(Body::from("abc").into_full().unwrap(), "abc");
    assert!(channel.into_full().is_err());
}

#[test]
fn an_incoming_body_is_asked_for_before_it_is_read() {
    let (incoming, mut body) = Body::incoming(None, 2);
    assert!(!incoming.is_wanted());
    assert!(body.poll_chunk(&mut noop()).is_pending());
    assert!(incoming.is_wanted());
    assert!(incoming.poll_ready(&noop()).is_ready());
    // A driver hands over what it has read already.
    incoming.push(Bytes::from_static(b"abc")).unwrap();
    incoming.push(Bytes::from_static(b"d")).unwrap();
    assert!(incoming.poll_ready(&noop()).is_pending());
    assert!(matches!(body.poll_chunk(&mut noop()), Poll::Ready(Some(Ok(bytes))) if bytes == "abcd"));
    assert!(incoming.poll_ready(&noop()).is_ready());
    incoming.end(Err(BodyError::Disconnected));
    assert!(matches!(body.poll_chunk(&mut noop()), Poll::Ready(Some(Err(BodyError::Disconnected)))));
}

#[test]
fn small_pieces_that_wait_become_one_and_large_ones_do_not() {
    let (incoming, mut body) = Body::incoming(None, 1 << 20);
    let mut sent = Vec::new();
    for n in 0..10_000_u32 {
        let piece = vec![n.to_le_bytes()[0]; if n % 1_000 == 999 { 5_000 } else { 1 }];
        sent.extend_from_slice(&piece);
        incoming.push(Bytes::from(piece)).unwrap();
    }
    incoming.end(Ok(()));
    let (mut received, mut pieces) = (Vec::new(), 0);
    while let Some(piece) = block_on(body.chunk()).unwrap() {
        received.extend_from_slice(&piece);
        pieces += 1;
    }
    assert_eq!((received, pieces), (sent, 20));
}

#[test]
fn a_driver_learns_that_the_handler_wants_no_more() {
    let (incoming, mut body) = Body::incoming(None, 2);
    assert!(body.poll_chunk(&mut noop()).is_pending());
    drop(body);
    assert!(matches!(incoming.poll_ready(&noop()), Poll::Ready(Err(Closed))));
    assert!(!incoming.is_wanted());
    assert_eq!(incoming.push(Bytes::from_static(b"a")), Err(Closed));
}

#[test]
fn a_thread_reads_what_another_writes() {
    let (sender, body) = Body::channel(8);
    let reader = thread::spawn(move || {
        let mut text = String::new();
        body.into_reader().read_to_string(&mut text).map(|_| text)
    });
    for piece in ["the quick ", "brown fox ", "jumps"] {
        sender.blocking_send(piece).unwrap();
    }
    sender.finish();
    assert_eq!(reader.join().unwrap().unwrap(), "the quick brown fox jumps");
}

#[test]
fn a_reader_gives_pieces_of_any_size_and_the_kind_of_the_error() {
    let mut reader = Body::from("hello").into_reader();
    let mut buf = [0; 2];
    let mut sizes = Vec::new();
    loop {
        match reader.read(&mut buf).unwrap() {
            0 => break,
            n => sizes.push(n),
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    for (error, kind) in [
        (BodyError::Disconnected, io::ErrorKind::ConnectionReset),
        (BodyError::Aborted, io::ErrorKind::UnexpectedEof),
        (BodyError::TooLarge { limit: 1 }, io::ErrorKind::InvalidData),
        (BodyError::other("own"), io::ErrorKind::Other),
    ] {
        let (sender, body) = Body::channel(1);
        sender.fail(error);
        assert_eq!(body.into_reader().read(&mut buf).unwrap_err().kind(), kind);
    }
}
