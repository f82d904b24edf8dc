//! Runs every case of `tests/fixtures/websocket/*-handshake.http` through the server and the client of
//! HTTP/1.1: a request or a response in, a verdict out. `fixtures/README.md` has the format.

#[path = "support/handshake_check.rs"]
mod handshake_check;
#[path = "support/handshake_fixture.rs"]
mod handshake_fixture;
#[allow(dead_code, reason = "a handshake has no limits to set")]
#[path = "support/text.rs"]
mod text;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use handshake_fixture::{Case, cases};
use proptest::prelude::*;
use sinew_proto::http1::client::{self, Client, Request};
use sinew_proto::http1::{BodyPlan, RequestHead, RequestHeadBuf, ResponseHead, Server, server};
use sinew_proto::websocket::{
    ClientHandshake, DeflateConfig, DeflateParams, HandshakeError, Negotiated, ServerHandshake, TermsError,
    WindowBits,
};
use sinew_proto::{Config, FieldLines, FieldTable, Instant, StatusCode};
use text::escape;

/// What a page may have as its origin in the cases of a server.
const ALLOWED: [&str; 4] = ["https://example.com", "http://localhost:8080", "null", "chrome-extension://abc"];

/// What a case saw, and the bytes that were sent.
type Outcome = (Vec<String>, Vec<u8>);

fn serve(case: &Case) -> Outcome {
    let config = Config::default();
    let (mut server, mut table) = (Server::new(&config), FieldTable::new(&config));
    let input = case.message();
    let step = server.poll(&input, &mut table, Instant::from_nanos(0)).expect("a valid head");
    let server::Event::Request(request) = step.event else { panic!("{}: no head", case.name) };
    let (mut seen, mut out) = (Vec::new(), Vec::new());
    match ServerHandshake::from_request(&request) {
        Ok(handshake) => {
            seen.push(format!("Protocols {}", handshake.protocols().collect::<Vec<_>>().join(" ")));
            seen.push(origin(&handshake, &request));
            let handshake = match &case.deflate {
                Some(config) => handshake.deflate(config),
                None => handshake,
            };
            match handshake.accept(case.choose.as_deref()) {
                Ok((fields, agreed)) => {
                    seen.push(agreement(&agreed));
                    seen.extend(field_lines(&fields));
                    let head = ResponseHead {
                        fields: Some(&fields),
                        ..ResponseHead::new(StatusCode::SWITCHING_PROTOCOLS)
                    };
                    server.respond(&head, BodyPlan::Upgrade, &mut out).expect("the upgrade was offered");
                }
                Err(error) => seen.push(format!("TermsError {error:?}")),
            }
        }
        Err(error) => {
            seen.push(format!("Error {error:?} {}", error.status()));
            let mut fields = FieldLines::new();
            error.write_fields(&mut fields);
            seen.extend(field_lines(&fields));
            let head = ResponseHead { fields: Some(&fields), ..ResponseHead::new(error.status()) };
            server.respond(&head, BodyPlan::Empty, &mut out).expect("a request waits");
        }
    }
    (seen, out)
}

fn origin(handshake: &ServerHandshake<'_>, request: &RequestHead<'_>) -> String {
    let mut line = "Origin".to_owned();
    if let Some(origin) = handshake.origin() {
        write!(line, " {}", origin.as_str()).expect("a String");
        if origin.is_one_of(&ALLOWED) {
            line.push_str(" listed");
        }
        if origin.is_host_of(request) {
            line.push_str(" same-host");
        }
    }
    line
}

fn ask(case: &Case) -> Outcome {
    let offered = case
        .offer
        .iter()
        .try_fold(ClientHandshake::new(*b"the sample nonce"), |handshake, name| handshake.protocol(name));
    let handshake = match (offered, &case.deflate) {
        (Ok(handshake), Some(config)) => handshake.deflate(config),
        (Ok(handshake), None) => handshake,
        (Err(error), _) => return (vec![format!("TermsError {error:?}")], Vec::new()),
    };
    let config = Config::default();
    let (mut client, mut table) = (Client::new(&config), FieldTable::new(&config));
    let mut fields = FieldLines::new();
    fields.append("Host", "server.example.com").expect("a valid field");
    handshake.write_fields(&mut fields);
    let mut out = Vec::new();
    let request = Request::new("GET", "/chat", &fields);
    client.request(&request, BodyPlan::Empty, &mut out).expect("a valid request");

    let input = case.message();
    let mut seen = match client.poll(&input, &mut table, Instant::from_nanos(0)).map(|step| step.event) {
        Ok(client::Event::Response(response)) => match handshake.verify(&response) {
            Ok(agreed) => vec![agreement(&agreed)],
            Err(error) => vec![format!("Error {error:?}")],
        },
        Ok(other) => panic!("{}: {other:?}", case.name),
        Err(error) => vec![format!("RecvError {error:?}")],
    };
    seen.extend(field_lines(&fields));
    (seen, out)
}

