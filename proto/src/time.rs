//! Time as the core knows it: a number that the caller hands in.

use core::time::Duration;

/// A point in time: nanoseconds since an epoch that the caller picks once.
///
/// The core never reads a clock, so a test can let an hour pass in no time. Arithmetic saturates.
///
/// ```
/// use core::time::Duration;
/// use sinew_proto::Instant;
/// let start = Instant::from_nanos(5);
/// assert_eq!(start.saturating_add(Duration::from_nanos(3)), Instant::from_nanos(8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The point `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This point moved later by `duration`, or the last representable point.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        let nanos = if nanos > u64::MAX as u128 {
            u64::MAX
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "compared with u64::MAX above")]
            {
                nanos as u64
            }
        };
        Self(self.0.saturating_add(nanos))
    }

    /// The time from `earlier` to this point, zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Whole milliseconds, rounded up to one at least; zero stays zero.
pub(crate) const fn millis(duration: Duration) -> u32 {
    let millis = duration.as_millis();
    if millis > u32::MAX as u128 {
        u32::MAX
    } else if millis == 0 && !duration.is_zero() {
        1
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "compared with u32::MAX above")]
        {
            millis as u32
        }
    }
}
