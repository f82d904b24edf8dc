//! The reader of `tests/fixtures/websocket/*.ws`; `tests/fixtures/README.md` describes the format.

use std::path::Path;

use sinew_proto::websocket::Config;

use super::driver::{Role, Seen, Setup, Transcript};
use super::frames::{Draft, KEY};
use super::text::{escape, unescape};

/// One case of a file, for one role.
pub(crate) struct Case {
    /// `file: name`, and the role.
    pub(crate) name: String,
    pub(crate) threat: Option<String>,
    pub(crate) setup: Setup,
    pub(crate) input: Vec<u8>,
    /// The `=>` lines, as they stand.
    pub(crate) seen: Vec<String>,
    /// The `<-` lines, if there are any.
    pub(crate) written: Option<Vec<u8>>,
}

/// The cases of a file, each for every role that it is for.
pub(crate) fn read(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).expect("a readable fixture");
    let cases: Vec<Case> = Role::BOTH.iter().flat_map(|role| read_as(path, &text, *role)).collect();
    for case in &cases {
        assert!(!case.seen.is_empty(), "{}: nothing is expected", case.name);
    }
    cases
}

fn read_as(path: &Path, text: &str, role: Role) -> Vec<Case> {
    let file = path.file_stem().expect("a name").to_string_lossy();
    let mut cases: Vec<Case> = Vec::new();
    let mut skipped = false;
    for (number, line) in text.lines().enumerate() {
        let place = || format!("{}:{}", path.display(), number + 1);
        if let Some(name) = line.strip_prefix("== ") {
            skipped = false;
            cases.push(Case {
                name: format!("{file}: {name} ({role:?})"),
                threat: None,
                setup: Setup::new(role),
                input: Vec::new(),
                seen: Vec::new(),
                written: None,
            });
        } else if let Some(only) = line.strip_prefix("role: ") {
            if side(only).unwrap_or_else(|| panic!("{}: role {only:?}", place())) != role {
                cases.pop();
                skipped = true;
            }
        } else if !skipped && !line.is_empty() && !line.starts_with('#') {
            let case = cases.last_mut().unwrap_or_else(|| panic!("{}: no case", place()));
            read_line(case, line).unwrap_or_else(|what| panic!("{}: {what}", place()));
        }
    }
    cases
}

fn side(name: &str) -> Option<Role> {
    match name {
        "server" => Some(Role::Server),
        "client" => Some(Role::Client),
        _ => None,
    }
}

fn read_line(case: &mut Case, line: &str) -> Result<(), String> {
    let role = case.setup.role;
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    // What differs between the roles.
    let rest = match rest.split_once(": ").and_then(|(name, rest)| Some((side(name)?, rest))) {
        Some((only, _)) if only != role => return Ok(()),
        Some((_, rest)) => rest,
        None => rest,
    };
    match kind {
        "->" => case.input.extend(frame(rest, role.other().masks())?),
        "-|" => case.setup.end = true,
        "=>" => case.seen.push(rest.to_owned()),
        "<-" => {
            let bytes = if rest == "nothing" { Vec::new() } else { frame(rest, role.masks())? };
            case.written.get_or_insert_default().extend(bytes);
        }
        "threat:" => case.threat = Some(rest.to_owned()),
        "closes:" => case.setup.closes.push(close(rest)?),
        "answers:" if rest == "late" => case.setup.answers_late = true,
        "limits:" => set_limits(&mut case.setup.config, rest)?,
        _ => return Err(format!("a line that is not known: {line:?}")),
    }
    Ok(())
}

/// `without a code`, or a code and a reason in quotes.
fn close(text: &str) -> Result<Option<(u16, String)>, String> {
    if text == "without a code" {
        return Ok(None);
    }
    let (code, reason) = text.split_once(" \"").ok_or("a code, and a reason in quotes")?;
    let reason = unescape(reason.strip_suffix('"').ok_or("no quote at the end")?)?;
    let reason = String::from_utf8(reason).map_err(|error| error.to_string())?;
    Ok(Some((code.parse().map_err(|_| "the code is a number")?, reason)))
}

