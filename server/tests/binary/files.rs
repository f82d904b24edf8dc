//! What is served, and what is not.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use crate::harness::{Answer, RUNTIMES, SOON, Server, Site, count, read_head};

#[test]
fn files_and_listings() {
    let site = Site::new();
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime]);
        assert!(server.greeting.contains(env!("CARGO_PKG_VERSION")) && server.greeting.contains(runtime));

        let file = server.get("/a.txt");
        assert_eq!((file.status, file.text(), file.field("content-length")), (200, "0123456789", Some("10")));
        assert_eq!(file.field("content-type"), Some("text/plain; charset=utf-8"));
        let head = server.ask("HEAD", "/a.txt", "");
        assert_eq!((head.status, head.text(), head.field("content-length")), (200, "", Some("10")));
        let listing = server.get("/");
        assert_eq!(listing.field("content-type"), Some("text/html; charset=utf-8"));
        assert!(listing.text().contains("href=\"./sub/\"") && listing.text().contains("href=\"./a.txt\""));
        let redirect = server.get("/sub?x");
        assert_eq!((redirect.status, redirect.field("location")), (308, Some("/sub/?x")));
        assert_eq!(server.get("/none").status, 404);
        assert_eq!(server.ask("POST", "/a.txt", "Content-Length: 3\r\n").status, 405);
        let part = server.ask("GET", "/a.txt", "Range: bytes=2-4\r\n");
        assert_eq!(
            (part.status, part.text(), part.field("content-range")),
            (206, "234", Some("bytes 2-4/10"))
        );
        let etag = file.field("etag").unwrap();
        let unchanged = server.ask("GET", "/a.txt", &format!("If-None-Match: {etag}\r\n"));
        assert_eq!((unchanged.status, unchanged.text()), (304, ""));
    }
}

#[test]
fn nothing_outside_of_the_root() {
    let site = Site::new();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret", site.root().join("out")).unwrap();
        std::os::unix::fs::symlink("/etc", site.root().join("etc")).unwrap();
        std::os::unix::fs::symlink("a.txt", site.root().join("in")).unwrap();
    }
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime]);
        for (target, expected) in [
            ("/../secret", 403),
            ("/sub/../../secret", 403),
            ("/%2e%2e/secret", 403),
            ("/%2E%2E/secret", 403),
            ("/.%2e/secret", 403),
            ("/..%2fsecret", 403),
            ("/%2e%2e%2fsecret", 403),
            ("/..%5csecret", 403),
            ("/sub/..%5c..%5csecret", 403),
            ("//../secret", 403),
            ("/./../secret", 403),
            ("/%2e%2e%2f%2e%2e%2fetc/passwd", 403),
            ("http://localhost/../secret", 403),
            ("/..\\secret", 403),
            // No URI has half an encoding.
            ("/%2", 400),
            ("/a%00.txt", 400),
            // Encoded twice: a file of that name, which is not there.
            ("/%252e%252e/secret", 404),
            ("/%252e%252e%252fsecret", 404),
            ("/secret", 404),
            ("//etc/passwd", if cfg!(unix) { 403 } else { 404 }),
            ("/out", if cfg!(unix) { 403 } else { 404 }),
            ("/in", if cfg!(unix) { 200 } else { 404 }),
        ] {
            let mut stream = server.connect();
            let host = if target.starts_with("http") { "localhost" } else { &server.address };
            let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            let answer = Answer::read(stream);
            assert_eq!(answer.status, expected, "{target} on {runtime}");
            assert_ne!(answer.text(), "secret");
        }
    }
}

#[test]
fn strange_hosts_are_misdirected() {
    let site = Site::new();
    let server = Server::start(&site.root(), &["--allow-host", "good.example"]);
    for (host, expected) in
        [("evil.example", 421), ("good.example", 200), ("localhost", 200), ("127.0.0.1:1", 200)]
    {
        let mut stream = server.connect();
        write!(stream, "GET /a.txt HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let answer = Answer::read(stream);
        assert_eq!(answer.status, expected, "{host}");
        assert_eq!(answer.text().contains("--allow-host"), expected == 421);
    }
    let open = Server::start(&site.root(), &["--host", "0.0.0.0"]);
    assert!(
        open.greeting.contains("http://127.0.0.1:") && open.greeting.contains("0.0.0.0:"),
        "{}",
        open.greeting
    );
    let mut stream = open.connect();
    stream.write_all(b"GET /a.txt HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(Answer::read(stream).status, 200);
}

/// Most memory the process ever had, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_large_file_takes_little_memory() {
    const LEN: u64 = 200 * 1024 * 1024;
    let site = Site::new();
    site.sparse("large", LEN);
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime]);
        // Some that read nothing, all the while.
        let idle: Vec<_> = (0..20).map(|_| server.send("GET", "/large", "")).collect();
        let mut stream = server.send("GET", "/large", "");
        assert!(read_head(&mut stream).contains(&LEN.to_string()));
        assert_eq!(count(&mut stream), LEN, "{runtime}");
        drop(idle);
        let peak = peak_memory(server.pid());
        assert!(peak < 50 * 1024, "{runtime}: {peak} KiB");
    }
}

#[test]
fn slow_readers_hold_no_thread() {
    let site = Site::new();
    site.sparse("large", 64 * 1024 * 1024);
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime, "--quiet"]);
        let mut slow: Vec<_> = (0..200).map(|_| server.send("GET", "/large", "")).collect();
        for stream in &mut slow {
            read_head(stream);
        }
        let start = Instant::now();
        assert_eq!(server.get("/a.txt").status, 200);
        assert!(start.elapsed() < Duration::from_secs(5), "{runtime}");
        assert_eq!(server.stderr(), "", "no request lines with --quiet");
    }
}

#[test]
fn a_file_that_shrinks_breaks_the_connection_off() {
    const LEN: u64 = 64 * 1024 * 1024;
    let site = Site::new();
    for runtime in RUNTIMES {
        site.sparse("shrinking", LEN);
        let server = Server::start(&site.root(), &["--runtime", runtime]);
        let mut stream = server.send("GET", "/shrinking", "");
        read_head(&mut stream);
        std::fs::File::options()
            .write(true)
            .open(site.root().join("shrinking"))
            .unwrap()
            .set_len(1024)
            .unwrap();
        let mut got = 0;
        let mut buffer = vec![0; 65_536];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            got += n as u64;
        }
        assert!(got < LEN, "{runtime}: {got}");
        server.wait_for_stderr("/shrinking was broken off");
    }
}

#[test]
fn requests_are_logged_in_one_line_each() {
    let site = Site::new();
    for runtime in RUNTIMES {
        let server = Server::start(&site.root(), &["--runtime", runtime]);
        server.get("/a.txt?q");
        server.ask("HEAD", "/none", "");
        let mut stream = server.connect();
        stream.write_all(b"BAD\x1b[2J / HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let _ = stream.read_to_end(&mut answer);
        server.wait_for_stderr(" - - 400 - - ");
        let log = server.stderr();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 3, "{log}");
        assert!(lines[0].contains("Z 127.0.0.1:") && lines[0].contains(" GET /a.txt?q 200 10 "), "{log}");
        assert!(lines[1].contains(" HEAD /none 404 - "), "{log}");
        assert!(!log.contains('\x1b'));
    }
}
