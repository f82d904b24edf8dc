//! From the path of a request target to names below the root (RFC 3986 §3.3 and §5.2.4).
//!
//! Invariant: a [`SitePath`] is made of names that are neither empty nor `.` nor `..`, without NUL
//! and without a separator of this platform, so that joining them cannot leave the root. Symbolic
//! links are another matter: opening is done in a sandbox.

use std::ffi::OsString;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What stands as it is in a link: the unreserved characters of RFC 3986 §2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A place below the root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SitePath {
    names: Vec<Vec<u8>>,
    /// Whether the path ended in a slash, or in what stands for a directory.
    pub(crate) is_dir: bool,
}

/// Why a path names no place below the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathError {
    /// It does not begin with a slash, has a `%` without two hexadecimal digits, or a NUL.
    Malformed,
    /// It climbs above the root.
    Escapes,
    /// No file of this platform can have that name.
    Impossible,
}

impl SitePath {
    /// Decodes once, then takes `.` and `..` away. An encoded slash separates like a plain one: no
    /// file name can have it.
    pub(crate) fn parse(path: &str) -> Result<Self, PathError> {
        let decoded = decode(path)?;
        let Some(rest) = decoded.strip_prefix(b"/") else { return Err(PathError::Malformed) };
        if decoded.contains(&0) {
            return Err(PathError::Malformed);
        }
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut is_dir = true;
        for name in rest.split(|&byte| byte == b'/') {
            is_dir = matches!(name, b"" | b"." | b"..");
            match name {
                b"" | b"." => {}
                b".." => drop(names.pop().ok_or(PathError::Escapes)?),
                _ if climbs_with_backslashes(name) => return Err(PathError::Escapes),
                // A separator, a drive or an alternate data stream.
                _ if cfg!(windows) && name.iter().any(|byte| b"\\:".contains(byte)) => {
                    return Err(PathError::Impossible);
                }
                _ => names.push(name.to_vec()),
            }
        }
        Ok(Self { names, is_dir })
    }

    /// The same place relative to the root, `.` for the root itself.
    pub(crate) fn relative(&self) -> Result<PathBuf, PathError> {
        if self.names.is_empty() {
            return Ok(PathBuf::from("."));
        }
        self.names.iter().map(|name| os_string(name)).collect()
    }

    /// Whether this is the root.
    pub(crate) fn is_root(&self) -> bool {
        self.names.is_empty()
    }

    /// The decoded path with a slash at its end, to be read by people.
    pub(crate) fn display_dir(&self) -> String {
        let mut text = String::from("/");
        for name in &self.names {
            text.push_str(&String::from_utf8_lossy(name));
            text.push('/');
        }
        text
    }

    /// The path with a slash at its end, as it stands in a `Location`. It is made of the names, not
    /// of what the client sent: it cannot begin with `//`, which would name another host.
    pub(crate) fn dir_location(&self, query: Option<&str>) -> String {
        let mut text = String::from("/");
        for name in &self.names {
            text.push_str(&encode(name));
            text.push('/');
        }
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        text
    }
}

/// A name as a path segment.
pub(crate) fn encode(name: &[u8]) -> String {
    percent_encode(name, ENCODED).to_string()
}

