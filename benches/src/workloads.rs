//! What is counted and timed. Each workload checks its result, so that it cannot be optimised away or
//! fail quietly.

use crate::heads::{BROWSER, TWO_LINES, hundred_fields, mixed};
use crate::{driver, handlers, http_net, http1, httparse, sse, tungstenite, websocket};

/// One operation, with all that was prepared for it. It can be repeated.
pub(crate) type Operation = Box<dyn FnMut()>;

/// Something to count and to time.
pub(crate) struct Workload {
    /// What it does. With the name of another crate in parentheses it is what that crate makes of the
    /// same: for comparison, and never a reason for `--check` to fail.
    pub(crate) name: &'static str,
    /// How many operations are counted, and how many make a round by the clock.
    pub(crate) times: u32,
    prepare: fn() -> Operation,
}

impl Workload {
    pub(crate) fn prepare(&self) -> Operation {
        (self.prepare)()
    }

    /// Prepares it and runs it so many times.
    pub(crate) fn run(&self, times: u32) {
        let mut operation = self.prepare();
        for _ in 0..times {
            operation();
        }
    }

    /// Whose it is, and of which workload it is the counterpart.
    pub(crate) fn peer(&self) -> Option<(&'static str, &'static str)> {
        let (counterpart, peer) = self.name.strip_suffix(')')?.rsplit_once(" (")?;
        Some((peer, counterpart))
    }
}

