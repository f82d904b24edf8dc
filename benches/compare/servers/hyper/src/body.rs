//! The bodies there are, in one type.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use common::{CHUNK, CHUNKS};
use http_body_util::Full;
use hyper::body::{Frame, Incoming, SizeHint};

/// A body of a response.
#[derive(Debug)]
pub(crate) enum Body {
    Full(Full<Bytes>),
    Incoming(Incoming),
    /// So many pieces are left.
    Chunks(usize),
}

impl Body {
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::Full(Full::new(bytes))
    }

    pub(crate) fn chunks() -> Self {
        Self::Chunks(CHUNKS)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Full(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Incoming(body) => Pin::new(body).poll_frame(context),
            Self::Chunks(0) => Poll::Ready(None),
            Self::Chunks(left) => {
                *left -= 1;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&CHUNK)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Incoming(body) => body.is_end_stream(),
            Self::Chunks(left) => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => body.size_hint(),
            Self::Incoming(body) => body.size_hint(),
            Self::Chunks(_) => SizeHint::default(),
        }
    }
}
