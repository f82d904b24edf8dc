//! What is sent, read back: the bytes of a response are what two readers find in them, the naive one
//! and, for the head, `httparse`. Nothing more is written, whatever the application passes in.

use sinew_proto::http1::{BodyMode, BodyPlan, CloseAction, ResponseHead, Server, server::Event};
use sinew_proto::{Config, FieldLines, FieldTable, HttpDate, Instant, RecvError, SendError, StatusCode};

use super::naive::response::{Framing, Response, read_responses};

/// A request and everything an application does about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    pub(crate) http10: bool,
    /// The `Connection` field of the request; with `upgrade` it offers `x`.
    pub(crate) connection: &'static str,
    /// The request has a body of two bytes and waits for 100.
    pub(crate) expects: bool,
    pub(crate) sends_continue: bool,
    pub(crate) hints: bool,
    pub(crate) shutdown: bool,
    pub(crate) dated: bool,
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) plan: Plan,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) trailers: Vec<(String, Vec<u8>)>,
    /// The last piece is marked as the last, if there are no trailers.
    pub(crate) marks_last: bool,
}

/// [`BodyPlan`], its length in proportion to the pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    #[default]
    Empty,
    /// As long as the pieces.
    Length,
    /// So much longer.
    Longer(u8),
    Streamed,
    Upgrade,
}

const NOW: Instant = Instant::from_nanos(0);
const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "OPTIONS", "CONNECT"];
const CONNECTIONS: [&str; 5] = ["", "close", "keep-alive", "upgrade", "Keep-Alive, x"];

impl Exchange {
    /// Any bytes as an exchange: method, options, connection, plan, two of the status, then lines
    /// that end in `\xff` and begin with `f` for a field, `t` for a trailer (with a colon after the
    /// name), or anything else for a piece of body.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [method, options, more, connection, plan, high, low, rest @ ..] = bytes else { return None };
        let mut exchange = Self {
            method: METHODS[usize::from(*method) % METHODS.len()],
            connection: CONNECTIONS[usize::from(*connection) % CONNECTIONS.len()],
            http10: options & 1 != 0,
            expects: options & 2 != 0,
            sends_continue: options & 4 != 0,
            hints: options & 8 != 0,
            shutdown: more & 1 != 0,
            dated: more & 2 != 0,
            marks_last: more & 4 != 0,
            status: 100 + (u16::from(*high) * 100 + u16::from(*low)) % 500,
            plan: match plan % 8 {
                0 | 1 => Plan::Empty,
                2 | 3 => Plan::Length,
                4 | 5 => Plan::Streamed,
                6 => Plan::Upgrade,
                _ => Plan::Longer(*low),
            },
            ..Self::default()
        };
        for line in rest.split(|&b| b == 0xFF) {
            let field = |line: &[u8]| {
                let colon = line.iter().position(|&b| b == b':').unwrap_or(line.len());
                let value = line.get(colon + 1..).unwrap_or_default();
                (String::from_utf8_lossy(&line[..colon]).into_owned(), value.to_vec())
            };
            match line {
                [b'f', rest @ ..] => exchange.fields.push(field(rest)),
                [b't', rest @ ..] => exchange.trailers.push(field(rest)),
                _ => exchange.pieces.push(line.to_vec()),
            }
        }
        Some(exchange)
    }

    fn request(&self) -> String {
        let target = if self.method == "CONNECT" { "a:1" } else { "/" };
        let version = if self.http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let upgrade = if self.connection == "upgrade" { "Upgrade: x\r\n" } else { "" };
        let body = if self.expects { "Content-Length: 2\r\nExpect: 100-continue\r\n" } else { "" };
        let connection = match self.connection {
            "" => String::new(),
            options => format!("Connection: {options}\r\n"),
        };
        format!("{} {target} {version}\r\nHost: a\r\n{connection}{upgrade}{body}\r\n", self.method)
    }

    fn length(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    fn body_plan(&self) -> BodyPlan {
        match self.plan {
            Plan::Empty => BodyPlan::Empty,
            Plan::Length => BodyPlan::Length(self.length()),
            Plan::Longer(more) => BodyPlan::Length(self.length() + 1 + u64::from(more)),
            Plan::Streamed => BodyPlan::Streamed,
            Plan::Upgrade => BodyPlan::Upgrade,
        }
    }

    /// Whether such a response contradicts itself or its request, said without the code that
    /// refuses it.
    fn contradicts(&self, sent: &[(String, Vec<u8>)]) -> bool {
        let values = |name: &str| -> Vec<&[u8]> {
            sent.iter().filter(|field| field.0.eq_ignore_ascii_case(name)).map(|field| &field.1[..]).collect()
        };
        let success = (200..300).contains(&self.status);
        let lengths = values("content-length");
        // RFC 9112 §6.1: the coding is the core's.
        if !values("transfer-encoding").is_empty() {
            return true;
        }
        if self.plan == Plan::Upgrade {
            // RFC 9110 §7.8 and §9.3.6, and no length where there is no content.
            let tunnel = self.method == "CONNECT" && success;
            let offered = self.connection == "upgrade" && !self.http10;
            let upgrades = values("upgrade");
            let mut protocols =
                upgrades.iter().flat_map(|value| value.split(|&b| b == b',')).map(<[u8]>::trim_ascii);
            let accepted: Vec<&[u8]> = protocols.by_ref().filter(|protocol| !protocol.is_empty()).collect();
            let named = !accepted.is_empty() && accepted.iter().all(|one| one.eq_ignore_ascii_case(b"x"));
            let switched = self.status == 101 && offered && named;
            return !(tunnel || switched) || self.expects || !lengths.is_empty();
        }
        if self.status < 200 || (self.method == "CONNECT" && success) {
            return true;
        }
        // RFC 9110 §15.3.5, §15.3.6, §15.4.5 and §9.3.2.
        let head_only = self.method == "HEAD" || self.status == 304;
        let planned = match self.body_plan() {
            BodyPlan::Empty => Some(0),
            BodyPlan::Length(length) => Some(length),
            BodyPlan::Streamed | BodyPlan::Upgrade => None,
        };
        if [204, 205].contains(&self.status) && planned != Some(0) {
            return true;
        }
        // RFC 9110 §8.6.
        match lengths[..] {
            [] => false,
            [value] => {
                let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                let set = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
                let unmade = head_only && matches!(planned, None | Some(0));
                let forbidden = self.status == 204 || (self.status == 205 && set != Some(0));
                !digits || set.is_none() || forbidden || !(set == planned || unmade)
            }
            _ => true,
        }
    }
}

