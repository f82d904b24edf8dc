//! Server-Sent Events: every case of `tests/fixtures/sse/*.sse`, bytes in and events out, however they
//! arrive; and events that are written and read back.

#[path = "support/arrivals.rs"]
#[allow(dead_code, reason = "the fixtures of HTTP use the rest")]
mod arrivals;
#[path = "support/pieces.rs"]
mod pieces;
#[path = "support/sse.rs"]
mod sse;
#[path = "support/text.rs"]
#[allow(dead_code, reason = "the fixtures of HTTP use the rest")]
mod text;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use sinew_proto::sse::{Decoder, Event, EventError, KEEP_ALIVE, Kind, Limits, SseError};
use sinew_proto::work::steps;
use sse::{Seen, Transcript, Values, decode, decode_streams, naive, round_trip};
use text::unescape;

/// One case of a file.
struct Case {
    /// `file: name`
    name: String,
    limits: Limits,
    /// All streams together.
    input: Vec<u8>,
    /// Where the streams but the last one end.
    ends: Vec<usize>,
    expected: Transcript,
    last_event_id: Option<String>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let folder = arrivals::directory().join("sse");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "sse"));
    paths.sort();
    for path in paths {
        let file = path.file_stem().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("a readable fixture");
        for (number, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", path.display(), number + 1);
            if let Some(name) = line.strip_prefix("== ") {
                cases.push(Case {
                    name: format!("{file}: {name}"),
                    limits: Limits::default(),
                    input: Vec::new(),
                    ends: Vec::new(),
                    expected: Transcript::default(),
                    last_event_id: None,
                });
            } else if !line.is_empty() && !line.starts_with('#') {
                let case = cases.last_mut().unwrap_or_else(|| panic!("{}: no case", place()));
                read_line(case, line).unwrap_or_else(|what| panic!("{}: {what}", place()));
            }
        }
    }
    for case in &mut cases {
        assert!(!case.input.is_empty(), "{}: nothing is given", case.name);
        let last = case.expected.seen.iter().rev().find_map(|seen| match seen {
            Seen::Message { last_event_id, .. } => Some(last_event_id.clone()),
            Seen::Error(_) => None,
        });
        case.expected.last_event_id = case.last_event_id.clone().or(last).unwrap_or_default();
    }
    cases
}

fn read_line(case: &mut Case, line: &str) -> Result<(), String> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let string = |text: &str| String::from_utf8(unescape(text)?).map_err(|error| error.to_string());
    match kind {
        "->" => case.input.extend(unescape(rest)?),
        "-|" => case.ends.push(case.input.len()),
        "=>" => {
            let (event, rest) = rest.split_once(" #").ok_or("an event has #ID")?;
            let (id, data) = rest.split_once(' ').unwrap_or((rest, ""));
            let (event, data, last_event_id) = (string(event)?, string(data)?, string(id)?);
            case.expected.seen.push(Seen::Message { event, data, last_event_id });
        }
        "=!" => case.expected.seen.push(Seen::Error(match rest {
            "LineTooLong" => SseError::LineTooLong,
            "EventTooLarge" => SseError::EventTooLarge,
            _ => return Err(format!("error {rest:?}")),
        })),
        "last-event-id:" => case.last_event_id = Some(string(rest)?),
        "retry:" => {
            let millis = rest.parse().map_err(|_| "retry is a number")?;
            case.expected.reconnection_time = Some(Duration::from_millis(millis));
        }
        "limits:" => {
            for setting in rest.split(' ') {
                let (name, value) = setting.split_once('=').ok_or("limits are name=number")?;
                let value = value.parse().map_err(|_| "limits are name=number")?;
                match name {
                    "line" => case.limits.max_line_bytes = value,
                    "event" => case.limits.max_event_bytes = value,
                    _ => return Err(format!("limit {name:?}")),
                }
            }
        }
        _ => return Err(format!("a line that is not known: {line:?}")),
    }
    Ok(())
}

