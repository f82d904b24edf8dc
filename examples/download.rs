//! A file to download, of any length and in constant memory:
//! `cargo run --release --example download -- FILE`, then `curl -o copy http://127.0.0.1:8080`
//!
//! On Linux the bytes go from the kernel's memory to the socket; this program never sees them. `HEAD`
//! tells the length and reads nothing. A server of whole directories, with ranges and conditional
//! requests, is `sinew` itself.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use sinew_std::{Body, Response, Router, State, StatusCode, blocking, serve};

fn main() -> io::Result<()> {
    let Some(path) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("which file?"));
    };
    // Opening may block: a plain function, on a thread where it may.
    let app = Router::new().route("/", blocking::get(download)).with_state(PathBuf::from(path));
    let listener = std::net::TcpListener::bind("127.0.0.1:8080")?;
    println!("http://{}", listener.local_addr()?);
    serve(listener, app).run()
}

fn download(State(path): State<PathBuf>) -> Result<Response, StatusCode> {
    let open = || {
        let file = File::open(&path)?;
        // The length of what is open, whatever stands at the path by now.
        let len = file.metadata()?.len();
        io::Result::Ok(Body::from_file(file, 0..len))
    };
    let body = open().map_err(|_| StatusCode::NOT_FOUND)?;
    let mut response = Response::new(StatusCode::OK, body);
    let typed = response.headers_mut().append("content-type", "application/octet-stream");
    typed.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(response)
}
