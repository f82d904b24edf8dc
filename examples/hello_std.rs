//! The application of `app/mod.rs` on plain threads: `cargo run --release --example hello_std`

mod app;

fn main() -> std::io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:8080")?;
    println!("http://{}", listener.local_addr()?);
    sinew_std::serve(listener, app::app()).run()
}
