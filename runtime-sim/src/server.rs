//! Serving an application on the virtual network, and ending.

use core::net::SocketAddr;
use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sinew_app::Service;
use sinew_runtime::{ConnectionConfig, Serving, Shutdown};

use crate::task::Label;
use crate::{Sim, SimRuntime, SimStream};

/// A server in a simulation. A clone is the same one.
#[derive(Clone)]
pub struct SimServer {
    sim: Sim,
    shutdown: Shutdown,
    accepted: Rc<Cell<usize>>,
    accept: Rc<dyn Fn(SimStream) -> Pin<Box<dyn Future<Output = ()>>>>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything in flight was finished in time.
    Drained,
    /// So many connections were dropped after the drain timeout.
    Aborted(usize),
}

impl Sim {
    /// Serves `app` on the connections that [`connect`](Self::connect) makes to it.
    pub fn serve(&self, app: impl Service, config: ConnectionConfig) -> SimServer {
        let shutdown = Shutdown::new();
        let serving = Serving::new(self.runtime(), app, config, shutdown.clone());
        let accept = move |stream| accept(&serving, stream);
        SimServer { sim: self.clone(), shutdown, accepted: Rc::default(), accept: Rc::new(accept) }
    }

    /// Connects to a server. It begins to read after a delay of the network; what is written before that
    /// is not lost. If the server has ended, or drains, reading and writing fail.
    pub fn connect(&self, server: &SimServer) -> SimStream {
        let (client, end) = self.pair();
        if server.shutdown.is_triggered() {
            end.reset();
        } else {
            server.accepted.set(server.accepted.get() + 1);
            let label = Label::Connection(end.number());
            // It counts as live from now on.
            let connection = (server.accept)(end);
            let arrives = self.sleep(self.delay());
            self.spawn_as(
                label,
                Box::pin(async move {
                    arrives.await;
                    connection.await;
                }),
            );
        }
        client
    }
}

/// The client's address is one of a network for documentation, with the connection's number as its port.
fn accept<S: Service>(
    serving: &Arc<Serving<SimRuntime, S>>,
    stream: SimStream,
) -> Pin<Box<dyn Future<Output = ()>>> {
    let port = u16::try_from(stream.number() % 65_536).unwrap_or(0);
    Box::pin(serving.connection(stream, Some(SocketAddr::from(([192, 0, 2, 1], port)))))
}

impl SimServer {
    /// How many connections it has.
    pub fn live(&self) -> usize {
        self.shutdown.live()
    }

    /// How many connections it has had.
    pub fn accepted(&self) -> usize {
        self.accepted.get()
    }

    /// The signal that drains it. Given alone, connections have all the time they need.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Shuts down: no connection is accepted any more, idle ones are closed, requests in flight are
    /// finished. After `drain_timeout` their connections are dropped.
    pub async fn shut_down(&self, drain_timeout: Duration) -> Ended {
        self.shutdown.trigger();
        if self.sim.timeout(drain_timeout, self.shutdown.drained()).await.is_some() {
            return Ended::Drained;
        }
        let left = self.live();
        self.shutdown.abort();
        self.shutdown.drained().await;
        Ended::Aborted(left)
    }
}

impl fmt::Debug for SimServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimServer").field("accepted", &self.accepted()).field("live", &self.live()).finish()
    }
}
