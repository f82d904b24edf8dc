//! A small strict client: it takes what RFC 9112 lets a server send, and nothing else.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it has to stay silent behind the last response.
const SILENCE: Duration = Duration::from_millis(20);

/// How a response says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a field that is there once. Names are lower case here.
    pub(crate) fn field(&self, name: &str) -> Result<&str, String> {
        once(&self.fields, name)?.ok_or_else(|| format!("no field {name}"))
    }
}

fn once<'a>(fields: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, String> {
    let mut values = fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(format!("field {name} is there twice")),
    }
}

/// Sends `bytes` on a connection of its own and reads that many responses, and that nothing follows them.
///
/// # Errors
/// What is wrong with a response, or what the system says.
pub(crate) fn exchange<const COUNT: usize>(port: u16, bytes: &[u8]) -> Result<[Response; COUNT], String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|error| error.to_string())?;
    let system = |error: io::Error| error.to_string();
    stream.set_read_timeout(Some(PATIENCE)).map_err(system)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(system)?;
    thread::scope(|scope| {
        // A long body has to be written while its echo is read.
        let writing = scope.spawn(|| (&stream).write_all(bytes));
        let mut reader = Reader { stream: &stream, bytes: Vec::new() };
        let responses: Result<Vec<Response>, String> = (0..COUNT).map(|_| reader.response()).collect();
        let responses = responses?;
        writing.join().map_err(|_| "the writing thread panicked")?.map_err(system)?;
        reader.silence()?;
        responses.try_into().map_err(|_| "another number of responses".to_owned())
    })
}

struct Reader<'a> {
    stream: &'a TcpStream,
    bytes: Vec<u8>,
}

impl Reader<'_> {
    fn more(&mut self) -> Result<(), String> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err("the server closed".to_owned()),
            Ok(read) => {
                self.bytes.extend_from_slice(&buffer[..read]);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.bytes.len() < count {
            self.more()?;
        }
        Ok(self.bytes.drain(..count).collect())
    }

    /// A line without its end, which has to be CR LF.
    fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
                let line = self.take(end + 1)?;
                let line = line.strip_suffix(b"\r\n").ok_or("a line ends without CR")?;
                if !line.iter().all(|&byte| matches!(byte, b'\t' | b' '..=b'~')) {
                    return Err(format!("bytes in a line: {:?}", String::from_utf8_lossy(line)));
                }
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
            self.more()?;
        }
    }

    fn response(&mut self) -> Result<Response, String> {
        let status = self.line()?;
        let status = status_code(&status).ok_or_else(|| format!("status line: {status}"))?;
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            fields.push(field(&line).ok_or_else(|| format!("field line: {line}"))?);
        }
        let (framing, body) = match (once(&fields, "content-length")?, once(&fields, "transfer-encoding")?) {
            (Some(length), None) => (Framing::Length, self.take(number(length, 10)?)?),
            (None, Some("chunked")) => (Framing::Chunked, self.chunks()?),
            other => return Err(format!("framing: {other:?}")),
        };
        Ok(Response { status, fields, framing, body })
    }

    fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let size = number(&self.line()?, 16)?;
            if size > 0 {
                body.extend(self.take(size)?);
            }
            // Behind a chunk its end; behind the last one the end of trailers, of which there are none.
            if !self.line()?.is_empty() {
                return Err("no line end behind a chunk".to_owned());
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn silence(&mut self) -> Result<(), String> {
        self.stream.set_read_timeout(Some(SILENCE)).map_err(|error| error.to_string())?;
        let mut buffer = [0; 1];
        match self.stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.bytes.is_empty() => Ok(()),
            Ok(0) if self.bytes.is_empty() => Err("the server closes a connection that may stay".to_owned()),
            Ok(_) | Err(_) => Err("bytes behind the last response".to_owned()),
        }
    }
}

/// `HTTP/1.1 200 OK`
fn status_code(line: &str) -> Option<u16> {
    let (code, _reason) = line.strip_prefix("HTTP/1.1 ")?.split_once(' ')?;
    if code.len() == 3 { code.parse().ok() } else { None }
}

fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(token);
    is_name.then(|| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
}

/// Digits only, where `parse` would also take a sign.
fn number(text: &str, radix: u32) -> Result<usize, String> {
    let digits = text.chars().all(|digit| digit.is_digit(radix));
    let number = usize::from_str_radix(text, radix).ok().filter(|_| digits);
    number.filter(|&number| number <= 1 << 24).ok_or_else(|| format!("a length of {text:?}"))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
