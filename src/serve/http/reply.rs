//! Answers: the envelope `{"body":…,"status":…}`, and the body type that carries it.

mod shared;

use std::io::Cursor;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

pub(crate) use self::shared::Shared;
use crate::serve::telemetry::log::push_json_string;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Piece of an answer's body, which hyper copies behind the head. `Bytes` would take one more allocation.
pub(crate) type Piece = Cursor<Vec<u8>>;

/// Body of an answer.
pub(crate) enum ReplyBody {
    /// Complete body, or what is left of it.
    Whole(Vec<u8>),
    /// Answer that is the same for everybody.
    Shared(Box<Shared>),
    /// Answer that is produced piece by piece.
    Streamed(Pin<Box<dyn Body<Data = Piece, Error = Cut> + Send>>),
}

impl Body for ReplyBody {
    type Data = Piece;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Cut>>> {
        match self.get_mut() {
            ReplyBody::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            ReplyBody::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready(Some(Ok(Frame::data(Piece::new(bytes)))))
            }
            ReplyBody::Shared(shared) => {
                let piece = ready!(shared.poll_piece(cx));
                Poll::Ready(piece.map(|piece| Ok(Frame::data(Piece::new(piece)))))
            }
            ReplyBody::Streamed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Whole(bytes) => bytes.is_empty(),
            ReplyBody::Shared(shared) => shared.len() == 0,
            ReplyBody::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            ReplyBody::Shared(shared) => SizeHint::with_exact(shared.len() as u64),
            ReplyBody::Streamed(body) => body.size_hint(),
        }
    }
}

/// Error of an interrupted answer, on which hyper closes the connection without the proper end of the answer.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the answer was cut short")
    }
}

impl std::error::Error for Cut {}

/// Answer on its way to hyper.
pub(crate) type Reply = Response<ReplyBody>;

/// Creates an answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: impl Into<Vec<u8>>) -> Reply {
    with_type(status, JSON, body)
}

/// Creates an answer with a body of `content_type`.
pub(crate) fn with_type(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Vec<u8>>,
) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}

/// Creates an answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(Vec::new()));
    *reply.status_mut() = status;
    reply
}

/// Reason of a refusal, for the log: an extension of each answer that [`fail`] creates.
#[derive(Clone)]
pub(crate) struct Reason(pub(crate) Box<str>);

/// `{"body":"<message>","status":"fail"}`.
pub(crate) fn fail(status: StatusCode, message: &str) -> Reply {
    let mut text = String::with_capacity(message.len() + 32);
    text.push_str("{\"body\":");
    push_json_string(message, &mut text);
    text.push_str(",\"status\":\"fail\"}\n");
    let mut reply = json(status, text);
    reply.extensions_mut().insert(Reason(message.into()));
    reply
}

/// Makes an answer of [`fail`] one of the Open Inference Protocol: `{"error":"<message>"}`.
pub(crate) fn tell_as_v2(message: &str, reply: &mut Reply) {
    let mut text = String::from("{\"error\":");
    push_json_string(message, &mut text);
    text.push_str("}\n");
    *reply.body_mut() = ReplyBody::Whole(text.into_bytes());
}

/// Creates a 503 for a request that can be retried later; `message` has the reason.
pub(crate) fn busy(message: &str) -> Reply {
    let mut reply = fail(StatusCode::SERVICE_UNAVAILABLE, message);
    reply
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    reply
}
