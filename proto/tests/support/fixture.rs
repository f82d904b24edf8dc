//! The reader of `tests/fixtures/*.http`; `tests/fixtures/README.md` describes the format.

use std::path::Path;

use sinew_proto::Config;
use sinew_proto::http1::BodyLength;

use super::driver::{Answer, Line, Request, Seen, Transcript};
use super::text::{escape, set_limits, unescape};

/// One case of a file.
pub(crate) struct Case {
    /// `file: name`
    pub(crate) name: String,
    pub(crate) threat: Option<String>,
    pub(crate) config: Config,
    pub(crate) answer: Answer,
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
                name: format!("{file}: {name}"),
                threat: None,
                config: Config::default(),
                answer: Answer::AtEnd,
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
    for case in &cases {
        assert!(!case.seen.is_empty(), "{}: nothing is expected", case.name);
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
        "answer:" => {
            case.answer = match rest {
                "never" => Answer::Never,
                "at-once" => Answer::AtOnce,
                "at-end" => Answer::AtEnd,
                "continue" => Answer::Continue,
                "switch" => Answer::Switch,
                _ => return Err(format!("answer {rest:?}")),
            }
        }
        "limits:" => set_limits(&mut case.config, rest)?,
        _ => return Err(format!("a line that is not known: {line:?}")),
    }
    Ok(())
}

/// What was seen, as the `=>` lines of a fixture. `Path`, `Query` and `Field` lines are left out
/// if the case has no line of that kind.
pub(crate) fn render(transcript: &Transcript, expected: &[String]) -> Vec<String> {
    let wanted = |kind: &str| expected.iter().any(|line| line.starts_with(kind));
    let mut lines = Vec::new();
    for seen in &transcript.seen {
        match seen {
            Seen::Request(request) => {
                lines.push(request_line(request));
                if wanted("Path ") {
                    lines.push(format!("Path {}", request.path));
                }
                if let (true, Some(query)) = (wanted("Query "), &request.query) {
                    lines.push(format!("Query {query}"));
                }
                if wanted("Field ") {
                    lines.extend(request.fields.iter().map(|line| field("Field", line)));
                }
            }
            Seen::Data(data) => lines.push(format!("Data {}", escape(data))),
            Seen::Trailers(fields) => {
                lines.extend(fields.iter().map(|line| field("Trailer", line)));
            }
            Seen::Error(error) => lines.push(format!("Error {error:?} {}", error.status())),
            Seen::Upgraded(rest) => {
                lines.push(format!("Upgraded {}", escape(rest)).trim_end().to_owned());
            }
            Seen::Closed(action) => lines.push(format!("Closed {action:?}")),
            Seen::End | Seen::NeedInput | Seen::Paused => lines.push(format!("{seen:?}")),
        }
    }
    lines
}

fn request_line(request: &Request) -> String {
    let body = match request.body {
        BodyLength::None => "none".to_owned(),
        BodyLength::Known(length) => length.to_string(),
        BodyLength::Chunked => "chunked".to_owned(),
    };
    let mut line = format!("Request {} {} {} {body}", request.method, request.target, request.version);
    if request.expects_continue {
        line.push_str(" continue");
    }
    if request.offers_upgrade {
        line.push_str(" upgrade");
    }
    line
}

fn field(kind: &str, (name, value): &Line) -> String {
    format!("{kind} {name}: {}", escape(value)).trim_end().to_owned()
}
