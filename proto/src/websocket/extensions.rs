//! The syntax of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
//!
//! ```text
//! extension-list  = 1#extension
//! extension       = extension-token *( ";" extension-param )
//! extension-param = token [ "=" ( token | quoted-string ) ]   ; the content of the string is a token
//! ```
//!
//! Blanks may stand around `,` and `;`, as in every list, but not around `=`. An extension does not
//! go on in the next field line.

use crate::{grammar, work};

/// The field that offers extensions and accepts them.
pub(super) const FIELD: &str = "sec-websocket-extensions";

/// A value that is not what the grammar says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// One extension of a list, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extension<'b> {
    pub(super) name: &'b [u8],
    /// From the first `;`: well-formed.
    params: &'b [u8],
}

#[cfg(any(test, feature = "deflate"))]
impl<'b> Extension<'b> {
    /// The parameters in order.
    pub(super) fn params(&self) -> impl Iterator<Item = Param<'b>> + use<'b> {
        let mut scan = Scan(self.params);
        core::iter::from_fn(move || scan.param().ok().flatten())
    }
}

/// A parameter of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Param<'b> {
    pub(super) name: &'b [u8],
    /// As it stands, without quotes but with backslashes.
    value: Option<&'b [u8]>,
}

#[cfg(any(test, feature = "deflate"))]
impl<'b> Param<'b> {
    /// Whether there is a `=`.
    pub(super) fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// The value, empty if there is none. Never empty otherwise. A token has no backslash, so each
    /// one that is here quotes what follows.
    pub(super) fn value(&self) -> impl Iterator<Item = u8> + use<'b> {
        self.value.unwrap_or_default().iter().copied().filter(|&b| b != b'\\')
    }
}

/// The extensions of one field value. Ends after the first thing that is malformed.
pub(super) struct Extensions<'b>(Scan<'b>);

impl<'b> Extensions<'b> {
    pub(super) const fn new(value: &'b [u8]) -> Self {
        Self(Scan(value))
    }
}

impl<'b> Iterator for Extensions<'b> {
    type Item = Result<Extension<'b>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        // Empty members of a list do not count (RFC 9110 §5.6.1.2).
        loop {
            self.0.skip_blanks();
            if !self.0.skip(b',') {
                break;
            }
        }
        if self.0.0.is_empty() {
            return None;
        }
        let extension = self.0.extension();
        if extension.is_err() {
            self.0 = Scan(b"");
        }
        Some(extension)
    }
}

/// Whether these values are a list with at least one extension, or there are none of them.
pub(super) fn check<'b>(values: impl Iterator<Item = &'b [u8]>) -> Result<(), Malformed> {
    let (mut lines, mut extensions) = (false, false);
    for value in values {
        lines = true;
        for extension in Extensions::new(value) {
            extension?;
            extensions = true;
        }
    }
    if lines == extensions { Ok(()) } else { Err(Malformed) }
}

/// The rest of a value.
struct Scan<'b>(&'b [u8]);

impl<'b> Scan<'b> {
    fn skip_blanks(&mut self) {
        while self.skip(b' ') || self.skip(b'\t') {}
    }

    fn skip(&mut self, byte: u8) -> bool {
        work::step(1);
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Up to the first byte for which `ends` is true, or all of it.
    fn until(&mut self, ends: impl Fn(u8) -> bool) -> &'b [u8] {
        let len = self.0.iter().position(|&b| ends(b)).unwrap_or(self.0.len());
        work::step(len);
        let (taken, rest) = self.0.split_at_checked(len).unwrap_or_default();
        self.0 = rest;
        taken
    }

