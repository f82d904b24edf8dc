//! The service that the runtimes call: a look at the host, the files, a line in the log.

use std::sync::Arc;
use std::time::Instant;

use sinew_app::{Method, Request, Response, ResponseFuture, Service, StatusCode};
use sinew_runtime::{ConnectionConfig, Rejected};

use crate::files::Files;
use crate::hosts::Hosts;
use crate::log::{Log, RequestLine};
use crate::reply;

/// Serves files and logs requests.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: Arc<Files>,
    hosts: Hosts,
    log: Log,
}

impl App {
    /// Serves `files` to those who use one of `hosts`.
    pub(crate) fn new(files: Arc<Files>, hosts: Hosts, log: Log) -> Self {
        Self(Arc::new(Inner { files, hosts, log }))
    }

    /// The settings of connections: the defaults, and a line for requests that never get here.
    pub(crate) fn connection_config(&self) -> ConnectionConfig {
        let log = self.0.log.clone();
        ConnectionConfig {
            on_rejected: Some(Arc::new(move |rejected: &Rejected| log_rejected(&log, rejected))),
            ..ConnectionConfig::default()
        }
    }
}

impl Inner {
    async fn respond(&self, request: Request) -> Response {
        // A Unix socket has no peer; no page of a browser gets there.
        if request.peer().is_some() && !self.hosts.allows(request.field("host")) {
            return reply::sentence(
                StatusCode::MISDIRECTED_REQUEST,
                "this server answers only to local names; start it with --allow-host NAME to add one",
            );
        }
        self.files.clone().respond(request).await
    }
}

impl Service for App {
    fn call(&self, request: Request) -> ResponseFuture {
        let inner = self.0.clone();
        ResponseFuture::new(async move {
            if !inner.log.wants_requests() {
                return inner.respond(request).await;
            }
            let start = Instant::now();
            let client = request.peer().map(|peer| peer.to_string()).unwrap_or_default();
            let (method, target) = (request.method().clone(), request.target().to_owned());
            let response = inner.respond(request).await;
            let has_body = method != Method::Head && !response.status().forbids_content();
            inner.log.request(&RequestLine {
                client: &client,
                method: method.as_str(),
                target: &target,
                status: Some(response.status().as_u16()),
                bytes: response.body().exact_len().filter(|_| has_body),
                took: Some(start.elapsed()),
                reason: "",
            });
            response
        })
    }
}

fn log_rejected(log: &Log, rejected: &Rejected) {
    let client = rejected.peer.map(|peer| peer.to_string()).unwrap_or_default();
    let reason = format!("{} ({})", rejected.error.message(), rejected.error.rule());
    let status = rejected.answered.then(|| rejected.error.status().as_u16());
    log.request(&RequestLine { client: &client, status, reason: &reason, ..RequestLine::default() });
}

#[cfg(test)]
mod tests {
    use sinew_system::Address;

    use super::*;
    use crate::root::Root;

    #[test]
    fn a_strange_host_is_told_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(Root::open(dir.path()).unwrap(), Log::off());
        let address = Address::Tcp("127.0.0.1:80".parse().unwrap());
        let hosts = Hosts::for_addresses(&[address], &["good.example".to_owned()]);
        let peer = "127.0.0.1:5000".parse().unwrap();
        let app = App::new(files, hosts, Log::off());
        for (peer, host, expected) in [
            (Some(peer), "evil.example", 421),
            (Some(peer), "good.example", 200),
            (Some(peer), "localhost:8080", 200),
            (None, "evil.example", 200),
        ] {
            let request = Request::build("GET", "/", [("host", host)], ()).unwrap().with_peer(peer);
            let response = smol::block_on(app.call(request));
            assert_eq!(response.status().as_u16(), expected, "{host}");
            if expected == 421 {
                let body = response.into_parts().2.into_full().unwrap();
                assert!(String::from_utf8_lossy(&body).contains("--allow-host"));
            }
        }
    }
}