fn agreement(agreed: &Negotiated<'_>) -> String {
    let mut line = "Agreed".to_owned();
    if let Some(protocol) = agreed.protocol {
        write!(line, " protocol={protocol}").expect("a String");
    }
    if let Some(params) = agreed.deflate {
        let forgets = |forgets| if forgets { ",forgets" } else { "" };
        write!(line, " server={}", params.server_max_window_bits()).expect("a String");
        line.push_str(forgets(params.server_no_context_takeover()));
        write!(line, " client={}", params.client_max_window_bits()).expect("a String");
        line.push_str(forgets(params.client_no_context_takeover()));
    }
    line
}

fn field_lines(fields: &FieldLines) -> impl Iterator<Item = String> {
    fields.iter().map(|field| format!("Field {}: {}", field.name, escape(field.value)))
}

/// The lines of a kind that the case does not mention are left out; of the fields, those with a name
/// that it does not mention.
fn relevant(seen: &[String], expected: &[String]) -> Vec<String> {
    let kind = |line: &str| match line.split_once(": ") {
        Some((field, _)) => field.to_owned(),
        None => line.split(' ').next().unwrap_or_default().to_owned(),
    };
    let expected: BTreeSet<String> = expected.iter().map(|line| kind(line)).collect();
    let always = |line: &str| !["Field ", "Protocols", "Origin"].iter().any(|kind| line.starts_with(kind));
    seen.iter()
        .filter(|line| always(line) || expected.contains(&kind(line)))
        .map(|line| line.trim().to_owned())
        .collect()
}

