//! The two halves of a connection as state machines: what is received and what is sent.
//!
//! Every transition stands in one of the two tables below; a pair that is not in a table is not
//! possible, and the half stays as it is. Both roles use both tables: a server is led by what it
//! receives, a client by what it sends. The halves run side by side: a response may begin, and even
//! end, while the body of its request is still on its way (RFC 9112 §9.3).
//!
//! `docs/http1.md` shows the tables as diagrams. It is made from them, and a test compares.

/// Builds the states, the causes and the transitions of one half from its table. The two texts of a
/// row say what the cause is for a server and for a client; `-` if it does not happen there.
macro_rules! half {
    (
        $(#[$half_doc:meta])* $Half:ident { $($(#[doc = $state_doc:literal])+ $state:ident,)+ }
        $(#[$cause_doc:meta])* $Cause:ident { $($(#[doc = $about:literal])+ $cause:ident,)+ }
        $($($from:ident)|+ , $on:ident => $to:ident, server: $server:literal, client: $client:literal;)+
    ) => {
        $(#[$half_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $Half { $($(#[doc = $state_doc])+ $state,)+ }

        $(#[$cause_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $Cause { $($(#[doc = $about])+ $cause,)+ }

        impl $Half {
            pub(crate) const fn on(self, cause: $Cause) -> Self {
                match (self, cause) {
                    $(($(Self::$from)|+, $Cause::$on) => Self::$to,)+
                    _ => self,
                }
            }
        }

        #[cfg(test)]
        impl $Half {
            const STATES: &[(&str, &str)] = &[$((stringify!($state), concat!($($state_doc),+)),)+];
            const ROWS: &[Row] = &[$(Row {
                from: &[$(stringify!($from)),+],
                on: stringify!($on),
                to: stringify!($to),
                server: $server,
                client: $client,
            },)+];
        }
    };
}

half! {
    /// The receiving half. A server starts in `Head`, a client in `Ended`.
    Receive {
        /// A head may come, or has begun to.
        Head,
        /// Inside a body or its trailers; also where there is no body, until that was said.
        Body,
        /// The message is complete, and the next one may not come yet.
        Ended,
        /// The bytes are another protocol's.
        Upgraded,
        /// No byte will be read as HTTP any more.
        Closed,
    }
    /// What the receiving half goes by.
    Received {
        /// A whole head; not that of an interim response.
        Head,
        /// The end of the body.
        End,
        /// The next message may come.
        Next,
        /// The connection left HTTP.
        Upgrade,
        /// No more messages.
        Close,
    }
    Head, Head => Body, server: "a request", client: "a final response";
    Body, End => Ended, server: "the end of the request", client: "the end of the response";
    Ended, Next => Head, server: "its response is complete, the connection persists", client: "a request has no response yet";
    Ended, Upgrade => Upgraded, server: "the response switched protocols", client: "-";
    Body, Upgrade => Upgraded, server: "-", client: "an upgrade that was offered, or a tunnel";
    Head | Body | Ended, Close => Closed, server: "an error, the end of the input, a deadline, the last response", client: "an error, the end of the input, a deadline, the last response";
}

half! {
    /// The sending half. A server starts in `Idle`, a client in `Head`.
    Send {
        /// There is nothing to send.
        Idle,
        /// A head may be sent.
        Head,
        /// The head is out, the body is not.
        Body,
        /// The message is complete, and the next one may not follow yet.
        Complete,
        /// What is sent is another protocol's.
        Upgraded,
        /// Nothing more can be sent.
        Closed,
    }
    /// What the sending half goes by.
    Sent {
        /// There is something to send a head for.
        Begin,
        /// A head that a body follows.
        Head,
        /// The end of the body, or a head without one.
        End,
        /// The next message may follow.
        Next,
        /// The connection left HTTP.
        Upgrade,
        /// No more messages.
        Close,
    }
    Idle, Begin => Head, server: "a request was received", client: "at once";
    Head, Head => Body, server: "the head of a response with a body", client: "the head of a request with a body";
    Head | Body, End => Complete, server: "the end of the response", client: "the end of the request";
    Complete, Next => Idle, server: "the request is complete too, the connection persists", client: "the request may be followed before its response, or the response is complete";
    Head, Upgrade => Upgraded, server: "a head that switches protocols", client: "-";
    Complete, Upgrade => Upgraded, server: "-", client: "an upgrade that was offered, or a tunnel";
    Idle | Head | Body | Complete, Close => Closed, server: "an error, or the last response", client: "an error, or the last response";
}

/// What to do with the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseAction {
    /// Keep it open.
    None,
    /// Send what is still to be sent, then close.
    AfterFlush,
    /// Send what is still to be sent, shut down the sending side, go on reading and giving the
    /// input to `poll` (which throws it away) until this becomes `AfterFlush`: at the end of the
    /// input, or when the linger deadline passes (RFC 9112 §9.6). Only a server lingers.
    Linger,
    /// Close at once; what was not sent is lost. With a reset, where the transport has one: a body
    /// that ends with the connection would else look complete.
    Abort,
}

#[cfg(test)]
struct Row {
    from: &'static [&'static str],
    on: &'static str,
    to: &'static str,
    server: &'static str,
    client: &'static str,
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
