//! What httparse makes of the same heads: it finds the parts of a head and checks their characters.

use std::hint::black_box;

use ::httparse::{EMPTY_HEADER, Request, Response};

use crate::heads::RESPONSE;
use crate::workloads::Operation;

pub(crate) fn head(input: &'static [u8]) -> Operation {
    heads(vec![input.to_vec()])
}

pub(crate) fn heads(inputs: Vec<Vec<u8>>) -> Operation {
    let mut next = 0;
    Box::new(move || {
        let input = black_box(inputs[next].as_slice());
        next = if next + 1 == inputs.len() { 0 } else { next + 1 };
        let mut fields = [EMPTY_HEADER; 100];
        let mut request = Request::new(&mut fields);
        let status = request.parse(input).expect("a valid head");
        assert_eq!(status, ::httparse::Status::Complete(input.len()));
        black_box(request);
    })
}

pub(crate) fn response() -> Operation {
    Box::new(|| {
        let mut fields = [EMPTY_HEADER; 100];
        let mut response = Response::new(&mut fields);
        let status = response.parse(black_box(RESPONSE)).expect("a valid head");
        assert_eq!(status, ::httparse::Status::Complete(RESPONSE.len()));
        black_box(response);
    })
}
