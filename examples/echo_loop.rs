//! The protocol core in a loop of one's own: a blocking socket, a buffer, and nothing else of ours.
//! Every body is echoed. `cargo run --release --example echo_loop`, then `curl -d hi localhost:8080`

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant as Clock};

use sinew_proto::http1::{BodyMode, BodyPlan, CloseAction, ResponseHead, Server, server::Event};
use sinew_proto::{Config, FieldTable, Instant, SendError, StatusCode};

type Sent = Result<(), SendError>;

fn main() -> io::Result<()> {
    for socket in TcpListener::bind("127.0.0.1:8080")?.incoming() {
        std::thread::spawn(move || socket.is_ok_and(|socket| serve(socket).is_ok()));
    }
    Ok(())
}

fn serve(mut socket: TcpStream) -> Result<(), Box<dyn Error>> {
    let config = Config::default();
    let (mut server, mut fields) = (Server::new(&config), FieldTable::new(&config));
    let (mut input, mut body, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut chunk = [0; 16 * 1024];
    let clock = Clock::now();
    let now = || Instant::default().saturating_add(clock.elapsed());
    socket.set_write_timeout(Some(config.write_timeout))?;
    loop {
        let mut used = 0;
        loop {
            let step = server.poll(&input[used..], &mut fields, now());
            let Ok(step) = step.inspect_err(|error| _ = server.fail(error, None, &mut out)) else {
                continue; // 400, 414, 431, .. is written
            };
            used += step.consumed;
            match step.event {
                Event::Request(_) => _ = server.send_continue(&mut out),
                Event::Data(piece) if body.len() + piece.len() > 1 << 20 => {
                    body.clear();
                    answer(&mut server, StatusCode::CONTENT_TOO_LARGE, &mut body, &mut out)?;
                }
                Event::Data(piece) => body.extend_from_slice(piece),
                Event::End => answer(&mut server, StatusCode::OK, &mut body, &mut out)?,
                Event::Trailers(_) => {}
                Event::NeedInput | Event::Paused | Event::Upgraded | Event::Closed => break,
            }
        }
        input.drain(..used);
        socket.write_all(&std::mem::take(&mut out))?;
        match server.close_action() {
            CloseAction::None => {}
            CloseAction::Linger => socket.shutdown(Shutdown::Write)?,
            CloseAction::AfterFlush | CloseAction::Abort => return Ok(()),
        }
        // How long this read may wait: until the next deadline of the core.
        let due = server.poll_timeout().map(|due| due.saturating_since(now()));
        socket.set_read_timeout(due.map(|wait| wait.max(Duration::from_millis(1))))?;
        match socket.read(&mut chunk) {
            Ok(0) => server.end_of_input(now()),
            Ok(n) => input.extend_from_slice(&chunk[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = server.handle_timeout(now()) {
            server.fail(&error, None, &mut out); // 408
        }
    }
}

fn answer(core: &mut Server, status: StatusCode, body: &mut Vec<u8>, out: &mut Vec<u8>) -> Sent {
    let len = body.len() as u64;
    if core.respond(&ResponseHead::new(status), BodyPlan::Length(len), out)? != BodyMode::None {
        core.frame_data(len, true)?; // a known length frames nothing
        out.append(body);
    }
    body.clear();
    Ok(())
}
