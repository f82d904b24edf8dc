//! Validators of a file, and requests that depend on them (RFC 9110 §8.8 and §13).

use std::time::SystemTime;

use sinew_app::Fields;

use crate::time::Seconds;

/// What says whether a file is still the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validators {
    /// With quotes, and `W/` if it is weak.
    pub(crate) etag: String,
    pub(crate) last_modified: Seconds,
    strong: bool,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answer as if there were none.
    Send,
    /// 304
    NotModified,
    /// 412
    Failed,
}

/// A file changed this many seconds ago may change again without its time showing it (RFC 9110
/// §8.8.2.2): until then its validators are weak.
const SETTLED: u64 = 2;

impl Validators {
    /// Of a file of `len` bytes, last changed at `modified`.
    pub(crate) fn new(len: u64, modified: SystemTime, now: SystemTime) -> Self {
        let nanos = match modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => after.as_nanos(),
            Err(before) => u128::MAX - before.duration().as_nanos(),
        };
        let (modified, now) = (Seconds::of(modified), Seconds::of(now));
        let strong = modified.0.saturating_add(SETTLED) <= now.0;
        Self {
            etag: format!("{}\"{nanos:x}-{len:x}\"", if strong { "" } else { "W/" }),
            // A time in the future would outlive the next change (§8.8.2.1).
            last_modified: modified.min(now),
            strong,
        }
    }

    /// The conditions of a GET or HEAD, in the order of §13.2.2.
    pub(crate) fn judge(&self, fields: &Fields<'_>) -> Verdict {
        if fields.contains("if-match") {
            if !self.is_listed(fields, "if-match", Comparison::Strong) {
                return Verdict::Failed;
            }
        } else if date(fields, "if-unmodified-since").is_some_and(|date| self.last_modified > date) {
            return Verdict::Failed;
        }
        let not_modified = if fields.contains("if-none-match") {
            self.is_listed(fields, "if-none-match", Comparison::Weak)
        } else {
            date(fields, "if-modified-since").is_some_and(|date| self.last_modified <= date)
        };
        if not_modified { Verdict::NotModified } else { Verdict::Send }
    }

    /// Whether a range may be answered with a part: there is no `If-Range`, or it names exactly
    /// this state of the file, and strongly (§13.1.5).
    pub(crate) fn allow_part(&self, fields: &Fields<'_>) -> bool {
        match fields.get("if-range") {
            None => true,
            Some(_) if !self.strong => false,
            Some(value) if value.first() == Some(&b'"') => value == self.etag.as_bytes(),
            Some(_) => date(fields, "if-range") == Some(self.last_modified),
        }
    }

    fn is_listed(&self, fields: &Fields<'_>, name: &str, comparison: Comparison) -> bool {
        let (weak, opaque) = split(self.etag.as_bytes());
        // An entity tag may hold a comma, but none of ours does, so a torn one matches nothing.
        fields.list(name).any(|member| {
            let (member_weak, member) = split(member);
            member == b"*" && !member_weak || member == opaque && comparison.allows(weak || member_weak)
        })
    }
}

/// How entity tags are compared (§8.8.3.2).
#[derive(Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

impl Comparison {
    fn allows(self, weak: bool) -> bool {
        matches!(self, Self::Weak) || !weak
    }
}

fn split(tag: &[u8]) -> (bool, &[u8]) {
    tag.strip_prefix(b"W/").map_or((false, tag), |opaque| (true, opaque))
}

/// The date of a field that may stand once; one that is no date is ignored.
fn date(fields: &Fields<'_>, name: &str) -> Option<Seconds> {
    Seconds::parse_http(fields.get_str(name)?)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use sinew_app::Request;

    use super::*;

    const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn changed() -> SystemTime {
        UNIX_EPOCH + Duration::new(784_111_777, 5)
    }

    fn settled() -> Validators {
        Validators::new(16, changed(), changed() + Duration::from_secs(60))
    }

    fn request(fields: &[(&str, &str)]) -> Request {
        let fields = [("host", "a")].into_iter().chain(fields.iter().copied());
        Request::build("GET", "/", fields, ()).unwrap()
    }

    #[test]
    fn validators_follow_size_and_time() {
        let of = settled();
        assert_eq!(of.last_modified.http(), CHANGED);
        let now = changed() + Duration::from_secs(60);
        assert_ne!(of.etag, Validators::new(17, changed(), now).etag);
        assert_ne!(of.etag, Validators::new(16, changed() + Duration::from_nanos(1), now).etag);
        let fresh = Validators::new(16, changed(), changed() + Duration::from_secs(1));
        assert_eq!(fresh.etag, format!("W/{}", of.etag));
        let future = Validators::new(16, now, changed());
        assert_eq!(future.last_modified.http(), CHANGED);
    }

    #[test]
    fn conditions() {
        let tag = settled().etag;
        let weak = format!("W/{tag}");
        let list = format!("\"x\", {tag} ,\"y\"");
        for (fields, expected) in [
            (vec![], Verdict::Send),
            (vec![("if-none-match", tag.as_str())], Verdict::NotModified),
            (vec![("if-none-match", &weak)], Verdict::NotModified),
            (vec![("if-none-match", &list)], Verdict::NotModified),
            (vec![("if-none-match", "\"x\""), ("if-none-match", &tag)], Verdict::NotModified),
            (vec![("if-none-match", "*")], Verdict::NotModified),
            (vec![("if-none-match", "\"x\"")], Verdict::Send),
            (vec![("if-modified-since", CHANGED)], Verdict::NotModified),
            (vec![("if-modified-since", LATER)], Verdict::NotModified),
            (vec![("if-modified-since", EARLIER)], Verdict::Send),
            (vec![("if-modified-since", "rubbish")], Verdict::Send),
            // A tag silences the date.
            (vec![("if-none-match", "\"x\""), ("if-modified-since", LATER)], Verdict::Send),
            (vec![("if-match", &tag)], Verdict::Send),
            (vec![("if-match", "*")], Verdict::Send),
            (vec![("if-match", &weak)], Verdict::Failed),
            (vec![("if-match", "\"x\"")], Verdict::Failed),
            (vec![("if-match", &tag), ("if-none-match", &tag)], Verdict::NotModified),
            (vec![("if-unmodified-since", EARLIER)], Verdict::Failed),
            (vec![("if-unmodified-since", CHANGED)], Verdict::Send),
            (vec![("if-match", &tag), ("if-unmodified-since", EARLIER)], Verdict::Send),
        ] {
            assert_eq!(settled().judge(&request(&fields).fields()), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_part_needs_the_very_same_file() {
        let tag = settled().etag;
        let weak = format!("W/{tag}");
        for (value, expected) in [
            (tag.as_str(), true),
            (&weak, false),
            ("\"x\"", false),
            (CHANGED, true),
            (LATER, false),
            ("x", false),
        ] {
            assert_eq!(settled().allow_part(&request(&[("if-range", value)]).fields()), expected, "{value}");
        }
        assert!(settled().allow_part(&request(&[]).fields()));
        let fresh = Validators::new(16, changed(), changed());
        assert!(!fresh.allow_part(&request(&[("if-range", &fresh.etag)]).fields()));
        assert!(!fresh.allow_part(&request(&[("if-range", CHANGED)]).fields()));
    }
}
