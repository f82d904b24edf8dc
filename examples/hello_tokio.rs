//! The application of `app/mod.rs` on tokio: `cargo run --release --example hello_tokio`

mod app;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    println!("http://127.0.0.1:8080");
    sinew_tokio::Server::new(app::app()).bind("127.0.0.1:8080").shut_down_on_signals().await
}
