//! The methods that the server of every adapter has.

/// The methods of a `Server` of an adapter: a tuple struct or one whose field `plan` is a
/// [`Plan`](crate::Plan).
#[doc(hidden)]
#[macro_export]
macro_rules! server_methods {
    () => {
        /// Listens on a TCP address: `"127.0.0.1:8080"`, `([0, 0, 0, 0], 80)`, `"localhost:0"`. `[::]` serves
        /// IPv4 as well; port 0 lets the system choose. Can be called several times; what is wrong is told
        /// when the server starts.
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

        /// Listens on the sockets that the service manager passes (systemd's `LISTEN_FDS`), and tells it when
        /// the server is ready and when it stops (`NOTIFY_SOCKET`). Without one it changes nothing, so a
        /// program can name an address as well for when it is started by hand.
        pub fn service_manager(mut self) -> Self {
            self.plan.service_manager();
            self
        }

        /// Connections that may wait to be accepted on each socket made here; 1,024 unless set. The system
        /// may allow fewer.
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

        /// Most connections at a time; 16,384 unless set. More of them [wait](Self::overload).
        pub fn max_connections(mut self, connections: usize) -> Self {
            self.plan.settings.admission.max_connections = connections;
            self
        }

        /// Most connections from one address at a time, and from one network of 64 bits with IPv6; without a
        /// limit unless set, because behind a load balancer all come from one. More of them get a 503.
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
        /// their connections are dropped.
        pub fn drain(mut self, timeout: ::std::time::Duration) -> Self {
            self.plan.settings.drain = timeout;
            self
        }

        /// When `signal` completes, no connection is accepted any more, idle ones are closed, event streams
        /// and WebSockets are ended, and requests in flight are finished.
        /// [`Shutdown::wait`]($crate::Shutdown::wait) is such a future.
        pub fn with_graceful_shutdown(
            mut self,
            signal: impl ::core::future::Future<Output = ()> + Send + 'static,
        ) -> Self {
            self.plan.until(signal);
            self
        }

        /// Shuts down gracefully at SIGINT and SIGTERM (Ctrl-C on other systems). A second one drops what is
        /// still in flight.
        pub fn shut_down_on_signals(mut self) -> Self {
            self.plan.settings.signals = true;
            self
        }

        /// Most blocking handlers at work at a time; 64 unless set.
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
