//! The example `ticker`: its clients go on where they were when the server comes back, whatever it runs
//! on by then.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use sinew_proto::sse::{Decoder, Limits};
use sinew_tests::raw::{self, Client};

/// A ticker that runs. Dropped, it is killed.
struct Ticker {
    child: Child,
    addr: SocketAddr,
}

impl Ticker {
    fn start(executable: &str, listen: &str, runtime: &str) -> Self {
        let mut command = Command::new(executable);
        command.args(["--listen", listen, "--runtime", runtime, "--interval-ms", "5"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let line = stdout.lines().next().expect("a line").expect("text");
        let addr = line.strip_prefix("listening on http://").and_then(|rest| rest.split(' ').next());
        Self { child, addr: addr.expect("the address").parse().expect("an address") }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }
}

/// Has cargo build the example, with the features of the whole workspace: under `cargo test
/// --workspace` it is there already.
fn executable() -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo.args(["build", "--quiet", "--workspace", "--message-format=json", "--example", "ticker"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo cannot build the example");
    let messages = String::from_utf8(output.stdout).expect("text");
    let path = messages.lines().find_map(|line| line.split_once(r#""executable":""#)?.1.split('"').next());
    path.expect("an executable").to_owned()
}

#[test]
fn no_tick_is_lost_and_none_comes_twice() {
    let executable = executable();
    let mut decoder = Decoder::new(&Limits::default());
    let mut listen = "127.0.0.1:0".to_owned();
    let mut seen = 0;
    for runtime in ["tokio", "smol", "std", "tokio"] {
        let server = Ticker::start(&executable, &listen, runtime);
        listen = server.addr.to_string();
        assert!(raw::request(server.addr, raw::get("/")).text().contains("EventSource(\"/events\")"));
        let id = decoder.last_event_id();
        let field = if id.is_empty() { String::new() } else { format!("Last-Event-ID: {id}\r\n") };
        assert_eq!(field.is_empty(), seen == 0);
        let mut client = Client::connect(server.addr);
        client.send(format!("GET /events HTTP/1.1\r\nHost: test\r\n{field}\r\n"));
        assert_eq!(client.head().status, 200);
        for until in seen + 1..=seen + 10 {
            let data = loop {
                let chunk = client.chunk();
                let step = decoder.poll(&chunk).expect("no limit is near");
                if let Some(message) = step.event {
                    assert_eq!((message.event, message.last_event_id), ("tick", &*until.to_string()));
                    break message.data.to_owned();
                }
            };
            assert_eq!(data, format!("tick {until}"));
        }
        seen += 10;
        assert_eq!(decoder.reconnection_time().map(|time| time.as_millis()), Some(500));
        // The server goes without a word, the client with what it has read.
        drop(server);
        decoder.restart();
    }
    assert_eq!(decoder.last_event_id(), "40");
}
