//! A gigabyte through a handler, in each direction, and out of a file, in a few megabytes of memory.
//!
//! A binary of its own, with one test: the high-water mark is the whole process's, client included.
#![cfg(target_os = "linux")]

use std::fs;
use std::future;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;

use sinew_app::{Body, BodyError, Bytes, Handle, Router, get, post};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Smol, Std, TempFile, Tokio};
use smol::stream;

const GIB: u64 = 1 << 30;

/// What the process may need at its peak.
const LIMIT_KIB: u64 = 50 * 1024;

#[test]
fn a_gigabyte_in_a_few_megabytes() {
    one::<Tokio>();
    one::<Smol>();
    one::<Std>();
}

fn one<A: Adapter>() {
    let file = TempFile::sparse(GIB);
    let handle = Arc::new(file.open());
    let read = handle.clone();
    let file_routes = Router::new()
        .route("/file", get(move || async move { Body::from_file(handle.clone(), 0..GIB) }))
        // A stream hides that it is a file: it is read here.
        .route("/read", {
            get(move |handle: Handle| async move {
                let mut body = Body::from_file(read.clone(), 0..GIB);
                body.attach(&handle);
                Body::from_sized_stream(GIB, body)
            })
        });
    let app = file_routes.route("/echo", post(|body: Body| async { body })).route(
        "/stream",
        get(|| async {
            let piece = Bytes::from(vec![b'x'; 64 * 1024]);
            let pieces = stream::unfold(GIB, move |left| {
                let now = left.min(piece.len() as u64);
                let next = piece.slice(..usize::try_from(now).expect("a small number"));
                future::ready((now > 0).then_some((Ok::<_, BodyError>(next), left - now)))
            });
            Body::from_stream(pieces)
        }),
    );
    let server = A::start(app);

    forget_peak();
    let mut client = Client::connect(server.addr());
    client.send(format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {GIB}\r\n\r\n"));
    let mut sender = client.stream().try_clone().expect("a second handle");
    let sending = thread::spawn(move || {
        let piece = vec![b'y'; 256 * 1024];
        for _ in 0..GIB / piece.len() as u64 {
            sender.write_all(&piece)?;
        }
        io::Result::Ok(())
    });
    let head = client.head();
    assert_eq!((head.status, head.field("content-length")), (200, Some(&*GIB.to_string())));
    let (total, ends) = drain(&mut client, GIB, b'y');
    assert_eq!((total, ends), (GIB, false), "echo on {}", A::NAME);
    sending.join().expect("no panic").expect("the server takes it all");
    check_peak::<A>("echo");

    forget_peak();
    let mut client = Client::connect(server.addr());
    // To HTTP/1.0, so that the body is all that comes.
    client.send(raw::get("/stream").replace("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(client.head().status, 200);
    let (total, ends) = drain(&mut client, u64::MAX, b'x');
    assert_eq!((total, ends), (GIB, true), "stream on {}", A::NAME);
    check_peak::<A>("stream");

    for (path, what) in [("/file", "file"), ("/read", "file that is read")] {
        forget_peak();
        let mut client = Client::connect(server.addr());
        client.send(raw::get(path));
        assert_eq!(client.head().field("content-length"), Some(&*GIB.to_string()));
        let (total, ends) = drain(&mut client, GIB, 0);
        assert_eq!((total, ends), (GIB, false), "{what} on {}", A::NAME);
        check_peak::<A>(what);
    }
}

/// Reads up to `limit` bytes, all of them `expected`. Returns how many, and whether it met the end.
fn drain(client: &mut Client, limit: u64, expected: u8) -> (u64, bool) {
    let mut total = 0;
    let mut check = |piece: &[u8]| {
        assert_eq!((piece.first(), piece.last()), (Some(&expected), Some(&expected)), "at {total}");
        total += piece.len() as u64;
        total
    };
    let buffered = client.buffered();
    if !buffered.is_empty() && check(&buffered) >= limit {
        return (total, false);
    }
    let mut stream = client.stream();
    let mut piece = vec![0; 256 * 1024];
    loop {
        match stream.read(&mut piece).expect("no error") {
            0 => return (total, true),
            n => {
                if check(&piece[..n]) >= limit {
                    return (total, false);
                }
            }
        }
    }
}

/// Sets the high-water mark back to what is in use now.
fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("our own high-water mark");
}

fn check_peak<A: Adapter>(what: &str) {
    let status = fs::read_to_string("/proc/self/status").expect("our own status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a high-water mark");
    let peak: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    println!("{what} on {}: {} MiB at the peak", A::NAME, peak / 1024);
    assert!(peak < LIMIT_KIB, "{what} on {} took {peak} KiB", A::NAME);
}
