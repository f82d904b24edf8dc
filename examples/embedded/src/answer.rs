//! What is answered: `hello`, or the body of the request while it arrives.

use alloc::vec::Vec;

use sinew_proto::http1::{BodyLength, BodyMode, BodyPlan, ResponseHead, Server, server::Event};
use sinew_proto::{SendError, StatusCode};

/// How far the answer to the request at hand is.
pub(crate) enum Answer {
    /// Complete, or nobody asked.
    Given,
    /// To begin with the first piece of the body.
    Echo(BodyPlan),
    /// Its head is out.
    Begun,
}

impl Answer {
    /// Acts on an event. Returns whether another one may follow at once.
    pub(crate) fn act(&mut self, event: &Event<'_>, core: &mut Server, out: &mut Vec<u8>) -> bool {
        let result = match event {
            Event::Request(head) => match head.method() {
                "GET" | "HEAD" => reply(core, StatusCode::OK, b"hello\n", out),
                "POST" | "PUT" => {
                    core.send_continue(out);
                    *self = Self::Echo(match head.body() {
                        BodyLength::None => BodyPlan::Empty,
                        BodyLength::Known(length) => BodyPlan::Length(length),
                        BodyLength::Chunked => BodyPlan::Streamed,
                    });
                    Ok(())
                }
                _ => reply(core, StatusCode::NOT_IMPLEMENTED, b"", out),
            },
            Event::Data(piece) => self.send_back(piece, core, out),
            Event::End => match core::mem::replace(self, Self::Given) {
                Self::Begun => core.finish(None, out),
                Self::Echo(_) => reply(core, StatusCode::OK, b"", out),
                Self::Given => Ok(()),
            },
            Event::Trailers(_) => Ok(()),
            Event::NeedInput | Event::Paused | Event::Upgraded | Event::Closed => return false,
        };
        if result.is_err() {
            core.abort(); // a mistake of ours; the client must not take it for an answer
        }
        true
    }

    fn send_back(&mut self, piece: &[u8], core: &mut Server, out: &mut Vec<u8>) -> Result<(), SendError> {
        if let Self::Echo(plan) = *self {
            *self = Self::Begun;
            core.respond(&ResponseHead::new(StatusCode::OK), plan, out)?;
        }
        core.write_data(piece, false, out)
    }
}

fn reply(core: &mut Server, status: StatusCode, body: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
    let length = body.len() as u64;
    if core.respond(&ResponseHead::new(status), BodyPlan::Length(length), out)? != BodyMode::None {
        core.write_data(body, true, out)?;
    }
    Ok(())
}
