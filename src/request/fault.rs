//! Faults of bodies. Their texts name fields and kinds of fault, and never repeat a value: plates are personal data,
//! and messages end up in logs.

use std::fmt::{self, Display, Formatter};

use super::Field;
use super::json::Syntax;

/// Maximum number of requests in one array.
pub const MAX_ELEMENTS: usize = 1_000;

/// Maximum number of bad elements of an array that are described. The others are only counted.
const MAX_DESCRIBED: usize = 10;

/// Error of a body that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    reason: Reason,
    /// True if the error is in the JSON inside a JSON string.
    is_inner: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    /// The body is not JSON.
    Syntax(Syntax),
    /// The body is another kind of value.
    Kind(&'static str),
    /// The array has more than [`MAX_ELEMENTS`] elements.
    TooMany,
    /// A single request is invalid.
    Request(Vec<Problem>),
    /// Requests of an array are invalid.
    Elements(BadElements),
}

/// Invalid requests of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BadElements {
    count: usize,
    described: Vec<(usize, Vec<Problem>)>,
}

/// Single fault of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The request is not an object, but this kind of value.
    NotAnObject(&'static str),
    /// The field is invalid.
    Field(Field, Fault),
}

/// Fault of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The field is missing.
    Missing,
    /// The field is repeated.
    Twice,
    /// The value has another kind than `expected`.
    Kind {
        /// Expected kind, with its article.
        expected: &'static str,
        /// Kind of the value, with its article.
        found: &'static str,
    },
    /// The string does not hold a number.
    NoNumber,
    /// A piece of the list is not a number. The first piece is 1.
    NoScore(usize),
    /// The string is not a date or time in ISO 8601.
    NoTime,
}

impl Invalid {
    /// Returns true if the text is not JSON.
    pub(crate) fn is_syntax(&self) -> bool {
        matches!(self.reason, Reason::Syntax(_))
    }

    pub(super) fn kind(found: &'static str) -> Invalid {
        Reason::Kind(found).into()
    }

    pub(super) fn too_many() -> Invalid {
        Reason::TooMany.into()
    }

    pub(super) fn request(problems: Vec<Problem>) -> Invalid {
        Reason::Request(problems).into()
    }

    /// Marks the error as being in the JSON inside a JSON string.
    pub(super) fn within_string(self) -> Invalid {
        Invalid {
            is_inner: true,
            ..self
        }
    }
}

impl From<Reason> for Invalid {
    fn from(reason: Reason) -> Invalid {
        Invalid {
            reason,
            is_inner: false,
        }
    }
}

impl From<Syntax> for Invalid {
    fn from(syntax: Syntax) -> Invalid {
        Reason::Syntax(syntax).into()
    }
}

impl BadElements {
    pub(super) fn push(&mut self, index: usize, problems: Vec<Problem>) {
        self.count += 1;
        if self.described.len() < MAX_DESCRIBED {
            self.described.push((index, problems));
        }
    }

    /// Returns an error if there are any elements.
    pub(super) fn check(self) -> Result<(), Invalid> {
        match self.count {
            0 => Ok(()),
            _ => Err(Reason::Elements(self).into()),
        }
    }
}

impl Display for Invalid {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_inner {
            f.write_str("in the JSON that the string holds: ")?;
        }
        match &self.reason {
            Reason::Syntax(Syntax { at, fault }) => {
                write!(f, "not JSON from byte {at} on: {fault}")
            }
            Reason::Kind(found) => {
                write!(f, "expected an object or an array of objects, not {found}")
            }
            Reason::TooMany => {
                write!(f, "an array can hold at most {MAX_ELEMENTS} requests")
            }
            Reason::Request(problems) => write_list(f, problems, ", "),
            Reason::Elements(bad) => {
                for (nth, (index, problems)) in bad.described.iter().enumerate() {
                    write!(f, "{}element {index}: ", if nth > 0 { "; " } else { "" })?;
                    write_list(f, problems, ", ")?;
                }
                match bad.count - bad.described.len() {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more elements"),
                }
            }
        }
    }
}

fn write_list(f: &mut Formatter<'_>, items: &[impl Display], separator: &str) -> fmt::Result {
    for (nth, item) in items.iter().enumerate() {
        if nth > 0 {
            f.write_str(separator)?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (field, fault) = match self {
            Problem::NotAnObject(found) => return write!(f, "expected an object, not {found}"),
            Problem::Field(field, fault) => (field.name(), fault),
        };
        match fault {
            Fault::Missing => write!(f, "{field} is missing"),
            Fault::Twice => write!(f, "{field} is there more than once"),
            Fault::Kind { expected, found } => write!(f, "{field} must be {expected}, not {found}"),
            Fault::NoNumber => {
                write!(f, "{field} is a string that does not hold a number")
            }
            Fault::NoScore(piece) => {
                write!(f, "{field}: piece {piece} of the list is not a number")
            }
            Fault::NoTime => write!(
                f,
                "{field} must be a date of the calendar in ISO 8601 form, such as YYYY-MM-DD hh:mm:ss"
            ),
        }
    }
}

impl std::error::Error for Invalid {}