    fn token(&mut self) -> Result<&'b [u8], Malformed> {
        let token = self.until(|b| !grammar::is_tchar(b));
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// An extension, up to the comma or the end of the value.
    fn extension(&mut self) -> Result<Extension<'b>, Malformed> {
        let name = self.token()?;
        let from = self.0;
        while self.param()?.is_some() {}
        let params = from.get(..from.len().saturating_sub(self.0.len())).unwrap_or_default();
        if self.0.is_empty() || self.0.starts_with(b",") {
            Ok(Extension { name, params })
        } else {
            Err(Malformed)
        }
    }

    /// A parameter with the `;` before it, if one follows.
    fn param(&mut self) -> Result<Option<Param<'b>>, Malformed> {
        self.skip_blanks();
        if !self.skip(b';') {
            return Ok(None);
        }
        self.skip_blanks();
        let name = self.token()?;
        let value = match (self.skip(b'='), self.0) {
            (false, _) => None,
            (true, [b'"', rest @ ..]) => {
                self.0 = rest;
                Some(self.quoted_token()?)
            }
            (true, _) => Some(self.token()?),
        };
        Ok(Some(Param { name, value }))
    }

    /// What stands between the quotes: a token, each character of it quoted or not.
    fn quoted_token(&mut self) -> Result<&'b [u8], Malformed> {
        // A quote that is quoted is no character of a token: the first one is the end.
        let content = self.until(|b| b == b'"');
        if !self.skip(b'"') {
            return Err(Malformed);
        }
        let mut quoted = false;
        for &byte in content {
            if byte == b'\\' && !quoted {
                quoted = true;
            } else if grammar::is_tchar(byte) {
                quoted = false;
            } else {
                return Err(Malformed);
            }
        }
        if content.is_empty() || quoted { Err(Malformed) } else { Ok(content) }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    /// The extensions as `name;param=value`, or nothing if one is malformed.
    fn read(value: &str) -> Option<Vec<String>> {
        Extensions::new(value.as_bytes())
            .map(|extension| {
                let extension = extension.ok()?;
                let mut text = String::from_utf8(extension.name.to_vec()).unwrap();
                for param in extension.params() {
                    text.push(';');
                    text.push_str(core::str::from_utf8(param.name).unwrap());
                    if param.has_value() {
                        text.push('=');
                        text.extend(param.value().map(char::from));
                    }
                }
                Some(text)
            })
            .collect()
    }

    #[test]
    fn lists() {
        for (value, expected) in [
            ("foo", &["foo"][..]),
            // RFC 6455 §9.1
            ("bar; baz=2", &["bar;baz=2"]),
            ("foo, bar; baz=2", &["foo", "bar;baz=2"]),
            ("deflate-stream", &["deflate-stream"]),
            (
                "mux; max-channels=4; flow-control, deflate-stream",
                &["mux;max-channels=4;flow-control", "deflate-stream"],
            ),
            // RFC 7692 §7.1.3
            (
                "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
                &[
                    "permessage-deflate;client_max_window_bits;server_max_window_bits=10",
                    "permessage-deflate;client_max_window_bits",
                ],
            ),
            ("a;b=\"10\"", &["a;b=10"]),
            ("a;b=\"\\10\"", &["a;b=10"]),
            ("a;b=\"1\\0\" ; c", &["a;b=10;c"]),
            (" ,\t, a \t;\tb=c , ,", &["a;b=c"]),
            ("a;b;b=1;b", &["a;b;b=1;b"]),
            ("", &[]),
            (" , ", &[]),
        ] {
            assert_eq!(read(value).unwrap_or_else(|| panic!("{value}")), expected, "{value}");
        }
    }

    #[test]
    fn malformed() {
        for value in [
            "a b",
            "a;",
            "a;;b",
            ";a",
            "a; ",
            "a;=1",
            "a;b=",
            "a;b=;c",
            "a;b =1",
            "a;b= 1",
            "a;b=1 2",
            "a=1",
            "a,b c",
            "a;b=\"",
            "a;b=\"\"",
            "a;b=\"1",
            "a;b=\"1\"2",
            "a;b=\"1 2\"",
            "a;b=\"1,2\"",
            "a;b=\"\\\"\"",
            "a;b=\"1\\\"",
            "a;b=\"\\\\\"",
            "a;b=\"\\ \"",
            "a/b",
            "\"a\"",
            "a;\"b\"",
            "ä",
            "a;b=ä",
            "a;b=\"ä\"",
            "a, (b)",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
    }

    #[test]
    fn a_field_has_an_extension_in_one_of_its_lines() {
        let check = |values: &[&'static str]| check(values.iter().map(|value| value.as_bytes()));
        assert_eq!((check(&[]), check(&["a"]), check(&["", "a;b"])), (Ok(()), Ok(()), Ok(())));
        for wrong in [&[""][..], &[" ,", ""], &["a", "b c"], &["a;", "b"]] {
            assert_eq!(check(wrong), Err(Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn each_byte_is_looked_at_a_few_times() {
        for piece in [",", " ", "a,", "a;b,", "a;b=\"c\";", "\\", "a;"] {
            let value = piece.repeat(10_000);
            let before = work::steps();
            let _ = Extensions::new(value.as_bytes()).count();
            let steps = work::steps() - before;
            assert!(steps <= 8 * value.len() as u64, "{piece}: {steps}");
        }
    }
}
