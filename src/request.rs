//! The ten fields of a request: reading them, checking them, naming what is wrong.

use std::borrow::Cow;
use std::fmt;

/// What `pick_regno` takes, checked. Text is borrowed from the body where it holds no escapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// The plate as the camera read it.
    pub regno_recognize: Cow<'a, str>,
    /// The plate as the network read it.
    pub afts_regno_ai: Cow<'a, str>,
}

/// The body of `POST /reg/`.
#[derive(Debug)]
pub enum Body<'a> {
    /// One object.
    One(Request<'a>),
    /// An array of at most [`MAX_ELEMENTS`] objects.
    Many(Vec<Request<'a>>),
}

/// The most requests that one array may hold.
pub const MAX_ELEMENTS: usize = 1_000;

/// Why a body cannot be answered: one sentence that names fields and kinds of fault, and never repeats a value.
#[derive(Debug)]
pub struct Invalid {
    message: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}

/// Reads a body: an object, an array of objects, or a JSON string that holds either.
pub fn parse_body(_bytes: &[u8]) -> Result<Body<'_>, Invalid> {
    Err(Invalid {
        message: "nothing is read yet".to_owned(),
    })
}
