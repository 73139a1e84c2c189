//! Errors of loading a model.

use std::{
    error,
    fmt::{self, Display, Formatter},
    io,
    path::PathBuf,
};

use catboost_model::explain::ExplainError;

/// Error of loading a model. Its text is a sentence that says where the fault is, what was expected, and what was
/// found.
///
/// The path is `None` unless the model was read by [`Model::load`](crate::Model::load) or
/// [`Explainer::load`](crate::Explainer::load). Errors of rows are [`RowError`](crate::RowError)s.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    Io(Option<PathBuf>, io::Error),
    /// The file is not a supported model.
    Model(Option<PathBuf>, catboost_model::Error),
    /// The model's tables would take many times the memory of its file, which is not the case for any trained model.
    /// Required tables may take 6 bytes per byte of the file, plus 256 KiB. The text names the table, its
    /// size and the bytes that were left.
    TooLarge(Option<PathBuf>, String),
    /// The model cannot be explained.
    /// Only [`Explainer`](crate::Explainer) returns this error.
    Explain(Option<PathBuf>, ExplainError),
}

impl Error {
    /// Adds the path of the file.
    pub(crate) fn at(self, path: &std::path::Path) -> Self {
        let path = Some(path.to_owned());
        match self {
            Self::Io(_, error) => Self::Io(path, error),
            Self::Model(_, error) => Self::Model(path, error),
            Self::TooLarge(_, what) => Self::TooLarge(path, what),
            Self::Explain(_, error) => Self::Explain(path, error),
        }
    }

    /// An error of the reader of model files.
    pub(crate) fn of_model(error: catboost_model::Error) -> Self {
        match error.into_io() {
            Ok(error) => Self::Io(None, error),
            Err(error) => Self::Model(None, error),
        }
    }

    /// Returns true if the file is a valid model with content that is not supported.
    ///
    /// True for tables that would be too large, too. False for a file that is damaged or cannot be read, and
    /// for a model that cannot be explained.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Io(..) | Self::Explain(..) => false,
            Self::Model(_, error) => error.is_unsupported(),
            Self::TooLarge(..) => true,
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (Self::Io(path, _)
        | Self::Model(path, _)
        | Self::TooLarge(path, _)
        | Self::Explain(path, _)) = self;
        if let Some(path) = path {
            write!(f, "{}: ", path.display())?;
        }
        match self {
            Self::Io(_, error) => write!(f, "the file cannot be read: {error}"),
            Self::Model(_, error) => error.fmt(f),
            Self::TooLarge(_, what) => write!(f, "not supported: {what}"),
            Self::Explain(_, error) => error.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::Model(_, error) => Some(error),
            Self::TooLarge(..) => None,
            Self::Explain(_, error) => Some(error),
        }
    }
}
