//! Server-Sent Events (HTML standard, section 9.2): encoder and decoder.