/// Sends the response and reads it back. Returns whether it was complete.
pub(crate) fn check(exchange: &Exchange) -> bool {
    let config = Config::default();
    let (mut server, mut table) = (Server::new(&config), FieldTable::new(&config));
    let mut out = Vec::new();
    let mut expected = Vec::new();
    if exchange.shutdown {
        server.shutdown();
    }
    receive(&mut server, &mut table, exchange.request().as_bytes());

    let waits = exchange.expects && !exchange.http10;
    if exchange.sends_continue {
        assert_eq!(server.send_continue(&mut out), waits);
        if waits {
            expected.push(100);
        }
    }
    let (lines, sent) = field_lines(&exchange.fields);
    if exchange.hints {
        let framing = ["content-length", "transfer-encoding"];
        let framed = sent.iter().any(|(name, _)| framing.iter().any(|word| name.eq_ignore_ascii_case(word)));
        let informed = unless_refused(&mut out, |out| server.inform(StatusCode::EARLY_HINTS, &lines, out));
        assert_eq!(informed.is_some(), !framed && !exchange.http10, "{exchange:?}");
        if informed.is_some() {
            expected.push(103);
        }
    }

    let start = out.len();
    let date = HttpDate::from_unix(784_111_777);
    let status = StatusCode::new(exchange.status).expect("a status");
    let head = ResponseHead { status, fields: Some(&lines), date: exchange.dated.then_some(&date) };
    let mode = unless_refused(&mut out, |out| server.respond(&head, exchange.body_plan(), out));
    assert_eq!(mode.is_none(), exchange.contradicts(&sent), "{exchange:?}");
    let Some(mode) = mode else {
        // Something must be said all the same, and that closes.
        assert!(server.fail(&RecvError::BodyTimeout, exchange.dated.then_some(&date), &mut out));
        let responses = read(&out, exchange, &[exchange.method]);
        assert_eq!(responses.last().map(|last| (last.status, last.persists)), Some((408, false)));
        return false;
    };
    httparse_agrees(&out[start..], exchange);
    let trailers = body(&mut server, mode, exchange, &mut out);

    if server.is_busy() {
        // Fewer bytes than announced cannot look like a whole response.
        assert!(!server.fail(&RecvError::BodyTimeout, None, &mut out));
        assert_eq!(server.close_action(), CloseAction::Abort);
        assert!(read_responses(&out, &[exchange.method]).is_err(), "{exchange:?}: {}", out.escape_ascii());
        return false;
    }
    expected.push(exchange.status);
    let persists = mode != BodyMode::Upgraded && server.close_action() == CloseAction::None;
    if persists {
        // The answer to a further request stands right behind.
        if exchange.expects {
            receive(&mut server, &mut table, b"ok");
        }
        receive(&mut server, &mut table, b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
        let next = server.respond(&ResponseHead::new(StatusCode::NO_CONTENT), BodyPlan::Empty, &mut out);
        assert_eq!(next, Ok(BodyMode::None));
        expected.push(204);
    }
    let responses = read(&out, exchange, &[exchange.method, "GET"]);
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, expected, "{exchange:?}: {}", out.escape_ascii());
    let place = responses.len() - 1 - usize::from(persists);
    for interim in &responses[..place] {
        let fields: &[_] = if interim.status == 103 { &sent } else { &[] };
        assert_eq!(interim.fields, borrowed(fields));
    }
    compare(&responses[place], exchange, &sent, mode, persists, &trailers);
    true
}