#[test]
fn whole() {
    let mut wrong = Vec::new();
    for case in cases() {
        let transcript = decode_streams(&case.limits, [&case.input[..]], &case.ends);
        if transcript != case.expected {
            wrong.push(format!("{}\n  expected {:?}\n  seen {transcript:?}", case.name, case.expected));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn however_the_bytes_arrive() {
    for case in cases() {
        arrivals::in_every_way(&case.name, &case.input, |parts| {
            decode_streams(&case.limits, parts.iter().copied(), &case.ends)
        });
    }
}

/// The cases say what the standard says, where it says something.
#[test]
fn a_naive_reader_agrees_with_the_cases() {
    let mut compared = 0;
    for case in cases() {
        if case.limits == Limits::default() && case.ends.is_empty() {
            assert_eq!(naive(&case.input), case.expected, "{}", case.name);
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared} cases");
}

#[test]
fn cases_have_names_of_their_own() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 90, "only {} cases", cases.len());
}

fn written(event: &Event<'_>) -> String {
    let mut out = Vec::new();
    event.write(&mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn what_is_written() -> Result<(), EventError> {
    let event = Event::new;
    for (event, expected) in [
        (event(), "\n"),
        (event().data(""), "data:\n\n"),
        (event().data("one"), "data: one\n\n"),
        (event().data(" one"), "data:  one\n\n"),
        (event().data("a\nb\rc\r\nd\n\re"), "data: a\ndata: b\ndata: c\ndata: d\ndata:\ndata: e\n\n"),
        (event().data("\n"), "data:\ndata:\n\n"),
        (event().data("id: 1\n\nevent: x"), "data: id: 1\ndata:\ndata: event: x\n\n"),
        (event().data("one").data("two"), "data: two\n\n"),
        (event().event("tick")?.data("\0"), "event: tick\ndata: \0\n\n"),
        (event().event("")?.data("one"), "data: one\n\n"),
        (event().id("7")?, "id: 7\n\n"),
        (event().id("")?.data("one"), "id:\ndata: one\n\n"),
        (event().id(" …: 7")?, "id:  …: 7\n\n"),
        (event().comment("one\r\ntwo\n"), ": one\n: two\n:\n\n"),
        (event().comment("").data("one"), ":\ndata: one\n\n"),
        (event().retry(Duration::from_micros(1_999)), "retry: 1\n\n"),
        (event().retry(Duration::MAX), "retry: 18446744073709551615\n\n"),
        (
            event().data("d").retry(Duration::ZERO).id("i")?.event("e")?.comment("c"),
            ": c\nevent: e\nid: i\nretry: 0\ndata: d\n\n",
        ),
    ] {
        assert_eq!(written(&event), expected);
    }
    Ok(())
}

#[test]
fn what_cannot_be_written_is_refused_when_it_is_set() {
    for text in ["\r", "\n", "\0", "a\r\nb", "a\ndata: b", "7\0", "\u{feff}\n"] {
        assert_eq!(Event::new().event(text), Err(EventError::InvalidEvent), "{text:?}");
        assert_eq!(Event::new().id(text), Err(EventError::InvalidId), "{text:?}");
    }
    // Other controls change no line.
    for text in ["\t", "\u{b}", "\u{85}", "\u{2028}", "\u{7f}", ":", " "] {
        let event = Event::new().event(text).and_then(|event| event.id(text)).expect("one line");
        let seen = decode(&Limits::default(), [written(&event.data("x")).as_bytes()]);
        let [event, data, last_event_id] = [text, "x", text].map(str::to_owned);
        assert_eq!(seen.seen, [Seen::Message { event, data, last_event_id }]);
    }
    assert_eq!(EventError::InvalidId.to_string(), "an event ID has neither line ends nor NUL");
}

#[test]
fn a_keep_alive_changes_nothing_wherever_it_stands() {
    let stream = b"id: 1\nevent: tick\ndata: one\ndata: two\n\nretry: 5\ndata: three\n\n";
    let expected = decode(&Limits::default(), [&stream[..]]);
    assert_eq!(expected.seen.len(), 2);
    for (at, _) in stream.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let (before, after) = stream.split_at(at + 1);
        assert_eq!(decode(&Limits::default(), [before, KEEP_ALIVE, after]), expected, "at {at}");
    }
}

#[test]
fn an_error_names_its_rule_and_nothing_is_consumed() {
    let mut decoder = Decoder::new(&Limits { max_line_bytes: 3, ..Limits::default() });
    assert_eq!(decoder.poll(b"data").map(|step| step.consumed), Err(SseError::LineTooLong));
    assert_eq!(decoder.advance(b"").map(|step| step.consumed), Err(SseError::LineTooLong));
    decoder.restart();
    assert_eq!(decoder.advance(b"a\n").map(|step| step.consumed), Ok(2));
    assert_eq!(SseError::LineTooLong.rule(), "HTML 9.2.5");
    assert_eq!(SseError::EventTooLarge.rule(), "HTML 9.2.6");
    assert_eq!(SseError::EventTooLarge.to_string(), "an event of the event stream is too large");
}

/// What an event holds is given back where a field is set again, and where the event is over.
#[test]
fn an_event_is_as_large_as_what_is_in_force_of_it() {
    let ab = |data: &str| format!("event: ab\ndata: {data}\n\n");
    for (stream, size) in [
        ("data: c\n\n".to_owned(), 2),
        ("data: c\ndata:\n\n".to_owned(), 3),
        (ab("c"), 4),
        (ab("c").repeat(3), 4),
        (ab("c") + &ab("cd") + &ab(""), 5),
        (ab("c") + "data: c\n\n" + &ab("c"), 4),
        ("event: abc\nevent: ab\nevent: ab\ndata: c\n\n".to_owned(), 4),
        ("event: abcd\n\ndata: cde\n\n".to_owned(), 4),
        ("id: 12\nid: 34\nid: \0\ndata:\n\n".to_owned(), 3),
        ("id: 1234\n\ndata: cde\n\n".to_owned(), 4),
        ("id: 12\nevent: \u{fffd}\ndata: \u{e9}\n\n".to_owned(), 8),
    ] {
        for (stream, what) in [
            (stream.clone().into_bytes(), "whole"),
            // One byte that is no text becomes three.
            (
                stream.replace('\u{fffd}', "?").bytes().map(|b| if b == b'?' { 0xff } else { b }).collect(),
                "broken",
            ),
        ] {
            let limits = |max_event_bytes| Limits { max_event_bytes, ..Limits::default() };
            let fails = |size| {
                let seen = decode(&limits(size), [&stream[..]]).seen;
                seen.contains(&Seen::Error(SseError::EventTooLarge))
            };
            assert!(!fails(size) && fails(size - 1), "{:?} {what}", String::from_utf8_lossy(&stream));
        }
    }
}

#[test]
fn a_type_is_of_one_event_alone() {
    let stream = "event: a\ndata: 1\n\ndata: 2\n\nevent: a\ndata: 3\n\nevent: b\n\ndata: 4\n\nevent: a\nevent\ndata: 5\n\n";
    let seen = decode(&Limits::default(), [stream.as_bytes()]).seen;
    let types: Vec<&str> = seen
        .iter()
        .map(|seen| match seen {
            Seen::Message { event, .. } => event.as_str(),
            Seen::Error(error) => panic!("{error}"),
        })
        .collect();
    assert_eq!(types, ["a", "message", "a", "message", "message"]);
}

/// Steps taken, by pieces of `longest` bytes.
fn work(stream: &[u8], longest: usize) -> u64 {
    let limits = Limits { max_line_bytes: usize::MAX, max_event_bytes: usize::MAX };
    let mut decoder = Decoder::new(&limits);
    let before = steps();
    for mut piece in stream.chunks(longest) {
        loop {
            let step = decoder.advance(piece).expect("no limits");
            piece = &piece[step.consumed..];
            if step.event == Kind::NeedInput {
                break;
            }
        }
    }
    steps() - before
}

/// A byte is searched once and read once, and each call is a step.
#[test]
fn work_is_linear() {
    let n = 4_000;
    for stream in [
        format!("data: {}\n\n", "x".repeat(8 * n)),
        format!("{}\n", "data: xx\n".repeat(n)),
        "data:\n\n".repeat(n),
        "\n".repeat(8 * n),
        "\r\n".repeat(4 * n),
        format!(":{}\n", " ".repeat(8 * n)),
        format!("id: {}\n{}", "x".repeat(4 * n), "\n".repeat(4 * n)),
        "id: 1\n".repeat(n),
        format!("retry: {}\n", "9".repeat(8 * n)),
        "x".repeat(8 * n),
    ] {
        for longest in [1, 7, stream.len()] {
            let steps = work(stream.as_bytes(), longest);
            let len = stream.len() as u64;
            assert!((len / 2..=len * 4).contains(&steps), "{steps} steps for {len} bytes by {longest}");
        }
    }
}

/// A stream made of what streams are made of, and of what they are not.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    const PARTS: &[&[u8]] = &[
        b"data",
        b"event",
        b"id",
        b"retry",
        b"foo",
        b":",
        b": ",
        b" ",
        b"\n",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\0",
        b"\xef\xbb\xbf",
        b"\xef",
        b"\xe2\x80",
        b"\xff",
        b"42",
        b"x",
        "…".as_bytes(),
        b"data: y\n",
    ];
    prop::collection::vec(prop::sample::select(PARTS), 0..60).prop_map(|parts| parts.concat())
}

fn values() -> impl Strategy<Value = Values> {
    let text = || {
        prop::option::of(prop_oneof![
            any::<String>(),
            "[ab :\r\n]{0,12}",
            "[ab :]{0,12}",
            Just("\u{feff}".to_owned()),
        ])
    };
    (text(), text(), text(), any::<Option<u64>>(), text())
        .prop_map(|(comment, event, id, retry, data)| Values { comment, event, id, retry, data })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pieces_do_not_matter(
        stream in prop_oneof![stream(), prop::collection::vec(any::<u8>(), 0..80)],
        line in 0..40_usize, event in 0..40_usize, seed in any::<u64>(),
    ) {
        let small = Limits { max_line_bytes: line, max_event_bytes: event };
        for limits in [Limits::default(), small] {
            let whole = decode(&limits, [&stream[..]]);
            prop_assert_eq!(&decode(&limits, stream.chunks(1)), &whole);
            for longest in [3, 20] {
                prop_assert_eq!(&decode(&limits, pieces::at_random(&stream, longest, seed)), &whole);
            }
        }
    }

    #[test]
    fn a_naive_reader_agrees(stream in prop_oneof![stream(), prop::collection::vec(any::<u8>(), 0..80)]) {
        prop_assert_eq!(decode(&Limits::default(), [&stream[..]]), naive(&stream));
    }

    #[test]
    fn events_come_back(mut events in prop::collection::vec(values(), 0..6), step in 1..40_usize) {
        round_trip(&mut events, step);
    }
}
