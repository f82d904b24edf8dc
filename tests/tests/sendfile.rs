//! That the kernel sends files, and not this process.
//!
//! A binary of its own, with one test: it takes every thread for blocking work there is, and smol's are
//! those of the whole process. Who has to read a file waits for such a thread then. The same client
//! waits in vain over a stream that takes no files: so the check can fail.
#![cfg(target_os = "linux")]

use std::future::poll_fn;
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sinew_app::{Body, Handle, Router, RunError, get};
use sinew_smol::{ConnectionConfig, Shutdown, SmolServing, SmolSocket};
use sinew_tests::raw::{self, Client};
use sinew_tests::{Adapter, Gate, Smol, Std, TempFile, Tokio, pattern};
use smol::net::TcpListener;

const LEN: usize = 3 << 20;

#[test]
fn files_are_sent_while_nobody_can_read_them() {
    let content = pattern(LEN);
    let file = TempFile::new(&content);
    on::<Tokio>(&file, &content);
    on::<Std>(&file, &content);
    on::<Smol>(&file, &content);
    a_unix_socket_on_tokio(&file, &content);
    over_streams_of_smol(&file, &content);
}

/// Answers `/file` with the file, and `/fill` when no thread is to be had any more, until `gate` is open.
fn app(file: &TempFile, gate: &Gate) -> Router {
    let (file, gate) = (Arc::new(file.open()), gate.clone());
    Router::new()
        .route("/file", get(move || async move { Body::from_file(file.clone(), 0..LEN as u64) }))
        .route("/fill", get(move |handle: Handle| fill(handle, gate)))
}

async fn fill(handle: Handle, gate: Gate) -> String {
    let mut jobs = Vec::new();
    loop {
        let (handle, gate) = (handle.clone(), gate.clone());
        let mut job = Box::pin(async move { handle.run(move || gate.pass()).await });
        // The first poll hands it to the pool, or learns that there is no place.
        match poll_fn(|cx| std::task::Poll::Ready(job.as_mut().poll(cx))).await {
            std::task::Poll::Pending => jobs.push(job),
            std::task::Poll::Ready(Err(RunError::Busy)) => return jobs.len().to_string(),
            std::task::Poll::Ready(other) => panic!("a job that waits is done: {other:?}"),
        }
    }
}

fn fill_up(addr: SocketAddr) {
    let filled = raw::request(addr, raw::get("/fill"));
    assert!(filled.text().parse::<usize>().expect("a number") > 1, "{filled:?}");
}

fn on<A: Adapter>(file: &TempFile, content: &[u8]) {
    let gate = Gate::default();
    let server = A::start(app(file, &gate));
    fill_up(server.addr());
    let sent = raw::request(server.addr(), raw::get("/file"));
    assert!(sent.body == content, "{} bytes on {}", sent.body.len(), A::NAME);
    gate.open();
    server.stop().expect("it ends");
}

fn a_unix_socket_on_tokio(file: &TempFile, content: &[u8]) {
    use sinew_runtime::Serving;
    use sinew_tokio::{TokioRuntime, TokioSocket};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let received = runtime.block_on(async {
        // Not even a queue for jobs.
        let gate = Gate::default();
        let (config, shutdown) = (ConnectionConfig::default(), Shutdown::new());
        let serving = Serving::new(TokioRuntime::new(0), app(file, &gate), config, shutdown);
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("not blocking");
        let socket = TokioSocket::from(tokio::net::UnixStream::from_std(ours).expect("a socket"));
        let client = thread::spawn(move || {
            let mut theirs = theirs;
            let request = raw::get("/file").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
            std::io::Write::write_all(&mut theirs, request.as_bytes()).expect("it takes it");
            let mut received = Vec::new();
            theirs.set_read_timeout(Some(sinew_tests::PATIENCE)).expect("a timeout");
            theirs.read_to_end(&mut received).expect("all of it comes");
            received
        });
        serving.connection(socket, None).await;
        client.join().expect("no panic")
    });
    assert!(received.ends_with(content), "{} bytes over a Unix socket", received.len());
}

/// The same socket twice: as smol's own, and as any stream of `futures_io`.
fn over_streams_of_smol(file: &TempFile, content: &[u8]) {
    let gate = Gate::default();
    let serving = SmolServing::new(app(file, &gate), ConnectionConfig::default(), Shutdown::new());
    let connect = |takes_files: bool| {
        let serving = serving.clone();
        smol::block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let addr = listener.local_addr().expect("its address");
            smol::spawn(async move {
                let (stream, _) = listener.accept().await.expect("a client");
                if takes_files {
                    serving.connection_over(SmolSocket::from(stream), None).await;
                } else {
                    serving.connection(stream, None).await;
                }
            })
            .detach();
            addr
        })
    };
    fill_up(connect(true));
    assert!(raw::request(connect(true), raw::get("/file")).body == content);

    let mut waits = Client::connect(connect(false));
    waits.send(raw::get("/file"));
    assert_eq!(waits.head().status, 200);
    if let Some(early) = next_byte(waits.stream()) {
        panic!("{early} came from a thread that there is not");
    }
    gate.open();
    let mut body = waits.buffered();
    let mut rest = vec![0; LEN - body.len()];
    waits.stream().set_read_timeout(Some(sinew_tests::PATIENCE)).expect("a timeout");
    waits.stream().read_exact(&mut rest).expect("it is read once there are threads");
    body.extend(rest);
    assert!(body == content);
}

/// What comes within half a second.
fn next_byte(mut stream: &TcpStream) -> Option<u8> {
    let mut byte = [0];
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    match stream.read_exact(&mut byte) {
        Ok(()) => Some(byte[0]),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            None
        }
    }
}
