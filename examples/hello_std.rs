//! The application of `app/mod.rs` on plain threads: `cargo run --release --example hello_std`

mod app;

fn main() -> std::io::Result<()> {
    println!("http://127.0.0.1:8080");
    sinew_std::Server::new(app::app()).bind("127.0.0.1:8080").shut_down_on_signals().run()
}