/// The workload of that name.
pub(crate) fn find(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

/// Of what takes about a microsecond or less. So many mixed heads are made.
const SHORT: u32 = 512;
/// Of what takes some microseconds.
const LONG: u32 = 64;
/// Of what moves a lot of memory.
const HUGE: u32 = 8;

const fn workload(name: &'static str, times: u32, prepare: fn() -> Operation) -> Workload {
    Workload { name, times, prepare }
}

pub(crate) const WORKLOADS: &[Workload] = &[
    workload("head/browser", SHORT, || http1::head(BROWSER)),
    workload("head/browser (httparse)", SHORT, || httparse::head(BROWSER)),
    workload("head/browser (http-net)", SHORT, || http_net::head(BROWSER)),
    workload("head/two lines", SHORT, || http1::head(TWO_LINES)),
    workload("head/two lines (httparse)", SHORT, || httparse::head(TWO_LINES)),
    workload("head/two lines (http-net)", SHORT, || http_net::head(TWO_LINES)),
    workload("head/mixed", SHORT, || http1::heads(mixed())),
    workload("head/mixed (httparse)", SHORT, || httparse::heads(mixed())),
    workload("head/mixed (http-net)", SHORT, || http_net::heads(mixed())),
    workload("head/100 fields", LONG, || http1::heads(vec![hundred_fields()])),
    workload("head/100 fields (httparse)", LONG, || httparse::heads(vec![hundred_fields()])),
    workload("head/100 fields (http-net)", LONG, || http_net::heads(vec![hundred_fields()])),
    workload("exchange/browser", SHORT, || http1::exchange(BROWSER)),
    workload("exchange/two lines", SHORT, || http1::exchange(TWO_LINES)),
    workload("read and exchange/browser", SHORT, || http1::read_and_exchange(BROWSER)),
    workload("read and exchange/browser (http-net)", SHORT, || http_net::read_and_exchange(BROWSER)),
    workload("read and exchange/two lines", SHORT, || http1::read_and_exchange(TWO_LINES)),
    workload("read and exchange/two lines (http-net)", SHORT, || http_net::read_and_exchange(TWO_LINES)),
    workload("response head/five fields", SHORT, http1::response_head),
    workload("field lines/two appended", SHORT, http1::field_lines),
    workload("client/eight fields", SHORT, http1::client),
    workload("client/eight fields (httparse)", SHORT, httparse::response),
    workload("client/eight fields (http-net)", SHORT, http_net::response),
    workload("chunked/64 of 1 KiB", LONG, || http1::chunked(64, 1024)),
    workload("chunked/64 of 1 KiB (http-net)", LONG, || http_net::chunked(64, 1024)),
    workload("chunked/64 of 16 B", LONG, || http1::chunked(64, 16)),
    workload("chunked/64 of 16 B (http-net)", LONG, || http_net::chunked(64, 16)),
    workload("sse/32 events written", LONG, sse::written),
    workload("sse/32 events read", LONG, sse::read),
    workload("call/function", SHORT, handlers::function),
    workload("call/route of text", SHORT, handlers::text),
    workload("call/route with a placeholder", SHORT, handlers::placeholder),
    workload("call/no route", SHORT, handlers::miss),
    workload("call/three extractors", SHORT, handlers::extractors),
    workload("call/JSON out", SHORT, handlers::json),
    workload("driver/two lines", LONG, || driver::small(TWO_LINES, 1)),
    workload("driver/two lines x16", LONG, || driver::small(TWO_LINES, 16)),
    workload("driver/browser", LONG, || driver::small(BROWSER, 1)),
    workload("driver/1 KiB posted and echoed", LONG, || driver::echo(1024)),
    workload("driver/64 KiB posted and echoed", HUGE, || driver::echo(64 * 1024)),
    workload("driver/64 chunks of 1 KiB", HUGE, driver::chunks),
    workload("mask/1 KiB", SHORT, || websocket::mask(1024)),
    workload("mask/64 KiB", HUGE, || websocket::mask(64 * 1024)),
    workload("websocket read/32 of 64 B", LONG, || websocket::read(64)),
    workload("websocket read/32 of 64 B (tungstenite)", LONG, || tungstenite::read(64)),
    workload("websocket read/32 of 1 KiB", LONG, || websocket::read(1024)),
    workload("websocket read/32 of 1 KiB (tungstenite)", LONG, || tungstenite::read(1024)),
    workload("websocket read/32 of 64 KiB", HUGE, || websocket::read(64 * 1024)),
    workload("websocket read/32 of 64 KiB (tungstenite)", HUGE, || tungstenite::read(64 * 1024)),
    workload("websocket written/32 of 64 B", LONG, || websocket::written(64)),
    workload("websocket written/32 of 64 B (tungstenite)", LONG, || tungstenite::written(64)),
    workload("websocket written/32 of 1 KiB", LONG, || websocket::written(1024)),
    workload("websocket written/32 of 1 KiB (tungstenite)", LONG, || tungstenite::written(1024)),
    workload("websocket written/32 of 64 KiB", HUGE, || websocket::written(64 * 1024)),
    workload("websocket written/32 of 64 KiB (tungstenite)", HUGE, || tungstenite::written(64 * 1024)),
    workload("websocket core/32 of 64 B", LONG, || websocket::core(64)),
    workload("websocket core/32 of 1 KiB", LONG, || websocket::core(1024)),
    workload("websocket echo/32 of 64 B", LONG, || websocket::driver(64)),
    workload("websocket echo/32 of 1 KiB", LONG, || websocket::driver(1024)),
    workload("websocket echo/64 KiB of text", HUGE, websocket::long_text),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Some runs of each, so that none fails only when it is counted.
    #[test]
    fn every_workload_runs() {
        for workload in WORKLOADS {
            workload.run(3);
        }
    }

    #[test]
    fn a_name_tells_whose_it_is() {
        assert_eq!(find("head/mixed").unwrap().peer(), None);
        assert_eq!(find("head/mixed (httparse)").unwrap().peer(), Some(("httparse", "head/mixed")));
        for workload in WORKLOADS {
            if let Some((_, counterpart)) = workload.peer() {
                let counterpart = find(counterpart).expect("something to compare it with");
                assert_eq!(counterpart.times, workload.times, "{}", workload.name);
            }
        }
    }

    #[test]
    fn no_two_have_one_name() {
        let mut names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), WORKLOADS.len());
    }
}
