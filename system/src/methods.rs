//! The methods that the server of every adapter has.

/// The methods of a `Server` of an adapter: a tuple struct or one whose field `plan` is a
/// [`Plan`](crate::Plan).
#[doc(hidden)]
#[macro_export]
macro_rules! server_methods {
    () => {
        /// Listens on a TCP address: `"127.0.0.1:8080"`, `([0, 0, 0, 0], 80)`, `"localhost:0"`. `[::]` serves
        /// IPv4 as well. Of a name with several addresses the first one is taken that can be had.
        ///
        /// Port 0 lets the system choose;
        /// [`ServerHandle::local_addrs`]($crate::ServerHandle::local_addrs) tells. A port that somebody listens
        /// on is an error, another server of the same user included. To be called once for each address; what is
        /// wrong is told when the server starts.
        pub fn bind(mut self, address: impl ::std::net::ToSocketAddrs) -> Self {
            self.plan.bind(address);
            self
        }

        /// Listens on a Unix socket, whose file is made with the permissions [`unix_mode`](Self::unix_mode)
        /// says. A file that a dead server left is replaced, that of a living one is not. It is removed when
        /// the server ends.
        #[cfg(unix)]
        pub fn bind_unix(mut self, path: impl Into<::std::path::PathBuf>) -> Self {
            self.plan.bind_unix(path.into());
            self
        }

        /// The permissions of the files of Unix sockets, such as `0o660`; the umask decides unless set.
        #[cfg(unix)]
        pub fn unix_mode(mut self, mode: u32) -> Self {
            self.plan.settings.listen.unix_mode = Some(mode);
            self
        }

        /// Listens on a socket that was made elsewhere: of the standard library, or a
        /// [`ListenSocket`]($crate::ListenSocket).
        pub fn listen(mut self, socket: impl $crate::IntoListenSocket) -> Self {
            self.plan.listener(socket.into_listen_socket());
            self
        }

        /// Listens on the sockets that the service manager passes (systemd's `LISTEN_FDS`), next to what else
        /// the server is told to, and tells it when the server is ready and when it stops (`NOTIFY_SOCKET`).
        ///
        /// Without a service manager it changes nothing. A program that is also started by hand then needs an
        /// address; it must be another one than the manager listens on, or be named only if `LISTEN_FDS` is not
        /// set.
        pub fn service_manager(mut self) -> Self {
            self.plan.service_manager();
            self
        }

        /// Connections that may wait to be accepted on each socket made here, not on those of
        /// [`listen`](Self::listen); 1,024 unless set. The system may allow fewer: `net.core.somaxconn` on Linux.
        pub fn backlog(mut self, connections: u32) -> Self {
            self.plan.settings.listen.backlog = connections;
            self
        }

        /// Whether small answers are sent at once (`TCP_NODELAY`); they are unless set.
        pub fn nodelay(mut self, nodelay: bool) -> Self {
            self.plan.settings.nodelay = nodelay;
            self
        }

        /// Everything about connections at once, instead of [`timeouts`](Self::timeouts) and
        /// [`limits`](Self::limits).
        pub fn config(mut self, config: $crate::ConnectionConfig) -> Self {
            self.plan.settings.config = config;
            self
        }

        /// How long clients may take. All of them are on unless set to zero.
        pub fn timeouts(mut self, timeouts: $crate::Timeouts) -> Self {
            timeouts.set(&mut self.plan.settings.config);
            self
        }

        /// How much clients may send.
        pub fn limits(mut self, limits: $crate::Limits) -> Self {
            limits.set(&mut self.plan.settings.config);
            self
        }

        /// Most connections at a time, of all sockets and workers together; 16,384 unless set. WebSockets
        /// count until they end. More of them [wait](Self::overload). Each takes a descriptor: see
        /// [`raise_descriptor_limit`]($crate::raise_descriptor_limit).
        pub fn max_connections(mut self, connections: usize) -> Self {
            self.plan.settings.admission.max_connections = connections.max(1);
            self
        }

        /// Most connections from one address at a time, and from one network of 64 bits with IPv6; without a
        /// limit unless set, because behind a load balancer all come from one. More of them get a 503.
        /// Connections to a Unix socket have no address, and no such limit.
        pub fn max_connections_per_address(mut self, connections: usize) -> Self {
            self.plan.settings.admission.max_per_address = connections;
            self
        }

        /// What becomes of connections over [`max_connections`](Self::max_connections): they wait unless set.
        pub fn overload(mut self, overload: $crate::Overload) -> Self {
            self.plan.settings.admission.overload = overload;
            self
        }

        /// How long requests in flight may take after the signal to shut down; 30 s unless set. After it
        /// their connections are dropped, and the server ends, even if a handler blocks its thread for ever:
        /// that thread is left behind, within about two seconds.
        pub fn drain(mut self, timeout: ::std::time::Duration) -> Self {
            self.plan.settings.drain = timeout;
            self
        }

        /// When `signal` completes, no connection is accepted any more, idle ones are closed, event streams
        /// and WebSockets are ended, and requests in flight are finished, those included that were sent before.
        ///
        /// Any future will do, such as [`Shutdown::wait`]($crate::Shutdown::wait); called again, the last one
        /// counts. [`ServerHandle::shut_down`]($crate::ServerHandle::shut_down) and
        /// [`shut_down_on_signals`](Self::shut_down_on_signals) work next to it. If it panics, everything is
        /// dropped, and the server ends with an error.
        pub fn with_graceful_shutdown(
            mut self,
            signal: impl ::core::future::Future<Output = ()> + Send + 'static,
        ) -> Self {
            self.plan.until(signal);
            self
        }

        /// Shuts down gracefully at SIGINT and SIGTERM (Ctrl-C on other systems). A second one drops what is
        /// still in flight.
        ///
        /// From the start on these signals do not end the process by themselves any more, not even when the
        /// server has ended: the program has to. See [`signals`]($crate::signals).
        pub fn shut_down_on_signals(mut self) -> Self {
            self.plan.settings.signals = true;
            self
        }

        /// Most blocking handlers at work at a time, of all workers together; 64 unless set, at least one.
        /// On smol their threads come from a pool of the process, which has 500.
        pub fn blocking_threads(mut self, threads: usize) -> Self {
            self.plan.settings.blocking_threads = threads;
            self
        }

        /// Most blocking handlers that may wait for a thread; 1,024 unless set. One more gets a 503.
        pub fn blocking_queue(mut self, jobs: usize) -> Self {
            self.plan.settings.blocking_queue = jobs;
            self
        }
    };
}
