//! The client's side of the Autobahn test suite: runs every case that its fuzzing server offers, by
//! sending back what it receives.
//! `cargo run --release --example ws_autobahn_client -- --server 127.0.0.1:9001 --agent sinew`

use std::error::Error;

use clap::Parser;
use sinew_examples::Runtime;
use sinew_tokio::websocket::{Config, DeflateConfig};
use sinew_tokio::{BlockingWebSocket, Message, WebSocketClient};

/// The command line.
#[derive(Debug, Parser)]
struct Options {
    /// The address of the fuzzing server
    #[arg(long, default_value = "127.0.0.1:9001")]
    server: String,
    /// The name in its reports
    #[arg(long, default_value = "sinew")]
    agent: String,
    /// What drives the connections
    #[arg(long, value_enum, default_value_t = Runtime::Tokio)]
    runtime: Runtime,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let connect = |path: &str| -> Result<BlockingWebSocket, Box<dyn Error>> {
        let client = client(&options.server, path)?;
        Ok(match options.runtime {
            Runtime::Tokio => runtime.block_on(sinew_tokio::connect_websocket(client))?.into_blocking(),
            Runtime::Smol => smol::block_on(sinew_smol::connect_websocket(client))?.into_blocking(),
            Runtime::Std => sinew_std::connect_websocket(client)?,
        })
    };
    let count = connect("/getCaseCount")?.recv()?;
    let count: usize = count.as_ref().and_then(Message::as_text).ok_or("no number of cases")?.parse()?;
    for case in 1..=count {
        let mut socket = connect(&format!("/runCase?case={case}&agent={}", options.agent))?;
        // What goes wrong in a case stands in its report.
        while let Ok(Some(message)) = socket.recv() {
            if socket.send(message).is_err() {
                break;
            }
        }
    }
    connect(&format!("/updateReports?agent={}", options.agent))?.recv()?;
    println!("{count} cases");
    Ok(())
}

fn client(server: &str, path: &str) -> Result<WebSocketClient, Box<dyn Error>> {
    let config = Config {
        max_message_bytes: 64 << 20,
        max_frame_bytes: 64 << 20,
        max_fragments: 70_000,
        ..Config::default()
    };
    let client = WebSocketClient::new(&format!("ws://{server}{path}"))?;
    Ok(client.config(config).deflate(DeflateConfig::default()))
}
