//! A directory as a page: plain HTML, no script, readable in light and dark and without a mouse.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use sinew_app::{Response, StatusCode};

use crate::path::{SitePath, encode};
use crate::reply;
use crate::root::Root;
use crate::time::Seconds;

/// Most entries that are read and shown: a page has to end, and so has the memory it takes.
const MAX_ENTRIES: usize = 10_000;

/// Nothing is loaded and nothing runs, not even what a file name might smuggle in.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.25rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { text-align: start; padding: .25rem .5rem; border-bottom: 1px solid #8884; vertical-align: top }
td:first-child { overflow-wrap: anywhere; width: 100% }
th + th, td + td { text-align: end; white-space: nowrap; font-variant-numeric: tabular-nums }
a { text-decoration: none }
a:hover, a:focus { text-decoration: underline }
</style>
";

/// One line of the page.
#[derive(Debug)]
struct Entry {
    /// As the file system has it: not always text.
    name: Vec<u8>,
    is_dir: bool,
    len: u64,
    modified: Option<Seconds>,
}

/// The page for the directory at `path`. Blocks.
pub(crate) fn respond(root: &Root, path: &SitePath, relative: &Path) -> io::Result<Response> {
    let (mut entries, complete) = read(root, relative, MAX_ENTRIES)?;
    entries.sort_by_cached_key(|entry| {
        let name = String::from_utf8_lossy(&entry.name).to_lowercase();
        (!entry.is_dir, name, entry.name.clone())
    });
    let page = page(path, &entries, complete);
    let response = reply::typed(StatusCode::OK, "text/html; charset=utf-8", page);
    let response = reply::with(response, "content-security-policy", POLICY);
    Ok(reply::with(response, "cache-control", "no-cache"))
}

