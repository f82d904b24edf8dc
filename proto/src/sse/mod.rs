//! Server-Sent Events (HTML standard, section 9.2): encoder and decoder.
//!
//! [`Event`] writes what a server sends, [`Decoder`] reads what a client receives. Both work on the
//! body of a response of the type [`MEDIA_TYPE`]; how it is framed is HTTP's business.
//!
//! ```
//! use sinew_proto::sse::{Decoder, Event, Limits};
//!
//! let mut body = Vec::new();
//! Event::new().event("tick")?.id("7")?.data("one\ntwo").write(&mut body);
//! assert_eq!(body, b"event: tick\nid: 7\ndata: one\ndata: two\n\n");
//!
//! let mut decoder = Decoder::new(&Limits::default());
//! let step = decoder.poll(&body)?;
//! let message = step.event.expect("a whole event was given");
//! assert_eq!((message.event, message.data), ("tick", "one\ntwo"));
//! assert_eq!(decoder.last_event_id(), "7");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod encode;

pub use decode::{Decoder, Kind, Limits, Message, SseError};
pub use encode::{Event, EventError, KEEP_ALIVE};

/// The media type of an event stream (HTML standard, 9.2.5). It takes no `charset`: it is always UTF-8.
pub const MEDIA_TYPE: &str = "text/event-stream";
