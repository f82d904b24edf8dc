//! What `curl` sees.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sinew_app::{Body, BodyError, Request, Router, StatusCode};
use sinew_tests::{Adapter, Count, Running, have_program};
use smol::stream;

/// How long `curl` waits for a `100 Continue` before it sends its body all the same.
const EXPECT_TIMEOUT: &str = "15";

/// Well under that.
const SOON: Duration = Duration::from_secs(10);

fn app(calls: &Count) -> Router {
    let calls = calls.clone();
    Router::new()
        .route("/", sinew_app::get(|| async { "hello\n" }))
        .route("/echo", sinew_app::post(|body: Body| async { body }).put(|body: Body| async { body }))
        .route("/length", sinew_app::put(length).post(length))
        .route(
            "/stream",
            sinew_app::get(|| async {
                Body::from_stream(stream::iter((0..100).map(|n| Ok::<_, BodyError>(format!("piece {n}\n")))))
            }),
        )
        .route(
            "/refuse",
            sinew_app::put(move || async move {
                calls.add(1);
                StatusCode::FORBIDDEN
            }),
        )
}

/// The length of the body, and the fields that frame it.
async fn length(mut request: Request) -> Result<String, BodyError> {
    let mut total = 0;
    while let Some(piece) = request.body_mut().chunk().await? {
        total += piece.len();
    }
    let fields = ["content-length", "transfer-encoding", "expect"].map(|name| request.field(name));
    Ok(format!("{total} {fields:?}"))
}

/// Runs curl against a path of the server, with something on its standard input. `None` if it is
/// not installed.
fn run(server: &Running, path: &str, args: &[&str], input: &[u8]) -> Option<Output> {
    if !have_program("curl") {
        return None;
    }
    let url = format!("http://{}{path}", server.addr());
    let mut child = Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "30", "--http1.1"])
        .args(args)
        .arg(url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("curl starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let feeding = thread::spawn(move || {
        // curl may not want it all.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("curl ends");
    feeding.join().expect("curl was fed");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {args:?}: {}: {stderr}", output.status);
    Some(output)
}

/// The same, and what it printed, as text.
fn text(server: &Running, path: &str, args: &[&str]) -> Option<String> {
    let output = run(server, path, args, b"")?;
    Some(String::from_utf8(output.stdout).expect("text"))
}

pub(crate) fn get<A: Adapter>() {
    let server = A::start(app(&Count::default()));
    let Some(text) = text(&server, "/", &["-i"]) else { return };
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head:?}");
    assert!(head.contains("\r\ncontent-length: 6"), "{head:?}");
    assert_eq!(body, "hello\n");
}

pub(crate) fn head<A: Adapter>() {
    let server = A::start(app(&Count::default()));
    let Some(head) = text(&server, "/", &["-I"]) else { return };
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head:?}");
    assert!(head.contains("\r\ncontent-length: 6\r\n"), "{head:?}");
    assert!(head.ends_with("\r\n\r\n"), "{head:?}");
}

pub(crate) fn post<A: Adapter>() {
    let server = A::start(app(&Count::default()));
    let Some(echo) = text(&server, "/echo", &["-d", "name=value&x=y"]) else { return };
    assert_eq!(echo, "name=value&x=y");
}

/// Uploads a file of some MiB and returns what was answered.
fn upload<A: Adapter>(name: &str, path: &str, args: &[&str]) -> Option<(Vec<u8>, Output)> {
    let server = A::start(app(&Count::default()));
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_be_bytes()[2..].to_vec()).collect();
    let file = format!("{}/{}-{name}", env!("CARGO_TARGET_TMPDIR"), A::NAME);
    std::fs::write(&file, &bytes).expect("a file");
    let start = Instant::now();
    let output =
        run(&server, path, &[&["-T", &file, "--expect100-timeout", EXPECT_TIMEOUT], args].concat(), b"");
    std::fs::remove_file(&file).expect("the file is ours");
    assert!(start.elapsed() < SOON, "it waited for a 100: {:?}", start.elapsed());
    Some((bytes, output?))
}

