//! One connection: one read, answers by the first bytes of each request, one write.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use memchr::{memchr, memmem};

use crate::answers::Answers;

/// A connection. It has memory of its own only while a request or an answer is not complete.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// The beginning of a head.
    kept: Vec<u8>,
    /// Bytes of a body that are to be echoed still.
    echo: usize,
    /// What the socket did not take.
    out: Vec<u8>,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Readable,
    Writable,
    Closed,
}

/// What the connections of a thread share.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) input: Vec<u8>,
    pub(crate) output: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, kept: Vec::new(), echo: 0, out: Vec::new() }
    }

    /// Goes on, and says what it waits for now.
    pub(crate) fn turn(&mut self, scratch: &mut Scratch, answers: &Answers) -> Waiting {
        let result = if self.out.is_empty() { self.exchange(scratch, answers) } else { self.flush() };
        match result {
            Ok(()) if self.out.is_empty() => Waiting::Readable,
            Ok(()) => Waiting::Writable,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Waiting::Readable,
            Err(_) => Waiting::Closed,
        }
    }

    fn exchange(&mut self, scratch: &mut Scratch, answers: &Answers) -> io::Result<()> {
        let Scratch { input, output } = scratch;
        let kept = self.kept.len();
        input[..kept].copy_from_slice(&self.kept);
        let read = self.stream.read(&mut input[kept..])?;
        // Nothing is also read if a head fills the buffer.
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        output.clear();
        let bytes = &input[..kept + read];
        let done = self.answer(bytes, output, answers);
        self.kept.clear();
        self.kept.extend_from_slice(&bytes[done..]);
        let written = write(&mut self.stream, output)?;
        self.out.extend_from_slice(&output[written..]);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = write(&mut self.stream, &self.out)?;
        self.out.drain(..written);
        Ok(())
    }

    /// Answers what is complete in `bytes`, and says how many of them that is.
    fn answer(&mut self, bytes: &[u8], out: &mut Vec<u8>, answers: &Answers) -> usize {
        let mut done = 0;
        loop {
            let echoed = self.echo.min(bytes.len() - done);
            out.extend_from_slice(&bytes[done..done + echoed]);
            self.echo -= echoed;
            done += echoed;
            let Some(length) = head_length(&bytes[done..]) else { return done };
            self.echo = answer(&bytes[done..done + length], out, answers);
            done += length;
        }
    }
}

/// Where the empty line ends. Heads of load are short, so each line is looked at.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(b'\n', &bytes[at..])? + 1;
        if bytes[..at].ends_with(b"\r\n\r\n") {
            return Some(at);
        }
    }
}

/// Answers one request, and returns how many bytes of its body are to be echoed.
fn answer(head: &[u8], out: &mut Vec<u8>, answers: &Answers) -> usize {
    if head.starts_with(b"GET /plaintext ") {
        out.extend_from_slice(&answers.plain);
    } else if head.starts_with(b"GET /json ") {
        out.extend_from_slice(&answers.json);
    } else if head.starts_with(b"GET /stream ") {
        out.extend_from_slice(&answers.stream);
    } else if let Some(rest) = head.strip_prefix(b"GET /users/") {
        let id = &rest[..memchr(b' ', rest).unwrap_or(0)];
        answers.sized(id.len(), out);
        out.extend_from_slice(id);
    } else if head.starts_with(b"POST /echo ") {
        let length = content_length(head);
        answers.sized(length, out);
        return length;
    } else {
        out.extend_from_slice(&answers.missing);
    }
    0
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"\r\nContent-Length: ";
    let Some(at) = memmem::find(head, NAME) else { return 0 };
    let digits = head[at + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_usize, |length, digit| length.saturating_mul(10).saturating_add((digit - b'0').into()))
}

/// Writes what the socket takes.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
