//! Errors of starting a server.

use std::{fmt, io};

/// Error of starting a server.
#[derive(Debug)]
pub struct StartError {
    pub(crate) what: String,
    pub(crate) why: io::Error,
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}