/// Gives `input` and takes all events: a head, content, an end.
fn receive(server: &mut Server, table: &mut FieldTable, mut input: &[u8]) {
    loop {
        let step = server.poll(input, table, NOW).expect("a valid request");
        input = &input[step.consumed..];
        match step.event {
            Event::NeedInput | Event::Paused => return,
            Event::Request(_) | Event::Data(_) | Event::End => {}
            event => panic!("{event:?} in a valid request"),
        }
    }
}

/// What was accepted, and all of that: a value with a control byte or a name that is no token would
/// split the response (RFC 9112 §11.1).
fn field_lines(fields: &[(String, Vec<u8>)]) -> (FieldLines, Vec<(String, Vec<u8>)>) {
    let (mut lines, mut sent) = (FieldLines::new(), Vec::new());
    for (name, value) in fields {
        let blank = |b: &u8| *b == b' ' || *b == b'\t';
        let start = value.iter().take_while(|b| blank(b)).count();
        let end = value.len() - value[start..].iter().rev().take_while(|b| blank(b)).count();
        let value = &value[start..end];
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let valid = !name.is_empty()
            && name.bytes().all(token)
            && value.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7F));
        let before = lines.clone();
        assert_eq!(lines.append(name, value).is_ok(), valid, "{name:?}: {}", value.escape_ascii());
        if valid {
            sent.push((name.clone(), value.to_vec()));
        } else {
            assert_eq!(lines, before);
        }
    }
    (lines, sent)
}

/// A refusal writes nothing.
fn unless_refused<T>(
    out: &mut Vec<u8>,
    call: impl FnOnce(&mut Vec<u8>) -> Result<T, SendError>,
) -> Option<T> {
    let len = out.len();
    let result = call(out).ok();
    assert!(result.is_some() || out.len() == len, "a refusal wrote something");
    result
}

/// Sends the pieces as `mode` has it, and the end. Returns the trailers that were sent.
fn body(
    server: &mut Server,
    mode: BodyMode,
    exchange: &Exchange,
    out: &mut Vec<u8>,
) -> Vec<(String, Vec<u8>)> {
    if matches!(mode, BodyMode::None | BodyMode::Upgraded) {
        assert_eq!(server.frame_data(0, true), Err(SendError::NoBody));
        assert_eq!(unless_refused(out, |out| server.finish(None, out)), None);
        return Vec::new();
    }
    let marked = exchange.marks_last && exchange.trailers.is_empty();
    for (number, piece) in exchange.pieces.iter().enumerate() {
        let last = marked && number + 1 == exchange.pieces.len();
        let at = out.len();
        let framing = server.clone().frame_data(piece.len() as u64, last);
        let written = server.write_data(piece, last, out);
        assert_eq!(written, framing.as_ref().map(|_| ()).map_err(|error| *error));
        match framing {
            Ok(framing) => assert_eq!(out[at..], [framing.prefix(), piece, framing.suffix()].concat()),
            Err(error) => {
                // The announced length was not reached.
                assert_eq!((error, last, out.len()), (SendError::BodyTooShort, true, at));
                return Vec::new();
            }
        }
    }
    if !server.is_busy() {
        return Vec::new();
    }
    let (lines, sent) = field_lines(&exchange.trailers);
    if unless_refused(out, |out| server.finish(Some(&lines), out)).is_some() {
        // RFC 9112 §7.1.2, RFC 9110 §6.5.1.
        assert!(sent.is_empty() || mode == BodyMode::Chunked);
        for name in
            ["transfer-encoding", "content-length", "host", "authorization", "content-type", "trailer"]
        {
            assert!(!sent.iter().any(|field| field.0.eq_ignore_ascii_case(name)), "{name} in trailers");
        }
        return sent;
    }
    let short = matches!(exchange.plan, Plan::Longer(_));
    assert!(short || !sent.is_empty(), "no end for {exchange:?}");
    assert_eq!(unless_refused(out, |out| server.finish(None, out)).is_none(), short);
    Vec::new()
}

