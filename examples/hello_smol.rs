//! The application of `app/mod.rs` on smol: `cargo run --release --example hello_smol`

mod app;

fn main() -> std::io::Result<()> {
    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:8080").await?;
        println!("http://{}", listener.local_addr()?);
        sinew_smol::serve(listener, app::app()).await
    })
}
