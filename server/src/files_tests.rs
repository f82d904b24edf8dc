//! What a directory answers, without a socket.

use std::fs;

use sinew_app::Bytes;

use super::*;

struct Site {
    dir: tempfile::TempDir,
    files: Arc<Files>,
}

struct Answer {
    status: u16,
    headers: sinew_app::Headers,
    len: Option<u64>,
    body: Bytes,
}

impl Answer {
    fn header<'s>(&'s self, name: &'s str) -> Option<&'s str> {
        self.headers.get(name).map(|value| std::str::from_utf8(value).unwrap())
    }
}

/// `secret` lies beside the root, which has a file, a page and a directory without one.
fn site() -> Site {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("page")).unwrap();
    fs::create_dir_all(root.join("plain/sub")).unwrap();
    fs::write(dir.path().join("secret"), "secret").unwrap();
    fs::write(root.join("a.txt"), "0123456789").unwrap();
    fs::write(root.join("page/index.html"), "<p>page").unwrap();
    fs::write(root.join("%2e%2e"), "literal").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join("big.bin"), vec![1; 400_000]).unwrap();
    age(&root.join("a.txt"));
    let files = Files::new(Root::open(&root).unwrap(), Log::off());
    Site { dir, files }
}

/// Makes a file old enough for strong validators.
fn age(path: &Path) {
    let time = SystemTime::now() - std::time::Duration::from_secs(60);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

impl Site {
    fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        let fields = [("host", "localhost")].into_iter().chain(fields.iter().copied());
        let request = Request::build(method, target, fields, ())
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        let (status, headers, body) = smol::block_on(self.files.clone().respond(request)).into_parts();
        let len = body.exact_len();
        let body =
            if method == "HEAD" { Bytes::new() } else { smol::block_on(body.collect(1 << 20)).unwrap() };
        Answer { status: status.as_u16(), headers, len, body }
    }

    fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[])
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }
}

#[test]
fn statuses() {
    let site = site();
    for (target, expected) in [
        ("/a.txt", 200),
        ("/a.txt?x=y", 200),
        ("/%61.txt", 200),
        ("/plain/../a.txt", 200),
        ("http://localhost/a.txt", 200),
        ("/page/", 200),
        ("/plain/", 200),
        ("/", 200),
        ("/page", 308),
        ("/a%00.txt", 400),
        ("/../secret", 403),
        ("/%2e%2e/secret", 403),
        ("/..%2fsecret", 403),
        ("/..%5csecret", 403),
        ("/none", 404),
        ("/none/", 404),
        ("/a.txt/", 404),
        ("/a.txt/x", 404),
        ("/%252e%252e/secret", 404),
        ("/secret", 404),
    ] {
        assert_eq!(site.get(target).status, expected, "{target}");
    }
    let long = format!("/{}", "x".repeat(5000));
    assert_eq!(site.get(&long).status, 404);
    assert_eq!(site.get("/%252e%252e").body, "literal");
}

#[test]
fn a_file_comes_with_its_type_and_validators() {
    let site = site();
    let answer = site.get("/a.txt");
    assert_eq!(answer.body, "0123456789");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert!(answer.header("etag").unwrap().starts_with('"'));
    assert!(answer.header("last-modified").unwrap().ends_with(" GMT"));
    let page = site.get("/page/");
    assert_eq!(
        (page.header("content-type"), &page.body[..]),
        (Some("text/html; charset=utf-8"), &b"<p>page"[..])
    );
    assert_eq!(site.get("/empty").len, Some(0));
    let big = site.get("/big.bin");
    assert_eq!((big.header("content-type"), big.body.len()), (Some("application/octet-stream"), 400_000));
    for (name, expected) in [
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.json", "application/json"),
        ("a.wasm", "application/wasm"),
        ("README", "application/octet-stream"),
    ] {
        assert_eq!(content_type(Path::new(name)), expected);
    }
}

#[test]
fn head_says_what_get_would() {
    let site = site();
    for target in ["/a.txt", "/empty", "/big.bin", "/page/", "/none"] {
        let (get, head) = (site.get(target), site.ask("HEAD", target, &[]));
        assert_eq!((head.status, head.len), (get.status, get.len), "{target}");
        for name in ["content-type", "etag", "last-modified", "accept-ranges"] {
            assert_eq!(head.header(name), get.header(name), "{target} {name}");
        }
    }
    // A range belongs to GET alone.
    assert_eq!(site.ask("HEAD", "/a.txt", &[("range", "bytes=0-1")]).status, 200);
}

