//! The reader of `tests/fixtures/websocket/*-handshake.http`: a sample of RFC 6455 §1.3, and for each
//! case what is different.

use std::path::Path;

use sinew_proto::websocket::{DeflateConfig, WindowBits};

use super::text::unescape;

const REQUEST: &[&str] = &[
    "GET /chat HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: http://example.com",
    "Sec-WebSocket-Protocol: chat, superchat",
    "Sec-WebSocket-Version: 13",
];

const RESPONSE: &[&str] = &[
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

/// One case of a file.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The start line and the field lines, with escapes.
    lines: Vec<String>,
    /// The subprotocols that a client offers.
    pub(crate) offer: Vec<String>,
    /// The subprotocol that a server chooses.
    pub(crate) choose: Option<String>,
    pub(crate) deflate: Option<DeflateConfig>,
    pub(crate) seen: Vec<String>,
    pub(crate) written: Option<Vec<u8>>,
}

impl Case {
    /// The head that is received.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in &self.lines {
            bytes.extend(unescape(line).expect("read before"));
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    fn drop(&mut self, name: &str) -> Result<usize, String> {
        let is = |line: &String| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        let at = self.lines.iter().position(is);
        self.lines.retain(|line| !is(line));
        at.ok_or_else(|| format!("there is no {name}"))
    }
}

/// The cases of `tests/fixtures/websocket/{file}.http`.
pub(crate) fn cases(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/websocket/{file}.http"));
    let text = std::fs::read_to_string(&path).expect("a readable fixture");
    let sample = if file.starts_with("server") { REQUEST } else { RESPONSE };
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case {
                name: name.to_owned(),
                lines: sample.iter().map(|&line| line.to_owned()).collect(),
                offer: Vec::new(),
                choose: None,
                deflate: None,
                seen: Vec::new(),
                written: None,
            });
        } else if !line.is_empty() && !line.starts_with('#') {
            let place = format!("{}:{}", path.display(), number + 1);
            let case = cases.last_mut().unwrap_or_else(|| panic!("{place}: no case"));
            read_line(case, line).unwrap_or_else(|what| panic!("{place}: {what}"));
        }
    }
    for case in &cases {
        assert!(!case.seen.is_empty(), "{}: nothing is expected", case.name);
    }
    cases
}

fn read_line(case: &mut Case, line: &str) -> Result<(), String> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    match kind {
        "line:" => rest.clone_into(&mut case.lines[0]),
        "add:" => case.lines.push(rest.to_owned()),
        "drop:" => {
            case.drop(rest)?;
        }
        "set:" => {
            let (name, _) = rest.split_once(':').ok_or("a field has a colon")?;
            // A field that the sample does not have comes last.
            let at = case.drop(name).unwrap_or(case.lines.len());
            case.lines.insert(at, rest.to_owned());
        }
        "offer:" => case.offer = rest.split(' ').map(str::to_owned).collect(),
        "choose:" => case.choose = Some(rest.to_owned()),
        "deflate:" => case.deflate = Some(config(rest)?),
        "=>" => case.seen.push(rest.to_owned()),
        "<-" => case.written.get_or_insert_default().extend(unescape(rest)?),
        _ => return Err(format!("a line that is not known: {line:?}")),
    }
    unescape(rest).map(|_| ())
}

/// `server=BITS client=BITS server-forgets client-forgets`, what is not there as by default.
fn config(text: &str) -> Result<DeflateConfig, String> {
    let mut config = DeflateConfig::default();
    for setting in text.split_whitespace() {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        let bits = || WindowBits::new(value.parse().unwrap_or(0)).map_err(|error| error.to_string());
        match name {
            "server" => config.server_max_window_bits = bits()?,
            "client" => config.client_max_window_bits = bits()?,
            "server-forgets" => config.server_no_context_takeover = true,
            "client-forgets" => config.client_no_context_takeover = true,
            _ => return Err(format!("setting {setting:?}")),
        }
    }
    Ok(config)
}
