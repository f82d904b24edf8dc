//! What can go wrong: [`ProtocolError`] when the peer is wrong, [`SendError`] when the caller is.

use super::CloseCode;

macro_rules! protocol_errors {
    ($($(#[$doc:meta])* $name:ident $code:ident $rule:literal $text:literal)*) => {
        /// The peer broke a rule, or is gone. The connection takes no further message.
        ///
        /// The texts are static: nothing of the peer's bytes is in them.
        ///
        /// ```
        /// use sinew_proto::websocket::{CloseCode, ProtocolError};
        /// let error = ProtocolError::InvalidUtf8;
        /// assert_eq!(error.close_code(), CloseCode::INVALID_PAYLOAD);
        /// assert_eq!(error.rule(), "RFC 6455 §8.1");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        #[non_exhaustive]
        pub enum ProtocolError {
            $($(#[$doc])* #[error($text)] $name,)*
        }

        impl ProtocolError {
            /// The code of the close frame that tells the peer. [`CloseCode::ABNORMAL`], which is never
            /// sent, where there is nobody to tell.
            pub const fn close_code(&self) -> CloseCode {
                match self { $(Self::$name => CloseCode::$code,)* }
            }

            /// The rule that was broken, as the section of its standard.
            pub const fn rule(&self) -> &'static str {
                match self { $(Self::$name => $rule,)* }
            }

            /// The same sentence that `Display` writes. It fits the reason of a close frame.
            pub const fn message(&self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

protocol_errors! {
    /// A reserved bit that no agreed extension uses.
    ReservedBits PROTOCOL_ERROR "RFC 6455 §5.2" "a reserved bit is set"
    /// An opcode from 3 to 7 or from 11 to 15.
    ReservedOpcode PROTOCOL_ERROR "RFC 6455 §5.2" "the opcode is reserved"
    /// A frame to a server that is not masked.
    NotMasked PROTOCOL_ERROR "RFC 6455 §5.1" "a frame from a client is not masked"
    /// A frame to a client that is masked.
    Masked PROTOCOL_ERROR "RFC 6455 §5.1" "a frame from a server is masked"
    /// A control frame without the final bit.
    FragmentedControl PROTOCOL_ERROR "RFC 6455 §5.5" "a control frame is fragmented"
    /// A control frame of more than 125 bytes.
    ControlTooLong PROTOCOL_ERROR "RFC 6455 §5.5" "a control frame is longer than 125 bytes"
    /// A length in more bytes than it needs, or with its highest bit set.
    InvalidLength PROTOCOL_ERROR "RFC 6455 §5.2" "a length is not in its shortest form"
    /// A continuation frame with no message to go on with.
    UnexpectedContinuation PROTOCOL_ERROR "RFC 6455 §5.4" "a continuation frame continues nothing"
    /// A new message in the middle of another one.
    ExpectedContinuation PROTOCOL_ERROR "RFC 6455 §5.4" "a message begins inside of another one"
    /// A close frame whose payload is a single byte.
    InvalidClosePayload PROTOCOL_ERROR "RFC 6455 §5.5.1" "a close frame has half a code"
    /// A close code that may not be sent.
    InvalidCloseCode PROTOCOL_ERROR "RFC 6455 §7.4" "the close code is not valid"
    /// The reason of a close frame is not UTF-8.
    InvalidCloseReason INVALID_PAYLOAD "RFC 6455 §5.5.1" "the reason of a close frame is not UTF-8"
    /// A text message that is not UTF-8. Found at the first bad byte that has arrived.
    InvalidUtf8 INVALID_PAYLOAD "RFC 6455 §8.1" "a text message is not UTF-8"
    /// A compressed message that cannot be decompressed.
    InvalidCompression INVALID_PAYLOAD "RFC 7692 §7.2.2" "a message cannot be decompressed"
    /// A message larger than [`Config::max_message_bytes`](super::Config::max_message_bytes).
    MessageTooLarge TOO_LARGE "RFC 6455 §10.4" "the message is too large"
    /// A frame larger than [`Config::max_frame_bytes`](super::Config::max_frame_bytes).
    FrameTooLarge TOO_LARGE "RFC 6455 §10.4" "the frame is too large"
    /// A message in more frames than [`Config::max_fragments`](super::Config::max_fragments).
    TooManyFragments POLICY_VIOLATION "RFC 6455 §10.4" "the message has too many fragments"
    /// Nothing came after a ping.
    PongTimeout ABNORMAL "RFC 6455 §5.5.2" "the peer does not answer"
    /// The peer took no byte for too long.
    WriteTimeout ABNORMAL "RFC 6455 §7.1.7" "the peer does not read"
    /// The stream ended without a close frame.
    UnexpectedEnd ABNORMAL "RFC 6455 §7.1.5" "the connection ended without a close frame"
}

/// The caller asked for what cannot be sent. Nothing was written and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A close frame was sent, or the connection is over.
    #[error("the connection is closing")]
    Closed,
    /// The payload of a control frame is longer than 125 bytes, the reason of a close frame than 123.
    #[error("the payload of a control frame is too long")]
    ControlTooLong,
    /// A close code that may not be sent: see [`CloseCode::is_sendable`].
    #[error("the close code may not be sent")]
    InvalidCloseCode,
    /// A fragment of 2^63 bytes or more, a length that no frame can have.
    #[error("the frame is too long")]
    FrameTooLong,
    /// A message that is sent in fragments is not complete.
    #[error("another message is not complete")]
    MessageIncomplete,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_fits_a_close_frame_and_every_code_can_be_sent_or_is_1006() {
        for error in ProtocolError::ALL {
            assert!(error.message().len() <= 123);
            assert!(error.close_code().is_sendable() || error.close_code() == CloseCode::ABNORMAL);
        }
    }
}
