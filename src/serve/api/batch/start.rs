//! Time at which the head of a batch's answer is sent: at the end of the body, unless an exception applies.
//!
//! | request | sent at the latest | since |
//! | --- | --- | --- |
//! | HTTP/1.1, chunked | after [`EARLY`] of answers | who does not know what will come means to stream |
//! | HTTP/1.1, with a length | when no more can be held | most who send a length send all before they read |
//! | HTTP/1.1, chunked, through a proxy | never: 413 when no more can be held | Go's `ReverseProxy` drops a part of a body that it was answered before its end, and nobody could see it |
//! | HTTP/1.0 | never: 413 when no more can be held | an answer without a length that is cut looks whole |

use hyper::StatusCode;
use hyper::Version;
use hyper::body::{Body as _, Incoming};
use hyper::header::{FORWARDED, TE, VIA};
use hyper::http::request::Parts;

use crate::serve::http::reply::{self, Reply};

/// Bytes of answers that wait for the end of a body whose client means to stream.
pub(super) const EARLY: u64 = 256 * 1024;

/// Time at which an answer begins if the body has not ended before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// After [`EARLY`] bytes of answers.
    Early,
    /// Once no more answers can be held.
    Late,
    /// Never.
    Never,
}

/// Capabilities of the client, or of the proxy before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(super) start: Start,
    /// True if the client accepts trailers.
    pub(super) trailers: bool,
}

impl Manner {
    pub(crate) fn of(head: &Parts, body: &Incoming) -> Manner {
        let headers = &head.headers;
        let by_proxy = headers.contains_key("x-forwarded-for")
            || headers.contains_key(FORWARDED)
            || headers.contains_key(VIA);
        let has_length = body.size_hint().exact().is_some();
        let start = match (head.version, has_length, by_proxy) {
            (Version::HTTP_11, true, _) => Start::Late,
            (Version::HTTP_11, false, false) => Start::Early,
            _ => Start::Never,
        };
        let names = headers.get_all(TE).into_iter();
        let mut names = names.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
        Manner {
            start,
            trailers: names.any(|name| name.trim_ascii().eq_ignore_ascii_case(b"trailers")),
        }
    }
}

/// Answer to a batch whose answers are more than can be held.
pub(super) fn refusal(most: u64) -> Reply {
    reply::fail(
        StatusCode::PAYLOAD_TOO_LARGE,
        &format!(
            "Payload too large: the answers to a batch over HTTP/1.0, or chunked and through a proxy, are held until its end, and the \
             limit is {most} bytes; send it in parts, or with Content-Length over HTTP/1.1"
        ),
    )
}
