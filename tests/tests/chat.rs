//! The example `chat` as a process of its own, on each adapter, with the core's client as members.
//!
//! What a member sees is compared as text: the lines are part of the example's promise to its page.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use sinew_proto::StatusCode;
use sinew_proto::websocket::{CloseCode, Message};
use sinew_tests::ws_client::{Incoming, WsClient};
use sinew_tests::{Flag, PATIENCE, eventually, raw};

/// How long a line may take to everybody who reads, on a machine that has other things to do.
const PROMPT: Duration = Duration::from_secs(3);

const RUNTIMES: [&str; 3] = ["tokio", "smol", "std"];

/// A chat that runs. Dropped, it is killed.
struct Chat {
    child: Child,
    addr: SocketAddr,
}

/// Runs a test against a chat on each of the adapters, all at once.
fn each(test: impl Fn(&Chat) + Sync) {
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            let test = &test;
            let running = move || test(&Chat::start(runtime));
            thread::Builder::new().name(runtime.into()).spawn_scoped(scope, running).expect("a thread");
        }
    });
}

/// Has cargo build the example, with the features of the whole workspace: under `cargo test
/// --workspace` it is there already.
fn executable() -> &'static str {
    static EXECUTABLE: OnceLock<String> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        cargo.args(["build", "--quiet", "--workspace", "--message-format=json", "--example", "chat"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
        assert!(output.status.success(), "cargo cannot build the example");
        let messages = String::from_utf8(output.stdout).expect("text");
        let mut paths =
            messages.lines().filter_map(|line| line.split_once(r#""executable":""#)?.1.split('"').next());
        paths.next().expect("an executable").to_owned()
    })
}

impl Chat {
    fn start(runtime: &str) -> Self {
        let mut command = Command::new(executable());
        command.args(["--port", "0", "--threads", "2", "--runtime", runtime]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(stdout.lines().next()));
        let line = receiver.recv_timeout(PATIENCE).expect("neither a line nor an end");
        let line = line.expect("a line").expect("text");
        let addr = line.strip_prefix("listening on http://").and_then(|rest| rest.split(' ').next());
        Self { child, addr: addr.expect("the address").parse().expect("an address") }
    }

    /// A member, who has seen its own arrival; `here` are there then.
    fn join(&self, room: &str, name: &str, here: usize) -> WsClient {
        let mut member = WsClient::connect(self.addr, &target(room, name));
        assert_eq!(member.text(), joined(name, here));
        member
    }

    fn open_descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("its descriptors").count()
    }

    /// The most memory it has ever used.
    fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a high-water mark");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn target(room: &str, name: &str) -> String {
    format!("/ws?room={room}&name={name}")
}

