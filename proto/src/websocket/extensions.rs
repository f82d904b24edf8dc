//! The syntax of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), and the terms of permessage-deflate
//! (RFC 7692 §7.1).

/// To come.
#[derive(Clone, Copy, Debug)]
pub struct DeflateParams {
    pub(super) server_max_window_bits: u8,
    pub(super) client_max_window_bits: u8,
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) level: u8,
    pub(super) threshold: usize,
}
