//! Compression of messages: DEFLATE with the framing of RFC 7692 §7.2.

use alloc::vec::Vec;

pub(super) enum InflateError {
    #[allow(dead_code)]
    TooLarge,
    Invalid,
}
pub(super) struct Inflater;
impl Inflater {
    pub(super) fn new(_: u8, _: bool) -> Self {
        Self
    }
    pub(super) fn push(&mut self, _: &[u8], _: &mut Vec<u8>, _: usize) -> Result<(), InflateError> {
        Err(InflateError::Invalid)
    }
    pub(super) fn finish(&mut self, _: &mut Vec<u8>, _: usize) -> Result<(), InflateError> {
        Err(InflateError::Invalid)
    }
}
pub(super) struct Deflater;
impl Deflater {
    pub(super) fn new(_: u8, _: bool, _: u8) -> Self {
        Self
    }
    pub(super) fn message(&mut self, _: &[u8], _: &mut Vec<u8>) {}
}
