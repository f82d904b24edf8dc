//! The driver of a connection to a server, for a WebSocket.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use sinew_app::Upgraded;
use sinew_app::websocket::{ConnectError, WebSocketClient, WebSocketConnect};
use sinew_proto::Config;

use crate::transport::Transport;
use crate::{Io, Runtime, upgraded};

/// Asks for a WebSocket over `io`, which is connected to the server: the future that drives the
/// connection until its end, to be spawned, and the one that gives the socket.
///
/// # Errors
/// [`ConnectError`] if the request cannot be sent as it is, or the system has no random bytes.
pub fn connect_websocket<I: Io, R: Runtime>(
    io: I,
    runtime: R,
    client: WebSocketClient,
) -> Result<(ClientConnection<I, R>, WebSocketConnect), ConnectError> {
    // A source that works once does not fail later.
    getrandom::fill(&mut [0; 16]).map_err(std::io::Error::from)?;
    let entropy = Box::new(|bytes: &mut [u8]| {
        let filled = getrandom::fill(bytes);
        debug_assert!(filled.is_ok());
    });
    let (protocol, socket) = client.begin(entropy)?;
    let transport = Transport::new(io);
    Ok((ClientConnection { transport, protocol, runtime }, socket))
}

/// Drives a connection to a server. It completes when the connection has ended.
#[must_use = "a connection does nothing unless it is polled"]
pub struct ClientConnection<I, R: Runtime> {
    transport: Transport<I, R>,
    protocol: Box<dyn Upgraded>,
    runtime: R,
}

impl<I: Io, R: Runtime> Future for ClientConnection<I, R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let protocol = &mut *this.protocol;
        if this.transport.is_connected() {
            ready!(this.transport.turn(&Config::DEFAULT, |transport, scratch| {
                upgraded::turn(transport, protocol, &this.runtime, cx, scratch)
            }));
            this.transport.disconnect();
            protocol.disconnected();
        }
        upgraded::finish(protocol, &this.runtime, cx)
    }
}

impl<I, R: Runtime> fmt::Debug for ClientConnection<I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientConnection")
    }
}
