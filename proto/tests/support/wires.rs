//! Bytes for the tests: requests, nearly requests, and requests with one byte changed.

use proptest::prelude::*;
use sinew_proto::Config;

use super::damage::near;
use super::driver::Answer;

/// Words of which requests, and nearly requests, are made.
const WORDS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.1\r\n",
    "HEAD / HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    "GET http://a/ HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /\r\n",
    "get /%41%zz HTTP/1.1\r\n",
    "Host: a\r\n",
    "Host: a\r\n\r\n",
    "host:\ta \r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n\r\n",
    "Content-Length: +5\r\n",
    "Content-Length : 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Upgrade: x\r\n",
    "Expect: 100-continue\r\n",
    "X: y\r\n",
    "X:\r\n",
    "\u{fc}: y\r\n",
    " folded\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    ":",
    "hello",
    "5\r\nhello\r\n",
    "5;a=\"b\"\r\nhello\r\n",
    "0\r\n\r\n",
    "0\r\nT: u\r\n\r\n",
    "FFFFFFFFFFFFFFFF\r\n",
    "1\r\nx\r\n",
    "000001\r\nx\r\n",
    "\0",
    "\u{7f}",
];

/// A whole request, to be damaged by one of the words, or not.
pub(crate) const REQUESTS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nhe\r\n3\r\nllo\r\n0\r\nT: u\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx",
    "GET /c HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
];

pub(crate) fn wire() -> impl Strategy<Value = Vec<u8>> {
    near(WORDS, REQUESTS, 3, 4)
}

pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    prop::sample::select(vec![Answer::Never, Answer::AtOnce, Answer::AtEnd, Answer::Continue, Answer::Switch])
}

pub(crate) fn config() -> impl Strategy<Value = Config> {
    let small = (0..160_u32, 0..40_u32, 0..6_u16, 0..12_u32, 0..32_u32, 0..16_u32);
    let small = small.prop_map(|(head, target, fields, extensions, trailers, drain)| Config {
        max_head_bytes: head,
        max_target_bytes: target,
        max_fields: fields,
        max_chunk_extension_bytes: extensions,
        max_trailer_bytes: trailers,
        max_drain_bytes: drain,
        ..Config::default()
    });
    prop_oneof![2 => Just(Config::default()), 1 => small]
}

pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Requests to be changed in one byte: between them they have every part that is judged.
pub(crate) const SEEDS: &[&str] = &[
    "GET /a?b=%20c HTTP/1.1\r\nHost: a.b:80\r\nX-Y: z w\r\n\r\n",
    "\r\nHEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     3;a=b;c=\"d\\\"e\" ; f = g\r\nabc\r\n0a\r\n0123456789\r\n00;x\r\nT: u\r\nV:\r\n\r\n",
    "PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nhello, worldGET",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /2 HTTP/1.1\r\nHost: b\r\n\
     Connection: x, close\r\n\r\nGET /3 HTTP/1.1\r\nHost: c\r\n\r\n",
    "GET http://A.b:81/c?d HTTP/1.1\r\nHost: a.B:81\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [1:2::7.8.9.0]:1\r\nConnection: Upgrade\r\nUpgrade: x/1, y\r\n\r\nrest",
    "CONNECT [v1.a:b]:443 HTTP/1.1\r\nHost: c%2d:\r\n\r\nrest",
    "GET /d HTTP/1.1\r\nHost: [::1]\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nrest",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// `seed` with one byte replaced, inserted, or left out, in every place.
pub(crate) fn mutations(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let changed = move |at: usize, cut: usize, byte: Option<u8>| {
        let mut bytes = seed[..at].to_vec();
        bytes.extend(byte);
        bytes.extend_from_slice(&seed[at + cut..]);
        bytes
    };
    let insertions =
        (0..=seed.len()).flat_map(move |at| (0..=255).map(move |byte| changed(at, 0, Some(byte))));
    let replacements =
        (0..seed.len()).flat_map(move |at| (0..=255).map(move |byte| changed(at, 1, Some(byte))));
    let deletions = (0..seed.len()).map(move |at| changed(at, 1, None));
    insertions.chain(replacements).chain(deletions)
}
