//! Batches that end early.

use hyper::StatusCode;

use crate::serve::admit::no_memory;
use crate::serve::head::Refusal;
use crate::serve::metrics::Label;
use crate::serve::reply::{self, Reply};

/// What is said of a panic.
pub(in crate::serve) const OUR_FAULT: &str =
    "Internal server error: the fault is the service's, and has been noted";

/// Why a batch ends before it is answered.
#[derive(Clone, Copy)]
pub(in crate::serve) enum Broken {
    /// The next piece of the body did not come in time.
    TooLate,
    /// The body's framing is malformed.
    Framing(Refusal),
    /// The client ended the body before its end.
    Incomplete,
    /// A panic left nothing that could be gone on with.
    OurFault,
    /// A long record came when the bodies of all connections took all memory that they may.
    NoMemory,
}

/// The value of the `reason` label that counts it.
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
    /// One of each.
    pub(in crate::serve) const ALL: [Broken; 5] = [
        Broken::TooLate,
        Broken::Framing(Refusal::Chunk),
        Broken::Incomplete,
        Broken::OurFault,
        Broken::NoMemory,
    ];

    /// The last line of the answer, which repeats nothing of the body.
    pub(in crate::serve) fn message(self) -> &'static str {
        match self {
            Broken::TooLate => "Request timeout: the body did not arrive in time",
            Broken::Framing(refusal) => refusal.message(),
            Broken::Incomplete => "Bad request: the body ended before its length",
            Broken::OurFault => OUR_FAULT,
            Broken::NoMemory => "Service unavailable: too many long bodies at once; try again",
        }
    }

    /// What answers it when nothing has been answered yet.
    pub(super) fn reply(self) -> Reply {
        let status = match self {
            Broken::TooLate => StatusCode::REQUEST_TIMEOUT,
            Broken::Framing(_) | Broken::Incomplete => StatusCode::BAD_REQUEST,
            Broken::OurFault => StatusCode::INTERNAL_SERVER_ERROR,
            Broken::NoMemory => return no_memory(),
        };
        reply::fail(status, self.message())
    }
}

/// The batch was cut short; hyper closes the connection without the answer's proper end.
#[derive(Debug)]
pub(in crate::serve) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the batch was cut short")
    }
}

impl std::error::Error for Cut {}