fn set_limits(config: &mut Config, text: &str) -> Result<(), String> {
    for setting in text.split(' ') {
        if setting == "stream" {
            config.stream = true;
            continue;
        }
        let (name, value) = setting.split_once('=').ok_or("limits are name=number")?;
        let value: u32 = value.parse().map_err(|_| "limits are name=number")?;
        match name {
            "message" => config.max_message_bytes = value.into(),
            "frame" => config.max_frame_bytes = value.into(),
            "fragments" => config.max_fragments = value,
            _ => return Err(format!("limit {name:?}")),
        }
    }
    Ok(())
}

/// A line of a fixture as bytes: `bytes "..."`, or a frame as words and then its payload in quotes.
/// `masked` says whether frames are masked unless the line says otherwise.
fn frame(line: &str, masked: bool) -> Result<Vec<u8>, String> {
    let (words, payload) = match line.split_once(" \"") {
        Some((words, text)) => (words, unescape(text.strip_suffix('"').ok_or("no quote at the end")?)?),
        None => (line, Vec::new()),
    };
    if words == "bytes" {
        return Ok(payload);
    }
    let mut draft = Draft::new(0, &payload, masked.then_some(KEY));
    let mut opcode = None;
    for word in words.split(' ') {
        match word.split_once('=').unwrap_or((word, "")) {
            ("more", "") => draft.fin = false,
            ("rsv1", "") => draft.reserved |= 4,
            ("rsv2", "") => draft.reserved |= 2,
            ("rsv3", "") => draft.reserved |= 1,
            ("masked", "") => draft.key = Some(KEY),
            ("key", "0") => draft.key = Some([0; 4]),
            ("unmasked", "") => draft.key = None,
            ("length-bytes", n) => draft.length_bytes = Some(n.parse().map_err(|_| "0, 2 or 8")?),
            ("claims", n) => draft.claims = Some(n.parse().map_err(|_| "claims a number")?),
            ("continuation", "") => opcode = Some(0),
            ("text", "") => opcode = Some(1),
            ("binary", "") => opcode = Some(2),
            ("close", "") => opcode = Some(8),
            ("ping", "") => opcode = Some(9),
            ("pong", "") => opcode = Some(10),
            ("opcode", n) => opcode = Some(n.parse().map_err(|_| "opcode takes a number")?),
            (code, "") if opcode == Some(8) => {
                let code: u16 = code.parse().map_err(|_| format!("code {code:?}"))?;
                draft.payload.splice(..0, code.to_be_bytes());
            }
            _ => return Err(format!("a word that is not known: {word:?}")),
        }
    }
    draft.opcode = opcode.ok_or("no opcode")?;
    Ok(draft.bytes())
}

/// What was seen, as the `=>` lines of a fixture. Long payloads are shown by their length.
pub(crate) fn render(transcript: &Transcript) -> Vec<String> {
    let payload = |name: &str, bytes: &[u8]| match bytes.len() {
        0..=125 => format!("{name} \"{}\"", escape(bytes)),
        long => format!("{name} {long} bytes"),
    };
    let line = |seen: &Seen| match seen {
        Seen::Text(bytes) => payload("Text", bytes),
        Seen::Binary(bytes) => payload("Binary", bytes),
        Seen::Piece(kind, bytes, last) => {
            payload(&format!("Piece {kind:?}{}", if *last { " last" } else { "" }), bytes)
        }
        Seen::Ping(bytes) => payload("Ping", bytes),
        Seen::Pong(bytes) => payload("Pong", bytes),
        Seen::Close(None) => "Close".to_owned(),
        Seen::Close(Some((code, reason))) => format!("Close {code} \"{}\"", escape(reason.as_bytes())),
        Seen::Error(error) => format!("Error {error:?}"),
        Seen::NeedInput => "NeedInput".to_owned(),
        Seen::Closed => {
            format!("Closed {:?}{}", transcript.action, if transcript.reads { " reads" } else { "" })
        }
    };
    transcript.seen.iter().map(line).collect()
}
