//! Bodies and batches that end prematurely.

use hyper::StatusCode;

use crate::serve::http::head::Refusal;
use crate::serve::http::reply::{self, Reply};
use crate::serve::telemetry::metrics::Label;

const NO_MEMORY: &str = "Service unavailable: too many long bodies at once; try again";

/// Answer to a body for which there is no memory beside the others.
pub(crate) fn no_memory() -> Reply {
    reply::busy(NO_MEMORY)
}

/// Message about a panic.
pub(crate) const OUR_FAULT: &str =
    "Internal server error: the fault is the service's, and has been noted";

/// Reason why a body cannot be read to its end, or a batch not be answered to its end.
#[derive(Clone, Copy)]
pub(crate) enum Broken {
    /// The next piece of the body did not come in time.
    TooLate,
    /// The framing of the body is malformed.
    Framing(Refusal),
    /// The client ended the body prematurely.
    Incomplete,
    /// A panic left nothing to continue with.
    OurFault,
    /// A long record arrived when the bodies of all connections had reached the memory limit.
    NoMemory,
}

/// Value of the `reason` label.
impl Label for Broken {
    fn label(self) -> &'static str {
        match self {
            Broken::TooLate => "timeout",
            Broken::Framing(_) => "framing",
            Broken::Incomplete => "incomplete",
            Broken::OurFault => "fault",
            Broken::NoMemory => "memory",
        }
    }
}

impl Broken {
    /// All reasons.
    pub(crate) const ALL: &[Broken] = &[
        Broken::TooLate,
        Broken::Framing(Refusal::Chunk),
        Broken::Incomplete,
        Broken::OurFault,
        Broken::NoMemory,
    ];

    /// Last line of the answer, which repeats nothing of the body.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Broken::TooLate => "Request timeout: the body did not arrive in time",
            Broken::Framing(refusal) => refusal.message(),
            Broken::Incomplete => "Bad request: the body ended before its length",
            Broken::OurFault => OUR_FAULT,
            Broken::NoMemory => NO_MEMORY,
        }
    }

    /// Answer to the batch if nothing has been answered yet.
    pub(crate) fn reply(self) -> Reply {
        let status = match self {
            Broken::TooLate => StatusCode::REQUEST_TIMEOUT,
            Broken::Framing(_) | Broken::Incomplete => StatusCode::BAD_REQUEST,
            Broken::OurFault => StatusCode::INTERNAL_SERVER_ERROR,
            Broken::NoMemory => return no_memory(),
        };
        reply::fail(status, self.message())
    }
}