#[test]
fn other_methods_are_refused_with_what_is_allowed() {
    let site = site();
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"] {
        let answer = site.ask(method, "/a.txt", &[]);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
    for target in ["/a.txt", "*"] {
        let answer = site.ask("OPTIONS", target, &[]);
        assert_eq!((answer.status, answer.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    }
}

#[test]
fn parts() {
    let site = site();
    for (value, content_range, body) in [
        ("bytes=0-3", "bytes 0-3/10", "0123"),
        ("bytes=8-", "bytes 8-9/10", "89"),
        ("bytes=-1", "bytes 9-9/10", "9"),
        ("bytes=0-99", "bytes 0-9/10", "0123456789"),
    ] {
        let answer = site.ask("GET", "/a.txt", &[("range", value)]);
        assert_eq!((answer.status, answer.header("content-range")), (206, Some(content_range)), "{value}");
        assert_eq!(answer.body, body);
    }
    let answer = site.ask("GET", "/a.txt", &[("range", "bytes=10-")]);
    assert_eq!((answer.status, answer.header("content-range")), (416, Some("bytes */10")));
    for fields in [
        &[("range", "bytes=0-1,3-4")][..],
        &[("range", "bytes=0-1"), ("range", "bytes=3-4")],
        &[("range", "lines=0-1")],
        &[("range", "bytes=0-1"), ("if-range", "\"other\"")],
    ] {
        let answer = site.ask("GET", "/a.txt", fields);
        assert_eq!(
            (answer.status, answer.header("content-range"), answer.len),
            (200, None, Some(10)),
            "{fields:?}"
        );
    }
    let etag = site.get("/a.txt").header("etag").unwrap().to_owned();
    let answer = site.ask("GET", "/a.txt", &[("range", "bytes=0-1"), ("if-range", &etag)]);
    assert_eq!(answer.status, 206);
    let answer = site.ask("GET", "/big.bin", &[("range", "bytes=100-300099")]);
    assert_eq!((answer.status, answer.body.len()), (206, 300_000));
}

#[test]
fn a_client_that_has_the_file_is_told_so() {
    let site = site();
    let first = site.get("/a.txt");
    let (etag, date) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    for fields in [
        &[("if-none-match", etag)][..],
        &[("if-modified-since", date)],
        &[("if-none-match", etag), ("range", "bytes=0-1")],
    ] {
        let answer = site.ask("GET", "/a.txt", fields);
        assert_eq!(
            (answer.status, answer.len, answer.header("etag")),
            (304, Some(0), Some(etag)),
            "{fields:?}"
        );
        assert_eq!(answer.header("content-type"), None);
    }
    assert_eq!(site.ask("GET", "/a.txt", &[("if-match", "\"other\"")]).status, 412);
    fs::write(site.root().join("a.txt"), "changed").unwrap();
    assert_eq!(site.ask("GET", "/a.txt", &[("if-none-match", etag)]).status, 200);
}

#[test]
fn a_directory_gets_its_slash_on_this_host() {
    let site = site();
    fs::create_dir_all(site.root().join("evil.example")).unwrap();
    for (target, expected) in [
        ("/page", "/page/"),
        ("/page?a=b&c", "/page/?a=b&c"),
        ("//evil.example", "/evil.example/"),
        ("/%2fevil.example", "/evil.example/"),
        ("/plain/%2e/sub", "/plain/sub/"),
    ] {
        let answer = site.get(target);
        assert_eq!((answer.status, answer.header("location")), (308, Some(expected)), "{target}");
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn links_work_inside_the_root_and_nowhere_else() {
        let site = site();
        let root = site.root();
        for (link, target) in [
            ("in", "a.txt"),
            ("page/up", "../a.txt"),
            ("dir", "page"),
            ("out", "../secret"),
            ("out-dir", ".."),
            ("etc", "/etc"),
            ("broken", "nowhere"),
            ("circle", "circle"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        symlink(root.join("a.txt"), root.join("absolute")).unwrap();
        symlink(&root, root.join("self")).unwrap();
        symlink(site.dir.path().join("secret"), root.join("absolute-out")).unwrap();
        symlink("../../secret", root.join("plain/index.html")).unwrap();
        for (target, expected) in [
            ("/in", 200),
            ("/page/up", 200),
            ("/dir/", 200),
            ("/dir", 308),
            ("/absolute", 200),
            ("/self/a.txt", 200),
            ("/self/", 200),
            ("/self/none", 404),
            ("/out-dir/none", 403),
            ("/out", 403),
            ("/out-dir/", 403),
            ("/out-dir/secret", 403),
            ("/absolute-out", 403),
            ("/self/out", 403),
            ("/etc/passwd", 403),
            ("/plain/", 403),
            ("/broken", 404),
            ("/circle", 404),
        ] {
            assert_eq!(site.get(target).status, expected, "{target}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let site = site();
        let made = std::process::Command::new("mkfifo").arg(site.root().join("fifo")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(site.root().join("socket")).unwrap();
        for target in ["/fifo", "/socket"] {
            assert_eq!(site.get(target).status, 403, "{target}");
        }
        let root = Root::open(&site.root()).unwrap();
        assert!(root.open_file(Path::new("fifo")).is_err(), "nor by the race between a look and opening");
    }

    #[test]
    fn what_may_not_be_read_is_forbidden() {
        let site = site();
        let path = site.root().join("a.txt");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // Root may read everything.
        let expected = if fs::File::open(&path).is_ok() { 200 } else { 403 };
        assert_eq!(site.get("/a.txt").status, expected);
    }

    /// A directory that turns into a link out of the root and back, as fast as it can.
    #[test]
    fn a_race_gives_nothing_away() {
        use std::sync::atomic::{AtomicBool, Ordering};

        let site = site();
        let root = site.root();
        fs::create_dir(root.join("inside")).unwrap();
        fs::write(root.join("inside/secret"), "public").unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for target in ["inside", ".."] {
                        symlink(target, root.join("new")).unwrap();
                        fs::rename(root.join("new"), root.join("turning")).unwrap();
                    }
                }
            });
            let answers: Vec<Answer> = (0..5000).map(|_| site.get("/turning/secret")).collect();
            over.store(true, Ordering::Relaxed);
            assert!(answers.iter().all(|answer| answer.body != "secret"));
            for status in [200, 403] {
                assert!(answers.iter().any(|answer| answer.status == status), "{status}");
            }
        });
    }
}
