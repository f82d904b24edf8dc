//! The syntax of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), and the terms of permessage-deflate
//! (RFC 7692 §7.1).
