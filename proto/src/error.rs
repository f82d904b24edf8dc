//! What can go wrong: [`RecvError`] when the peer is wrong, [`SendError`] when the caller is.

/// An enum of rules that a peer can break: each with the status to answer with, the section of its
/// standard, and a sentence.
macro_rules! peer_errors {
    (
        $(#[$attribute:meta])* $enum:ident:
        $($(#[$doc:meta])* $name:ident $status:ident $rule:literal $text:literal)*
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        #[non_exhaustive]
        pub enum $enum {
            $($(#[$doc])* #[error($text)] $name,)*
        }

        impl $enum {
            /// The status to answer with.
            pub const fn status(&self) -> $crate::StatusCode {
                match self { $(Self::$name => $crate::StatusCode::$status,)* }
            }

            /// The rule that was broken, as the section of its standard.
            pub const fn rule(&self) -> &'static str {
                match self { $(Self::$name => $rule,)* }
            }

            /// The same sentence that `Display` writes.
            pub const fn message(&self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}
#[cfg(feature = "websocket")]
pub(crate) use peer_errors;

peer_errors! {
    /// The peer broke a rule. The connection takes no further message.
    ///
    /// Every error has the status to answer with and the rule it broke. A client has nobody to
    /// answer; a gateway passes its errors on as 502 or 504 (RFC 9110 §15.6). The texts are static:
    /// nothing of the peer's bytes is in them.
    ///
    /// ```
    /// use sinew_proto::{RecvError, StatusCode};
    /// let error = RecvError::MissingHost;
    /// assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    /// assert_eq!(error.rule(), "RFC 9112 §3.2");
    /// ```
    RecvError:
    /// The method is not a token, or longer than 32 bytes.
    InvalidMethod BAD_REQUEST "RFC 9112 §3.1" "the method is not a token"
    /// The target has a forbidden byte or a form that the method does not allow.
    InvalidTarget BAD_REQUEST "RFC 9112 §3.2" "the request target is not valid"
    /// The target is longer than allowed.
    TargetTooLong URI_TOO_LONG "RFC 9112 §3" "the request target is too long"
    /// The request line does not end in `HTTP/` and two digits with a dot between.
    InvalidVersion BAD_REQUEST "RFC 9112 §2.3" "the protocol version is not valid"
    /// A response does not begin with `HTTP/`, a version, a blank, a status code from 100 to 599 and
    /// another blank, or its reason phrase has a control character.
    InvalidStatusLine BAD_GATEWAY "RFC 9112 §4" "the status line is not valid"
    /// A version other than 1.0 and 1.1.
    UnsupportedVersion HTTP_VERSION_NOT_SUPPORTED "RFC 9110 §15.6.6" "only HTTP/1.1 and HTTP/1.0 are spoken here"
    /// The peer opened the connection with the preface of HTTP/2. A driver that speaks it can
    /// switch: no byte was consumed.
    Http2Preface HTTP_VERSION_NOT_SUPPORTED "RFC 9113 §3.4" "this is the preface of HTTP/2"
    /// A line of the head or of the trailers ends in LF without CR.
    BareLf BAD_REQUEST "RFC 9112 §2.2" "a line does not end in CRLF"
    /// A line begins with a blank: obsolete line folding, or blanks before the first field.
    LeadingWhitespace BAD_REQUEST "RFC 9112 §5.2" "a field line begins with white space"
    /// A field name is empty or not a token, or the colon is missing.
    InvalidFieldName BAD_REQUEST "RFC 9112 §5" "a field name is not a token"
    /// A blank stands between a field name and the colon.
    WhitespaceBeforeColon BAD_REQUEST "RFC 9112 §5.1" "white space stands before the colon of a field"
    /// A field value has a control byte: CR, NUL or another.
    InvalidFieldValue BAD_REQUEST "RFC 9110 §5.5" "a field value has a control character"
    /// The head is larger than allowed.
    HeadTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "RFC 6585 §5" "the head is too large"
    /// The head has more fields than allowed.
    TooManyFields REQUEST_HEADER_FIELDS_TOO_LARGE "RFC 6585 §5" "there are too many fields"
    /// An HTTP/1.1 request without `Host`.
    MissingHost BAD_REQUEST "RFC 9112 §3.2" "the Host field is missing"
    /// More than one `Host`.
    DuplicateHost BAD_REQUEST "RFC 9112 §3.2" "there is more than one Host field"
    /// A `Host` that is no host with an optional port, or differs from an absolute target.
    InvalidHost BAD_REQUEST "RFC 9112 §3.2" "the Host field is not valid"
    /// A `Content-Length` that is not one number of decimal digits below 2^64.
    InvalidContentLength BAD_REQUEST "RFC 9110 §8.6" "the Content-Length is not one decimal number"
    /// More than one `Content-Length`, even with the same value.
    DuplicateContentLength BAD_REQUEST "RFC 9112 §6.3" "there is more than one Content-Length"
    /// `Content-Length` next to `Transfer-Encoding`.
    AmbiguousLength BAD_REQUEST "RFC 9112 §6.3" "Content-Length and Transfer-Encoding stand together"
    /// A `Transfer-Encoding` whose last and only `chunked` is not in the end.
    InvalidTransferEncoding BAD_REQUEST "RFC 9112 §6.3" "the Transfer-Encoding does not end in one chunked"
    /// A coding other than `chunked` before the final `chunked`.
    UnknownTransferCoding NOT_IMPLEMENTED "RFC 9112 §6.1" "the transfer coding is not known here"
    /// `Transfer-Encoding` in an HTTP/1.0 message.
    TransferEncodingInHttp10 BAD_REQUEST "RFC 9112 §6.1" "HTTP/1.0 has no Transfer-Encoding"
    /// A 1xx or 204 response that announces a body.
    UnexpectedContent BAD_GATEWAY "RFC 9110 §8.6" "a response that has no content announces some"
    /// Bytes from a server that no request asked for: they would be taken for the response to the
    /// next one.
    UnsolicitedResponse BAD_GATEWAY "RFC 9112 §9.2" "the server sent what nobody asked for"
    /// More interim responses to one request than allowed.
    TooManyInterimResponses BAD_GATEWAY "RFC 9110 §15.2" "there are too many interim responses"
    /// `101 Switching Protocols` to a protocol that was not offered, or at a time when it must not
    /// come.
    UpgradeNotOffered BAD_GATEWAY "RFC 9110 §7.8" "the server switches to a protocol that was not offered"
    /// The server ended its side before the final response began. A request that may be repeated
    /// may be sent again on another connection (RFC 9112 §9.3.1).
    NoResponse BAD_GATEWAY "RFC 9112 §9.3.1" "the connection ended before the response"
    /// An expectation other than `100-continue`.
    UnknownExpectation EXPECTATION_FAILED "RFC 9110 §10.1.1" "the expectation is not known here"
    /// A chunk size that is not 1 to 16 hexadecimal digits.
    InvalidChunkSize BAD_REQUEST "RFC 9112 §7.1" "a chunk size is not a hexadecimal number"
    /// A chunk extension with a control byte, or a chunk line not ended by CRLF.
    InvalidChunkLine BAD_REQUEST "RFC 9112 §7.1" "a chunk line is not valid"
    /// Chunk data not followed by CRLF.
    InvalidChunkEnd BAD_REQUEST "RFC 9112 §7.1" "chunk data does not end in CRLF"
    /// More chunk extensions than allowed.
    ChunkExtensionsTooLarge BAD_REQUEST "RFC 9112 §7.1.1" "there are too many bytes of chunk extensions"
    /// More bytes of trailers than allowed.
    TrailersTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "RFC 6585 §5" "the trailer section is too large"
    /// The peer ended its side in the middle of a message.
    UnexpectedEnd BAD_REQUEST "RFC 9112 §8" "the connection ended inside a message"
    /// The head did not arrive in time.
    HeadTimeout REQUEST_TIMEOUT "RFC 9110 §15.5.9" "the head did not arrive in time"
    /// The body came in too slowly.
    BodyTimeout REQUEST_TIMEOUT "RFC 9110 §15.5.9" "the body arrived too slowly"
    /// The server did not begin its response in time.
    ResponseTimeout GATEWAY_TIMEOUT "RFC 9110 §15.6.5" "the response did not begin in time"
    /// The peer took no output for too long. No answer can reach it.
    WriteTimeout REQUEST_TIMEOUT "RFC 9112 §9.5" "the peer stopped reading"
}

/// The caller asked for something that the protocol or the state of the connection forbids.
/// Nothing was written and no state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No request waits for a response: none was read yet, or its response was begun.
    #[error("no request waits for a response")]
    NoRequest,
    /// A request cannot be sent now: the one before is not complete, may not be followed before its
    /// response, or as many responses are awaited as may be.
    #[error("the request before has to be answered first")]
    NotReady,
    /// No request can be sent any more on this connection.
    #[error("the connection takes no more requests")]
    Closed,
    /// The method is not a token of at most 32 bytes (RFC 9110 §9.1).
    #[error("a method is a token")]
    InvalidMethod,
    /// The target has a forbidden byte, or a form that the method does not have (RFC 9112 §3.2).
    #[error("the request target is not valid for this method")]
    InvalidTarget,
    /// Not exactly one valid `Host`, or one that differs from an absolute target (RFC 9112 §3.2).
    #[error("a request has one valid Host field")]
    InvalidHost,
    /// `Expect` with another value than `100-continue`, or without a body (RFC 9110 §10.1.1).
    #[error("an expectation is 100-continue and stands before a body")]
    InvalidExpectation,
    /// A 1xx status given to `respond`, or another one to `inform`.
    #[error("an interim response is not a final one")]
    WrongStatusClass,
    /// An interim response to a client of HTTP/1.0 (RFC 9110 §15.2).
    #[error("HTTP/1.0 knows no interim responses")]
    InterimToHttp10,
    /// Content with a status that has none: 204, 205 or 304; or with CONNECT or TRACE.
    #[error("this message has no content")]
    ContentForbidden,
    /// `Transfer-Encoding` is written by the core alone.
    #[error("the transfer encoding is not the application's to set")]
    TransferEncodingSet,
    /// The application's `Content-Length` does not match the body it announced.
    #[error("the Content-Length field does not match the body")]
    ContentLengthMismatch,
    /// A body piece while no body is being sent.
    #[error("no body is being sent")]
    NoBody,
    /// More bytes than the announced length.
    #[error("the body is longer than announced")]
    BodyTooLong,
    /// The body ended before the announced length.
    #[error("the body is shorter than announced")]
    BodyTooShort,
    /// Trailers with a body that is not chunked.
    #[error("only a chunked body has trailers")]
    TrailersForbidden,
    /// A trailer that names framing, routing or authentication (RFC 9110 §6.5.1).
    #[error("this field may not stand in trailers")]
    ForbiddenTrailer,
    /// A body of unknown length to a server that speaks HTTP/1.0 (RFC 9112 §6.1).
    #[error("HTTP/1.0 knows no chunked bodies")]
    ChunkedToHttp10,
    /// A switch of protocols that the client did not offer, or with its body unread; or
    /// `BodyPlan::Upgrade` with a request, which offers by its `Upgrade` field.
    #[error("the client did not offer this upgrade")]
    UpgradeNotOffered,
}

/// A field that cannot be written without changing the message around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FieldError {
    /// The name is empty or has a byte that is no token character (RFC 9110 §5.6.2).
    #[error("a field name is a token")]
    InvalidName,
    /// The value has a control character, CR, LF or NUL among them (RFC 9110 §5.5).
    #[error("a field value has no control characters")]
    InvalidValue,
}
