//! Server-sent events: 32 with an ID, a type and a line of 64 bytes.

use std::hint::black_box;

use sinew_proto::sse::{Decoder, Event, Limits};

use crate::workloads::Operation;

const EVENTS: usize = 32;
const TEXT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn write(out: &mut Vec<u8>) {
    for _ in 0..EVENTS {
        let event = Event::new().id("4711").expect("a valid ID").event("price").expect("a valid type");
        event.data(black_box(TEXT)).write(out);
    }
}

pub(crate) fn written() -> Operation {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        write(&mut out);
        assert_eq!(out.len(), EVENTS * (TEXT.len() + 30));
    })
}

pub(crate) fn read() -> Operation {
    let mut wire = Vec::new();
    write(&mut wire);
    let mut decoder = Decoder::new(&Limits::default());
    Box::new(move || {
        let (mut rest, mut events) = (black_box(&wire[..]), 0);
        loop {
            let step = decoder.poll(rest).expect("within the limits");
            rest = &rest[step.consumed..];
            let Some(message) = step.event else { break };
            assert!(message.event == "price" && message.last_event_id == "4711" && message.data == TEXT);
            events += 1;
        }
        assert!(rest.is_empty() && events == EVENTS);
    })
}
