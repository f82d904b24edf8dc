//! The application of `app/mod.rs` on smol: `cargo run --release --example hello_smol`

mod app;

fn main() -> std::io::Result<()> {
    println!("http://127.0.0.1:8080");
    smol::block_on(async {
        sinew_smol::Server::new(app::app()).bind("127.0.0.1:8080").shut_down_on_signals().await
    })
}