pub(crate) fn an_upload_that_waits<A: Adapter>() {
    let expect = ["-H", "Expect: 100-continue"];
    let Some((bytes, output)) = upload::<A>("waits", "/echo", &expect) else { return };
    assert!(output.stdout == bytes, "{} bytes became {}", bytes.len(), output.stdout.len());
    let Some((bytes, output)) = upload::<A>("waits", "/length", &expect) else { return };
    let answer = String::from_utf8(output.stdout).expect("text");
    assert_eq!(answer, format!("{0} [Some(\"{0}\"), None, Some(\"100-continue\")]", bytes.len()));
}

pub(crate) fn an_upload_that_does_not_wait<A: Adapter>() {
    let Some((bytes, output)) = upload::<A>("at-once", "/echo", &["-H", "Expect:"]) else { return };
    assert!(output.stdout == bytes, "{} bytes became {}", bytes.len(), output.stdout.len());
}

pub(crate) fn an_upload_in_chunks<A: Adapter>() {
    let server = A::start(app(&Count::default()));
    let input = vec![b'z'; 2_000_000];
    let start = Instant::now();
    let args = ["-T", "-", "--expect100-timeout", EXPECT_TIMEOUT];
    let Some(output) = run(&server, "/length", &args, &input) else { return };
    let answer = String::from_utf8(output.stdout).expect("text");
    assert!(answer.starts_with("2000000 [None, Some(\"chunked\"), "), "{answer}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let Some(output) = run(&server, "/echo", &args, &input) else { return };
    assert!(output.stdout == input, "became {} bytes", output.stdout.len());
}

pub(crate) fn a_download_in_chunks<A: Adapter>() {
    let server = A::start(app(&Count::default()));
    let expected = (0..100).map(|n| format!("piece {n}\n")).collect::<Vec<_>>().concat();
    let Some(decoded) = text(&server, "/stream", &[]) else { return };
    assert_eq!(decoded, expected);
    let Some(raw) = text(&server, "/stream", &["--raw"]) else { return };
    assert!(raw.starts_with("8\r\npiece 0\n\r\n8\r\npiece 1\n\r\n"), "{raw:?}");
    assert!(raw.ends_with("9\r\npiece 99\n\r\n0\r\n\r\n"), "{raw:?}");
}

pub(crate) fn http10<A: Adapter>() {
    let server = A::start(app(&Count::default()));
    let Some(text) = text(&server, "/stream", &["-i", "--http1.0"]) else { return };
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
    assert!(head.contains("\r\nconnection: close"), "{head:?}");
    assert!(!head.contains("transfer-encoding"), "{head:?}");
    assert!(body.starts_with("piece 0\n") && body.ends_with("piece 99\n"), "{body:?}");
}

pub(crate) fn close<A: Adapter>() {
    let server = A::start(app(&Count::default()));
    let Some(text) = text(&server, "/", &["-i", "-H", "Connection: close"]) else { return };
    assert!(text.contains("\r\nconnection: close\r\n") && text.ends_with("hello\n"), "{text:?}");
}

pub(crate) fn two_requests_on_one_connection<A: Adapter>() {
    let server = A::start(app(&Count::default()));
    let again = format!("http://{}/stream", server.addr());
    let args = ["-w", "\n%{num_connects} connects\n", "-o", "-", &again, "-o", "-"];
    let Some(text) = text(&server, "/", &args) else { return };
    assert!(text.contains("\n1 connects\n") && text.ends_with("\n0 connects\n"), "{text:?}");
}

/// The answer comes before the body: curl, which waits, sends none of it.
pub(crate) fn refused_before_the_upload<A: Adapter>() {
    let calls = Count::default();
    let server = A::start(app(&calls));
    let args = ["-T", "-", "-H", "Expect: 100-continue", "--expect100-timeout", EXPECT_TIMEOUT];
    let format = ["-w", "%{http_code} %{size_upload}"];
    let start = Instant::now();
    let Some(output) = run(&server, "/refuse", &[&args[..], &format].concat(), &vec![b'x'; 100_000]) else {
        return;
    };
    assert_eq!(String::from_utf8(output.stdout).expect("text"), "403 0");
    assert_eq!(calls.now(), 1);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}
