//! What the servers share so that they differ in HTTP alone: the command line, the socket, the routes and what
//! is answered.
#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::{io, thread};

use serde::Serialize;
use socket2::{Domain, Protocol, Socket, Type};

/// The body of `/plaintext`, and of the routes that only fill the table.
pub const HELLO: &str = "Hello, World!";
/// One piece of the body of `/stream`.
pub static CHUNK: [u8; 1024] = [b'x'; 1024];
/// How many pieces it has.
pub const CHUNKS: usize = 64;
/// The longest body that `/echo` takes, where a server wants to know: 4 MiB.
pub const ECHO_LIMIT: usize = 4 << 20;

/// What `/json` answers: it is serialized for each response.
#[derive(Debug, Serialize)]
pub struct Message {
    /// The text
    pub message: &'static str,
}

/// The message.
pub const MESSAGE: Message = Message { message: HELLO };

/// The message as JSON, for servers that know none themselves.
pub fn json() -> Vec<u8> {
    serde_json::to_vec(&MESSAGE).unwrap_or_default()
}

/// What a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// [`HELLO`]
    Plain,
    /// [`MESSAGE`]
    Json,
    /// The placeholder `id`
    User,
    /// The body of the request
    Echo,
    /// [`CHUNKS`] times [`CHUNK`], in chunks
    Stream,
}

/// The routes that only fill the table, as `examples/bench.rs` of the main workspace has them: thirty of two
/// segments for [`Answer::Plain`], thirty of four for [`Answer::User`].
pub fn fillers() -> Vec<(String, Answer)> {
    let service = |i| {
        [
            (format!("/service{i}/status"), Answer::Plain),
            (format!("/service{i}/items/{{id}}/parts"), Answer::User),
        ]
    };
    (0..30).flat_map(service).collect()
}

/// All GET and POST routes, for servers whose router is `matchit`.
pub fn routes() -> Vec<(String, Answer)> {
    let mut routes: Vec<(String, Answer)> = [
        ("/plaintext", Answer::Plain),
        ("/json", Answer::Json),
        ("/users/{id}", Answer::User),
        ("/echo", Answer::Echo),
        ("/stream", Answer::Stream),
    ]
    .map(|(path, answer)| (path.to_owned(), answer))
    .into();
    routes.extend(fillers());
    routes
}

/// The command line: `--port N --threads N`.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// Threads that serve.
    pub threads: usize,
}

/// Reads the command line.
///
/// # Errors
/// If it is another.
pub fn options() -> io::Result<Options> {
    let mut options = Options { port: 8080, threads: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse::<u16>().ok());
        match (name.as_str(), value) {
            ("--port", Some(port)) => options.port = port,
            ("--threads", Some(threads)) => options.threads = threads.into(),
            _ => return Err(io::Error::other("arguments: --port N --threads N")),
        }
    }
    Ok(options)
}

/// A socket that listens, does not block, and shares its port with those of other threads.
///
/// # Errors
/// What the system says.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Runs `serve` on that many threads, this one among them.
///
/// # Errors
/// What `serve` says on this one.
pub fn on_threads(
    threads: usize,
    serve: impl Fn() -> io::Result<()> + Clone + Send + 'static,
) -> io::Result<()> {
    for _ in 1..threads {
        let serve = serve.clone();
        thread::spawn(move || serve().expect("a thread that serves"));
    }
    serve()
}
