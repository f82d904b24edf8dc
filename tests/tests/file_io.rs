//! The driver and a stream that takes files as it is told to: in small pieces, not any more, not at all.

use std::cmp;
use std::fs::File;
use std::io::{self, IoSlice, Read as _, Seek as _, SeekFrom};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use sinew_app::{Body, Router, get};
use sinew_runtime::{ConnectionConfig, Io, Serving, Shutdown};
use sinew_smol::SmolRuntime;
use sinew_tests::{TempFile, pattern};

/// More than a turn takes.
const LEN: usize = 6 << 20;

/// What is done with the file.
#[derive(Clone, Copy, Debug)]
enum Script {
    /// At most so many bytes are taken at a time.
    Steps(usize),
    /// So many bytes, then an error of that kind.
    Fail(usize, io::ErrorKind),
    /// So many bytes, and then it has ended.
    End(usize),
    /// The default of the trait.
    Default,
}

/// A stream in memory: a request comes in, everything that goes out is kept.
struct Stream {
    input: &'static [u8],
    script: Script,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    output: Vec<u8>,
    /// What came by files alone, and by how many calls.
    given: usize,
    calls: usize,
    longest: usize,
    /// Calls of any kind since the driver was last polled.
    in_turn: usize,
    most_in_turn: usize,
}

impl Io for Stream {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let n = self.input.len().min(buf.len());
        buf[..n].copy_from_slice(&self.input[..n]);
        self.input = &self.input[n..];
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut seen = self.seen.lock().unwrap();
        for buf in bufs {
            seen.output.extend_from_slice(buf);
        }
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_sendfile(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        let mut seen = self.seen.lock().unwrap();
        seen.calls += 1;
        seen.longest = seen.longest.max(len);
        seen.in_turn += 1;
        let most = match self.script {
            // Full every other time.
            Script::Steps(_) if seen.calls % 2 == 0 => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Script::Steps(step) => step,
            Script::Fail(at, kind) if seen.given >= at => return Poll::Ready(Err(kind.into())),
            Script::End(at) if seen.given >= at => return Poll::Ready(Ok(0)),
            Script::Fail(at, _) | Script::End(at) => at - seen.given,
            Script::Default => return Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        };
        let mut piece = vec![0; cmp::min(most, len)];
        let mut file = file;
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.read_exact(&mut piece).unwrap();
        seen.output.extend_from_slice(&piece);
        seen.given += piece.len();
        Poll::Ready(Ok(piece.len()))
    }
}

/// Serves one request, and returns what went out behind the head.
fn serve(content: &[u8], script: Script) -> (Vec<u8>, Seen) {
    let file = Arc::new(TempFile::new(content).open());
    let app =
        Router::new().route("/", get(move || async move { Body::from_file(file.clone(), 0..LEN as u64) }));
    let seen = Arc::new(Mutex::new(Seen::default()));
    let input = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    let stream = Stream { input, script, seen: seen.clone() };
    let serving = Serving::new(SmolRuntime::new(8), app, ConnectionConfig::default(), Shutdown::new());
    let mut connection = pin!(serving.connection(stream, None));
    let counted = std::future::poll_fn(|cx| {
        seen.lock().unwrap().in_turn = 0;
        let polled = connection.as_mut().poll(cx);
        let mut seen = seen.lock().unwrap();
        seen.most_in_turn = seen.most_in_turn.max(seen.in_turn);
        polled
    });
    smol::block_on(counted);
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let head = seen.output.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    assert!(String::from_utf8_lossy(&seen.output[..head]).contains(&format!("content-length: {LEN}\r\n")));
    (seen.output[head..].to_vec(), seen)
}

#[test]
fn whatever_it_takes_at_a_time_arrives_once_and_in_order() {
    let content = pattern(LEN);
    for step in [1_000, 4_096, 99_999, 262_144, usize::MAX] {
        let (body, seen) = serve(&content, Script::Steps(step));
        assert!(body == content, "by {step}: {} bytes", body.len());
        assert_eq!(seen.given, LEN, "by {step}: nothing is read");
        assert!(seen.longest <= 256 * 1024, "by {step}: {} bytes at a time", seen.longest);
    }
}

#[test]
fn a_turn_has_an_end_however_much_it_takes() {
    // Never full: only the driver's own bound ends a turn.
    let (body, seen) = serve(&pattern(LEN), Script::Fail(LEN, io::ErrorKind::Other));
    assert_eq!(body.len(), LEN);
    assert!(seen.calls > 16 && seen.most_in_turn <= 16, "{} pieces in one turn", seen.most_in_turn);
}

#[test]
fn what_is_not_taken_is_read() {
    let content = pattern(LEN);
    let (body, seen) = serve(&content, Script::Default);
    assert!(body == content);
    assert_eq!((seen.given, seen.calls), (0, 1), "it is not asked again for the same file");
    // In the middle too, and for an error of unknown origin: reading tells whether it is the file's.
    for (at, kind) in [(1, io::ErrorKind::Unsupported), (500_001, io::ErrorKind::Other)] {
        let (body, seen) = serve(&content, Script::Fail(at, kind));
        assert!(body == content, "after {at}: {} bytes", body.len());
        assert_eq!(seen.given, at);
    }
}

#[test]
fn a_peer_that_is_gone_ends_it() {
    for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset] {
        let (body, _) = serve(&pattern(LEN), Script::Fail(300_000, kind));
        assert_eq!(body.len(), 300_000, "{kind}");
    }
}

#[test]
fn a_file_that_ends_too_early_breaks_off() {
    for at in [0, 300_000, LEN - 1] {
        let (body, _) = serve(&pattern(LEN), Script::End(at));
        assert_eq!(body.len(), at);
    }
}

/// The default of the trait, called as it stands.
#[test]
fn a_stream_takes_no_files_unless_it_says_so() {
    struct Plain;
    impl Io for Plain {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
        fn poll_write_vectored(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
        fn poll_shutdown_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let file = TempFile::new(b"content").open();
    let mut cx = Context::from_waker(Waker::noop());
    match Plain.poll_sendfile(&mut cx, &file, 0, 7) {
        Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        other => panic!("{other:?}"),
    }
}
