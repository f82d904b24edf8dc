//! What is found in the input.

use alloc::borrow::Cow;

use super::CloseFrame;
use super::message::MessageKind;
#[cfg(doc)]
use super::{Config, Connection};

/// What was found in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A whole text message. Borrowed if it came in one frame that was given as a whole.
    Text(Cow<'b, str>),
    /// A whole binary message. Borrowed if it came in one frame that was given as a whole.
    Binary(Cow<'b, [u8]>),
    /// Part of a message, with [`Config::stream`]. Text is checked, but may be cut inside of a
    /// character.
    Piece {
        /// What the message is.
        kind: MessageKind,
        /// Its next bytes. None at all only in the last piece.
        data: Cow<'b, [u8]>,
        /// Whether the message is complete.
        last: bool,
    },
    /// The peer asks whether we are there. [`Connection::write_control`] answers.
    Ping(&'b [u8]),
    /// The peer is there.
    Pong(&'b [u8]),
    /// The peer closes; nothing comes after it. [`Connection::write_control`] answers, unless we have
    /// closed already; until then messages that came before can be answered (RFC 6455 §5.5.1).
    Close(Option<CloseFrame<'b>>),
    /// More input is needed.
    NeedInput,
    /// The connection is over. What was given is thrown away.
    Closed,
}