fn check(file: &str, run: fn(&Case) -> Outcome) -> usize {
    let cases = cases(file);
    let mut wrong = String::new();
    for case in &cases {
        let (seen, out) = run(case);
        let seen = relevant(&seen, &case.seen);
        if seen != case.seen {
            writeln!(wrong, "{}\n  expected {:?}\n  seen     {seen:?}", case.name, case.seen)
                .expect("a String");
        }
        if case.written.as_ref().is_some_and(|written| *written != out) {
            writeln!(wrong, "{}\n  wrote {}", case.name, escape(&out)).expect("a String");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "names of their own");
    cases.len()
}

#[test]
fn server() {
    assert!(check("server-handshake", serve) >= 90);
}

#[test]
fn client() {
    assert!(check("client-handshake", ask) >= 55);
}

#[test]
fn a_refusal_keeps_what_is_there() {
    let mut fields = FieldLines::new();
    fields.append("content-type", "text/plain").expect("valid");
    fields.append("Connection", "close").expect("valid");
    HandshakeError::NoUpgrade.write_fields(&mut fields);
    assert_eq!(
        fields.as_bytes(),
        b"content-type: text/plain\r\nConnection: close\r\nupgrade: websocket\r\n\
          connection: upgrade\r\nsec-websocket-version: 13\r\n"
    );
    let mut once = fields.clone();
    HandshakeError::UnsupportedVersion.write_fields(&mut once);
    assert_eq!(once.get_all("connection").count(), 2, "named once is enough");
    let before = once.clone();
    HandshakeError::InvalidKey.write_fields(&mut once);
    assert_eq!(once, before);
    assert_eq!(ClientHandshake::new([0; 16]).protocol("").unwrap_err(), TermsError::InvalidProtocol);
}

/// A list of subprotocols as long as a head can be is judged without comparing each with each.
#[test]
fn thousands_of_subprotocols() {
    let list: Vec<String> = (0..20_000).map(|n| format!("{n:x}")).collect();
    let list = list.join(",");
    let head = |list: &str| {
        RequestHeadBuf::build(
            "GET",
            "/",
            [
                ("Upgrade", "websocket"),
                ("Connection", "upgrade"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Sec-WebSocket-Protocol", list),
            ],
        )
        .expect("a valid head")
    };
    let count = |head: &RequestHeadBuf| {
        ServerHandshake::from_request(&head.as_head()).map(|handshake| handshake.protocols().count())
    };
    assert_eq!(count(&head(&list)), Ok(20_000));
    assert_eq!(count(&head(&format!("{list},0"))), Err(HandshakeError::InvalidProtocols));
}

/// What is accepted has what it needs, and every refusal can be sent.
#[test]
fn what_is_accepted_is_whole() {
    let requests = cases("server-handshake");
    let accepted =
        |case: &Case| case.seen.iter().any(|line| !line.contains("Error") && !line.starts_with("Field"));
    for case in &requests {
        let opened = handshake_check::request(&case.message());
        // That the application chooses wrongly is not the request's fault.
        let wrong_choice = case.seen.iter().any(|line| line.starts_with("TermsError"));
        assert_eq!(opened, accepted(case) || wrong_choice, "{}", case.name);
    }
    let opened =
        cases("client-handshake").iter().filter(|case| handshake_check::response(&case.message())).count();
    assert!(opened >= 8, "{opened}");
}

/// The list of subprotocols is looked at in order, once, and the answer is written: nothing else is
/// allocated, and with compression the terms that are told.
#[test]
fn a_handshake_allocates_next_to_nothing() {
    let case = &cases("server-handshake")[0];
    let mut input = case.message();
    let config = Config::default();
    for (deflate, most) in [(None, 2), (Some(DeflateConfig::default()), 4)] {
        if deflate.is_some() {
            input.truncate(input.len() - 2);
            input.extend_from_slice(
                b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
            );
        }
        let (mut server, mut table) = (Server::new(&config), FieldTable::new(&config));
        let step = server.poll(&input, &mut table, Instant::from_nanos(0)).expect("a valid head");
        let server::Event::Request(request) = step.event else { panic!("no head") };
        let mut granted = None;
        let measured = allocation_counter::measure(|| {
            let mut handshake = ServerHandshake::from_request(&request).expect("a valid handshake");
            if let Some(config) = &deflate {
                handshake = handshake.deflate(config);
            }
            granted = handshake.accept(Some("superchat")).ok();
        });
        assert!(granted.is_some_and(|(_, agreed)| agreed.deflate.is_some() == deflate.is_some()));
        assert!((1..=most).contains(&measured.count_total), "{measured:?}");
    }
}

fn any_config() -> impl Strategy<Value = DeflateConfig> {
    (9..=15_u8, 9..=15_u8, any::<bool>(), any::<bool>()).prop_map(|(server, client, one, two)| {
        DeflateConfig {
            server_max_window_bits: WindowBits::new(server).expect("in range"),
            client_max_window_bits: WindowBits::new(client).expect("in range"),
            server_no_context_takeover: one,
            client_no_context_takeover: two,
            ..DeflateConfig::default()
        }
    })
}

/// A client of these terms and a server of those, through real heads. What each of them agreed to.
fn meet(
    client: &ClientHandshake,
    server: Option<&DeflateConfig>,
    protocol: Option<&str>,
) -> (Option<String>, Option<DeflateParams>, Option<DeflateParams>) {
    let mut fields = FieldLines::new();
    client.write_fields(&mut fields);
    let lines: Vec<(String, String)> = fields
        .iter()
        .map(|field| (field.name.to_owned(), String::from_utf8(field.value.to_vec()).expect("ASCII")))
        .chain([("connection".to_owned(), "upgrade".to_owned())])
        .collect();
    let head = RequestHeadBuf::build("GET", "/", lines.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let head = head.expect("a valid request");
    let mut handshake = ServerHandshake::from_request(&head.as_head()).expect("a valid handshake");
    if let Some(config) = server {
        handshake = handshake.deflate(config);
    }
    let (answer, served) = handshake.accept(protocol).expect("it was offered");

    let config = Config::default();
    let (mut http, mut table, mut out) = (Client::new(&config), FieldTable::new(&config), Vec::new());
    fields.append("host", "localhost").expect("valid");
    http.request(&Request::new("GET", "/", &fields), BodyPlan::Empty, &mut out).expect("valid");
    let mut input = b"HTTP/1.1 101 \r\nconnection: upgrade\r\n".to_vec();
    input.extend_from_slice(answer.as_bytes());
    input.extend_from_slice(b"\r\n");
    let step = http.poll(&input, &mut table, Instant::from_nanos(0)).expect("a valid response");
    let client::Event::Response(response) = step.event else { panic!("a whole head") };
    let agreed = client.verify(&response).expect("a valid handshake");
    assert_eq!(agreed.protocol, served.protocol);
    (agreed.protocol.map(str::to_owned), agreed.deflate, served.deflate)
}

proptest! {
    /// Whatever both sides want, they agree, on terms within what each of them asked for.
    #[test]
    fn both_sides_come_to_the_same_terms(
        nonce: [u8; 16],
        ours in proptest::option::of(any_config()),
        theirs in proptest::option::of(any_config()),
        names in proptest::collection::btree_set("[!#$%&'*+.^_`|~a-zA-Z0-9-]{1,8}", 0..4),
        choice: proptest::sample::Index,
    ) {
        let mut client = ClientHandshake::new(nonce);
        for name in &names {
            client = client.protocol(name).expect("a token of its own");
        }
        if let Some(config) = &ours {
            client = client.deflate(config);
        }
        let names: Vec<&String> = names.iter().collect();
        let protocol = (!names.is_empty()).then(|| names[choice.index(names.len())].as_str());
        let (chosen, agreed, served) = meet(&client, theirs.as_ref(), protocol);
        prop_assert_eq!(chosen.as_deref(), protocol);
        prop_assert_eq!(agreed, served);
        match (agreed, ours, theirs) {
            (Some(agreed), Some(ours), Some(theirs)) => {
                let least = |a: WindowBits, b: WindowBits| a.min(b).get();
                prop_assert_eq!(agreed.server_max_window_bits(), least(ours.server_max_window_bits, theirs.server_max_window_bits));
                prop_assert_eq!(agreed.client_max_window_bits(), least(ours.client_max_window_bits, theirs.client_max_window_bits));
                prop_assert_eq!(agreed.server_no_context_takeover(), ours.server_no_context_takeover || theirs.server_no_context_takeover);
                prop_assert_eq!(agreed.client_no_context_takeover(), ours.client_no_context_takeover || theirs.client_no_context_takeover);
            }
            (agreed, ours, theirs) => prop_assert!(agreed.is_none() && !(ours.is_some() && theirs.is_some())),
        }
    }

    /// A byte of a request or response that is another one makes no panic and nothing that is not whole.
    #[test]
    fn nearly_a_handshake(case: proptest::sample::Index, at: proptest::sample::Index, byte: u8) {
        for (file, check) in [
            ("server-handshake", handshake_check::request as fn(&[u8]) -> bool),
            ("client-handshake", handshake_check::response),
        ] {
            let cases = cases(file);
            let mut message = cases[case.index(cases.len())].message();
            let at = at.index(message.len());
            message[at] = byte;
            check(&message);
        }
    }

    /// No value of a field panics, and what is accepted is what it seems to be.
    #[test]
    fn any_values_at_all(
        key in "[ -~]{0,26}|[A-Za-z0-9+/]{22}==",
        extensions in "(permessage-deflate|[a-z]{1,3}|server_max_window_bits|client_no_context_takeover|=|1[0-5]|;|,| |\"|\\\\){0,20}",
        protocols in "[a-c, ]{0,9}",
        origin in "[ -~]{0,20}|https?://[a-z.:0-9@/]{0,9}",
    ) {
        let head = RequestHeadBuf::build("GET", "/", [
            ("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", &key), ("Sec-WebSocket-Extensions", &extensions),
            ("Sec-WebSocket-Protocol", &protocols), ("Origin", &origin),
        ]).expect("a valid head");
        if let Ok(handshake) = ServerHandshake::from_request(&head.as_head()) {
            prop_assert_eq!(key.trim().len(), 24);
            prop_assert!(handshake.protocols().count() >= 1);
            let origin = handshake.origin().expect("there is one");
            prop_assert!(!origin.is_one_of(&[]) && !origin.is_one_of(&["null"]));
            prop_assert!(origin.is_one_of(&[origin.as_str()]) || !origin.is_host_of(&head.as_head()));
            let (_, agreed) = handshake.deflate(&DeflateConfig::default()).accept(None).expect("no protocol");
            prop_assert!(agreed.deflate.is_none() || extensions.contains("permessage-deflate"));
        }
    }
}
