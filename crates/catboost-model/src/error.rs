//! Errors of reading a model file.

use std::{error, fmt, io};

use crate::limits::MAX_NON_SYMMETRIC_DEPTH;

/// Error of reading a model file. Its text is a sentence that says where the fault is, what was expected, and what was
/// found.
#[derive(Debug)]
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Io(io::Error),
    /// Description of the file's real format, and how to get a model.
    Foreign(String),
    /// Byte offset in the file, and the fault there.
    Cbm(usize, String),
    /// Path in the document, and the fault there.
    Json(String, String),
    /// The file can be read, but is inconsistent.
    Model(String),
    /// Unsupported content of the file.
    Unsupported(String),
}

impl Error {
    #[cold]
    pub(crate) fn foreign(what: String) -> Self {
        Self(Box::new(Kind::Foreign(what)))
    }

    #[cold]
    pub(crate) fn cbm(offset: usize, what: impl Into<String>) -> Self {
        Self(Box::new(Kind::Cbm(offset, what.into())))
    }

    #[cold]
    pub(crate) fn json(path: impl Into<String>, what: impl fmt::Display) -> Self {
        Self(Box::new(Kind::Json(path.into(), what.to_string())))
    }

    #[cold]
    pub(crate) fn model(what: impl Into<String>) -> Self {
        Self(Box::new(Kind::Model(what.into())))
    }

    /// `what` is a plural, or a singular used like one: «embedding features», «the KNN calcer of …».
    #[cold]
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self(Box::new(Kind::Unsupported(what.into())))
    }

    /// Non-symmetric trees are read, and written as JSON, recursively.
    #[cold]
    pub(crate) fn too_deep() -> Self {
        Self::unsupported(format!(
            "non-symmetric trees of a depth above {MAX_NON_SYMMETRIC_DEPTH}"
        ))
    }

    /// Returns true if the file is a valid model with content that this library does not support.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(*self.0, Kind::Unsupported(_))
    }
}

impl Error {
    /// Returns why the file could not be read, if that is the error.
    ///
    /// # Errors
    /// The error itself, if it is another.
    pub fn into_io(self) -> Result<io::Error, Self> {
        match *self.0 {
            Kind::Io(error) => Ok(error),
            other => Err(Self(Box::new(other))),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self(Box::new(Kind::Io(error)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Io(error) => write!(f, "the file cannot be read: {error}"),
            Kind::Foreign(what) => write!(f, "not a CatBoost model: {what}"),
            Kind::Cbm(offset, what) => write!(f, "byte {offset}: {what}"),
            Kind::Json(path, what) => write!(f, "{path}: {what}"),
            Kind::Model(what) => f.write_str(what),
            Kind::Unsupported(what) => write!(f, "not supported: {what}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::Io(error) => Some(error),
            _ => None,
        }
    }
}
