//! The protocols that an `Upgrade` field offers, kept until they are accepted or not
//! (RFC 9110 §7.8).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::fields::members;

/// The offers of one request: nothing, or what was offered on one connection in one go, since
/// nothing else happens there before the answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer(Option<Box<[u8]>>);

impl Offer {
    /// Longer offers are no offers: a server may ignore any (RFC 9110 §7.8).
    pub(super) const MAX_BYTES: usize = 256;

    pub(super) const NONE: Self = Self(None);

    /// How many bytes the protocols of an `Upgrade` value take; 0 if there is none. `h2c` does not
    /// count: HTTP/2 is not switched to any more (RFC 9113 §3.1).
    pub(super) fn size(value: &[u8]) -> usize {
        protocols(value).fold(0, |sum, protocol| sum.saturating_add(protocol.len()).saturating_add(1))
    }

    /// The offer of these `Upgrade` values, if it is not empty and not longer than
    /// [`Self::MAX_BYTES`].
    pub(super) fn new<'v>(values: impl Iterator<Item = &'v [u8]>) -> Self {
        let mut offered = Vec::new();
        for protocol in values.flat_map(protocols) {
            offered.extend_from_slice(protocol);
            offered.push(b',');
        }
        let fits = !offered.is_empty() && offered.len() <= Self::MAX_BYTES;
        Self(fits.then(|| offered.into_boxed_slice()))
    }

    /// Whether these `Upgrade` values name a protocol, and none that was not offered.
    pub(super) fn covers<'v>(&self, values: impl Iterator<Item = &'v [u8]>) -> bool {
        let mut any = false;
        let all = values.flat_map(members).all(|accepted| {
            any = true;
            let mut offered = self.0.iter().flat_map(|offered| members(offered));
            offered.any(|protocol| protocol.eq_ignore_ascii_case(accepted))
        });
        any && all
    }
}

fn protocols(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    members(value).filter(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(values: &[&'static str]) -> Offer {
        Offer::new(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn what_was_offered_is_covered_and_nothing_else() {
        let two = offer(&["websocket, x/1"]);
        let answer = |values: &[&'static str]| two.covers(values.iter().map(|value| value.as_bytes()));
        assert!(answer(&["WebSocket"]) && answer(&["x/1", "websocket"]) && answer(&["websocket,x/1"]));
        for wrong in ["", ",", "x", "x/2", "web", "websocket, y", "websocket,x/1,h2c", "websocket x/1"] {
            assert!(!answer(&[wrong]), "{wrong}");
        }
        assert!(!answer(&[]));
        assert!(!Offer::NONE.covers([&b""[..]].into_iter()) && Offer::NONE.0.is_none());
    }

    #[test]
    fn an_offer_of_nothing_of_h2c_or_without_end_is_none() {
        assert!(offer(&["h2c"]).0.is_none() && offer(&[" ,, "]).0.is_none() && offer(&[]).0.is_none());
        assert!(!offer(&["H2C, websocket"]).covers([&b"h2c"[..]].into_iter()));
        let long: Vec<u8> = [b'x'; Offer::MAX_BYTES - 1].to_vec();
        assert!(Offer::new([&long[..]].into_iter()).0.is_some());
        assert!(Offer::new([&long[..], b"y"].into_iter()).0.is_none());
        assert_eq!((Offer::size(b"h2c"), Offer::size(b"a, h2c, bc")), (0, 5));
    }
}
