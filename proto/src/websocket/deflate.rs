//! Compression of messages: DEFLATE with the framing of RFC 7692 §7.2.
