//! The `Date` field (RFC 9110 §5.6.7 and §6.6.1), formatted once a second.

use core::fmt;

/// A date as IMF-fixdate, always 29 bytes: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HttpDate {
    /// The first two lines of most responses: the status line of a 200, then `date: ` and CRLF around
    /// the 29 bytes.
    lines: [u8; 54],
}

/// After the status line.
const LINE_AT: usize = 17;

/// After `date: `.
const DATE_AT: usize = 23;

impl HttpDate {
    /// The date `seconds` after 1970-01-01T00:00:00Z. Years after 9999 are held at its end.
    ///
    /// ```
    /// use sinew_proto::HttpDate;
    /// assert_eq!(HttpDate::from_unix(784_111_777).as_str(), "Sun, 06 Nov 1994 08:49:37 GMT");
    /// ```
    #[expect(clippy::arithmetic_side_effects, reason = "seconds are held below the year 10000")]
    #[expect(clippy::cast_possible_truncation, reason = "each field is reduced to its range")]
    pub fn from_unix(seconds: u64) -> Self {
        const LAST: u64 = 253_402_300_799;
        const WEEKDAYS: [&[u8; 5]; 7] =
            [b"Thu, ", b"Fri, ", b"Sat, ", b"Sun, ", b"Mon, ", b"Tue, ", b"Wed, "];
        const MONTHS: [&[u8; 5]; 12] = [
            b" Jan ", b" Feb ", b" Mar ", b" Apr ", b" May ", b" Jun ", b" Jul ", b" Aug ", b" Sep ",
            b" Oct ", b" Nov ", b" Dec ",
        ];
        let seconds = seconds.min(LAST);
        let (days, time) = (seconds / 86_400, seconds % 86_400);
        // Howard Hinnant's civil_from_days: eras of 400 years that begin on a first of March.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);

        let digits = |n: u64| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
        let weekday = WEEKDAYS.get((days % 7) as usize).copied().unwrap_or(b"Thu, ");
        let month = MONTHS.get((month - 1) as usize).copied().unwrap_or(b" Jan ");
        let mut lines = [b' '; 54];
        let pieces: [&[u8]; 11] = [
            b"HTTP/1.1 200 OK\r\ndate: ",
            weekday,
            &digits(day),
            month,
            &digits(year / 100),
            &digits(year),
            b" ",
            &digits(time / 3_600),
            b":",
            &digits(time / 60 % 60),
            b":",
        ];
        let mut cursor = lines.as_mut_slice();
        for piece in pieces.into_iter().chain([digits(time % 60).as_slice(), b" GMT\r\n"]) {
            let Some((now, later)) = cursor.split_at_mut_checked(piece.len()) else {
                break;
            };
            now.copy_from_slice(piece);
            cursor = later;
        }
        Self { lines }
    }

    /// The 29 bytes.
    pub const fn as_bytes(&self) -> &[u8; 29] {
        const NONE: &[u8; 29] = &[b' '; 29];
        match self.lines.split_at(DATE_AT).1.first_chunk() {
            Some(date) => date,
            // The lines are longer than that.
            None => NONE,
        }
    }

    /// `date: Sun, 06 Nov 1994 08:49:37 GMT CRLF`
    pub(crate) const fn as_line(&self) -> &[u8] {
        self.lines.split_at(LINE_AT).1
    }

    /// The same after `HTTP/1.1 200 OK CRLF`.
    pub(crate) const fn after_ok(&self) -> &[u8; 54] {
        &self.lines
    }

    /// The date as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpDate").field(&self.as_str()).finish()
    }
}

/// Formats the date only when the second changes. One for each event loop or connection.
#[derive(Clone, Copy, Debug)]
pub struct DateCache {
    second: u64,
    date: HttpDate,
}

impl DateCache {
    /// A cache that starts at `unix_seconds`.
    pub fn new(unix_seconds: u64) -> Self {
        Self { second: unix_seconds, date: HttpDate::from_unix(unix_seconds) }
    }

    /// The date for `unix_seconds`, formatted anew only if the second is another one.
    pub fn at(&mut self, unix_seconds: u64) -> &HttpDate {
        if self.second != unix_seconds {
            *self = Self::new(unix_seconds);
        }
        &self.date
    }

    /// The date of the last [`at`](Self::at), or of the start.
    pub const fn current(&self) -> &HttpDate {
        &self.date
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn known_dates() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = HttpDate::from_unix(seconds);
            assert_eq!(date.as_str(), text);
            let line = format!("date: {text}\r\n");
            assert_eq!(date.as_line(), line.as_bytes());
            assert_eq!(date.after_ok(), format!("HTTP/1.1 200 OK\r\n{line}").as_bytes());
        }
    }

    #[test]
    fn the_cache_follows_the_second() {
        let mut cache = DateCache::new(0);
        assert_eq!(cache.at(1).as_str(), "Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(cache.current().as_str(), "Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(cache.at(0).as_str(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