/// The entries that can be had, and whether there were no more than `limit` of them.
fn read(root: &Root, relative: &Path, limit: usize) -> io::Result<(Vec<Entry>, bool)> {
    let mut entries = Vec::new();
    for (seen, entry) in root.read_dir(relative)?.enumerate() {
        if seen == limit {
            return Ok((entries, false));
        }
        let entry = entry?;
        let file_name = entry.file_name();
        // A link is shown as what it leads to. One that leads nowhere, or out of the root, is left
        // out, and so is what may have gone in the meantime.
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let metadata = if is_link { root.metadata(&relative.join(&file_name)) } else { entry.metadata() };
        let (Ok(metadata), Some(name)) = (metadata, bytes(&file_name)) else { continue };
        if metadata.is_dir() || metadata.is_file() {
            let modified = metadata.modified().ok().map(|time| Seconds::of(time.into_std()));
            entries.push(Entry { name, is_dir: metadata.is_dir(), len: metadata.len(), modified });
        }
    }
    Ok((entries, true))
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on other platforms not every name can be linked to")]
fn bytes(name: &OsStr) -> Option<Vec<u8>> {
    Some(std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec())
}

#[cfg(not(unix))]
fn bytes(name: &OsStr) -> Option<Vec<u8>> {
    name.to_str().map(|name| name.as_bytes().to_vec())
}

fn page(path: &SitePath, entries: &[Entry], complete: bool) -> String {
    let title = escape(&path.display_dir());
    let mut page = String::with_capacity(2048 + entries.len() * 200);
    page.push_str(HEAD);
    let _ = write!(
        page,
        "<title>Index of {title}</title>\n</head>\n<body>\n<main>\n<h1>Index of <bdi>{title}</bdi></h1>\n"
    );
    page.push_str("<table>\n<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Size</th>");
    page.push_str("<th scope=\"col\">Modified (UTC)</th></tr></thead>\n<tbody>\n");
    if !path.is_root() {
        page.push_str("<tr><td><a href=\"../\">Parent directory</a></td><td></td><td></td></tr>\n");
    }
    for entry in entries {
        row(&mut page, entry);
    }
    page.push_str("</tbody>\n</table>\n");
    if entries.is_empty() {
        page.push_str("<p>There is nothing here.</p>\n");
    }
    if !complete {
        let _ = writeln!(page, "<p>There are more: only {MAX_ENTRIES} entries are shown.</p>");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn row(page: &mut String, entry: &Entry) {
    let slash = if entry.is_dir { "/" } else { "" };
    // The `./` keeps a name such as `mailto:x` from being a scheme.
    let (link, name) = (encode(&entry.name), escape(&String::from_utf8_lossy(&entry.name)));
    let _ = write!(page, "<tr><td><a href=\"./{link}{slash}\"><bdi>{name}{slash}</bdi></a></td><td>");
    if !entry.is_dir {
        let _ = write!(page, "<data value=\"{}\">{}</data>", entry.len, size(entry.len));
    }
    page.push_str("</td><td>");
    if let Some(modified) = entry.modified {
        let _ = write!(page, "<time datetime=\"{modified}\">{}</time>", modified.minutes());
    }
    page.push_str("</td></tr>\n");
}

/// Text for HTML, between tags or in a quoted attribute. A control character, which HTML forbids,
/// becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if character.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Bytes in the largest unit that leaves at least one of it, with one decimal below ten.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let power = bytes.ilog2() / 10;
    let unit = UNITS.get(power as usize - 1).copied().unwrap_or_default();
    let tenths = (u128::from(bytes) * 10) >> (power * 10);
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn listing(dir: &Path, target: &str) -> String {
        let root = Root::open(dir).unwrap();
        let path = SitePath::parse(target).unwrap();
        let response = respond(&root, &path, &path.relative().unwrap()).unwrap();
        let (status, fields, body) = response.into_parts();
        assert_eq!(status, StatusCode::OK);
        assert!(fields.get("content-security-policy").unwrap().starts_with(b"default-src 'none'"));
        String::from_utf8(body.into_full().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn directories_come_first_and_names_are_sorted_without_case() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.txt", "A.txt", "c.txt"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        fs::create_dir_all(dir.path().join("zoo/sub")).unwrap();
        let page = listing(dir.path(), "/");
        let order: Vec<usize> = ["./zoo/", "./A.txt", "./b.txt", "./c.txt"]
            .iter()
            .map(|link| page.find(&format!("href=\"{link}\"")).unwrap())
            .collect();
        assert!(order.is_sorted(), "{page}");
        assert!(!page.contains("../"), "the root has no parent");
        let page = listing(dir.path(), "/zoo/");
        assert!(page.contains("href=\"../\"") && page.contains("href=\"./sub/\""));
        assert!(page.contains("<title>Index of /zoo/</title>"));
    }

    #[test]
    #[cfg(unix)]
    fn names_can_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let sub = "<i>&\"'";
        fs::create_dir(dir.path().join(sub)).unwrap();
        for name in ["<script>x", "a&b\"c'", "javascript:alert(1)", "new\nline", "100%.txt", "é?#"] {
            fs::write(dir.path().join(sub).join(name), "x").unwrap();
        }
        fs::write(dir.path().join(sub).join(os(b"\xff\xfe")), "x").unwrap();
        let page = listing(dir.path(), "/%3ci%3e%26%22%27/");
        for expected in [
            "<title>Index of /&lt;i&gt;&amp;&quot;&#39;/</title>",
            "href=\"./%3Cscript%3Ex\"><bdi>&lt;script&gt;x</bdi>",
            "href=\"./a%26b%22c%27\"><bdi>a&amp;b&quot;c&#39;</bdi>",
            "href=\"./javascript%3Aalert%281%29\"",
            "href=\"./new%0Aline\"><bdi>new\u{fffd}line</bdi>",
            "href=\"./100%25.txt\"",
            "href=\"./%C3%A9%3F%23\"><bdi>é?#</bdi>",
            "href=\"./%FF%FE\"",
        ] {
            assert!(page.contains(expected), "{expected} in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("<i>"));
    }

    #[cfg(unix)]
    fn os(bytes: &[u8]) -> &OsStr {
        std::os::unix::ffi::OsStrExt::from_bytes(bytes)
    }

    #[test]
    #[cfg(unix)]
    fn links_are_shown_as_what_they_lead_to() {
        use std::os::unix::fs::symlink;

        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/real")).unwrap();
        symlink("real", dir.path().join("a/dir-link")).unwrap();
        symlink("../a/real", dir.path().join("a/up-link")).unwrap();
        symlink("/etc/passwd", dir.path().join("a/out")).unwrap();
        symlink("nowhere", dir.path().join("a/broken")).unwrap();
        let page = listing(dir.path(), "/a/");
        for expected in ["./real/", "./dir-link/", "./up-link/"] {
            assert!(page.contains(&format!("\"{expected}\"")), "{expected} in {page}");
        }
        assert!(!page.contains("./out") && !page.contains("./broken"));
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..5 {
            fs::write(dir.path().join(i.to_string()), "").unwrap();
        }
        let root = Root::open(dir.path()).unwrap();
        for (limit, found, complete) in [(4, 4, false), (5, 5, true)] {
            let (entries, all) = read(&root, Path::new("."), limit).unwrap();
            assert_eq!((entries.len(), all), (found, complete));
        }
        let path = SitePath::parse("/").unwrap();
        assert!(page(&path, &[], false).contains("only 10000 entries are shown"));
        assert!(page(&path, &[], true).contains("There is nothing here"));
    }

    #[test]
    fn sizes_for_people() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10_240, "10 KiB"),
            (1024 * 1024 - 1, "1023 KiB"),
            (1024 * 1024, "1.0 MiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
