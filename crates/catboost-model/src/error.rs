//! Errors of reading a model file.
//!
//! Both readers and the checks of `lower` report the first fault that they find. A fault in a `.cbm` has a
//! byte offset in the whole file, and a fault in JSON has a path in the document. A fault that only the
//! checks can see has neither.

use std::{error, fmt, io};

use crate::limits::MAX_NON_SYMMETRIC_DEPTH;

/// Error of reading a model file. Its text is a sentence that says where the fault is, what was expected, and
/// what was found.
///
/// | fault | beginning of the text |
/// | --- | --- |
/// | the file cannot be read | `the file cannot be read: ` |
/// | another format | `not a CatBoost model: ` |
/// | damaged `.cbm` | `byte 1234: `, counted from the beginning of the file |
/// | damaged JSON | `trees[3].value: `, the path in the document; `.` is the document |
/// | inconsistent model | none |
/// | unsupported content | `not supported: ` |
///
/// [`std::error::Error::source`] gives the [`io::Error`] of the first row; the others have no source.
///
/// ```
/// let error = catboost_model::parse(br#"{"features_info": {}, "oblivious_trees": 7}"#).unwrap_err();
/// assert!(error.to_string().starts_with("oblivious_trees: "));
/// ```
#[derive(Debug)]
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    /// Failure of the operating system while the file was opened or read.
    Io(io::Error),
    /// Description of the file's real format, and how to get a model.
    Foreign(String),
    /// Byte offset in the file, and the fault there.
    Cbm(usize, String),
    /// Path in the document, and the fault there.
    Json(String, String),
    /// Fault of a file that can be read but is inconsistent: a whole sentence.
    Model(String),
    /// Unsupported content of the file.
    Unsupported(String),
}

impl Error {
    /// Creates the error of a file in another format. `what` continues «not a CatBoost model: …».
    #[cold]
    pub(crate) fn foreign(what: String) -> Self {
        Self(Box::new(Kind::Foreign(what)))
    }

    /// Creates the error of a damaged `.cbm`. `offset` counts bytes from the beginning of the file.
    #[cold]
    pub(crate) fn cbm(offset: usize, what: impl Into<String>) -> Self {
        Self(Box::new(Kind::Cbm(offset, what.into())))
    }

    /// Creates the error of a damaged JSON document. `path` is that of the wrong value, like `trees[3]`.
    #[cold]
    pub(crate) fn json(path: impl Into<String>, what: impl fmt::Display) -> Self {
        Self(Box::new(Kind::Json(path.into(), what.to_string())))
    }

    /// Creates the error of an inconsistent model. `what` is a whole sentence that names the feature, tree,
    /// CTR or calcer.
    #[cold]
    pub(crate) fn model(what: impl Into<String>) -> Self {
        Self(Box::new(Kind::Model(what.into())))
    }

    /// Creates the error of unsupported content. `what` is a plural, or a singular used like one: «embedding
    /// features», «the KNN calcer of …».
    #[cold]
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self(Box::new(Kind::Unsupported(what.into())))
    }

    /// Creates the error of a non-symmetric tree that is too deep: such trees are read, and written as JSON,
    /// recursively.
    #[cold]
    pub(crate) fn too_deep() -> Self {
        Self::unsupported(format!(
            "non-symmetric trees of a depth above {MAX_NON_SYMMETRIC_DEPTH}"
        ))
    }

    /// Returns true if the file is a valid model with content that this library does not support. The README
    /// of the crate lists such content. A `.cbm` may be supported where the JSON of the same model is not.
    ///
    /// ```
    /// let error = catboost_model::parse(br#"{"features_info": {}, "oblivious_trees": []}"#).unwrap_err();
    /// // Such a document does not say how many raw values a row has.
    /// assert!(error.is_unsupported());
    /// assert!(error.to_string().starts_with("not supported: a model without trees and biases"));
    /// ```
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
    ///
    /// ```
    /// let error = catboost_model::load("no/such/model.cbm".as_ref()).unwrap_err();
    /// let why = error.into_io().expect("there is no such file");
    /// assert_eq!(why.kind(), std::io::ErrorKind::NotFound);
    /// ```
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
