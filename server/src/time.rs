//! Points in time as text. Whole seconds since 1970, held to the years that the formats can say:
//! the time of a file may be anything.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-31T23:59:59Z
const LAST: u64 = 253_402_300_799;

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seconds(pub(crate) u64);

impl Seconds {
    /// The second that `time` lies in.
    pub(crate) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_secs().min(LAST))
    }

    /// Reads any of the three forms of an HTTP date (RFC 9110 §5.6.7).
    pub(crate) fn parse_http(text: &str) -> Option<Self> {
        httpdate::parse_http_date(text).ok().map(Self::of)
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    pub(crate) fn http(self) -> String {
        httpdate::fmt_http_date(self.system_time())
    }

    /// `1994-11-06 08:49`, for people.
    pub(crate) fn minutes(self) -> String {
        let mut text = self.to_string().replace('T', " ");
        text.truncate(16);
        text
    }

    fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0)
    }
}

/// RFC 3339: `1994-11-06T08:49:37Z`
impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(self.system_time()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        let time = Seconds(784_111_777);
        assert_eq!(time.http(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(time.to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(time.minutes(), "1994-11-06 08:49");
        assert_eq!(Seconds::parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(time));
        assert_eq!(Seconds::parse_http("yesterday"), None);
    }

    #[test]
    fn times_beyond_the_formats_are_held() {
        let before = Seconds::of(UNIX_EPOCH - Duration::from_secs(5));
        let after = Seconds::of(UNIX_EPOCH + Duration::from_secs(LAST + 5));
        assert_eq!(before.http(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(after.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(after.http(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
