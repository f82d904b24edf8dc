//! Numbers that look random and follow from a seed.

use core::time::Duration;

/// A generator (SplitMix64): the same seed gives the same numbers, on every platform. Not for
/// secrets.
///
/// ```
/// use sinew_proto::sim::Random;
/// let (mut one, mut two) = (Random::new(7), Random::new(7));
/// assert_eq!(one.next_u64(), two.next_u64());
/// assert!(one.below(10) < 10);
/// ```
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator that starts from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias is below 2^-32 for bounds that fit 32 bits.
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// `true` in `cases` cases out of `of`.
    pub fn chance(&mut self, cases: u64, of: u64) -> bool {
        self.below(of) < cases
    }

    /// One of `choices`; `None` if there is none.
    pub fn choose<'c, T>(&mut self, choices: &'c [T]) -> Option<&'c T> {
        choices.get(usize::try_from(self.below(choices.len() as u64)).unwrap_or(0))
    }

    /// A time from `least` to `most`.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let width = nanos(most.saturating_sub(least));
        Duration::from_nanos(nanos(least).saturating_add(self.below(width.saturating_add(1))))
    }

    /// Another generator, whose numbers do not depend on how many are drawn from this one later.
    pub const fn fork(&mut self) -> Self {
        Self(self.next_u64())
    }
}
