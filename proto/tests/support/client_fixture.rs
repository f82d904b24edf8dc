//! The reader of `tests/fixtures/client/*.http`; `tests/fixtures/README.md` describes the format.

use std::path::Path;

use sinew_proto::http1::{BodyPlan, ResponseLength};
use sinew_proto::{Config, FieldLines};

use super::client_driver::{Ask, Head, Line, Seen, Sending, Transcript};
use super::text::{escape, set_limits, unescape};

/// One case of a file.
pub(crate) struct Case {
    /// `file: name`
    pub(crate) name: String,
    pub(crate) threat: Option<String>,
    pub(crate) config: Config,
    /// The requests; one `GET /` if the case names none.
    pub(crate) asks: Vec<Ask>,
    /// Nothing is asked.
    silent: bool,
    pub(crate) input: Vec<u8>,
    pub(crate) end: bool,
    /// The `=>` lines, as they stand.
    pub(crate) seen: Vec<String>,
    /// The `<-` lines, if there are any.
    pub(crate) written: Option<Vec<u8>>,
}

pub(crate) fn read(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).expect("a readable fixture");
    let file = path.file_stem().expect("a name").to_string_lossy();
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = || format!("{}:{}", path.display(), number + 1);
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case {
                name: format!("client/{file}: {name}"),
                threat: None,
                config: Config::default(),
                asks: Vec::new(),
                silent: false,
                input: Vec::new(),
                end: false,
                seen: Vec::new(),
                written: None,
            });
        } else if !line.is_empty() && !line.starts_with('#') {
            let case = cases.last_mut().unwrap_or_else(|| panic!("{}: no case", place()));
            read_line(case, line).unwrap_or_else(|what| panic!("{}: {what}", place()));
        }
    }
    for case in &mut cases {
        assert!(!case.seen.is_empty(), "{}: nothing is expected", case.name);
        if case.asks.is_empty() && !case.silent {
            case.asks.push(ask("GET /").expect("a request"));
        }
    }
    cases
}

fn read_line(case: &mut Case, line: &str) -> Result<(), String> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    match kind {
        "->" => case.input.extend(unescape(rest)?),
        "-|" => case.end = true,
        "=>" => case.seen.push(rest.to_owned()),
        "<-" => {
            let bytes = unescape(rest)?;
            case.written.get_or_insert_default().extend(bytes);
        }
        "threat:" => case.threat = Some(rest.to_owned()),
        "request:" if rest == "none" => case.silent = true,
        "request:" => case.asks.push(ask(rest)?),
        "limits:" => set_limits(&mut case.config, rest)?,
        _ => return Err(format!("a line that is not known: {line:?}")),
    }
    Ok(())
}

/// `METHOD TARGET [body=PLAN] [send=WHEN] [| Name: value]..`; `Host` is added.
fn ask(text: &str) -> Result<Ask, String> {
    let mut parts = text.split(" | ");
    let mut words = parts.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().ok_or("a method")?, words.next().ok_or("a target")?);
    let mut ask = Ask {
        method: method.to_owned(),
        target: target.to_owned(),
        fields: FieldLines::new(),
        body: BodyPlan::Empty,
        sending: Sending::Now,
    };
    for word in words {
        match word.split_once('=').ok_or("name=value")? {
            ("body", "streamed") => ask.body = BodyPlan::Streamed,
            ("body", len) => ask.body = BodyPlan::Length(len.parse().map_err(|_| "body=LENGTH")?),
            ("send", "never") => ask.sending = Sending::Never,
            ("send", "after-continue") => ask.sending = Sending::AfterContinue,
            ("send", "after-end") => ask.sending = Sending::AfterEnd,
            ("send", "abandon") => ask.sending = Sending::Abandon,
            _ => return Err(format!("option {word:?}")),
        }
    }
    let host = if method == "CONNECT" { target } else { "a" };
    ask.fields.append("Host", host).map_err(|e| e.to_string())?;
    for field in parts {
        let (name, value) = field.split_once(": ").ok_or("Name: value")?;
        ask.fields.append(name, value).map_err(|e| e.to_string())?;
    }
    Ok(ask)
}

/// What was seen, as the `=>` lines of a fixture. `Reason` and `Field` lines are left out if the case
/// has no line of that kind.
pub(crate) fn render(transcript: &Transcript, expected: &[String]) -> Vec<String> {
    let wanted = |kind: &str| expected.iter().any(|line| line.starts_with(kind));
    let mut lines = Vec::new();
    for seen in &transcript.seen {
        match seen {
            Seen::Interim(head) | Seen::Response(head) => {
                lines.push(match seen {
                    Seen::Interim(_) => format!("Interim {}", head.status),
                    _ => format!("Response {} {} {}", head.version, head.status, body(head)),
                });
                if wanted("Reason ") {
                    lines.push(format!("Reason \"{}\"", escape(&head.reason)));
                }
                if wanted("Field ") {
                    lines.extend(head.fields.iter().map(|line| field("Field", line)));
                }
            }
            Seen::Data(data) => lines.push(format!("Data {}", escape(data))),
            Seen::Trailers(fields) => lines.extend(fields.iter().map(|line| field("Trailer", line))),
            Seen::Error(error) => lines.push(format!("Error {error:?}")),
            Seen::Idle => lines.push(format!("Idle reuse={:?}", transcript.reuse)),
            Seen::Upgraded(rest) => lines.push(format!("Upgraded {}", escape(rest)).trim_end().to_owned()),
            Seen::Closed(action) => {
                lines.push(format!("Closed {action:?} unanswered={}", transcript.unanswered));
            }
            Seen::End | Seen::NeedInput => lines.push(format!("{seen:?}")),
        }
    }
    lines
}

fn body(head: &Head) -> String {
    match head.body {
        ResponseLength::None => "none".to_owned(),
        ResponseLength::Known(length) => length.to_string(),
        ResponseLength::Chunked => "chunked".to_owned(),
        ResponseLength::CloseDelimited => "close".to_owned(),
    }
}

fn field(kind: &str, (name, value): &Line) -> String {
    format!("{kind} {name}: {}", escape(value)).trim_end().to_owned()
}
