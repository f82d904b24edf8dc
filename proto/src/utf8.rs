//! Text out of bytes.

/// `bytes` as text, all of it or not at all.
pub(crate) fn whole(bytes: &[u8]) -> Option<&str> {
    #[cfg(feature = "simd")]
    if bytes.len() >= LONG {
        return simdutf8::basic::from_utf8(bytes).ok();
    }
    core::str::from_utf8(bytes).ok()
}

/// From here on SIMD pays.
#[cfg(feature = "simd")]
const LONG: usize = 64;
