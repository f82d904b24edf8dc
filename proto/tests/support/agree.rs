//! What the core sees of a connection against what the naive reader reads out of it.

use sinew_proto::http1::{BodyLength, CloseAction};
use sinew_proto::{Config, RecvError};

use super::driver::{self, Answer, Line, Request, Seen};
use super::naive::response::read_responses;
use super::naive::{self, End, Message, Reading};

/// How the applications of fixtures and properties answer.
pub(crate) const ANSWERS: [Answer; 5] =
    [Answer::AtEnd, Answer::AtOnce, Answer::Never, Answer::Continue, Answer::Switch];

/// Gives `wire` to both: messages, content, trailers, the place and the kind of an error, and the
/// end of the connection must be the same, and so must the answers be that the core writes.
/// Returns how many messages there were.
pub(crate) fn agree(wire: &[u8], config: &Config, answer: Answer, end: bool) -> usize {
    let core = driver::run_alone(config, answer, wire, end);
    let reading = naive::read(wire, config);
    let error = core.seen.iter().find_map(|seen| match seen {
        Seen::Error(error) => Some(*error),
        _ => None,
    });
    let expected = expected(&reading, config, answer, end, error);
    assert!(
        core.seen == expected,
        "{answer:?}, end {end}, {config:?}\n  {}\n  core:{}\n  naive:{}",
        wire.escape_ascii(),
        show(&core.seen),
        show(&expected),
    );
    if core.seen.iter().all(|seen| !matches!(seen, Seen::Upgraded(_))) {
        answers(&core, config, answer, &reading);
    }
    reading.messages.len()
}

/// What `answer` makes of the reading, as the driver tells it. Of several rules that are broken,
/// `error` is the one that the core named, if it is among them.
fn expected(
    reading: &Reading<'_>,
    config: &Config,
    answer: Answer,
    end: bool,
    error: Option<RecvError>,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    let close = if end { CloseAction::AfterFlush } else { CloseAction::Linger };
    for message in &reading.messages {
        seen.push(Seen::Request(Box::new(request(message))));
        // A protocol is switched when the request is complete with its head (RFC 9110 §7.8).
        let tunnel = message.offers_upgrade || message.method == "CONNECT";
        if answer == Answer::Switch && tunnel && body_length(message).is_empty() {
            seen.push(Seen::Upgraded(message.rest.to_vec()));
            return seen;
        }
        if answer == Answer::AtOnce {
            // Of a body after its response nothing is seen. A client that waits for 100 may leave
            // it out, so that what comes next cannot be told (RFC 9110 §10.1.1).
            let announced = message.length.unwrap_or(0).max(message.content.len() as u64);
            let too_much = announced > u64::from(config.max_drain_bytes);
            if !message.persists || message.expects_continue || too_much {
                seen.push(Seen::Closed(close));
                return seen;
            }
            continue;
        }
        if !message.content.is_empty() {
            seen.push(Seen::Data(message.content.clone()));
        }
        if !message.complete {
            continue;
        }
        if !message.trailers.is_empty() {
            seen.push(Seen::Trailers(own(&message.trailers)));
        }
        seen.push(Seen::End);
        if answer == Answer::Never {
            seen.push(Seen::Paused);
            return seen;
        }
    }
    match &reading.end {
        End::Idle if end => seen.push(Seen::Closed(CloseAction::AfterFlush)),
        End::Idle => seen.push(Seen::NeedInput),
        End::Last => seen.push(Seen::Closed(close)),
        // RFC 9112 §8.
        End::Short if end => seen.extend([Seen::Error(RecvError::UnexpectedEnd), Seen::Closed(close)]),
        End::Short => seen.push(Seen::NeedInput),
        End::Wrong(faults) => {
            let named = error.filter(|error| faults.contains(error)).unwrap_or(faults[0]);
            seen.extend([Seen::Error(named), Seen::Closed(close)]);
        }
    }
    seen
}

/// One response to each request that was answered, and one to an error; each tells what becomes of
/// the connection (RFC 9112 §9.3 and §9.6).
fn answers(core: &driver::Transcript, config: &Config, answer: Answer, reading: &Reading<'_>) {
    let methods: Vec<&str> = reading.messages.iter().map(|message| message.method).collect();
    let written = core.out.escape_ascii();
    let responses = read_responses(&core.out, &methods).unwrap_or_else(|stop| panic!("{stop:?}: {written}"));
    let mut finals = responses.iter().filter(|response| response.status >= 200);
    let count = |wanted: fn(&Seen) -> bool| core.seen.iter().filter(|seen| wanted(seen)).count();
    let answered = match answer {
        Answer::Never => 0,
        Answer::AtOnce => count(|seen| matches!(seen, Seen::Request(_))),
        Answer::AtEnd | Answer::Continue | Answer::Switch => count(|seen| matches!(seen, Seen::End)),
    };
    for message in &reading.messages[..answered] {
        let response = finals.next().unwrap_or_else(|| panic!("no answer to {message:?}: {written}"));
        assert_eq!(response.status, if message.method == "CONNECT" { 501 } else { 200 }, "{written}");
        // Before the body is there: it may never come, or be more than is thrown away.
        let announced = message.length.unwrap_or(0);
        let ends = answer == Answer::AtOnce
            && (message.expects_continue || announced > u64::from(config.max_drain_bytes));
        // In HTTP/1.0 to persist is said, in HTTP/1.1 to close.
        let says = |option: &str| {
            response.fields.iter().any(|(name, value)| *name == "connection" && *value == option.as_bytes())
        };
        let persists = message.persists && !ends;
        assert_eq!(says("close"), !persists, "{written}");
        assert_eq!(says("keep-alive"), persists && !message.http11, "{written}");
    }
    for seen in &core.seen {
        if let Seen::Error(error) = seen {
            if let Some(response) = finals.next() {
                assert_eq!(response.status, error.status().as_u16(), "{written}");
                assert!(!response.persists, "{written}");
            }
        }
    }
    assert!(finals.next().is_none(), "an answer to nothing: {written}");
}

fn request(message: &Message<'_>) -> Request {
    Request {
        method: message.method.to_owned(),
        target: message.target.to_owned(),
        path: message.path.to_owned(),
        query: message.query.map(ToOwned::to_owned),
        version: if message.http11 { "HTTP/1.1" } else { "HTTP/1.0" },
        body: body_length(message),
        expects_continue: message.expects_continue,
        offers_upgrade: message.offers_upgrade,
        fields: own(&message.fields),
    }
}

fn body_length(message: &Message<'_>) -> BodyLength {
    match message.length {
        _ if message.chunked => BodyLength::Chunked,
        Some(length) => BodyLength::Known(length),
        None => BodyLength::None,
    }
}

fn own(fields: &[(&str, &[u8])]) -> Vec<Line> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect()
}

/// A line for each, content as text.
fn show(seen: &[Seen]) -> String {
    let line = |seen: &Seen| match seen {
        Seen::Data(data) => format!("\n    Data {}", data.escape_ascii()),
        Seen::Upgraded(rest) => format!("\n    Upgraded {}", rest.escape_ascii()),
        seen => format!("\n    {seen:?}"),
    };
    seen.iter().map(line).collect()
}
