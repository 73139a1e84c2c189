//! Why a file is not a model that can be read.

use std::{error, fmt, io};

use crate::limits::MAX_NON_SYMMETRIC_DEPTH;

/// Why a file is not a model that can be read. Its text is a sentence that says where, what was expected, and what was
/// found.
#[derive(Debug)]
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Io(io::Error),
    /// What the file is instead of a model, and how to get a model.
    Foreign(String),
    /// Byte offset in the file, and what is wrong there.
    Cbm(usize, String),
    /// Path in the document, and what is wrong there.
    Json(String, String),
    /// The file can be read, but does not add up.
    Model(String),
    /// What the file holds that is not supported.
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

    /// `what` is a plural, or a singular in the plural's place: «embedding features», «the KNN calcer of …».
    #[cold]
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self(Box::new(Kind::Unsupported(what.into())))
    }

    /// A non-symmetric tree is read, and written as JSON, by going down into it.
    #[cold]
    pub(crate) fn too_deep() -> Self {
        Self::unsupported(format!(
            "non-symmetric trees of a depth above {MAX_NON_SYMMETRIC_DEPTH}"
        ))
    }

    /// Whether the file is a sound model that this library does not support.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(*self.0, Kind::Unsupported(_))
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
