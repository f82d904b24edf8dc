//! When messages are compressed, and the memory for it.

use alloc::vec::Vec;

use super::deflate::{Deflater, InflateError, Inflater};
use super::{DeflateParams, ProtocolError};

/// Both directions of permessage-deflate. Memory is taken when a direction is first used, and given
/// back after the message where no context is taken over.
pub(super) struct Compression {
    incoming: Terms,
    outgoing: Terms,
    level: u8,
    threshold: usize,
    inflater: Option<Inflater>,
    deflater: Option<Deflater>,
    /// What a piece has become.
    inflated: Vec<u8>,
    deflated: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Terms {
    window_bits: u8,
    takeover: bool,
}

/// A buffer that grew beyond this is not kept.
const KEEP: usize = 16 * 1024;

impl Compression {
    pub(super) fn new(terms: &DeflateParams, client: bool) -> Self {
        let server = Terms {
            window_bits: terms.server_max_window_bits(),
            takeover: !terms.server_no_context_takeover(),
        };
        let other = Terms {
            window_bits: terms.client_max_window_bits(),
            takeover: !terms.client_no_context_takeover(),
        };
        let (incoming, outgoing) = if client { (server, other) } else { (other, server) };
        Self {
            incoming,
            outgoing,
            level: terms.level(),
            threshold: terms.threshold(),
            inflater: None,
            deflater: None,
            inflated: Vec::new(),
            deflated: Vec::new(),
        }
    }

    /// Decompresses the next piece of a message, into at most `limit` bytes. Returns also what there was
    /// before an error: which error it is must not depend on the pieces, and text is judged first.
    pub(super) fn inflate(
        &mut self,
        piece: &[u8],
        last: bool,
        limit: usize,
    ) -> (&[u8], Result<(), ProtocolError>) {
        let terms = self.incoming;
        let inflater = self.inflater.get_or_insert_with(|| Inflater::new(terms.window_bits, terms.takeover));
        self.inflated.clear();
        let mut result = inflater.push(piece, &mut self.inflated, limit);
        if last && result.is_ok() {
            result = inflater.finish();
        }
        (&self.inflated, result.map_err(protocol_error))
    }

    /// A message was received.
    pub(super) fn end_of_message(&mut self) {
        if !self.incoming.takeover {
            self.inflater = None;
        }
        keep_small(&mut self.inflated);
    }

    /// Nothing more is received.
    pub(super) fn stop_inflating(&mut self) {
        self.inflater = None;
        self.inflated = Vec::new();
    }

    /// The compressed message, if it is long enough to be worth it.
    pub(super) fn deflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        if payload.len() < self.threshold {
            return None;
        }
        let (terms, level) = (self.outgoing, self.level);
        let deflater =
            self.deflater.get_or_insert_with(|| Deflater::new(terms.window_bits, terms.takeover, level));
        self.deflated.clear();
        if deflater.message(payload, &mut self.deflated).is_err() {
            // A new one begins with an empty window, to which it refers.
            self.deflater = None;
            return None;
        }
        Some(&self.deflated)
    }

    /// A compressed message was written.
    pub(super) fn end_of_sent(&mut self) {
        if !self.outgoing.takeover {
            self.deflater = None;
        }
        keep_small(&mut self.deflated);
    }
}

fn keep_small(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEEP {
        *buffer = Vec::new();
    }
}

fn protocol_error(error: InflateError) -> ProtocolError {
    match error {
        InflateError::TooLarge => ProtocolError::MessageTooLarge,
        InflateError::Corrupt | InflateError::Incomplete => ProtocolError::InvalidCompression,
    }
}