fn read<'o>(out: &'o [u8], exchange: &Exchange, methods: &[&str]) -> Vec<Response<'o>> {
    read_responses(out, methods)
        .unwrap_or_else(|stop| panic!("{stop:?}: {exchange:?}: {}", out.escape_ascii()))
}

fn compare(
    response: &Response<'_>,
    exchange: &Exchange,
    sent: &[(String, Vec<u8>)],
    mode: BodyMode,
    persists: bool,
    trailers: &[(String, Vec<u8>)],
) {
    let status = StatusCode::new(exchange.status).expect("a status");
    assert_eq!(response.reason, status.reason().as_bytes());
    let body_sent = !matches!(mode, BodyMode::None | BodyMode::Upgraded);
    let content = if body_sent { exchange.pieces.concat() } else { Vec::new() };
    assert_eq!(response.content, content, "{exchange:?}");
    assert_eq!(response.trailers, borrowed(trailers), "{exchange:?}");
    match mode {
        BodyMode::None => assert!(matches!(response.framing, Framing::None | Framing::Length)),
        BodyMode::Length(_) => assert_eq!(response.framing, Framing::Length),
        BodyMode::Chunked => assert_eq!(response.framing, Framing::Chunked),
        BodyMode::CloseDelimited => assert_eq!(response.framing, Framing::Close),
        BodyMode::Upgraded => assert_eq!(response.framing, Framing::Tunnel),
    }
    // RFC 9112 §9.3: what the client is told is what happens, and a client of HTTP/1.0 is told.
    assert_eq!(response.persists, persists, "{exchange:?}: {response:?}");
    let asked =
        exchange.connection != "close" && (!exchange.http10 || exchange.connection.starts_with(['k', 'K']));
    assert!(!persists || (asked && !exchange.shutdown), "{exchange:?}");
    let kept = response.fields.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("connection")
            && String::from_utf8_lossy(value).to_lowercase().contains("keep-alive")
    });
    assert!(kept || !(persists && exchange.http10), "{exchange:?}");

    // The fields as they were given, with a date before and the core's own behind.
    let mut fields = &response.fields[..];
    if exchange.dated && !sent.iter().any(|(name, _)| name.eq_ignore_ascii_case("date")) {
        let date = [("date", &b"Sun, 06 Nov 1994 08:49:37 GMT"[..])];
        fields = fields.strip_prefix(&date).expect("a date");
    }
    let own =
        fields.strip_prefix(&borrowed(sent)[..]).unwrap_or_else(|| panic!("{exchange:?}: {response:?}"));
    let allowed = ["content-length", "transfer-encoding", "connection"];
    for (at, (name, _)) in own.iter().enumerate() {
        assert!(allowed.contains(name), "{name}: {exchange:?}");
        assert!(!own[..at].iter().any(|before| before.0 == *name), "{name} twice: {exchange:?}");
    }
}

/// `httparse` reads the head with the same parts as the naive reader.
fn httparse_agrees(out: &[u8], exchange: &Exchange) {
    let mut headers = vec![httparse::EMPTY_HEADER; exchange.fields.len() + 4];
    let mut other = httparse::Response::new(&mut headers);
    let status = other.parse(out);
    assert_eq!(status, Ok(httparse::Status::Complete(out.len())), "{}", out.escape_ascii());
    assert_eq!((other.code, other.version), (Some(exchange.status), Some(1)));
    // Without its body: as to HEAD, where none follows.
    let ours = read(out, exchange, &["HEAD"]);
    let theirs: Vec<(&str, &[u8])> = other.headers.iter().map(|header| (header.name, header.value)).collect();
    assert_eq!(ours[0].fields, theirs);
}

fn borrowed(fields: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    fields.iter().map(|(name, value)| (&name[..], &value[..])).collect()
}
