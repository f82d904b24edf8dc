//! What the peers of a simulation send, and what they received.

use alloc::{string::String, vec::Vec};

use crate::http1::BodyPlan;
use crate::{Field, FieldLines};

/// A body to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The pieces, sent one after the other.
    pub pieces: Vec<Vec<u8>>,
    /// Do not tell the length beforehand.
    pub streamed: bool,
    /// Sent after a streamed body.
    pub trailers: Option<FieldLines>,
}

impl Body {
    /// How the core is told of it.
    pub fn plan(&self) -> BodyPlan {
        if self.streamed {
            BodyPlan::Streamed
        } else if self.pieces.is_empty() {
            BodyPlan::Empty
        } else {
            BodyPlan::Length(self.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.len() as u64)))
        }
    }

    /// The pieces joined.
    pub fn content(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}

/// Field lines as they were received.
pub type Fields = Vec<(String, Vec<u8>)>;

pub(super) fn own<'f>(fields: impl Iterator<Item = Field<'f>>) -> Fields {
    fields.map(|field| (field.name.into(), field.value.to_vec())).collect()
}

/// A message as it was received: of a request method and target, of a response nothing but the
/// status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// `METHOD target` of a request, the status code of a response.
    pub start: String,
    /// The field lines, those of the framing among them.
    pub fields: Fields,
    /// The content, as far as it came.
    pub content: Vec<u8>,
    /// The trailers, if there were any.
    pub trailers: Fields,
    /// Whether the end was seen.
    pub complete: bool,
}

/// A body on its way out.
#[derive(Clone, Debug, Default)]
pub(super) struct Sending {
    pub(super) pieces: alloc::vec::IntoIter<Vec<u8>>,
    pub(super) trailers: Option<FieldLines>,
}

impl Sending {
    pub(super) fn new(body: Body) -> Self {
        Self { pieces: body.pieces.into_iter(), trailers: body.trailers }
    }
}
