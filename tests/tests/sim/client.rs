//! A client that sends the bytes it is told to over a virtual connection, and reads what is answered.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use sinew_sim::{Sim, SimServer, SimStream};
use sinew_tests::raw::Response;

pub(crate) struct Client {
    pub(crate) stream: Rc<SimStream>,
    /// Read, and not yet looked at.
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(sim: &Sim, server: &SimServer) -> Self {
        Self { stream: Rc::new(sim.connect(server)), buffer: Vec::new() }
    }

    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the server does not take it");
    }

    /// Sends from a task of its own, whatever becomes of it.
    pub(crate) fn send_meanwhile(&self, sim: &Sim, bytes: impl AsRef<[u8]> + 'static) {
        let stream = self.stream.clone();
        drop(sim.spawn(async move {
            let _ = stream.write_all(bytes.as_ref()).await;
        }));
    }

    pub(crate) async fn finish(&self) {
        self.stream.shutdown_write().await.expect("a half-close");
    }

    /// The next response, to anything but HEAD.
    pub(crate) async fn response(&mut self) -> Response {
        self.try_response().await.expect("no response")
    }

    /// The error is `UnexpectedEof` if nothing more came in the middle of it.
    pub(crate) async fn try_response(&mut self) -> io::Result<Response> {
        let mut response = self.try_head().await?;
        if response.status < 200 {
            return Ok(response);
        }
        let length = response.field("content-length").map(str::to_owned);
        if let Some(length) = length {
            response.body = self.exactly(length.parse().expect("a length")).await?;
        } else if response.field("transfer-encoding") == Some("chunked") {
            loop {
                let chunk = self.try_chunk().await?;
                if chunk.is_empty() {
                    break;
                }
                response.body.extend(chunk);
            }
        } else {
            while self.fill().await? {}
            response.body = std::mem::take(&mut self.buffer);
        }
        Ok(response)
    }

    pub(crate) async fn head(&mut self) -> Response {
        self.try_head().await.expect("no head")
    }

    async fn try_head(&mut self) -> io::Result<Response> {
        let line = self.line().await?;
        let (version, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no status line: {line:?}"));
        assert_eq!(version, "HTTP/1.1", "of {line:?}");
        let (status, _) = rest.split_once(' ').unwrap_or_else(|| panic!("no reason: {line:?}"));
        let status = status.parse().expect("a status");
        let mut response =
            Response { version: version.to_owned(), status, fields: Vec::new(), body: Vec::new() };
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(response);
            }
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?}"));
            response.fields.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The next chunk; the last one is empty.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        self.try_chunk().await.expect("no chunk")
    }

    async fn try_chunk(&mut self) -> io::Result<Vec<u8>> {
        let size = self.line().await?;
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("no chunk size: {size:?}"));
        let data = self.exactly(size).await?;
        assert_eq!(self.line().await?, "", "after a chunk");
        Ok(data)
    }

    /// The connection ends here: nothing more comes, and the end is no reset.
    pub(crate) async fn end(&mut self) {
        let (rest, result) = self.rest().await;
        assert!(rest.is_empty(), "more than expected: {:?}", String::from_utf8_lossy(&rest));
        result.expect("not a proper end");
    }

    /// Everything up to the end, and whether that is a proper one.
    pub(crate) async fn rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let result = loop {
            match self.fill().await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        (std::mem::take(&mut self.buffer), result)
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut seen = 0_usize;
        loop {
            if let Some(at) = self.buffer[seen..].windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.drain(..seen + at + 2).take(seen + at).collect();
                return String::from_utf8(line).map_err(io::Error::other);
            }
            seen = self.buffer.len().saturating_sub(1);
            self.need_more().await?;
        }
    }

    pub(crate) async fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.need_more().await?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    async fn need_more(&mut self) -> io::Result<()> {
        if self.fill().await? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// One read. `false` at the end.
    async fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 4096];
        let n = self.stream.read(&mut piece).await?;
        self.buffer.extend_from_slice(&piece[..n]);
        Ok(n > 0)
    }
}

/// Both, at the same time.
pub(crate) async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none() {
            if let Poll::Ready(value) = a.as_mut().poll(cx) {
                first = Some(value);
            }
        }
        if second.is_none() {
            if let Poll::Ready(value) = b.as_mut().poll(cx) {
                second = Some(value);
            }
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            rest => {
                (first, second) = rest;
                Poll::Pending
            }
        }
    })
    .await
}