fn decode(path: &str) -> Result<Vec<u8>, PathError> {
    let valid = path.bytes().enumerate().filter(|(_, byte)| *byte == b'%').all(|(at, _)| {
        path.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if valid { Ok(percent_decode_str(path).collect()) } else { Err(PathError::Malformed) }
}

/// Whether a name would climb where a backslash separates. Elsewhere it is a name like any other,
/// but nobody means it.
fn climbs_with_backslashes(name: &[u8]) -> bool {
    name.contains(&b'\\') && name.split(|&byte| byte == b'\\').any(|part| part == b"..")
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on other platforms not every name can be had")]
fn os_string(name: &[u8]) -> Result<OsString, PathError> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(name.to_vec()))
}

#[cfg(not(unix))]
fn os_string(name: &[u8]) -> Result<OsString, PathError> {
    std::str::from_utf8(name).map(OsString::from).map_err(|_| PathError::Impossible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_the_places_they_name() {
        for (target, expected) in [
            ("/", Ok(("/", true))),
            ("/a.txt", Ok(("/a.txt/", false))),
            ("/a/b/", Ok(("/a/b/", true))),
            ("/%61%20b", Ok(("/a b/", false))),
            ("//a///b", Ok(("/a/b/", false))),
            ("/./a/./b", Ok(("/a/b/", false))),
            ("/a/../b", Ok(("/b/", false))),
            ("/a/..", Ok(("/", true))),
            ("/a/.", Ok(("/a/", true))),
            ("/a/%2e%2E/b", Ok(("/b/", false))),
            ("/a%2fb", Ok(("/a/b/", false))),
            ("/...", Ok(("/.../", false))),
            ("/..a", Ok(("/..a/", false))),
            // Decoded once and not again.
            ("/%252e%252e/x", Ok(("/%2e%2e/x/", false))),
            ("/%252fx", Ok(("/%2fx/", false))),
            // Out of the root.
            ("/..", Err(PathError::Escapes)),
            ("/../x", Err(PathError::Escapes)),
            ("/a/../../x", Err(PathError::Escapes)),
            ("/a/../../a/x", Err(PathError::Escapes)),
            ("/%2e%2e/x", Err(PathError::Escapes)),
            ("/.%2e/x", Err(PathError::Escapes)),
            ("/..%2fx", Err(PathError::Escapes)),
            ("/%2e%2e%2fx", Err(PathError::Escapes)),
            ("//../x", Err(PathError::Escapes)),
            ("/..\\x", Err(PathError::Escapes)),
            ("/..%5cx", Err(PathError::Escapes)),
            ("/a%5c..%5c..%5cx", Err(PathError::Escapes)),
            // No path at all.
            ("/a%00b", Err(PathError::Malformed)),
            ("/a%", Err(PathError::Malformed)),
            ("/a%4", Err(PathError::Malformed)),
            ("/a%zz", Err(PathError::Malformed)),
            ("/a%+1", Err(PathError::Malformed)),
            ("a", Err(PathError::Malformed)),
            ("*", Err(PathError::Malformed)),
        ] {
            let found = SitePath::parse(target);
            let found = found.as_ref().map(|path| (path.display_dir(), path.is_dir)).map_err(|error| *error);
            assert_eq!(found, expected.map(|(text, is_dir)| (text.to_owned(), is_dir)), "{target}");
        }
    }

    #[test]
    fn locations_stay_on_this_host() {
        for (target, query, expected) in [
            ("/a", None, "/a/"),
            ("/a", Some("x=1&y=//z"), "/a/?x=1&y=//z"),
            ("//evil.example", None, "/evil.example/"),
            ("///evil.example/..//a", None, "/a/"),
            ("/%2f%2fevil.example", None, "/evil.example/"),
            ("/%0d%0aset-cookie:x", None, "/%0D%0Aset%2Dcookie%3Ax/"),
            ("/%5cevil.example", None, "/%5Cevil.example/"),
            ("/\u{e9}", None, "/%C3%A9/"),
        ] {
            let location = SitePath::parse(target).unwrap().dir_location(query);
            assert_eq!(location.replace("%2D", "-"), expected.replace("%2D", "-"), "{target}");
            assert!(!location.starts_with("//"));
        }
    }

    #[test]
    #[cfg(unix)]
    fn names_need_not_be_text() {
        let path = SitePath::parse("/%ff/%5c").unwrap();
        let relative = path.relative().unwrap();
        assert_eq!(std::os::unix::ffi::OsStrExt::as_bytes(relative.as_os_str()), b"\xff/\\");
        assert_eq!(SitePath::parse("/a/..").unwrap().relative(), Ok(PathBuf::from(".")));
    }
}
