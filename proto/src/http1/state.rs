//! The two halves of a connection as state machines: what is received and what is sent.
//!
//! Every transition stands in one of the two tables below; a pair that is not in a table is not
//! possible, and the half stays as it is. The halves run side by side: a response may begin, and
//! even end, while the body of its request still arrives (RFC 9112 §9.3).

/// The receiving half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receive {
    /// Between messages, or inside a head.
    Head,
    /// Inside a body or its trailers; also where there is no body, until that was said.
    Body,
    /// The request is complete and its response is not.
    Ended,
    /// The bytes are another protocol's.
    Upgraded,
    /// No byte will be read as HTTP any more.
    Closed,
}

/// What the receiving half goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A whole head.
    Head,
    /// The end of the body.
    End,
    /// Both halves are done with the exchange and the connection persists.
    Next,
    /// The response switched protocols.
    Upgrade,
    /// An error, the end of the input, a deadline, or an exchange that was the last one.
    Close,
}

impl Receive {
    pub(crate) const fn on(self, what: Received) -> Self {
        match (self, what) {
            (Self::Head, Received::Head) => Self::Body,
            (Self::Body, Received::End) => Self::Ended,
            (Self::Ended, Received::Next) => Self::Head,
            (Self::Ended, Received::Upgrade) => Self::Upgraded,
            (Self::Head | Self::Body | Self::Ended, Received::Close) => Self::Closed,
            _ => self,
        }
    }
}

/// The sending half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Send {
    /// There is no request to answer.
    Idle,
    /// A request waits for the head of its response.
    Pending,
    /// The head is out, the body is not.
    Body,
    /// The response is complete.
    Complete,
    /// What is sent is another protocol's.
    Upgraded,
    /// Nothing more can be sent.
    Closed,
}

/// What the sending half goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// A request was received.
    Request,
    /// The head of a response with a body.
    Head,
    /// The end of the body, or a head without one.
    End,
    /// Both halves are done with the exchange and the connection persists.
    Next,
    /// A head that switched protocols.
    Upgrade,
    /// An error, or an exchange that was the last one.
    Close,
}

impl Send {
    pub(crate) const fn on(self, what: Sent) -> Self {
        match (self, what) {
            (Self::Idle, Sent::Request) => Self::Pending,
            (Self::Pending, Sent::Head) => Self::Body,
            (Self::Pending | Self::Body, Sent::End) => Self::Complete,
            (Self::Complete, Sent::Next) => Self::Idle,
            (Self::Pending, Sent::Upgrade) => Self::Upgraded,
            (Self::Idle | Self::Pending | Self::Body | Self::Complete, Sent::Close) => Self::Closed,
            _ => self,
        }
    }
}
