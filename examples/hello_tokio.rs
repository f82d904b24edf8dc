//! The application of `app/mod.rs` on tokio: `cargo run --release --example hello_tokio`

mod app;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}", listener.local_addr()?);
    sinew_tokio::serve(listener, app::app())
        .with_graceful_shutdown(async { _ = tokio::signal::ctrl_c().await })
        .await
}