fn said(name: &str, text: &str) -> String {
    format!(r#"{{"type":"message","name":"{name}","text":"{text}"}}"#)
}

fn joined(name: &str, here: usize) -> String {
    format!(r#"{{"type":"joined","name":"{name}","here":{here}}}"#)
}

fn left(name: &str, here: usize) -> String {
    format!(r#"{{"type":"left","name":"{name}","here":{here}}}"#)
}

#[test]
fn who_is_in_a_room_hears_what_is_said_there_and_nobody_else_does() {
    each(|chat| {
        let mut ann = chat.join("tea", "Ann", 1);
        let mut bob = chat.join("tea", "Bob", 2);
        assert_eq!(ann.text(), joined("Bob", 2));
        let mut eve = chat.join("cake", "Eve", 1);

        ann.say("Hello, Bob");
        assert_eq!((ann.text(), bob.text()), (said("Ann", "Hello, Bob"), said("Ann", "Hello, Bob")));
        bob.say("grüße");
        assert_eq!((ann.text(), bob.text()), (said("Bob", "grüße"), said("Bob", "grüße")));
        // What would be the end of a string stays in it.
        bob.say(r#""},{"#);
        assert_eq!(ann.text(), said("Bob", r#"\"},{"#));
        eve.quiet(Duration::from_millis(200));

        // Who leaves with a close frame, and who just goes.
        bob.close();
        assert_eq!(ann.text(), left("Bob", 1));
        drop(chat.join("tea", "Cid", 2));
        assert_eq!([ann.text(), ann.text()], [joined("Cid", 2), left("Cid", 1)]);
    });
}

#[test]
fn an_empty_room_is_gone_and_begins_anew() {
    each(|chat| {
        // Nothing is opened after the first connection.
        let first = chat.join("first", "Ann", 1);
        let descriptors = chat.open_descriptors();
        for i in 0..200 {
            drop(chat.join(&format!("room-{i}"), "Ann", 1));
        }
        eventually("all have left", || chat.open_descriptors() <= descriptors);
        drop(first);
        let mut ann = chat.join("room-0", "Ann", 1);
        ann.say("Anybody?");
        assert_eq!(ann.text(), said("Ann", "Anybody?"));
    });
}

#[test]
fn names_and_messages_have_limits() {
    each(|chat| {
        let longest = "x".repeat(32);
        let mut ann = chat.join(&longest, &longest, 1);
        for name in ["x".repeat(33), "a%00b".into(), "a%0ab".into()] {
            for target in [target("tea", &name), target(&name, "Ann")] {
                let refused = WsClient::try_connect(chat.addr, &target, &[]);
                assert_eq!(refused.err(), Some(StatusCode::BAD_REQUEST), "{target}");
            }
        }
        // Without names there are others; blanks around one are none of it.
        let mut guest = WsClient::connect(chat.addr, "/ws");
        assert_eq!(guest.text(), joined("guest", 1));
        let mut cid = WsClient::connect(chat.addr, "/ws?room=+lobby&name=%20Cid+");
        assert_eq!([guest.text(), cid.text()], [joined("Cid", 2), joined("Cid", 2)]);

        let text = "y".repeat(4096);
        ann.say(&text);
        assert_eq!(ann.text(), said(&longest, &text));
        ann.say(&format!("{text}y"));
        assert!(matches!(ann.recv(), Some(Incoming::Close(CloseCode::TOO_LARGE, _))));
        cid.send(Message::Binary(b"\0"));
        assert_eq!(cid.recv(), Some(Incoming::Close(CloseCode::UNSUPPORTED, "text only".into())));
        assert_eq!(guest.text(), left("Cid", 1));
    });
}

#[test]
fn pages_of_other_servers_are_refused() {
    each(|chat| {
        let with = |origin| WsClient::try_connect(chat.addr, "/ws", &[("origin", origin)]);
        assert_eq!(with("http://elsewhere.example").err(), Some(StatusCode::FORBIDDEN));
        assert!(with("http://test").is_ok());
    });
}

#[test]
fn the_page_is_served_and_has_what_a_test_of_it_looks_for() {
    each(|chat| {
        let page = raw::request(chat.addr, raw::get("/?room=tea&name=Ann"));
        assert_eq!((page.status, page.field("content-type")), (200, Some("text/html; charset=utf-8")));
        for part in [r#"<input id="message""#, r#"<form id="send">"#, r#"<ol id="log""#, "dataset.state"] {
            assert!(page.text().contains(part), "{part}");
        }
        for way_out in ["http://", "https://", "innerHTML", "insertAdjacentHTML"] {
            assert!(!page.text().contains(way_out), "{way_out}");
        }
    });
}

/// Some that never read, and some that talk: these see what they say at once, all the time. Who never
/// reads is out once its buffer is full, whatever its own kernel and ours still hold.
#[test]
fn who_never_reads_is_dropped_while_the_others_go_on() {
    const SLOW: usize = 40;
    const TALKERS: usize = 6;
    /// What 40 full buffers, and a process that does nothing, take. 40 times what is said is several
    /// times as much.
    const LIMIT_KIB: u64 = 40 * 1024;
    // One after another: who talks and reads must get to it.
    for runtime in RUNTIMES {
        let chat = &Chat::start(runtime);
        let mut slow: Vec<WsClient> = (0..SLOW)
            .map(|i| WsClient::with_small_buffers(chat.addr, &target("tea", &format!("slow-{i}"))))
            .collect();
        let mut watcher = WsClient::connect(chat.addr, &target("tea", "Ann"));
        let done = Flag::default();
        thread::scope(|scope| {
            let _done_in_any_case = done.on_drop();
            let talkers: Vec<_> = (0..TALKERS)
                .map(|i| {
                    scope.spawn({
                        let done = &done;
                        move || talk(chat, &format!("talker-{i}"), done)
                    })
                })
                .collect();
            // Until all are out, and then half as long again as that took.
            let start = Instant::now();
            let mut dropped = Vec::new();
            let mut until = None;
            while until.is_none_or(|until| Instant::now() < until) {
                assert!(start.elapsed() < PATIENCE, "{} were dropped", dropped.len());
                let line = watcher.text();
                if let Some(name) = line.strip_prefix(r#"{"type":"left","name":""#) {
                    let name = name.split('"').next().expect("a name");
                    assert!(name.starts_with("slow-"), "{name}");
                    dropped.push(name.to_owned());
                    if dropped.len() == 1 {
                        // It gets what was sent before, and why there is no more.
                        let at = slow.iter().enumerate().position(|(i, _)| format!("slow-{i}") == name);
                        let mut late = slow.swap_remove(at.expect("one of them"));
                        scope.spawn(move || reads_at_last(&mut late));
                    }
                    if dropped.len() == SLOW {
                        until = Some(Instant::now() + start.elapsed() / 2);
                    }
                }
            }
            done.set();
            let said: usize = talkers.into_iter().map(|talker| talker.join().expect("no panic")).sum();
            dropped.sort();
            dropped.dedup();
            assert_eq!(dropped.len(), SLOW, "each once");
            println!("{runtime}: {said} lines, {} KiB at the peak, {:?}", chat.peak_kib(), start.elapsed());
        });
        assert!(chat.peak_kib() < LIMIT_KIB, "{} KiB", chat.peak_kib());
        // They are still there on our side, and not on the server's.
        eventually("they are closed", || chat.open_descriptors() < SLOW);
        drop(slow);
    }
}

/// Says something, waits until it comes back, and again. Returns how often.
fn talk(chat: &Chat, name: &str, done: &Flag) -> usize {
    let mut member = WsClient::connect(chat.addr, &target("tea", name));
    let mut count = 0;
    while !done.is_set() {
        let text = format!("{count}{}", "z".repeat(4000));
        let start = Instant::now();
        member.say(&text);
        let line = said(name, &text);
        while member.text() != line {}
        assert!(start.elapsed() < PROMPT, "{name} has waited {:?}", start.elapsed());
        count += 1;
    }
    count
}

/// Everything that came before, in order, then the reason.
fn reads_at_last(late: &mut WsClient) {
    let mut lines = 0;
    let (code, reason) = loop {
        match late.recv() {
            Some(Incoming::Text(_)) => lines += 1,
            Some(Incoming::Close(code, reason)) => break (code, reason),
            other => panic!("{other:?} after {lines} lines"),
        }
    };
    assert_eq!((code, &*reason), (CloseCode::TRY_AGAIN_LATER, "too far behind"), "after {lines} lines");
    assert!(lines >= 16, "{lines}: its buffer was full");
}
