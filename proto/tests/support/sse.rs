//! Event streams, decoded by the core and by a reader that has the whole text; and events, written
//! and read back.

use std::time::Duration;

use sinew_proto::sse::{Decoder, Event, Kind, Limits, SseError};

/// An event as it was dispatched, or the end of all reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Message { event: String, data: String, last_event_id: String },
    Error(SseError),
}

/// What was seen of the streams of one source, and what is known of it in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) seen: Vec<Seen>,
    pub(crate) last_event_id: String,
    pub(crate) reconnection_time: Option<Duration>,
}

/// Decodes one stream that arrives in `pieces`.
pub(crate) fn decode<'p>(limits: &Limits, pieces: impl IntoIterator<Item = &'p [u8]>) -> Transcript {
    decode_streams(limits, pieces, &[])
}

/// Decodes several streams one after another: one ends at each of `ends`, a place in all the bytes.
pub(crate) fn decode_streams<'p>(
    limits: &Limits,
    pieces: impl IntoIterator<Item = &'p [u8]>,
    ends: &[usize],
) -> Transcript {
    let mut decoder = Decoder::new(limits);
    let mut seen = Vec::new();
    let (mut at, mut ends) = (0, ends.iter().copied().peekable());
    for mut piece in pieces {
        while let Some(end) = ends.next_if(|&end| end <= at + piece.len()) {
            let (before, after) = piece.split_at(end - at);
            decode_piece(&mut decoder, limits, before, &mut seen);
            decoder.restart();
            (at, piece) = (end, after);
        }
        decode_piece(&mut decoder, limits, piece, &mut seen);
        at += piece.len();
    }
    Transcript {
        seen,
        last_event_id: decoder.last_event_id().to_owned(),
        reconnection_time: decoder.reconnection_time(),
    }
}

fn decode_piece(decoder: &mut Decoder, limits: &Limits, mut piece: &[u8], seen: &mut Vec<Seen>) {
    loop {
        let mut twin = decoder.clone();
        let by_kind = twin.advance(piece);
        let step = match decoder.poll(piece) {
            Ok(step) => step,
            Err(error) => {
                assert_eq!(by_kind, Err(error));
                assert_eq!(decoder.poll(b"data: more\n\n"), Err(error), "an error is final");
                if seen.last() != Some(&Seen::Error(error)) {
                    seen.push(Seen::Error(error));
                }
                return;
            }
        };
        let Some(message) = step.event else {
            assert_eq!(step.consumed, piece.len(), "everything is used up");
            assert_eq!(by_kind.map(|step| step.event), Ok(Kind::NeedInput));
            return;
        };
        assert!(step.consumed > 0, "progress");
        assert_eq!(by_kind.map(|step| (step.consumed, step.event)), Ok((step.consumed, Kind::Message)));
        assert_eq!(twin.message(), message);
        // Each line was kept with an LF.
        assert!(message.data.len() < limits.max_event_bytes, "within the limit");
        let [event, data, last_event_id] =
            [message.event, message.data, message.last_event_id].map(str::to_owned);
        piece = &piece[step.consumed..];
        assert_eq!(decoder.last_event_id(), last_event_id);
        seen.push(Seen::Message { event, data, last_event_id });
    }
}

/// What the standard says of a stream without limits, read from its whole text.
pub(crate) fn naive(bytes: &[u8]) -> Transcript {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut transcript = Transcript::default();
    let (mut data, mut event, mut id) = (String::new(), "", "");
    // What follows the last line end is no line.
    let (lines, _) = text.rsplit_once('\n').unwrap_or_default();
    let lines = if text.contains('\n') { lines.split('\n').collect() } else { Vec::new() };
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" if line.is_empty() => {
                id.clone_into(&mut transcript.last_event_id);
                if let Some(data) = data.strip_suffix('\n') {
                    transcript.seen.push(Seen::Message {
                        event: if event.is_empty() { "message" } else { event }.to_owned(),
                        data: data.to_owned(),
                        last_event_id: id.to_owned(),
                    });
                }
                data.clear();
                event = "";
            }
            "data" => data = data + value + "\n",
            "event" => event = value,
            "id" if !value.contains('\0') => id = value,
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                let millis = value.parse().unwrap_or(u64::MAX);
                transcript.reconnection_time = Some(Duration::from_millis(millis));
            }
            _ => {}
        }
    }
    transcript
}

/// What goes into one event; `None` leaves it out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    pub(crate) comment: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) data: Option<String>,
}

impl Values {
    /// Builds the event. What cannot be written has to be refused, and is left out.
    fn build(&mut self) -> Event<'_> {
        let broken = |text: &String| text.contains(['\r', '\n', '\0']);
        let mut event = Event::new();
        if self.event.as_ref().is_some_and(broken) {
            let name = self.event.take().unwrap_or_default();
            assert!(event.clone().event(name).is_err());
        }
        if self.id.as_ref().is_some_and(broken) {
            let id = self.id.take().unwrap_or_default();
            assert!(event.clone().id(id).is_err());
        }
        if let Some(comment) = &self.comment {
            event = event.comment(comment);
        }
        if let Some(name) = &self.event {
            event = event.event(name).expect("an event type in one line");
        }
        if let Some(id) = &self.id {
            event = event.id(id).expect("an ID in one line");
        }
        if let Some(retry) = self.retry {
            event = event.retry(Duration::from_millis(retry));
        }
        if let Some(data) = &self.data {
            event = event.data(data);
        }
        event
    }
}

/// Writes the events one after another. They come back as they were, but for the line ends of data, and
/// nothing else does.
pub(crate) fn round_trip(events: &mut [Values], step: usize) {
    let mut wire = Vec::new();
    for values in &mut *events {
        values.build().write(&mut wire);
    }
    let mut expected = Transcript::default();
    for values in events {
        if let Some(id) = &values.id {
            expected.last_event_id.clone_from(id);
        }
        if let Some(retry) = values.retry {
            expected.reconnection_time = Some(Duration::from_millis(retry));
        }
        if let Some(data) = &values.data {
            let event = values.event.clone().filter(|event| !event.is_empty());
            expected.seen.push(Seen::Message {
                event: event.unwrap_or_else(|| "message".to_owned()),
                data: data.replace("\r\n", "\n").replace('\r', "\n"),
                last_event_id: expected.last_event_id.clone(),
            });
        }
    }
    assert_eq!(decode(&Limits::default(), wire.chunks(step.max(1))), expected);
}
