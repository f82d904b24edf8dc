//! Compression and decompression of single messages, for the tests of this crate alone.

use alloc::vec::Vec;

use super::deflate::{Deflater, InflateError, Inflater};

/// A `Deflater` in reach of tests.
#[derive(Debug)]
pub struct Compress(Deflater);

impl Compress {
    /// See `Deflater::new`.
    pub fn new(window_bits: u8, takeover: bool, level: u8) -> Self {
        Self(Deflater::new(window_bits, takeover, level))
    }

    /// See `Deflater::push`.
    ///
    /// # Errors
    /// If it fails.
    pub fn push(&mut self, payload: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), &'static str> {
        self.0.push(payload, last, out).map_err(|_| "failed")
    }

    /// See `Deflater::message`.
    ///
    /// # Errors
    /// If it fails.
    pub fn message(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        self.0.message(payload, out).map_err(|_| "failed")
    }
}

/// An `Inflater` in reach of tests.
#[derive(Debug)]
pub struct Decompress(Inflater);

impl Decompress {
    /// See `Inflater::new`.
    pub fn new(window_bits: u8, takeover: bool) -> Self {
        Self(Inflater::new(window_bits, takeover))
    }

    /// See `Inflater::push`.
    ///
    /// # Errors
    /// The name of the error.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), &'static str> {
        self.0.push(input, out, limit).map_err(name)
    }

    /// See `Inflater::finish`.
    ///
    /// # Errors
    /// The name of the error.
    pub fn finish(&mut self) -> Result<(), &'static str> {
        self.0.finish().map_err(name)
    }
}

fn name(error: InflateError) -> &'static str {
    match error {
        InflateError::TooLarge => "TooLarge",
        InflateError::Corrupt => "Corrupt",
        InflateError::Incomplete => "Incomplete",
    }
}
